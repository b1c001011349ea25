"""Adapters, their places, admission, spreading, coming back, fail-over: which pen is linked by which radio."""

from devices.adapters import AdapterSpec
from devices.radios.known import AdapterView, Heard, RadioMemory
from devices.radios.radios import Radios

__all__ = ["AdapterSpec", "AdapterView", "Heard", "RadioMemory", "Radios"]
