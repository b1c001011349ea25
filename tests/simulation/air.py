"""One virtual link between a pen and a gateway.

Packets have latency; retransmissions delay them by whole connection events and keep the order; the host's socket may
drop or double a notification; and each side notices the link's end in its own time, with what was under way lost.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from devices.errors import LinkError
from devices.transport import Arrival
from tests.simulation.history import History
from tests.simulation.loop import SimulatedLoop
from tests.simulation.truth import Place, Truth

VALUE_BYTES: Final = 244
"""The longest notification."""
_EVENT_S: Final = 0.03
_SUPERVISION_S: Final = 4.0
_WRITES_S: Final = 0.5
"""A pen that was heard so short a while ago is writing, surely."""


@dataclass(frozen=True, slots=True)
class Climate:
    """How bad the air is, each as a chance for one packet."""

    retransmitted: float = 0.02
    dropped: float = 0.001
    doubled: float = 0.0


class Link:
    """Both ends. The gateway's end is a `Transport`; the pen's end is `say`, and what it is given in `hear`."""

    def __init__(
        self,
        loop: SimulatedLoop,
        chance: Random,
        history: History,
        truth: Truth,
        *,
        name: str,
        number: int,
        climate: Climate,
        is_calm: Callable[[], bool],
        hear: Callable[[bytes], None],
        pen_lost: Callable[["Link"], None],
        host_lost: Callable[["Link", str], None],
    ) -> None:
        self._loop, self._chance, self._history, self._truth = loop, chance, history, truth
        self.name, self.number, self._climate = name, number, climate
        self._is_calm, self._hear, self._pen_lost, self._host_lost = is_calm, hear, pen_lost, host_lost
        self.pen_end = self.host_end = True
        """Whether that side believes in the link."""
        self._is_silent = False
        self._to_host: deque[tuple[bytes, tuple[int, ...], int]] = deque()
        self._host_clock_s = self._pen_clock_s = 0.0
        self._to_pen: deque[bytes] = deque()
        self._inbox: list[Arrival] = []
        self._over = loop.create_future()
        self._lost_to: Place = "gone"
        self._counted = 0
        self._heard: list[tuple[int, float]] = []
        """Counted notifications that arrived: their numbers, and when."""

    # -- the pen's end

    def say(self, frame: bytes, dots: tuple[int, ...] = (), *, counted: bool = False) -> None:
        """The pen sends one frame, cut to notifications; `dots` are the serials in it."""
        now_s = self._loop.now_s
        self._counted += counted
        for serial in dots:
            self._truth.dots[serial].link, self._truth.dots[serial].number = self.number, self._counted
        if self._is_silent or not self.host_end:
            self._truth.put(dots, self._lost_to, now_s)
            return
        pieces = [frame[at : at + VALUE_BYTES] for at in range(0, len(frame), VALUE_BYTES)]
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            if self._chance.random() < self._climate.dropped and not self._is_calm():
                self._history.note(self.name, f"a notification of {len(piece)} bytes is dropped at the host's socket")
                self._truth.put(dots if last else (), "gone", now_s)
                continue
            self._host_clock_s = max(self._host_clock_s, now_s + self._delay_s())
            for _ in range(2 if self._chance.random() < self._climate.doubled else 1):
                self._to_host.append((piece, dots if last else (), self._counted if counted and last else 0))
                self._loop.call_at(self._host_clock_s, self._arrive)

    def _delay_s(self) -> float:
        delay_s = self._chance.uniform(0.008, _EVENT_S)
        while self._chance.random() < self._climate.retransmitted:
            delay_s += _EVENT_S * self._chance.randrange(1, 6)
        return delay_s

    def _arrive(self) -> None:
        if not self._to_host or self._is_silent or not self.host_end:
            return
        data, dots, number = self._to_host.popleft()
        self._history.grain(self.name, data)
        self._inbox.append(Arrival(self._loop.now_ms(), data))
        self._truth.put(dots, "box", self._loop.now_s)
        if number:
            self._heard.append((number, self._loop.now_s))

    def heard_after(self, number: int, seconds: float) -> bool:
        """Whether a notification after this one arrived, and that so long ago: then the hole has shown itself."""
        first = bisect_right(self._heard, (number, float("inf")))
        return first < len(self._heard) and self._loop.now_s - self._heard[first][1] > seconds

    # -- the gateway's end

    @property
    def is_open(self) -> bool:
        """As `Transport`."""
        return self.host_end

    def take(self) -> list[Arrival]:
        """As `Transport`."""
        taken, self._inbox = self._inbox, []
        return taken

    async def write(self, data: bytes) -> None:
        """As `Transport`."""
        if not self.host_end:
            raise LinkError("the link is gone")
        if self._is_silent:
            await asyncio.shield(self._over)
            raise LinkError("the link went")
        self._pen_clock_s = max(self._pen_clock_s, self._loop.now_s + self._delay_s())
        self._to_pen.append(data)
        self._loop.call_at(self._pen_clock_s, self._reach_pen)
        await asyncio.sleep(self._pen_clock_s - self._loop.now_s)
        if not self.host_end:
            raise LinkError("the link went")

    def _reach_pen(self) -> None:
        if not self._to_pen or self._is_silent or not self.pen_end:
            return
        data = self._to_pen.popleft()
        self._history.grain(self.name, b">" + data)
        self._hear(data)

    async def close(self) -> None:
        """As `Transport`: hang up; the pen hears of it at once, and what is on the way is lost."""
        if self.host_end:
            number, heard_s = self._heard[-1] if self._heard else (0, -1e9)
            if self._loop.now_s - heard_s > _WRITES_S:
                self._lost_to = "unheard"
                self._truth.unheard(self.number, number)
            self._end_host("hung up", told=False)
            self._loop.call_later(self._chance.uniform(0.0, _EVENT_S), self.pen_notices)

    # -- its end

    def fall_silent(self) -> None:
        """Nothing gets through any more; both ends notice by their supervision timeout, each in its own time."""
        if self._is_silent:
            return
        self._is_silent = True
        self._lose_packets()
        for notice in (self.pen_notices, self.host_notices):
            self._loop.call_later(_SUPERVISION_S + self._chance.uniform(0.0, 0.4), notice)

    def pen_hangs_up(self) -> None:
        """The pen is switched off: it knows at once; what it had said before is still on the way."""
        self._end_pen(told=False)
        self._loop.call_later(max(self._host_clock_s - self._loop.now_s, 0.0) + 0.02, self.host_notices)

    def host_died(self) -> None:
        """The gateway's process is gone; the radio goes on acknowledging for a while, and nobody reads."""
        self._end_host("the gateway died", told=False)
        self._loop.call_later(self._chance.uniform(0.0, 1.5), self.pen_notices)

    def pen_notices(self) -> None:
        """The pen knows that its link is over."""
        self._end_pen(told=True)

    def host_notices(self) -> None:
        """The gateway's radio knows it."""
        self._end_host("pen.link_lost", told=True)

    def _end_pen(self, *, told: bool) -> None:
        if self.pen_end:
            self.pen_end = False
            if told:
                self._pen_lost(self)

    def _end_host(self, reason: str, *, told: bool) -> None:
        if not self.host_end:
            return
        self.host_end = False
        self._lose_packets()
        if not self._over.done():
            self._over.set_result(None)
        if told:
            self._host_lost(self, reason)

    def _lose_packets(self) -> None:
        lost = (serial for _, dots, _ in self._to_host for serial in dots)
        self._truth.put(lost, self._lost_to, self._loop.now_s)
        self._to_host.clear()
