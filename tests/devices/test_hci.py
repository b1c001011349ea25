"""Our own stack against virtual pens over HCI sockets: links, ink, writes, and radios that go, hang or are full."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from devices.adapters import AdapterSpec, ConnectHung, PenGone, RadioAdapter, Sighting
from devices.ble import BleAdapter, source_of
from devices.errors import LinkError, RadioFull, RadioLost
from devices.events import Ready
from devices.families import NEO
from devices.hci import is_hci_spec, open_adapter
from devices.pen import Pen
from devices.radios import Radios
from devices.transport import Transport
from devices.virtual.gatt import PenOptions
from devices.virtual.room import VirtualRoom, mac_of


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110  conditions are of real sockets and pens, no event tells them
            await asyncio.sleep(0.005)


class Desk:
    """Radios on a room's sockets, and what they told."""

    def __init__(self, specs: list[str], *, places: int = 12) -> None:
        self.up: dict[str, Transport] = {}
        self.lost: list[tuple[str, str]] = []
        self.radios = Radios(
            specs,
            now_ms=now_ms,
            wanted=lambda _: True,
            on_link=self.up.__setitem__,
            on_lost=self._on_lost,
            places=places,
            connect_timeout_s=2,
        )

    def _on_lost(self, mac: str, reason: str) -> None:
        self.up.pop(mac, None)
        self.lost.append((mac, reason))


@contextlib.asynccontextmanager
async def a_room(*, pens: int, adapters: int = 1, places: int = 12) -> AsyncIterator[VirtualRoom]:
    """A room in a folder of its own, with a short path."""
    with tempfile.TemporaryDirectory(prefix="air") as folder:
        options = PenOptions(advertising_ms=20)
        room = VirtualRoom(
            Path(folder),
            ledger=lambda _: None,
            pens=pens,
            adapters=adapters,
            places=places,
            options=options,
            events_ms=2,
        )
        await room.start()
        try:
            yield room
        finally:
            await room.stop()


@contextlib.asynccontextmanager
async def a_desk(room: VirtualRoom, *, places: int = 12) -> AsyncIterator[Desk]:
    desk = Desk([f"unix:{path}" for path in room.sockets], places=places)
    await desk.radios.start()
    try:
        yield desk
    finally:
        await desk.radios.stop()


class Proxy:
    """Between an adapter and its dongle; it can fall silent without closing."""

    def __init__(self, dongle: Path, folder: Path) -> None:
        self.path = folder / "proxy"
        self.mute = False
        self._dongle = dongle
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._dongle)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(4096):
                if not self.mute:
                    sink.write(data)
        finally:
            sink.close()
            with contextlib.suppress(OSError):
                await sink.wait_closed()


async def heard(adapter: RadioAdapter, mac: str) -> Sighting:
    """Scan until this pen is heard."""
    found: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()

    def on_heard(sighting: Sighting) -> None:
        if sighting.mac == mac and not found.done():
            found.set_result(sighting)

    await adapter.start_scanning(on_heard)
    try:
        async with asyncio.timeout(5):
            return await found
    finally:
        await adapter.stop_scanning()


@contextlib.asynccontextmanager
async def an_adapter(spec: str) -> AsyncIterator[BleAdapter]:
    source = source_of(AdapterSpec(spec), "test", now_ms)
    (adapter,) = await source.look()
    assert isinstance(adapter, BleAdapter)
    try:
        yield adapter
    finally:
        await source.close()


async def test_every_pen_of_a_room_is_linked_and_spread_over_the_adapters() -> None:
    async with a_room(pens=8, adapters=2) as room, a_desk(room) as desk:
        await until(lambda: len(desk.up) == 8)
        assert sorted(desk.up) == [mac_of(n) for n in range(1, 9)]
        links = [view.links for view in desk.radios.adapters()]
        assert sum(links) == 8
        assert min(links) >= 3
        assert [view.address for view in desk.radios.adapters()] == ["00:1B:DC:00:00:00", "00:1B:DC:00:00:01"]


async def test_session_and_link_shake_hands() -> None:
    async with a_room(pens=1) as room, a_desk(room) as desk:
        await until(lambda: desk.up)
        session = NEO.session()
        session.start(now_ms=now_ms())
        pen = Pen(desk.up[mac_of(1)], session)
        events: list[object] = []
        async with asyncio.timeout(10):
            while not any(isinstance(event, Ready) for event in events):
                await pen.flush()
                await asyncio.sleep(0.01)
                events += [event for _, event in pen.take(now_ms())]


async def test_a_pen_that_goes_is_told_and_linked_again_when_it_is_back() -> None:
    async with a_room(pens=1) as room, a_desk(room) as desk:
        await until(lambda: desk.up)
        pen, link = room.pens[mac_of(1)], desk.up[mac_of(1)]
        await pen.switch_off(reason=None)
        await until(lambda: desk.lost)
        assert desk.lost == [(mac_of(1), "pen.link_lost")]
        assert not link.is_open
        with pytest.raises(LinkError):
            await link.write(b"x")
        await pen.switch_on()
        await until(lambda: desk.up)
        assert desk.up[mac_of(1)] is not link


