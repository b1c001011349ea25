"""Any history of a box and its pens: every dot is stored once, in its pen, or inside a loss that nothing has healed."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.events import PageChanged
from tests.fakes.memory_pen import MemoryPen
from tests.gateway.drain_rig import StillBox, missing
from tests.gateway.rig import mac

PAGES = [PageChanged(3, 1013, 4100, 1), PageChanged(3, 1013, 4100, 2), PageChanged(3, 27, 603, 5)]

DOES = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 2), st.integers(1, 120)),
    st.tuples(st.just("write"), st.integers(0, 2), st.integers(1, 120)),
    st.tuples(st.just("beats"), st.integers(1, 40)),
    st.tuples(st.just("beats"), st.integers(1, 8)),
    st.tuples(st.just("pause"), st.integers(1, 9_000)),
    st.tuples(st.just("fade"), st.none()),
    st.tuples(st.just("box_sees"), st.none()),
    st.tuples(st.just("pen_sees"), st.none()),
    st.tuples(st.just("link"), st.none()),
    st.tuples(st.just("connect"), st.integers(0, 14)),
    st.tuples(st.just("connect"), st.integers(6, 90)),
    st.tuples(st.just("cut"), st.integers(0, 60), st.booleans(), st.booleans()),
    st.tuples(st.just("cut"), st.integers(0, 60), st.booleans(), st.booleans()),
    st.tuples(st.just("brink"), st.integers(4, 16), st.integers(0, 12)),
    st.tuples(st.just("drained"), st.none()),
    st.tuples(st.just("die"), st.none()),
    st.tuples(st.just("full"), st.booleans()),
    st.tuples(st.just("take_image"), st.none()),
    st.tuples(st.just("put_back"), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(["deletes_anyway", "deletes_nothing", "full", "twice"])),
    st.tuples(st.just("clock"), st.sampled_from([0, -60_000, 60_000])),
)


class History:
    """One box, one pen, what happens to them: a method each."""

    def __init__(self) -> None:
        self.box = StillBox()
        self.pen: MemoryPen = self.box.pen(mac(1))
        self.box.links.expect([mac(1)], self.box.ms)
        self._image: bytes | None = None

    async def do(self, what: str, *with_what: Any) -> None:  # noqa: ANN401  drawn
        """One step."""
        done = getattr(self, f"_{what}")(*with_what)
        if done is not None:
            await done

    def _write(self, page: int, dots: int) -> None:
        self.pen.write(PAGES[page], dots, self.box.pause)

    async def _beats(self, count: int) -> None:
        await self.box.beats(count)

    def _pause(self, ms: int) -> None:
        self.box.pause(ms)

    def _fade(self, _: None) -> None:
        if self.pen.link is not None:
            self.pen.link.air = False

    def _box_sees(self, _: None) -> None:
        self.box.lost(self.pen)

    def _pen_sees(self, _: None) -> None:
        if self.pen.link is not None and not self.pen.link.air:
            self.pen.notices(self.pen.link)

    def _link(self, _: None) -> None:
        if self.pen.link is None:
            self.box.link(self.pen)

    async def _connect(self, beats: int) -> None:
        if self.pen.link is not None:
            self.pen.link.air = False
            self.box.lost(self.pen)
            self.pen.notices(self.pen.link)
        self.box.link(self.pen)
        await self.box.beats(beats)

    async def _brink(self, beats: int, refused: int) -> None:
        """The disk takes no more in the middle of a drain, and then the box dies."""
        await self._connect(beats)
        self.box.full = True
        await self.box.beats(refused)
        self.box.full = False
        self._die(None)

    def _cut(self, dots: int, box_sees: int, under_way: int) -> None:
        """Nothing gets through; what the pen goes on to write is lost, and so may be what was under way."""
        link = self.pen.link
        if link is None:
            return
        link.air = False
        if under_way:
            link.arrived.clear()  # the pen's yes to its notes may be in it
        if dots:
            self.pen.write(PAGES[0], dots, self.box.pause)
        if box_sees:
            self.box.lost(self.pen)
            self.box.pause(300)
        self.pen.notices(link)

    async def _drained(self, _: None) -> None:
        if self.pen.link is not None and not self.box.full:
            await self.box.beats(60)

    def _die(self, _: None) -> None:
        if self.pen.link is not None:
            self.pen.link.arrived.clear()  # what lies in the hands of a dead box is gone
        self.box.die()

    def _full(self, full: bool) -> None:  # noqa: FBT001  drawn
        self.box.full = full

    def _take_image(self, _: None) -> None:
        self._image = self.box.image()

    def _put_back(self, _: None) -> None:
        if self._image is not None:
            self.box.put_back(self._image)
            self._die(None)

    def _fault(self, name: str) -> None:
        faults = self.pen.memory.faults
        setattr(faults, name, name == "full" or not getattr(faults, name))  # no memory empties itself

    def _clock(self, off_ms: int) -> None:
        if self.pen.link is None:
            self.pen.clock.set(self.box.ms + off_ms)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DOES, min_size=8, max_size=40))
def test_every_dot_is_stored_once_or_in_the_pen_or_inside_a_loss(steps: list[tuple[Any, ...]]) -> None:
    async def play() -> list[str]:
        history = History()
        await history.box.beats()
        for step in steps:
            await history.do(*step)
        await history.box.stop()
        return missing([history.box], history.pen)

    assert asyncio.run(play()) == []
