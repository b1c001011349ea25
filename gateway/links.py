"""The pens that are linked now: what each says goes to its ink, what it says of itself goes to its state.

Ink belongs to the MAC that the pen itself said in this link's hello, never to an address or a name. A link that went
opens a window in which ink may be missing (see `gaps`); the window is a loss row when the pen is back, or when the
gateway stops. What a pen says of its memory waits for whoever drains it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from devices import events as pen_events
from devices.errors import DeviceError
from devices.neo.messages_memory import MemoryChunk
from devices.pen import Pen
from devices.transport import NowMs
from gateway.gaps import SUPERVISION_MS, Gaps, Window
from gateway.healing import Drained
from gateway.strokes import CLOCK_TOLERANCE_MS, LossSeen, OddityRow, PenClock, PenInk, Piece

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PenState:
    """What is known of one pen, however often its link breaks."""

    mac: str
    model: str = ""
    firmware: str = ""
    name: str = ""
    battery_percent: int | None = None
    charging: bool = False
    memory_percent: int | None = None
    power_off: str | None = None
    password: str | None = None
    last_event_ms: int | None = None
    said_ms: int = 0
    """When something last arrived of it; what time alone brings about does not count."""
    last_ink_ms: int | None = None
    link_id: int | None = None
    ready: bool = False
    ready_ms: int = 0
    """Since when, where it is ready."""
    stores: bool = True
    """Whether it kept what it wrote without a link, by the settings of its last hello."""
    wrong_clock: PenClock | None = None
    """Where a hello showed its clock wrong, and what it had in memory then is not all drained."""
    memory_strokes: int = 0
    """How many strokes are known to be in its memory, at least."""
    memory_why: str | None = None
    """Why they are not drained, where that was tried."""


@dataclass(slots=True)
class Live:
    """One link that stands."""

    heard_as: str
    pen: Pen
    adapter: str
    since_ms: int
    ink: PenInk | None = None
    state: PenState | None = None
    flushing: "asyncio.Task[None] | None" = None
    of_memory: list[pen_events.PenEvent] = field(default_factory=list)
    """What the pen said of its memory and nobody has taken yet."""


@dataclass(slots=True)
class Change:
    """Something that the beat must write besides ink."""

    kind: str
    mac: str
    at_ms: int
    detail: dict[str, object] = field(default_factory=dict)


_LOW_BATTERY: Final = 15
_JUST_NOW_MS: Final = 1_000
"""A pen that said anything so short a while ago may be writing: its first dots may still be under way."""
FULL_PERCENT: Final = 95
"""A memory fuller than this may have refused a stroke that was longer than the room that was left."""
_OF_MEMORY: Final = (
    pen_events.MemoryListed,
    pen_events.PagesListed,
    pen_events.TransferBegan,
    pen_events.TransferEnded,
    pen_events.OfflineStroke,
    pen_events.Answered,
    pen_events.Unanswered,
)
_OF_TIME: Final = (pen_events.Unanswered, pen_events.StrokeBroken, pen_events.TransferEnded)
"""Events that may come although the pen said nothing."""


class Links:
    """All links. Lives in the loop's thread; the beat calls `take`."""

    def __init__(self, *, piece_dots: int) -> None:
        self._piece_dots = piece_dots
        self.live: dict[str, Live] = {}
        self.states: dict[str, PenState] = {}
        self.inks: dict[str, PenInk] = {}
        self.changes: list[Change] = []
        self.gaps = Gaps()
        self.from_memory: list[Piece] = []
        """Pieces out of pens' memories that wait for their beat."""
        self.drained: list[Drained] = []
        """Drains that are over and wait for their beat."""
        self._losses: list[tuple[str, LossSeen]] = []
        self._oddities: list[tuple[str, OddityRow]] = []
        self.dots = 0
        self.delays: list[tuple[int, int]] = []
        """Of the newest dot of a pen and beat: ms on the air, ms until the beat; whoever measures takes them."""

    @property
    def windows(self) -> dict[str, int]:
        """Since when ink of a pen may be missing."""
        return {pen: window.from_ms for pen, window in self.gaps.windows.items()}

    @property
    def ready_count(self) -> int:
        """Pens whose ink flows."""
        return sum(1 for live in self.live.values() if live.state is not None and live.state.ready)

    def of(self, mac: str) -> Live | None:
        """The link of a pen, by the MAC of its hello."""
        return next((live for live in self.live.values() if live.state is not None and live.state.mac == mac), None)

    def add(self, heard_as: str, pen: Pen, adapter: str, at_ms: int) -> None:
        """A link stands; who the pen is, it will say itself."""
        self.live[heard_as] = Live(heard_as, pen, adapter, at_ms)
        self._flush(self.live[heard_as])

    def lost(self, heard_as: str, reason: str, at_ms: int) -> None:
        """A link went."""
        live = self.live.pop(heard_as, None)
        if live is None:
            return
        self._take(live, at_ms)
        if live.ink is None or live.state is None:
            return
        live.ink.link_went(at_ms)
        state = live.state
        ready_ms = state.ready_ms if state.ready else None
        # What the pen made before it said its last word has come; a word is under way for a supervision time at most.
        said_ms = max(live.ink.last_ms, state.said_ms - SUPERVISION_MS)
        self.gaps.went(state.mac, at_ms, last_ms=said_ms, ready_ms=ready_ms)
        state.ready = False
        self.changes.append(Change("link_down", state.mac, at_ms, {"reason": state.power_off or reason}))

    def take(self, now_ms: int) -> None:
        """Take what arrived since the last beat, of all pens."""
        for live in list(self.live.values()):
            self._take(live, now_ms)
        if self.gaps.is_changed:
            self.gaps.is_changed = False
            self.changes.append(Change("gaps", "", now_ms, {"text": self.gaps.to_text()}))

    def lose(self, pen: str, loss: LossSeen) -> None:
        """A gap that is known from elsewhere."""
        self._losses.append((pen, loss))

    def losses(self) -> list[tuple[str, LossSeen]]:
        """Gaps since the last call."""
        out, self._losses = self._losses, []
        for mac, ink in self.inks.items():
            if ink.losses:
                out += [(mac, loss) for loss in ink.losses]
                ink.losses = []
        return out

    def oddities(self) -> list[tuple[str, OddityRow]]:
        """What was not understood since the last call."""
        out, self._oddities = self._oddities, []
        for mac, ink in self.inks.items():
            if ink.oddities:
                out += [(mac, oddity) for oddity in ink.oddities]
                ink.oddities = []
        return out

    def expect(self, pens: Iterable[str], at_ms: int) -> None:
        """Ink of these pens matters from now on: of those that have no link it is missing until they have one."""
        for mac in pens:
            state = self.states.get(mac)
            if state is None or not state.ready:
                self.gaps.want(mac, at_ms)

    def close_windows(self, at_ms: int) -> None:
        """Nothing more comes: every open window becomes a loss."""
        for mac in list(self.gaps.windows):
            self._lost_in(mac, self.gaps.end(mac, at_ms), at_ms, None)

    async def hang_up(self, now_ms: NowMs) -> None:
        """End all links, because we want to; whoever was writing meanwhile has a gap from here on."""
        ending = list(self.live.values())
        writing = {id(live) for live in ending if live.ink is not None and live.ink.open is not None}
        await asyncio.gather(*(live.pen.transport.close() for live in ending), return_exceptions=True)
        for live in ending:
            self._take(live, now_ms())
            if live.ink is not None and live.state is not None:
                state, last_ms, ready = live.state, live.ink.last_ms, live.state.ready
                said_ms = max(last_ms, state.ready_ms)
                if not ready or id(live) in writing or live.ink.open or now_ms() - said_ms < _JUST_NOW_MS:
                    self.gaps.went(state.mac, now_ms(), last_ms=last_ms, ready_ms=state.ready_ms if ready else None)
                live.ink.link_went(now_ms())
        self.live.clear()

    def _lost_in(self, mac: str, window: Window | None, at_ms: int, until_ms: int | None) -> None:
        """A window is over: it is a loss, for good or until the pen's memory is drained."""
        if window is None:
            return
        cause: Literal["link_lost", "memory_unread"] = "link_lost" if window.parts else "memory_unread"
        parts = window.closed(until_ms)
        self._losses.append((mac, LossSeen(min(window.from_ms, at_ms), at_ms, None, cause, None, parts)))

    def _take(self, live: Live, now_ms: int) -> None:
        arrived = live.pen.take(now_ms)
        ink = live.ink
        for at_ms, event in arrived:
            if type(event) is pen_events.Dot and ink is not None:
                ink.feed(at_ms, event)
                self.dots += 1
                continue
            self._other(live, at_ms, event)
            if isinstance(event, _OF_MEMORY) or (
                isinstance(event, pen_events.Oddity) and event.command == MemoryChunk.COMMAND
            ):
                live.of_memory.append(event)
            ink = live.ink
        if arrived and live.state is not None:
            live.state.last_event_ms = arrived[-1][0]
            live.state.said_ms = next(
                (a for a, e in reversed(arrived) if not isinstance(e, _OF_TIME)), live.state.said_ms
            )
            if ink is not None and ink.open is not None:
                live.state.last_ink_ms = arrived[-1][0]
                self.delays.append((arrived[-1][0] - ink.last_ms, now_ms - arrived[-1][0]))
        self._flush(live)

    def _other(self, live: Live, at_ms: int, event: pen_events.PenEvent) -> None:
        if isinstance(event, pen_events.Version):
            self._hello(live, at_ms, event)
        state = live.state
        if state is None or live.ink is None:
            if isinstance(event, pen_events.Oddity):
                self._oddities.append((live.heard_as, OddityRow(at_ms, event.kind, event.command, event.payload)))
            return
        if isinstance(event, pen_events.Ready):
            self._ready(live.adapter, state, at_ms)
        elif not self._of_itself(state, at_ms, event):
            live.ink.feed(at_ms, event)

    def _ready(self, adapter: str, state: PenState, at_ms: int) -> None:
        state.ready, state.ready_ms, state.power_off = True, at_ms, None
        if not state.stores and state.mac in self.gaps.windows:
            self.gaps.unhealable(state.mac, at_ms)
        self._lost_in(state.mac, self.gaps.ready(state.mac), at_ms, at_ms)
        self.changes.append(Change("link_up", state.mac, at_ms, {"adapter": adapter}))

    def _of_itself(self, state: PenState, at_ms: int, event: pen_events.PenEvent) -> bool:
        """What a pen says of itself goes to its state. Returns whether it was that."""
        if isinstance(event, pen_events.PenSettings):
            state.battery_percent, state.charging = event.battery_percent, event.charging
            state.memory_percent = event.memory_percent
            if not state.ready:
                self._at_hello(state, at_ms, event)
        elif isinstance(event, pen_events.Battery):
            state.battery_percent, state.charging = event.percent, event.charging
        elif isinstance(event, pen_events.PowerOff):
            state.power_off = event.reason
        elif isinstance(event, pen_events.PasswordState):
            # Each link would spend one more attempt of a password that is wrong, and the last one erases the pen.
            state.password = None if event.status == "accepted" else event.status
            if event.status == "reset":
                self.gaps.unhealable(state.mac, at_ms)  # the pen has erased itself
            elif state.password is not None:
                self.gaps.refused(state.mac)
        else:
            return False
        return True

    def _at_hello(self, state: PenState, at_ms: int, told: pen_events.PenSettings) -> None:
        """What the pen's settings say of the time before this link."""
        state.stores = told.stores_offline and told.memory_percent < FULL_PERCENT
        if abs(told.clock_ms - at_ms) > CLOCK_TOLERANCE_MS:
            state.wrong_clock = PenClock(at_ms, told.clock_ms)

    def _hello(self, live: Live, at_ms: int, hello: pen_events.Version) -> None:
        mac = hello.mac
        state = self.states.setdefault(mac, PenState(mac))
        state.model, state.firmware, state.name = hello.model, hello.firmware, hello.name
        state.ready = False
        live.state = state
        self.gaps.hello(mac, at_ms)
        live.ink = self.inks.setdefault(mac, PenInk(mac, piece_dots=self._piece_dots))
        self.changes.append(
            Change("hello", mac, at_ms, {"model": hello.model, "firmware": hello.firmware, "name": hello.name})
        )

    def _flush(self, live: Live) -> None:
        if live.pen.wants_to_write and (live.flushing is None or live.flushing.done()):
            live.flushing = asyncio.create_task(_flush(live.pen))

    def is_low(self, mac: str) -> bool:
        """Whether a pen's battery will not last."""
        state = self.states.get(mac)
        return bool(state and state.battery_percent is not None and state.battery_percent <= _LOW_BATTERY)


async def _flush(pen: Pen) -> None:
    with contextlib.suppress(DeviceError, TimeoutError):
        await pen.flush()
