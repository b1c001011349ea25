"""bleak's real BlueZ backend against a stand-in for bluetoothd: the whole way from D-Bus to a link, and its traps."""

import asyncio
import contextlib
import gc
import shutil
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from bleak.backends.bluezdbus import manager as bleak_manager

from devices.radios import Radios
from devices.transport import Connecting, Disconnected, Transport
from tests.devices.bluez_stand_in import BluezStandIn, private_bus

pytestmark = [
    pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed"),
    # bleak leaves the socket of a failed connect to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MAC = "9C:7B:D2:50:00:01"


class Room:
    """Radios on BlueZ, and what they told."""

    def __init__(self, *, places: int = 7) -> None:
        self.up: dict[str, Transport] = {}
        self.lost: list[tuple[str, str]] = []
        self.radios = Radios(
            ["bluez"],
            now_ms=lambda: time.time_ns() // 1_000_000,
            wanted=lambda _: True,
            on_link=self.up.__setitem__,
            on_lost=self._on_lost,
            places=places,
            connect_timeout_s=1.0,
        )

    def _on_lost(self, mac: str, reason: str) -> None:
        self.up.pop(mac, None)
        self.lost.append((mac, reason))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(15):
            while not condition():  # noqa: ASYNC110  conditions are of a real daemon, no event tells them
                await asyncio.sleep(0.01)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bus") as folder, private_bus(Path(folder)) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
async def bluez(bus: str) -> AsyncIterator[BluezStandIn]:
    del bus
    stand_in = BluezStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.die()
    await _let_bleak_go()


async def _let_bleak_go() -> None:
    """Bleak keeps one connection for each loop and never ends it."""
    manager = bleak_manager._global_instances.pop(asyncio.get_running_loop(), None)
    if manager is not None and manager._bus is not None:
        manager._bus.disconnect()
        with contextlib.suppress(OSError, EOFError):
            await manager._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast types it not
    gc.collect()


@pytest.fixture
async def room(bluez: BluezStandIn) -> AsyncIterator[Room]:
    del bluez
    room = Room()
    yield room
    await room.radios.stop()


async def test_a_pen_is_found_subscribed_and_written_to(bluez: BluezStandIn, room: Room) -> None:
    bluez.advertise(MAC)
    await room.radios.start()
    await room.until(lambda: MAC in room.up)
    for n in range(20):
        bluez.notify(MAC, bytes([n]) * 30)
    link, got = room.up[MAC], list[bytes]()

    def all_came() -> bool:
        got.extend(arrival.data for arrival in link.take())
        return len(got) == 20

    await room.until(all_came)
    assert got == [bytes([n]) * 30 for n in range(20)]
    await link.write(bytes(300))
    assert [len(piece) for piece in bluez.written[MAC]] == [244, 56]
    assert bluez.calls["StartNotify"] == 1
    assert bluez.calls["AcquireNotify"] == 0, "it crashes bluetoothd on disconnect"


async def test_a_link_that_goes_is_told_and_made_again(bluez: BluezStandIn, room: Room) -> None:
    bluez.advertise(MAC)
    await room.radios.start()
    await room.until(lambda: MAC in room.up)
    first = room.up[MAC]
    bluez.drop(MAC)
    await room.until(lambda: room.lost)
    assert room.lost == [(MAC, "pen.link_lost")]
    assert not first.is_open
    await room.until(lambda: MAC in room.up)
    assert room.up[MAC] is not first


async def test_a_late_connected_and_an_empty_service_list_are_tried_again_with_fresh_clients(
    bluez: BluezStandIn, room: Room
) -> None:
    """hbldh/bleak#1489 and bluez/bluez#1489: field case 4."""
    bluez.advertise(MAC)
    bluez.manners[MAC] = deque(["late", "bare"])
    states: set[str] = set()
    await room.radios.start()
    await room.until(lambda: MAC in room.radios.links)

    def linked() -> bool:
        state = room.radios.links[MAC]
        states.add(state.reason if isinstance(state, Disconnected) else type(state).__name__)
        return MAC in room.up

    await room.until(linked)
    assert states <= {"Connecting", "Connected"}, "never lost, never unheard"
    assert room.radios.counts["connect_false_failures"] == 2
    assert bluez.calls["RemoveDevice"] == 1, "what BlueZ remembers of the empty list is dropped"
    assert [view.links for view in room.radios.adapters()] == [1]
    assert room.lost == []


async def test_a_connect_that_hangs_ends_in_time_and_leaves_nothing_half_open(bluez: BluezStandIn, room: Room) -> None:
    bluez.advertise(MAC)
    bluez.manners[MAC] = deque(["hang"])
    await room.radios.start()
    await room.until(lambda: room.radios.counts["connect_hung"] == 1)
    assert isinstance(room.radios.links[MAC], Connecting)
    assert bluez.calls["Disconnect"] >= 1, "the pending connect is taken back"
    await room.until(lambda: MAC in room.up)


async def test_a_link_that_a_dead_gateway_left_behind_is_adopted(bluez: BluezStandIn, room: Room) -> None:
    bluez.leave_linked(MAC)
    await room.radios.start()
    await room.until(lambda: MAC in room.up)
    bluez.notify(MAC, b"ink")
    await room.until(room.up[MAC].take)
    assert bluez.calls["Connect"] == 0


async def test_a_full_adapter_is_not_asked_for_more(bluez: BluezStandIn) -> None:
    room = Room(places=1)
    other = "9C:7B:D2:50:00:02"
    bluez.advertise(MAC)
    bluez.advertise(other)
    await room.radios.start()
    try:
        await room.until(lambda: len(room.up) == 1 and len(room.radios.links) == 2)
        (left,) = {MAC, other} - set(room.up)
        await room.until(lambda: getattr(room.radios.links[left], "reason", "") == "radio.full")
        assert bluez.calls["Connect"] == 1
    finally:
        await room.radios.stop()


async def test_when_the_daemon_dies_all_links_are_lost_and_come_back_with_it(bluez: BluezStandIn, room: Room) -> None:
    bluez.advertise(MAC)
    await room.radios.start()
    await room.until(lambda: MAC in room.up)
    await bluez.die()
    await room.until(lambda: room.lost)
    assert room.lost == [(MAC, "radio.lost")]
    assert room.radios.state(MAC) == room.radios.links[MAC]
    again = BluezStandIn(adapter="hci1")
    again.advertise(MAC)
    await again.start()
    try:
        await room.until(lambda: MAC in room.up)
        assert room.radios.counts["radio_renames"] == 1
    finally:
        await room.radios.stop()
        await again.die()


async def test_an_adapter_that_is_off_and_cannot_be_powered_is_said_so(bluez: BluezStandIn, room: Room) -> None:
    bluez.powered = False
    await room.radios.start()
    await room.until(room.radios.adapters_state)
    assert room.radios.adapters_state() == {bluez.address: "off"}
    assert room.radios.state(MAC) == Disconnected("radio.none", 0, {})


async def test_without_a_bus_there_is_no_adapter_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    room = Room()
    await room.radios.start()
    await room.until(room.radios.adapters_state)
    assert room.radios.adapters_state() == {"bluez": "none"}
    await room.radios.stop()
