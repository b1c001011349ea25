"""What bleak does not tell of BlueZ: its adapters by address, whether they are on, and whether bluetoothd still lives.

A few small D-Bus calls on a connection of our own, for `devices/ble.py`. hciN numbers are a race at every start, so an
adapter is known by its address.
"""

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

BLUEZ: Final = "org.bluez"
_ROOT: Final = "/org/bluez"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_ADAPTER: Final = "org.bluez.Adapter1"
_NODE: Final = re.compile(r'<node name="(hci\d+)"')
_CLOSE_S: Final = 1.0
_LOST: Final = (OSError, EOFError, DBusError, TimeoutError)


@dataclass(frozen=True, slots=True)
class BluezAdapter:
    """One adapter as BlueZ has it at the moment."""

    address: str
    name: str
    """`hci0` and so on."""
    powered: bool
    owner: str
    """The bus name of the bluetoothd that said so: another one is another life."""


class Bluez:
    """A connection to bluetoothd that is made when needed and made again when it broke."""

    def __init__(self) -> None:
        self._bus: MessageBus | None = None

    async def adapters(self) -> list[BluezAdapter] | None:
        """All adapters by name, or None where there is no bus or no bluetoothd."""
        owner = await self._call("org.freedesktop.DBus", "/org/freedesktop/DBus", "GetNameOwner", "s", [BLUEZ])
        if owner is None:
            return None
        xml = await self._call("org.freedesktop.DBus.Introspectable", _ROOT, "Introspect", "", [])
        found = []
        for name in sorted(set(_NODE.findall(str(xml or "")))):
            said = await self._call(_PROPERTIES, f"{_ROOT}/{name}", "GetAll", "s", [_ADAPTER])
            if isinstance(said, dict) and "Address" in said:
                powered = bool(said["Powered"].value) if "Powered" in said else False
                found.append(BluezAdapter(str(said["Address"].value).upper(), name, powered, str(owner)))
        return found

    async def power_on(self, name: str) -> bool:
        """Ask for power; False where it is blocked or not allowed."""
        body = [_ADAPTER, "Powered", Variant("b", True)]
        return await self._call(_PROPERTIES, f"{_ROOT}/{name}", "Set", "ssv", body) is not None

    async def remove_device(self, adapter: str, device_path: str) -> None:
        """Make BlueZ forget a device and the services it remembers of it."""
        await self._call(_ADAPTER, f"{_ROOT}/{adapter}", "RemoveDevice", "o", [device_path])

    async def close(self) -> None:
        """End the connection."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()
            with contextlib.suppress(*_LOST):
                async with asyncio.timeout(_CLOSE_S):
                    await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast types it not

    async def _call(self, interface: str, path: str, member: str, signature: str, body: list[Any]) -> object | None:
        """The first value of the answer, True for an empty one, None for an error."""
        destination = interface if interface == "org.freedesktop.DBus" else BLUEZ
        message = Message(
            destination=destination, path=path, interface=interface, member=member, signature=signature, body=body
        )
        try:
            if self._bus is None or not self._bus.connected:
                await self.close()
                self._bus = MessageBus(
                    bus_type=BusType.SYSTEM
                )  # ours before it connects, so that it is closed for sure
                await self._bus.connect()
            answer = await self._bus.call(message)
        except _LOST:
            await self.close()
            return None
        if answer is None or answer.message_type is MessageType.ERROR:
            return None
        first: object = answer.body[0] if answer.body else True
        return first
