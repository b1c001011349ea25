"""The contract of a pen, kept by the virtual one: over the virtual radio, through the real central side."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.events import PageChanged
from devices.virtual.gatt import PenOptions
from devices.virtual.motion import MotionDot
from devices.virtual.pen import VirtualPen
from devices.virtual.room import VirtualRoom
from tests.contracts.linking import PenOnAdapter
from tests.contracts.pen_contract import PenContract

PASSWORD = "4711"  # noqa: S105  # a virtual pen's


class VirtualHand:
    """Writes with a virtual pen."""

    def __init__(self, pen: VirtualPen) -> None:
        self.pen = pen

    async def write_stroke(self) -> None:
        dots = [MotionDot(2, 2000 + n, 3000, 300, 90, 90, 0) for n in range(60)]
        assert await self.pen.write(PageChanged(3, 27, 603, 5), dots) == len(dots)


class _Virtual(PenContract):
    password: str | None = None

    @pytest.fixture
    async def room(self) -> AsyncIterator[VirtualRoom]:
        with tempfile.TemporaryDirectory(prefix="air") as name:
            options = PenOptions(password=self.password, advertising_ms=20)
            room = VirtualRoom(Path(name), ledger=lambda _line: None, pens=1, adapters=1, options=options, events_ms=5)
            await room.start()
            yield room
            await room.stop()

    @pytest.fixture
    async def pen(self, room: VirtualRoom) -> AsyncIterator[PenOnAdapter]:
        pen = PenOnAdapter(f"unix:{room.sockets[0]}", next(iter(room.pens)), password=self.password)
        yield pen
        await pen.close()

    @pytest.fixture
    def hand(self, room: VirtualRoom) -> VirtualHand:
        return VirtualHand(next(iter(room.pens.values())))


class TestVirtualPen(_Virtual):
    pass


class TestLockedVirtualPen(_Virtual):
    password = PASSWORD
