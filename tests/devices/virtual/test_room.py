import asyncio
import contextlib
from pathlib import Path

import pytest

from devices.events import PageChanged
from devices.virtual.gatt import PenOptions
from devices.virtual.motion import MotionDot
from devices.virtual.room import VirtualRoom, mac_of
from devices.virtual.writing import Truth
from tests.devices.virtual.central import Central, until


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_room_stops_without_leaving_a_task_or_a_socket(folder: Path, books: list[Truth]) -> None:
    before = asyncio.all_tasks()
    room = VirtualRoom(folder, ledger=books.append, pens=4, adapters=2)
    await room.start()
    assert names(folder) == ["hci0", "hci1"]
    assert list(room.pens) == [f"9C:7B:D2:50:00:0{number}" for number in (1, 2, 3, 4)]
    await room.stop()
    assert names(folder) == []
    assert asyncio.all_tasks() == before


async def test_the_same_seed_makes_the_same_room(folder: Path, books: list[Truth]) -> None:
    batteries = []
    for seed in (1, 1, 2):
        room = VirtualRoom(folder, ledger=books.append, pens=4, adapters=1, seed=seed)
        await room.start()
        batteries.append([pen.state.battery_percent for pen in room.pens.values()])
        await room.stop()
    assert batteries[0] == batteries[1] != batteries[2]


@pytest.mark.slow
async def test_in_a_bad_air_all_comes_in_order_but_what_the_books_say_was_dropped(
    folder: Path, books: list[Truth]
) -> None:
    options = PenOptions(advertising_ms=20)
    room = VirtualRoom(
        folder,
        ledger=books.append,
        pens=1,
        adapters=1,
        options=options,
        events_ms=3,
        retransmit=0.2,
        drop_at_host=0.05,
        seed=11,
    )
    await room.start()
    pen = next(iter(room.pens.values()))
    try:
        async with Central(room.sockets[0]) as central:
            await central.connect(pen.mac)
            while not pen.ready:  # a question or its answer may vanish too
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await central.make_ready()
            written = [MotionDot(1, 2000 + n, 3000, 200, 90, 90, 0) for n in range(240)]
            assert await pen.write(PageChanged(3, 27, 603, 5), written) == 240
            dropped = [line for line in books if line["kind"] == "dropped"]
            lost = sum(line["events"] for line in dropped if isinstance(line["events"], int))
            assert lost > 0
            await until(lambda: len(central.ink()) == 243 - lost)  # pen-down, page, dots, pen-up
            counts = [frame.payload[0] for frame in central.ink()]
            assert counts == sorted(counts), "the order of a link is kept"
            assert {line["cause"] for line in dropped} == {"host_dropped"}
            assert all(isinstance(line["at_ms"], int) for line in dropped)
    finally:
        await room.stop()


def test_macs_go_on_past_a_byte() -> None:
    assert mac_of(300) == "9C:7B:D2:50:01:2C"
