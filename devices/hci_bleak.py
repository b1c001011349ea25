"""bleak's scanner and client over an `Adapter`: the same bleak calls reach a dongle driven in user space.

scanner = BleakScanner(callback, backend=scanner_class(adapter))
client = BleakClient(device, backend=client_class(adapter))
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar, Final, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import core, hci

from devices.errors import LinkError, RadioFull, RadioLost
from devices.hci_adapter import ENDED_BY_US, Adapter, AttRefused
from devices.hci_wire import sink_key

T = TypeVar("T")

MTU: Final = 247
_LEAST_MTU: Final = 23
_ATT_HEADER: Final = 3
_SCAN_RESPONSE: Final = 4
_PROPERTIES: Final[tuple[tuple[int, CharacteristicPropertyName], ...]] = (
    (0x02, "read"),
    (0x04, "write-without-response"),
    (0x08, "write"),
    (0x10, "notify"),
    (0x20, "indicate"),
)
_UUID_SIZES: Final = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
_NAMES: Final = (0x08, 0x09)
_MANUFACTURER: Final = 0xFF


class HciError(BleakError, LinkError):
    """What bleak's users expect, and what ours do."""


class HciRadioLost(HciError, RadioLost):
    """The adapter is gone."""


class HciRadioFull(HciError, RadioFull):
    """The adapter has no place left."""


@contextlib.contextmanager
def _told_to_bleak() -> Iterator[None]:
    try:
        yield
    except AttRefused as error:
        raise BleakGATTProtocolError(error.code) from error
    except RadioLost as error:
        raise HciRadioLost(str(error)) from error
    except RadioFull as error:
        raise HciRadioFull(str(error)) from error
    except TimeoutError:
        raise
    except LinkError as error:
        raise HciError(str(error)) from error


def scanner_class(adapter: Adapter) -> type[BaseBleakScanner]:
    """The class to give to `BleakScanner(backend=)`."""
    return type("HciScanner", (HciScanner,), {"adapter": adapter})


def client_class(adapter: Adapter) -> type[BaseBleakClient]:
    """The class to give to `BleakClient(backend=)`."""
    return type("HciClient", (HciClient,), {"adapter": adapter})


