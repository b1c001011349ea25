"""The only door to pyserial: which serial ports are there, by names that stay.

ttyUSB0 and ttyACM0 change places at every boot; /dev/serial/by-id does not, so settings name ports by it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serial.tools import list_ports

BY_ID: Final = Path("/dev/serial/by-id")
_HCI_MAKERS: Final = frozenset({0x1915, 0x2FE3})
"""USB vendors whose boards run HCI over a serial line: Nordic, Zephyr."""


@dataclass(frozen=True, slots=True)
class SerialPort:
    """One serial port on USB."""

    stable: str
    """Its path by id where the system gives one, else `path`."""
    path: str
    """Its path of the moment, such as /dev/ttyACM0."""
    maker: str
    product: str
    serial_number: str
    may_be_radio: bool
    """Whether its maker makes boards that are Bluetooth controllers on a serial line."""

    @property
    def spec(self) -> str:
        """As `radio.adapters` wants it."""
        return f"serial:{self.stable},1000000"


def serial_ports(*, by_id: Path = BY_ID) -> list[SerialPort]:
    """The USB serial ports that are there now, dongles and docks, sorted by stable name; no built-in ones."""
    stable = stable_names(by_id)
    found = [
        SerialPort(
            stable=stable.get(port.device, port.device),
            path=port.device,
            maker=port.manufacturer or "",
            product=port.product or "",
            serial_number=port.serial_number or "",
            may_be_radio=port.vid in _HCI_MAKERS,
        )
        for port in list_ports.comports()
        if port.vid is not None
    ]
    return sorted(found, key=lambda port: port.stable)


def stable_names(by_id: Path = BY_ID) -> dict[str, str]:
    """Stable path by path of the moment; empty where the system gives none."""
    if not by_id.is_dir():
        return {}
    return {str(link.resolve()): str(link) for link in sorted(by_id.iterdir())}
