"""A room with one dongle and three pens, and its books."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devices.virtual.gatt import PenOptions
from devices.virtual.pen import VirtualPen
from devices.virtual.room import VirtualRoom
from devices.virtual.writing import Truth
from tests.devices.virtual.central import Central


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a socket's may not pass 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="air") as name:
        yield Path(name)


@pytest.fixture
def books() -> list[Truth]:
    return []


@pytest.fixture
def options() -> PenOptions:
    return PenOptions(advertising_ms=20)


@pytest.fixture
async def room(folder: Path, books: list[Truth], options: PenOptions) -> AsyncIterator[VirtualRoom]:
    room = VirtualRoom(folder, ledger=books.append, pens=3, adapters=1, options=options, events_ms=5)
    await room.start()
    yield room
    await room.stop()


@pytest.fixture
def pen(room: VirtualRoom) -> VirtualPen:
    return next(iter(room.pens.values()))


@pytest.fixture
async def central(room: VirtualRoom) -> AsyncIterator[Central]:
    async with Central(room.sockets[0]) as central:
        yield central
