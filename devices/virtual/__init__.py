"""The other end of the radio: virtual dongles, the air between, and pens that speak the real messages over GATT."""
