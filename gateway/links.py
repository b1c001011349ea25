"""The pens that are linked now: what each says goes to its ink, what it says of itself goes to its state.

Ink belongs to the MAC that the pen itself said in this link's hello, never to an address or a name. A link that went
opens a window in which ink may be missing; the window is a loss row when the pen is back, or when the gateway stops.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices import events as pen_events
from devices.errors import DeviceError
from devices.pen import Pen
from devices.transport import NowMs
from gateway.strokes import LossSeen, OddityRow, PenInk

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
    last_ink_ms: int | None = None
    link_id: int | None = None
    ready: bool = False


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


@dataclass(slots=True)
class Change:
    """Something that the beat must write besides ink."""

    kind: str
    mac: str
    at_ms: int
    detail: dict[str, object] = field(default_factory=dict)


_LOW_BATTERY: Final = 15
_JUST_NOW_MS: Final = 1_000


class Links:
    """All links. Lives in the loop's thread; the beat calls `take`."""

    def __init__(self, *, piece_dots: int) -> None:
        self._piece_dots = piece_dots
        self.live: dict[str, Live] = {}
        self.states: dict[str, PenState] = {}
        self.inks: dict[str, PenInk] = {}
        self.changes: list[Change] = []
        self.windows: dict[str, int] = {}
        """Since when ink of a pen may be missing."""
        self._losses: list[tuple[str, LossSeen]] = []
        self._oddities: list[tuple[str, OddityRow]] = []
        self.dots = 0
        self.delays: list[tuple[int, int]] = []
        """Of the newest dot of a pen and beat: ms on the air, ms until the beat; whoever measures takes them."""

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
        if state.ready:
            self.windows.setdefault(state.mac, live.ink.last_ms or at_ms)
        state.ready = False
        self.changes.append(Change("link_down", state.mac, at_ms, {"reason": state.power_off or reason}))

    def take(self, now_ms: int) -> None:
        """Take what arrived since the last beat, of all pens."""
        for live in list(self.live.values()):
            self._take(live, now_ms)

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
                self.windows.setdefault(mac, at_ms)

    def close_windows(self, at_ms: int) -> None:
        """Nothing more comes: every open window becomes a loss."""
        for mac in list(self.windows):
            self._close_window(mac, at_ms)

    async def hang_up(self, now_ms: NowMs) -> None:
        """End all links, because we want to; whoever was writing meanwhile has a gap from here on."""
        ending = list(self.live.values())
        await asyncio.gather(*(live.pen.transport.close() for live in ending), return_exceptions=True)
        for live in ending:
            self._take(live, now_ms())
            if live.ink is not None and live.state is not None:
                if live.ink.open is not None or now_ms() - live.ink.last_ms < _JUST_NOW_MS:
                    self.windows.setdefault(live.state.mac, live.ink.last_ms)
                live.ink.link_went(now_ms())
        self.live.clear()

    def _close_window(self, mac: str, at_ms: int) -> None:
        from_ms = self.windows.pop(mac, None)
        if from_ms is not None:
            self._losses.append((mac, LossSeen(min(from_ms, at_ms), at_ms, None, "link_lost", None)))

    def _take(self, live: Live, now_ms: int) -> None:
        arrived = live.pen.take(now_ms)
        ink = live.ink
        for at_ms, event in arrived:
            if type(event) is pen_events.Dot and ink is not None:
                ink.feed(at_ms, event)
                self.dots += 1
                continue
            self._other(live, at_ms, event)
            ink = live.ink
        if arrived and live.state is not None:
            live.state.last_event_ms = arrived[-1][0]
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
            state.ready, state.power_off = True, None
            self._close_window(state.mac, at_ms)
            self.changes.append(Change("link_up", state.mac, at_ms, {"adapter": live.adapter}))
        elif isinstance(event, pen_events.PenSettings):
            state.battery_percent, state.charging = event.battery_percent, event.charging
            state.memory_percent = event.memory_percent
        elif isinstance(event, pen_events.Battery):
            state.battery_percent, state.charging = event.percent, event.charging
        elif isinstance(event, pen_events.PowerOff):
            state.power_off = event.reason
        elif isinstance(event, pen_events.PasswordState):
            # Each link would spend one more attempt of a password that is wrong, and the last one erases the pen.
            state.password = None if event.status == "accepted" else event.status
        else:
            live.ink.feed(at_ms, event)

    def _hello(self, live: Live, at_ms: int, hello: pen_events.Version) -> None:
        mac = hello.mac
        state = self.states.setdefault(mac, PenState(mac))
        state.model, state.firmware, state.name = hello.model, hello.firmware, hello.name
        state.ready = False
        live.state = state
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
