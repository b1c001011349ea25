"""A plain central for the tests: bumble's own host at a dongle's socket, and a port that keeps what a dongle says."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bumble import core, hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.transport import open_transport

from devices.neo.framing import Deframer, Frame
from devices.neo.messages import NotesOfInterest, SettingsRequest, VersionRequest
from devices.neo.messages_control import SetSetting
from devices.neo.wire import Message, to_frame
from devices.virtual.dongle import Beam
from devices.virtual.gatt import PROFILES, GattProfile

DEADLINE_S = 10.0
NOW_MS = 1_700_000_000_000


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something is true; fails after ten seconds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # conditions are of real sockets and pens, no event tells them
            await asyncio.sleep(0.002)


def whole(uuid: core.UUID) -> bytes:
    """A UUID in 16 bytes, short or long."""
    return bytes(uuid.to_bytes(force_128=True))


class KeptPort:
    """A port with no host behind it: keeps what the dongle says."""

    def __init__(self) -> None:
        self.packets: list[Any] = []
        self.notifications: list[bytes] = []
        self.aborted = False

    def write(self, packet: bytes) -> None:
        self.packets.append(hci.HCI_Packet.from_bytes(packet))

    def send(self, packet: bytes, beam: Beam, *, events: int, dots: int) -> None:
        del beam, events, dots
        self.notifications.append(packet)

    def abort(self) -> None:
        self.aborted = True

    def of(self, kind: type) -> list[Any]:
        return [packet for packet in self.packets if isinstance(packet, kind)]


class Central:
    """A gateway as small as can be: one dongle, one pen at a time."""

    def __init__(self, path: Path, *, profile: GattProfile = PROFILES["V5"]) -> None:
        self._path, self._profile = path, profile
        self._link: Any = None
        self._write: Any = None
        self.reasons: list[int] = []
        self.raw: list[bytes] = []
        self.frames: list[Frame] = []
        self._deframer = Deframer()

    async def __aenter__(self) -> Self:
        self._transport = await open_transport(f"unix:{self._path}")
        host = Host(self._transport.source, self._transport.sink)
        config = DeviceConfiguration(name="central", gap_service_enabled=False)
        self.device = Device(config=config, host=host)
        self.device.keystore = MemoryKeyStore()
        await self.device.power_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def vanish(self) -> None:
        """Close the socket without a goodbye, as a killed process does."""
        await self._transport.close()

    @property
    def is_linked(self) -> bool:
        return self._link is not None

    async def heard(self, mac: str, *, active: bool = False) -> Any:  # noqa: ANN401  # a bumble advertisement
        """Scan until a pen of this MAC is heard."""
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        wanted = bytes.fromhex(mac.replace(":", ""))

        def on_advertisement(advertisement: Any) -> None:  # noqa: ANN401  # bumble's
            maker = [raw for kind, raw in advertisement.data.ad_structures if kind == 0xFF]
            if wanted in maker and not found.done():
                found.set_result(advertisement)

        self.device.on("advertisement", on_advertisement)
        await self.device.start_scanning(active=active, filter_duplicates=False)
        async with asyncio.timeout(DEADLINE_S):
            advertisement = await found
        self.device.remove_listener("advertisement", on_advertisement)
        await self.device.stop_scanning()
        return advertisement

    async def connect(self, mac: str, *, mtu: int = 247) -> None:
        """Connect and subscribe; frames of this link are in `frames`, from its beginning."""
        advertisement = await self.heard(mac)
        self._deframer, self.frames, self.raw = Deframer(), [], []
        link = self._link = await self.device.connect(advertisement.address, own_address_type=hci.OwnAddressType.PUBLIC)
        link.on("disconnection", self._on_disconnection)
        client = link.gatt_client
        await client.request_mtu(mtu)
        services = await client.discover_services([core.UUID(self._profile.service)])
        characteristics = await client.discover_characteristics([], services[0])
        by_uuid = {whole(each.uuid): each for each in characteristics}
        self._write = by_uuid[whole(core.UUID(self._profile.write))]
        await by_uuid[whole(core.UUID(self._profile.notify))].subscribe(self._on_value)

    async def hang_up(self) -> None:
        await self._link.disconnect()
        await until(lambda: not self.is_linked)

    async def write(self, data: bytes) -> None:
        await self._write.write_value(data, with_response=True)

    async def ask(self, message: Message) -> Frame:
        """Send a request and wait for the frame that answers it."""
        wanted = message.COMMAND | 0x80
        before = self.count(wanted)
        await self.write(to_frame(message))
        await until(lambda: self.count(wanted) > before)
        return [frame for frame in self.frames if frame.command == wanted][-1]

    async def make_ready(self, *, protocol: str = "2.12", clock_ms: int = NOW_MS) -> None:
        await self.ask(VersionRequest(app_version="test", protocol=protocol))
        await self.ask(SettingsRequest())
        await self.ask(SetSetting.clock(clock_ms))
        await self.ask(NotesOfInterest())

    def count(self, command: int) -> int:
        return sum(frame.command == command for frame in self.frames)

    async def until_count(self, command: int, count: int) -> None:
        await until(lambda: self.count(command) >= count)

    def ink(self) -> list[Frame]:
        return [frame for frame in self.frames if 0x63 <= frame.command <= 0x6D]

    def _on_disconnection(self, reason: int) -> None:
        self.reasons.append(reason)
        self._link = None

    def _on_value(self, value: bytes) -> None:
        self.raw.append(bytes(value))
        self.frames += [found for found in self._deframer.feed(bytes(value)) if isinstance(found, Frame)]
