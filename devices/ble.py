"""The only door to bleak: listen on an adapter, connect with a fresh client, subscribe, write.

The same code serves BlueZ and dongles driven in user space; only the backend class differs. StartNotify, never
AcquireNotify, because the latter crashes bluetoothd on disconnect (bluez/bluez#1781).
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError

from devices.adapters import (
    AdapterSource,
    AdapterSpec,
    AdapterState,
    ConnectHung,
    HalfLink,
    LinkTransport,
    NoServices,
    PenGone,
    RadioAdapter,
    Sighting,
)
from devices.bluez import Bluez, BluezAdapter
from devices.errors import LinkError, RadioLost
from devices.families import Advertisement, GattPaths, PenFamily, family_of, known_families
from devices.hci import open_adapter
from devices.hci_adapter import Adapter
from devices.hci_bleak import client_class, scanner_class
from devices.transport import Arrival, NowMs

logger = logging.getLogger(__name__)

_WRITE_LIMIT_S: Final = 5.0
_HANG_UP_LIMIT_S: Final = 5.0
_SUBSCRIBE_LIMIT_S: Final = 5.0
_SCAN_LIMIT_S: Final = 10.0
_GRACE_S: Final = 3.0
"""What bleak may take beyond its own time limit to clean up after itself."""
_BLUEZ_LIFE_S: Final = 35.0
"""BlueZ forgets a device 30 s after its last advertisement, and tells of changes only."""
_HCI_LIFE_S: Final = 10.0
_LINKED_DBM: Final = -70
"""BlueZ does not tell how strong a link is; a middling signal."""
_LINKED_EVERY: Final = 5
"""Looks between two questions for such links."""
_BLUEZ_PAUSE_S: Final = 1.0
_HEARTBEAT_S: Final = 2.0
_REOPEN_S: Final = 0.25


class BleTransport:
    """One link. What arrives is kept until it is taken, also after the link went."""

    def __init__(self, now_ms: NowMs, on_lost: Callable[["BleTransport"], object]) -> None:
        self._now_ms = now_ms
        self._on_lost = on_lost
        self._arrived: deque[Arrival] = deque()
        self._taken_ms = now_ms()
        self._client: BleakClient | None = None
        self._paths: GattPaths | None = None
        self._writing = asyncio.Lock()
        self._ended = False
        self._given = False

    @property
    def is_open(self) -> bool:
        """Whether the link still stands."""
        return self._client is not None and not self._ended

    @property
    def heard_ms(self) -> int:
        """When the last notification came; at first when the link was made."""
        return self._arrived[-1].at_ms if self._arrived else self._taken_ms

    def take(self) -> list[Arrival]:
        """Everything that arrived since the last call."""
        out = list(self._arrived)
        if out:
            self._arrived.clear()
            self._taken_ms = out[-1].at_ms
        return out

    async def write(self, data: bytes) -> None:
        """Send bytes, cut to what the link carries.

        Raises:
            LinkError: The link went, or the pen does not confirm in 5 s.
        """
        async with self._writing:
            client, paths = self._client, self._paths
            if client is None or paths is None or self._ended:
                raise LinkError("the link is gone")
            try:
                async with asyncio.timeout(_WRITE_LIMIT_S):
                    await _write(client, paths.write, data)
            except (BleakError, TimeoutError, OSError, EOFError) as error:
                raise LinkError(f"writing to the pen failed: {error}") from error

    async def close(self) -> None:
        """Hang up."""
        if not self._ended and self._client is not None:
            await _hang_up(self._client)
        self.went(None)

    async def subscribe(self, client: BleakClient, family: PenFamily) -> None:
        """Find the pen's service and listen. The handler belongs to this link and dies with it."""
        self._paths = _find_paths(client, family)
        append, now_ms = self._arrived.append, self._now_ms

        def arrived(_characteristic: object, data: bytes | bytearray) -> None:
            append(Arrival(now_ms(), bytes(data)))

        await client.start_notify(self._paths.notify, arrived, bluez={"use_start_notify": True})
        self._client = client

    def went(self, _client: BleakClient | None) -> None:
        """The link is gone, by whomever; heard once."""
        if self._ended:
            return
        self._ended = True
        if self._given:
            self._on_lost(self)

    def give(self) -> None:
        """From here on the owner hears when the link goes.

        Raises:
            HalfLink: It went already.
        """
        if self._ended:
            raise HalfLink("the pen went again at once")
        self._given = True