async def test_a_dongle_that_goes_takes_its_links_and_brings_them_back() -> None:
    async with a_room(pens=4, adapters=2) as room, a_desk(room) as desk:
        await until(lambda: len(desk.up) == 4)
        stays = {mac: link for mac, link in desk.up.items() if _adapter_of(desk, mac) == "hci1"}
        port = room.dongles[0].port
        assert port is not None
        port.abort()
        await until(lambda: desk.lost)
        assert {reason for _, reason in desk.lost} == {"radio.lost"}
        await until(lambda: len(desk.up) == 4)
        assert stays.items() <= desk.up.items(), "the other adapter's links never noticed"


def _adapter_of(desk: Desk, mac: str) -> str:
    return str(getattr(desk.radios.links[mac], "adapter", ""))


async def test_a_dongle_with_fewer_places_than_the_setting_teaches_it() -> None:
    async with a_room(pens=4, places=2) as room, a_desk(room, places=12) as desk:
        await until(lambda: desk.radios.memory.learnt_places)
        await until(lambda: getattr(desk.radios.links.get(mac_of(4)), "reason", None) or len(desk.up) == 2)
        assert desk.radios.memory.learnt_places == {"00:1B:DC:00:00:00": 2}
        await until(lambda: len(desk.up) == 2)


async def test_a_connect_to_a_pen_that_left_ends_and_the_adapter_goes_on() -> None:
    """Else the controller refuses every later connection (LE Create Connection is still pending)."""
    async with a_room(pens=2) as room, an_adapter(f"unix:{room.sockets[0]}") as adapter:
        gone, stays = await heard(adapter, mac_of(1)), await heard(adapter, mac_of(2))
        await room.pens[mac_of(1)].switch_off(reason=None)
        with pytest.raises(ConnectHung):
            await adapter.connect(gone, timeout_s=0.3, on_lost=lambda _: None)
        link = await adapter.connect(stays, timeout_s=5, on_lost=lambda _: None)
        assert link.is_open


async def test_a_connect_that_is_cancelled_leaves_no_half_open_link() -> None:
    async with a_room(pens=1) as room, an_adapter(f"unix:{room.sockets[0]}") as adapter:
        sighting = await heard(adapter, mac_of(1))
        for delay_s in (0.0, 0.005, 0.02, 0.04):
            task = asyncio.create_task(adapter.connect(sighting, timeout_s=5, on_lost=lambda _: None))
            await asyncio.sleep(delay_s)
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(outcome, BaseException):  # it was quicker than we
                await outcome.close()
        await until(lambda: not room.dongles[0].le_connections)
        sighting = await heard(adapter, mac_of(1))
        link = await adapter.connect(sighting, timeout_s=5, on_lost=lambda _: None)
        assert link.is_open


async def test_a_full_dongle_says_so() -> None:
    async with a_room(pens=2, places=1) as room, an_adapter(f"unix:{room.sockets[0]}") as adapter:
        first, second = await heard(adapter, mac_of(1)), await heard(adapter, mac_of(2))
        await adapter.connect(first, timeout_s=5, on_lost=lambda _: None)
        with pytest.raises(RadioFull):
            await adapter.connect(second, timeout_s=5, on_lost=lambda _: None)


async def test_a_sighting_of_another_stack_is_no_use() -> None:
    async with a_room(pens=1) as room, an_adapter(f"unix:{room.sockets[0]}") as adapter:
        with pytest.raises(PenGone):
            await adapter.connect(Sighting(mac_of(1), NEO, -50, "", None), timeout_s=1, on_lost=lambda _: None)


async def test_closing_twice_tells_once() -> None:
    async with a_room(pens=1) as room, an_adapter(f"unix:{room.sockets[0]}") as adapter:
        told: list[object] = []
        link = await adapter.connect(await heard(adapter, mac_of(1)), timeout_s=5, on_lost=told.append)
        await link.close()
        await link.close()
        assert told == [link]
        await until(lambda: not room.dongles[0].le_connections)


async def test_a_radio_that_falls_silent_is_lost_by_its_heartbeat() -> None:
    async with a_room(pens=1) as room:
        proxy = Proxy(room.sockets[0], room.folder)
        await proxy.start()
        adapter = await open_adapter("test", f"unix:{proxy.path}")
        await adapter.alive(0.5)
        assert not adapter.gone.done()
        proxy.mute = True
        await adapter.alive(0.2)
        assert adapter.gone.done()
        with pytest.raises(RadioLost):
            await adapter.ask(asyncio.sleep(5), 1)
        await proxy.stop()


async def test_a_socket_that_does_not_answer_as_a_controller_is_refused(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    with tempfile.TemporaryDirectory(prefix="air") as folder:
        server = await asyncio.start_unix_server(deaf, Path(folder) / "s")
        with pytest.raises(RadioLost, match="does not answer"):
            await open_adapter("test", f"unix:{folder}/s", limit_s=0.2)
        await ended.wait()
        server.close()
        await server.wait_closed()
    with pytest.raises(RadioLost, match="cannot be opened"):
        await open_adapter("test", f"unix:{tmp_path}/none")


@pytest.mark.parametrize(
    ("spec", "ours"),
    [("unix:/run/hci0", True), ("serial:/dev/ttyACM0,1000000", True), ("tcp-client:box:7000", True), ("bluez", False)],
)
def test_a_setting_says_who_drives_the_radio(spec: str, *, ours: bool) -> None:
    assert is_hci_spec(spec) is ours
    assert AdapterSpec(spec).is_bluez is not ours
