"""What tells this machine from another one that runs a copy of its disk: hardware first, the system's own id second."""

import hashlib
from pathlib import Path
from typing import NamedTuple

_NO_ADDRESS = "00:00:00:00:00:00"
_SERIALS = ("sys/class/dmi/id/product_uuid", "sys/class/dmi/id/board_serial", "proc/device-tree/serial-number")
_SYSTEM = "etc/machine-id"
_HASH_DIGITS = 16


class Marks(NamedTuple):
    """What was found, each as a salted hash: a store that is sent somewhere tells nobody a serial number."""

    hardware: frozenset[str]
    """Of boards and built-in network ports; empty where nothing can be read, as in a container."""
    system: str
    """Of the operating system's id, which a copied disk has, too; empty if there is none."""

    def same_machine(self, other: "Marks") -> bool:
        """Whether both are of one machine. One part in common is enough: parts are replaced. No evidence is a yes."""
        if self.hardware and other.hardware:
            return bool(self.hardware & other.hardware)
        return not (self.system and other.system) or self.system == other.system


def marks(salt: str, root: Path = Path("/")) -> Marks:
    """What this machine is known by; `salt` must be the same for two that are compared."""
    found = [text for name in _SERIALS if (text := _text(root / name))]
    for port in sorted((root / "sys/class/net").glob("*")):
        device = port / "device"
        # A port on USB moves from box to box with whoever carries it.
        if device.exists() and "/usb" not in str(device.resolve()):
            address = _text(port / "address")
            if address and address != _NO_ADDRESS:
                found.append(address)
    system = _text(root / _SYSTEM)
    return Marks(frozenset(_hashed(salt, text) for text in found), _hashed(salt, system) if system else "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip(" \0\n")
    except (OSError, UnicodeDecodeError):
        return ""


def _hashed(salt: str, text: str) -> str:
    return hashlib.sha256(f"{salt}|{text}".encode()).hexdigest()[:_HASH_DIGITS]
