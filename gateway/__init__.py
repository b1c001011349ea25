"""The gateway: composes devices, recognition and sync into one service. Nothing imports it but its own tests."""
