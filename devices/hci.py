"""Radios driven in user space: a dongle on a serial line, or HCI over a socket.

    adapter = await open_adapter("hci0", "serial:/dev/serial/by-id/usb-…,1000000")
    BleakScanner(callback, backend=adapter_scanner(adapter))

Specs are bumble's: `serial:PORT,SPEED`, `unix:PATH`, `tcp-client:HOST:PORT`, `usb:…`.
"""

from typing import Final

from devices.hci_adapter import Adapter

SCHEMES: Final = ("serial", "unix", "tcp-client", "usb", "pty", "hci-socket")


def is_hci_spec(spec: str) -> bool:
    """Whether a setting names a radio driven in user space, and not one that BlueZ holds."""
    return spec.partition(":")[0] in SCHEMES and ":" in spec


async def open_adapter(name: str, spec: str, *, limit_s: float = 3.0) -> Adapter:
    """Open a controller and reset it.

    Raises:
        RadioLost: It cannot be opened, or does not answer; nothing stays open.
    """
    adapter = Adapter(name, spec)
    await adapter.open(limit_s)
    return adapter