class BleAdapter:
    """One adapter, of BlueZ's or our own, that is there now."""

    def __init__(
        self, address: str, name: str, now_ms: NowMs, *, hci: Adapter | None = None, bluez: Bluez | None = None
    ) -> None:
        self.address, self.name = address, name
        self.sighting_life_s = _BLUEZ_LIFE_S if hci is None else _HCI_LIFE_S
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future() if hci is None else hci.gone
        self._now_ms = now_ms
        self._hci, self._bluez = hci, bluez
        self._scanner_backend: type[BaseBleakScanner] | None = scanner_class(hci) if hci is not None else None
        self._client_backend: type[BaseBleakClient] | None = client_class(hci) if hci is not None else None
        self._scanner: BleakScanner | None = None
        self._detected: Callable[[BLEDevice, AdvertisementData], None] | None = None
        self._families: dict[str, tuple[object, object, tuple[PenFamily, str] | None]] = {}

    async def start_scanning(self, heard: Callable[[Sighting], object]) -> None:
        """Listen; pens of known families go to `heard`."""

        def detected(device: BLEDevice, said: AdvertisementData) -> None:
            known = self._identify(device, said)
            if known is not None:
                family, mac = known
                heard(Sighting(mac, family, said.rssi, said.local_name or "", device))

        scanner = BleakScanner(detected, bluez={"adapter": self.name}, backend=self._scanner_backend)
        await _ask_bleak(scanner.start(), _SCAN_LIMIT_S)
        self._scanner, self._detected = scanner, detected
        await self.hear_linked()

    async def hear_linked(self) -> None:
        """Let pens be heard whose links BlueZ holds, as after a crash of ours: they advertise no more."""
        if self._bluez is None or self._detected is None:
            return
        services = [paths.service for family in known_families() for paths in family.gatt]
        with contextlib.suppress(BleakError, OSError, EOFError):
            adapter = await BleakAdapter.get(bluez={"adapter": self.name})
            for device in await adapter.get_connected_devices(services):
                told = device.details["props"]
                maker = {company: bytes(data) for company, data in told.get("ManufacturerData", {}).items()}
                uuids = told.get("UUIDs", [])
                said = AdvertisementData(device.name, maker, {}, uuids, None, _LINKED_DBM, ())
                self._detected(device, said)

    async def stop_scanning(self) -> None:
        """Listen no longer."""
        scanner, self._scanner, self._detected = self._scanner, None, None
        if scanner is not None:
            await _ask_bleak(scanner.stop(), _SCAN_LIMIT_S)

    def _identify(self, device: BLEDevice, said: AdvertisementData) -> tuple[PenFamily, str] | None:
        """Family and MAC of what was heard; asked again only when a device says something else."""
        last = self._families.get(device.address)
        if last is not None and last[0] == said.manufacturer_data and last[1] == (said.local_name, said.service_uuids):
            return last[2]
        advert = Advertisement(
            name=said.local_name or "", manufacturer=said.manufacturer_data, services=tuple(said.service_uuids)
        )
        family = family_of(advert)
        known = None if family is None else (family, family.mac_of(advert) or device.address.upper())
        if len(self._families) > _MANY_DEVICES:
            self._families.clear()
        self._families[device.address] = (said.manufacturer_data, (said.local_name, said.service_uuids), known)
        return known

    async def connect(
        self, sighting: Sighting, *, timeout_s: float, on_lost: Callable[[LinkTransport], object]
    ) -> BleTransport:
        """Make a link and subscribe, with a fresh client and the device as this adapter saw it.

        Raises:
            ConnectHung, HalfLink, NoServices, PenGone, RadioFull, RadioLost, LinkError: As they say; nothing stays half
                open.
        """
        device = sighting.device
        if not isinstance(device, BLEDevice):
            raise PenGone(f"{sighting.mac} was not heard by {self.name}")
        link = BleTransport(self._now_ms, on_lost)
        client = BleakClient(
            device,
            disconnected_callback=link.went,
            services=[paths.service for paths in sighting.family.gatt],
            timeout=timeout_s,
            backend=self._client_backend,
        )
        await _ask_bleak(client.connect(), timeout_s + _GRACE_S)  # that fails cleans up after itself
        try:
            await _ask_bleak(link.subscribe(client, sighting.family), _SUBSCRIBE_LIMIT_S, half_made=True)
            link.give()
        except BaseException:
            await _hang_up(client)
            raise
        return link

    async def forget(self, sighting: Sighting) -> None:
        """Make BlueZ drop the services it remembers; our own stack remembers none."""
        device = sighting.device
        if self._bluez is not None and isinstance(device, BLEDevice):
            await self._bluez.remove_device(self.name, str(device.details["path"]))

    async def alive(self) -> None:
        """Ask the controller whether it is there; if not, `gone` is done afterwards."""
        if self._hci is not None and not self.gone.done():
            await self._hci.alive()

    async def close(self) -> None:
        """Let the adapter go."""
        with contextlib.suppress(LinkError):
            await self.stop_scanning()
        if self._hci is not None:
            await self._hci.close()
        elif not self.gone.done():
            self.gone.set_result(None)


