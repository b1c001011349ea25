"""The pens of NeoLab, protocol 2.x: framing, messages and the session. Pure: no I/O, no clock."""