def uuid_text(uuid: core.UUID) -> str:
    """A UUID as bleak writes it: 128 bits, small letters."""
    digits = bytes(reversed(uuid.to_bytes(force_128=True))).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class HciScanner(BaseBleakScanner):
    """Listens on one adapter. Puts advertisement and scan response of a device together, as BlueZ does."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str = "active",
        **_others: Any,  # noqa: ANN401  bleak gives what other systems want
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._parts: dict[bytes, tuple[bytes, bytes]] = {}

    async def start(self) -> None:
        """Listen."""
        self.seen_devices = {}
        self._parts.clear()
        with _told_to_bleak():
            await self.adapter.start_scanning(self._heard, active=self._active)

    async def stop(self) -> None:
        """Listen no longer."""
        with _told_to_bleak():
            await self.adapter.stop_scanning(self._heard)

    def _heard(self, kind: int, address_type: int, address: bytes, data: bytes, rssi: int) -> None:
        advert, response = self._parts.get(address, (b"", b""))
        if kind == _SCAN_RESPONSE:
            response = data
        else:
            advert = data
        self._parts[address] = advert, response
        maker, name, services = _read_structures(advert + response)
        if not self.is_allowed_uuid(services):
            return
        peer = hci.Address(address, hci.AddressType(address_type & 1))
        text = peer.to_string(False)
        said = AdvertisementData(name, maker, {}, services, None, rssi, (self.adapter.name,))
        key = f"{self.adapter.name}/{text}"
        device = self.create_or_update_device(key, text, name, {"adapter": self.adapter.name, "peer": peer}, said)
        self.call_detection_callbacks(device, said)


def _read_structures(data: bytes) -> tuple[dict[int, bytes], str | None, list[str]]:
    """Manufacturer data by company, name and service UUIDs out of AD structures; a broken tail is left out."""
    maker: dict[int, bytes] = {}
    name: str | None = None
    services: list[str] = []
    at, end = 0, len(data)
    while at + 1 < end and data[at]:
        stop = at + 1 + data[at]
        if stop > end:
            break
        kind, raw = data[at + 1], data[at + 2 : stop]
        if kind == _MANUFACTURER and len(raw) >= 2:  # noqa: PLR2004  the company's number
            maker[int.from_bytes(raw[:2], "little")] = raw[2:]
        elif kind in _NAMES:
            name = raw.decode("utf-8", "replace")
        elif size := _UUID_SIZES.get(kind):
            cuts = range(0, len(raw) - size + 1, size)
            services += [uuid_text(core.UUID.from_bytes(raw[i : i + size])) for i in cuts]
        at = stop
    return maker, name, services


class HciClient(BaseBleakClient):
    """One link of one adapter."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        device: BLEDevice | str,
        *,
        services: set[str] | None = None,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 10.0,
        **_others: Any,  # noqa: ANN401  bleak gives what other systems want
    ) -> None:
        super().__init__(device, disconnected_callback=disconnected_callback, timeout=timeout)
        details = device.details if isinstance(device, BLEDevice) else {}
        self._peer: hci.Address = details.get("peer") or hci.Address(self.address)
        self._wanted = services
        self._link: Any = None
        self._subscribed: dict[int, Callable[[bytes], object]] = {}

    @property
    def name(self) -> str:
        """The address: a name is not asked for."""
        return self.address

    @property
    def mtu_size(self) -> int:
        """The agreed ATT MTU in bytes."""
        return int(self._link.att_mtu) if self._link is not None else _LEAST_MTU

    @property
    def is_connected(self) -> bool:
        """Whether the link stands."""
        return self._link is not None

    async def connect(self, pair: bool = False, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002  bleak's form
        """Make the link, agree on the MTU, find the services."""
        del pair  # pens need no bond
        if self._link is not None:
            raise HciError("the client is already connected")
        with _told_to_bleak():
            link = await self.adapter.connect(self._peer, kwargs.get("timeout") or self._timeout)
            self._link = link
            self.adapter.on_lost.append(self._on_disconnection)
            link.on("disconnection", self._on_disconnection)
        try:
            await self._ask(link.gatt_client.request_mtu(MTU))
            self.services = await self._discover(link.gatt_client)
        except BaseException:
            await self.disconnect()
            raise

    def _on_disconnection(self, _reason: int) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        for handle in self._subscribed:
            self.adapter.sinks.pop(sink_key(link.handle, handle), None)
        self._subscribed.clear()
        if self._on_disconnection in self.adapter.on_lost:
            self.adapter.on_lost.remove(self._on_disconnection)
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """Hang up."""
        link = self._link
        if link is None:
            return
        if not self.adapter.gone.done():
            await self.adapter.drop(link)
        self._on_disconnection(ENDED_BY_US)

    async def _discover(self, gatt: Any) -> BleakGATTServiceCollection:  # noqa: ANN401  bumble's GATT client
        found = BleakGATTServiceCollection()
        for s in await self._ask(gatt.discover_services()):
            if self._wanted and uuid_text(s.uuid) not in self._wanted:
                continue
            service = BleakGATTService(s, s.handle, uuid_text(s.uuid))
            found.add_service(service)
            for c in await self._ask(gatt.discover_characteristics([], s)):
                properties = [name for bit, name in _PROPERTIES if int(c.properties) & bit]
                room = self._room
                characteristic = BleakGATTCharacteristic(c, c.handle, uuid_text(c.uuid), properties, room, service)
                found.add_characteristic(characteristic)
                if not {"notify", "indicate"} & set(properties):
                    continue  # only how to subscribe is asked of descriptors; each question costs a connection event
                for d in await self._ask(gatt.discover_descriptors(c)):
                    found.add_descriptor(BleakGATTDescriptor(d, d.handle, uuid_text(d.type), characteristic))
        return found

    def _room(self) -> int:
        return self.mtu_size - _ATT_HEADER

    async def _ask(self, awaitable: Awaitable[T], limit_s: float = 5.0) -> T:
        if self._link is None:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise HciError("not connected")
        with _told_to_bleak():
            return await self.adapter.ask(awaitable, limit_s)

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401  bleak's form
        """Bond by Just Works; the keys live as long as the process."""
        await self._ask(self._gatt_link().pair(), 30.0)

    async def unpair(self) -> None:
        """Nothing is kept, so nothing is to be forgotten."""

    def _gatt_link(self) -> Any:  # noqa: ANN401  bumble's connection
        if self._link is None:
            raise HciError("not connected")
        return self._link

    async def read_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        *,
        use_cached: bool = False,
        **_kwargs: Any,  # noqa: ANN401  bleak's form
    ) -> bytearray:
        """Read a characteristic from the pen; nothing is cached."""
        del use_cached
        return bytearray(await self._ask(self._gatt_link().gatt_client.read_value(characteristic.handle)))

    async def read_gatt_descriptor(
        self,
        descriptor: BleakGATTDescriptor,
        *,
        use_cached: bool = False,
        **_kwargs: Any,  # noqa: ANN401  bleak's form
    ) -> bytearray:
        """Read a descriptor from the pen; nothing is cached."""
        del use_cached
        return bytearray(await self._ask(self._gatt_link().gatt_client.read_value(descriptor.handle)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:  # noqa: FBT001  bleak's form
        """Write to a characteristic."""
        client = self._gatt_link().gatt_client
        await self._ask(client.write_value(characteristic.handle, bytes(data), response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write to a descriptor."""
        await self._ask(self._gatt_link().gatt_client.write_value(descriptor.handle, bytes(data), True))

    async def start_notify(
        self,
        characteristic: BleakGATTCharacteristic,
        callback: NotifyCallback,
        **_kwargs: Any,  # noqa: ANN401  bleak's form
    ) -> None:
        """Subscribe. The callback gets bytes, where bleak says bytearray: nobody changes them, so no copy is made."""
        handle = characteristic.handle
        on_value: Callable[[bytes], object] = callback  # type: ignore[assignment]  # see the docstring
        self._subscribed[handle] = on_value
        # Before the pen is told: its first notifications come before its answer does.
        self.adapter.sinks[sink_key(self._gatt_link().handle, handle)] = on_value
        await self._ask(characteristic.obj.subscribe(on_value))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Subscribe no longer."""
        on_value = self._subscribed.pop(characteristic.handle, None)
        if on_value is None:
            return
        self.adapter.sinks.pop(sink_key(self._gatt_link().handle, characteristic.handle), None)
        await self._ask(characteristic.obj.unsubscribe(on_value))