class HciSource:
    """One dongle driven in user space: opened, asked every 2 s whether it lives, opened again when it does not."""

    def __init__(self, spec: AdapterSpec, name: str, now_ms: NowMs) -> None:
        self.spec = spec.text
        self.pause_s = _REOPEN_S
        self.troubles: dict[str, AdapterState] = {}
        self._name, self._now_ms = name, now_ms
        self._adapter: BleAdapter | None = None

    async def look(self) -> list[RadioAdapter]:
        """The adapter, if it can be opened and answers."""
        if self._adapter is not None and not self._adapter.gone.done():
            await self._adapter.alive()
        if self._adapter is None or self._adapter.gone.done():
            self._adapter = await self._open()
        self.pause_s = _REOPEN_S if self._adapter is None else _HEARTBEAT_S
        return [] if self._adapter is None else [self._adapter]

    async def _open(self) -> BleAdapter | None:
        try:
            hci = await open_adapter(self._name, self.spec)
        except RadioLost as error:
            if self.spec not in self.troubles:
                logger.warning("%s: %s", self._name, error)
            self.troubles[self.spec] = "lost"
            return None
        self.troubles.clear()
        return BleAdapter(hci.address, self._name, self._now_ms, hci=hci)

    async def close(self) -> None:
        """Let the dongle go."""
        if self._adapter is not None:
            await self._adapter.close()


class BluezSource:
    """The adapters of BlueZ, all or one, by address; looked for every second, because hciN comes and goes."""

    def __init__(self, spec: AdapterSpec, now_ms: NowMs) -> None:
        self.spec = spec.text
        self.pause_s = _BLUEZ_PAUSE_S
        self.troubles: dict[str, AdapterState] = {}
        self._wanted = spec.bluez_name
        self._now_ms = now_ms
        self._bluez = Bluez()
        self._adapters: dict[tuple[str, str, str], BleAdapter] = {}
        self._looks = 0

    async def look(self) -> list[RadioAdapter]:
        """The adapters that are there and on; one that is off is asked to power up."""
        found = [a for a in await self._bluez.adapters() or [] if self._wanted in {"", a.name, a.address}]
        self.troubles = {} if found else {self._wanted or "bluez": "none"}
        up = {_life(a): a for a in found if a.powered}
        for life, adapter in list(self._adapters.items()):
            if life not in up:
                del self._adapters[life]
                await adapter.close()
        for there in found:
            if not there.powered and not await self._bluez.power_on(there.name):
                self.troubles[there.address] = "off"
        for life, there in up.items():
            if life not in self._adapters:
                self._adapters[life] = BleAdapter(there.address, there.name, self._now_ms, bluez=self._bluez)
        self._looks += 1
        if self._looks % _LINKED_EVERY == 0:
            for adapter in self._adapters.values():
                await adapter.hear_linked()
        return list(self._adapters.values())

    async def close(self) -> None:
        """Let all adapters go."""
        for adapter in self._adapters.values():
            await adapter.close()
        await self._bluez.close()


def source_of(spec: AdapterSpec, name: str, now_ms: NowMs) -> AdapterSource:
    """Who drives the adapters of a setting; `name` is what people call one that BlueZ does not name."""
    return BluezSource(spec, now_ms) if spec.is_bluez else HciSource(spec, name, now_ms)


def _life(adapter: BluezAdapter) -> tuple[str, str, str]:
    return adapter.address, adapter.name, adapter.owner


def _find_paths(client: BleakClient, family: PenFamily) -> GattPaths:
    """Where this pen is written to and listened to; BlueZ may say that services are resolved when they are not."""
    for paths in family.gatt:
        service = client.services.get_service(paths.service)
        if service is None:
            continue
        if service.get_characteristic(paths.write) is None or service.get_characteristic(paths.notify) is None:
            break
        return paths
    raise NoServices("the pen's services were not found")


async def _write(client: BleakClient, uuid: str, data: bytes) -> None:
    characteristic = client.services.get_characteristic(uuid)
    if characteristic is None:
        raise LinkError("the link is gone")
    room = characteristic.max_write_without_response_size
    confirmed = "write" in characteristic.properties
    for at in range(0, len(data), room):
        await client.write_gatt_char(characteristic, data[at : at + room], response=confirmed)


async def _hang_up(client: BleakClient) -> None:
    """End a link, half made or whole; what cannot be ended is only told."""
    try:
        async with asyncio.timeout(_HANG_UP_LIMIT_S):
            await client.disconnect()
    except Exception as error:  # noqa: BLE001  a stack that fails to hang up must not keep us from going on
        logger.debug("hanging up failed: %r", error)


async def _ask_bleak(work: Any, limit_s: float, *, half_made: bool = False) -> None:  # noqa: ANN401  a coroutine
    """Await bleak, and say what went wrong in our words."""
    try:
        async with asyncio.timeout(limit_s):
            await work
    except TimeoutError as error:
        raise ConnectHung("no answer") from error
    except LinkError:
        raise
    except BleakDeviceNotFoundError as error:
        raise PenGone(str(error)) from error
    except BleakDBusError as error:
        raise (HalfLink if half_made else LinkError)(str(error)) from error
    except BleakError as error:
        raise HalfLink(str(error)) from error
    except (OSError, EOFError) as error:
        raise RadioLost(f"no Bluetooth service: {error}") from error
    except Exception as error:  # errors of D-Bus libraries under bleak are of many kinds and none concerns us
        raise LinkError(f"the Bluetooth stack failed: {error!r}") from error


_MANY_DEVICES: Final = 1000
