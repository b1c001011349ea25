import asyncio
from pathlib import Path

from devices.virtual.room import VirtualRoom, mac_of
from devices.virtual.writing import Truth


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


def test_macs_go_on_past_a_byte() -> None:
    assert mac_of(300) == "9C:7B:D2:50:01:2C"
