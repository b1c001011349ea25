"""A stand-in for bluetoothd on a private bus: bleak's real backend talks to it, and it misbehaves when told to."""

import asyncio
import contextlib
import subprocess
from collections import Counter, deque
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from devices.families import NEO

_CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow send_type="signal"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/></policy></busconfig>"""
_PROPERTIES = "org.freedesktop.DBus.Properties"
_MANAGER = "org.freedesktop.DBus.ObjectManager"
_DEVICE = "org.bluez.Device1"
_PATHS = NEO.gatt[1]


@contextlib.contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """A dbus-daemon of our own; its address."""
    conf, path = folder / "bus.conf", folder / "bus"
    conf.write_text(_CONF.format(path=path), encoding="utf-8")
    command = ["dbus-daemon", "--nofork", "--nopidfile", "--print-address=1", f"--config-file={conf}"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        yield f"unix:path={path}"
    finally:
        daemon.kill()
        daemon.wait()
        if daemon.stdout is not None:
            daemon.stdout.close()


class BluezStandIn:
    """One adapter and some pens.

    Attributes:
        manners: By MAC, how the next connects go: `fine`, `late` (Connect answers, Connected comes 80 ms later), `bare`
            (services resolved, none there), `hang`; then `fine` for ever.
        calls: How often each method was called.
        written: What was written, by MAC.
    """

    def __init__(self, *, adapter: str = "hci0", address: str = "02:00:00:00:00:01") -> None:
        self.adapter, self.address = adapter, address
        self.manners: dict[str, deque[str]] = {}
        self.calls: Counter[str] = Counter()
        self.written: dict[str, list[bytes]] = {}
        self.notifying: set[str] = set()
        self.powered = True
        self._macs: list[str] = []
        self._tree: dict[str, dict[str, dict[str, Variant]]] = {}
        self._bus: MessageBus | None = None
        self._hung: list[Message] = []
        self._late: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take the name org.bluez."""
        self._tree = {"/org/bluez": {}, self._adapter_path: {"org.bluez.Adapter1": self._adapter_properties()}}
        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._on_message)
        await self._bus.request_name("org.bluez")
        self._signal(
            "/", _MANAGER, "InterfacesAdded", "oa{sa{sv}}", [self._adapter_path, self._tree[self._adapter_path]]
        )

    async def die(self) -> None:
        """As after a crash: the name goes and nothing is said."""
        for task in self._tasks:
            task.cancel()
        if self._bus is not None:
            self._bus.disconnect()
            with contextlib.suppress(Exception):
                await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast types it not
            self._bus = None

    def advertise(self, mac: str) -> None:
        """A pen is there; it is told of again whenever somebody scans."""
        self._macs.append(mac)

    def leave_linked(self, mac: str) -> None:
        """A pen whose link a dead gateway left behind: it advertises no more."""
        self._tree[self._device_path(mac)] = {_DEVICE: self._device_properties(mac)}
        self._connected(mac, bare=False)

    def notify(self, mac: str, value: bytes) -> None:
        """The pen says something."""
        self._changed(
            f"{self._device_path(mac)}/service000e/char0011", "org.bluez.GattCharacteristic1", Value=("ay", value)
        )

    def drop(self, mac: str) -> None:
        """The link goes."""
        self._changed(self._device_path(mac), _DEVICE, ServicesResolved=("b", False), Connected=("b", False))

    def linked(self, mac: str) -> bool:
        """Whether the pen has a link."""
        node = self._tree.get(self._device_path(mac), {}).get(_DEVICE)
        return bool(node and node["Connected"].value)

    # -- the bus

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.destination == "org.freedesktop.DBus":
            return None
        member, path = str(message.member), str(message.path)
        self.calls[member] += 1
        if member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._tree])
        if member == "Introspect":
            return Message.new_method_return(message, "s", [f'<node><node name="{self.adapter}"/></node>'])
        if member == "GetAll":
            self._tree[self._adapter_path]["org.bluez.Adapter1"] = self._adapter_properties()
            return Message.new_method_return(message, "a{sv}", [self._adapter_properties()])
        if member == "Set":
            return Message.new_error(message, "org.bluez.Error.Blocked", "rfkill")
        mac = path.partition("/dev_")[2][:17].replace("_", ":")
        return self._on_bluez(message, member, path, mac)

    def _on_bluez(self, message: Message, member: str, path: str, mac: str) -> Message | bool | None:
        if member == "StartDiscovery":
            self._later(self._say_who_is_there())
        elif member == "Connect":
            return self._on_connect(message, mac)
        elif member == "Disconnect":
            self._late.discard(mac)
            if self.linked(mac):
                self.drop(mac)
        elif member == "StartNotify":
            self.notifying.add(mac)
        elif member == "WriteValue":
            self.written.setdefault(mac, []).append(bytes(message.body[0]))
        elif member == "RemoveDevice":
            self._remove(str(message.body[0]))
        del path
        return Message.new_method_return(message)

    def _on_connect(self, message: Message, mac: str) -> Message | bool:
        manner = self.manners[mac].popleft() if self.manners.get(mac) else "fine"
        if manner == "hang":
            self._hung.append(message)
            return True
        if manner == "late":
            self._late.add(mac)
            self._later(self._connect_late(mac))
        else:
            self._connected(mac, bare=manner == "bare")
        return Message.new_method_return(message)

    async def _connect_late(self, mac: str) -> None:
        await asyncio.sleep(0.08)
        if mac in self._late:
            self._connected(mac, bare=False)

    def _connected(self, mac: str, *, bare: bool) -> None:
        path = self._device_path(mac)
        if path not in self._tree:
            return
        if not bare:
            for child, interfaces in self._gatt(path).items():
                if child not in self._tree:
                    self._tree[child] = interfaces
                    self._signal("/", _MANAGER, "InterfacesAdded", "oa{sa{sv}}", [child, interfaces])
        self._changed(path, _DEVICE, Connected=("b", True), UUIDs=("as", [] if bare else [_PATHS.service]))
        self._changed(path, _DEVICE, ServicesResolved=("b", True))

    async def _say_who_is_there(self) -> None:
        while self._bus is not None:
            for mac in self._macs:
                path = self._device_path(mac)
                if path not in self._tree:
                    self._tree[path] = {_DEVICE: self._device_properties(mac)}
                    self._signal("/", _MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, self._tree[path]])
                elif not self.linked(mac):
                    self._changed(path, _DEVICE, RSSI=("n", -50))
            await asyncio.sleep(0.05)

    def _remove(self, path: str) -> None:
        for child in [p for p in self._tree if p.startswith(path)]:
            interfaces = list(self._tree.pop(child))
            self._signal("/", _MANAGER, "InterfacesRemoved", "oas", [child, interfaces])

    def _changed(self, path: str, interface: str, **values: tuple[str, Any]) -> None:
        changed = {name: Variant(kind, value) for name, (kind, value) in values.items()}
        if path in self._tree:
            self._tree[path][interface].update(changed)
            self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, []])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the tree

    @property
    def _adapter_path(self) -> str:
        return f"/org/bluez/{self.adapter}"

    def _device_path(self, mac: str) -> str:
        return f"{self._adapter_path}/dev_{mac.replace(':', '_')}"

    def _adapter_properties(self) -> dict[str, Variant]:
        return {
            "Address": Variant("s", self.address),
            "Name": Variant("s", "x"),
            "Alias": Variant("s", "x"),
            "Powered": Variant("b", self.powered),
            "Discovering": Variant("b", False),
            "UUIDs": Variant("as", []),
        }

    def _device_properties(self, mac: str) -> dict[str, Variant]:
        raw = bytes.fromhex(mac.replace(":", ""))
        return {
            "Address": Variant("s", mac),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", "pen"),
            "Name": Variant("s", "pen"),
            "Paired": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "Adapter": Variant("o", self._adapter_path),
            "UUIDs": Variant("as", []),
            "RSSI": Variant("n", -50),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "LegacyPairing": Variant("b", False),
            "ManufacturerData": Variant("a{qv}", {int.from_bytes(raw[:2], "little"): Variant("ay", raw[2:])}),
        }

    def _gatt(self, device: str) -> dict[str, dict[str, dict[str, Variant]]]:
        service = f"{device}/service000e"

        def characteristic(uuid: str, *flags: str) -> dict[str, dict[str, Variant]]:
            return {
                "org.bluez.GattCharacteristic1": {
                    "UUID": Variant("s", uuid),
                    "Service": Variant("o", service),
                    "Value": Variant("ay", b""),
                    "Notifying": Variant("b", False),
                    "NotifyAcquired": Variant("b", False),
                    "MTU": Variant("q", 247),
                    "Flags": Variant("as", list(flags)),
                }
            }

        return {
            service: {
                "org.bluez.GattService1": {
                    "UUID": Variant("s", _PATHS.service),
                    "Device": Variant("o", device),
                    "Primary": Variant("b", True),
                    "Includes": Variant("ao", []),
                }
            },
            f"{service}/char0011": characteristic(_PATHS.notify, "notify"),
            f"{service}/char0014": characteristic(_PATHS.write, "write"),
        }
