"""Emptying pens' memories while the lesson runs: which pen, when, and what becomes of it. Live ink comes first.

A drain begins when its pen is ready. It waits while that pen writes, and altogether while nothing may be stored. Every
chunk is acknowledged only when its strokes are committed, so a pen that forgets what it has handed over, though it was
told to keep it, forgets nothing that is not durable. What the pen has to be asked, and in which order, `Drain` knows.
A drain that a link cut is begun anew by the next link.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.events import PenEvent
from devices.neo.drain import Drain
from devices.neo.messages_control import SetSetting, Setting
from devices.neo.session import NeoSession
from gateway.healing import Drained
from gateway.links import Links, Live, PenState
from gateway.strokes import OutOfMemory, Piece

logger = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""So many pens hand over at a time: the air belongs to live ink."""

WRITES_MS: Final = 1_000
"""A pen whose ink came so short a while ago is writing."""

PIECE_DOTS: Final = 400
"""Where long strokes are cut. No setting: a piece that was drained before is known by its size."""

_AGAIN_MS: Final = 30_000
_TRIES: Final = 3


@dataclass(slots=True)
class _Under:
    """One drain under way."""

    live: Live
    state: PenState
    session: NeoSession
    drain: Drain
    pieces: OutOfMemory
    from_ms: int
    ready_ms: int
    dots: int = 0
    waiting: set[int] = field(default_factory=set)
    """Pieces, by identity, that are not committed yet."""
    owes: bool = False
    """Whether an acknowledgement may wait for its strokes."""


class Drains:
    """All drains. Lives in the loop's thread; the beat calls `take` before it collects, and `committed` after."""

    def __init__(self, links: Links, *, allowed: Callable[[], bool] = lambda: True, at_once: int = AT_ONCE) -> None:
        """Nothing is drained yet.

        Args:
            links: Where pens are linked and what they say of their memory comes in.
            allowed: Whether strokes out of memory may be stored now: not on a disk that is almost full.
            at_once: How many pens hand over at a time.
        """
        self._links, self._allowed, self._at_once = links, allowed, at_once
        self._under: dict[str, _Under] = {}
        self._tried: dict[str, tuple[Live, int, int]] = {}
        """By pen: its link, how often it was drained over it, and when again; 0 for not again."""

    @property
    def is_idle(self) -> bool:
        """Whether every pen that is linked and can be drained has been, as far as it goes."""
        return not self._under and not any(self._due(live, None) for live in self._links.live.values())

    @property
    def pens_with_memory(self) -> int:
        """How many pens are known to hold ink that is not drained."""
        return sum(1 for state in self._links.states.values() if state.memory_strokes)

    @property
    def strokes_in_pens(self) -> int:
        """How many strokes are known to be in pens, at least."""
        return sum(state.memory_strokes for state in self._links.states.values())

    def strokes_in(self, pen: str) -> int | None:
        """How many strokes are known to be in a pen, at least; None where nothing is known of its memory."""
        state = self._links.states.get(pen)
        return state.memory_strokes if state is not None else None

    def take(self, now_ms: int) -> None:
        """Hear what pens said of their memories, and ask on."""
        for mac, under in list(self._under.items()):
            if self._links.live.get(under.live.heard_as) is not under.live or not under.state.ready:
                self._close(mac, under, now_ms, whole=False, why="link_lost")
        for live in self._links.live.values():
            said, live.of_memory = live.of_memory, []
            asked = self._under.get(live.state.mac) if live.state is not None else None
            if said and asked is not None and asked.live is live:
                self._hear(asked, said, now_ms)
        allowed = self._allowed()
        for live in self._links.live.values():
            if allowed and len(self._under) < self._at_once and self._due(live, now_ms) and not _writes(live, now_ms):
                self._begin(live, now_ms)
        for mac, under in list(self._under.items()):
            self._go_on(mac, under, now_ms, allowed=allowed)

    def committed(self, pieces: Iterable[Piece]) -> None:
        """These pieces are durable, those that the store had before among them."""
        done = {id(piece) for piece in pieces if piece.how == "memory"}
        for under in self._under.values() if done else ():
            under.waiting -= done

    def _due(self, live: Live, now_ms: int | None) -> bool:
        """Whether this link's pen should be drained; `now_ms` None asks whether it ever will be."""
        state = live.state
        if state is None or not state.ready or state.mac in self._under or not isinstance(live.pen.session, NeoSession):
            return False
        tried = self._tried.get(state.mac)
        if tried is None or tried[0] is not live:
            return True
        return now_ms is not None and bool(tried[2]) and now_ms >= tried[2]

    def _begin(self, live: Live, now_ms: int) -> None:
        state, session = live.state, live.pen.session
        if state is None or not isinstance(session, NeoSession):
            return
        if session.settings is not None and not session.settings.stores_offline:
            logger.warning("pen %s kept nothing of what it wrote without a link; it does from now on", state.mac)
            session.ask(SetSetting.switch(Setting.STORE_OFFLINE, on=True), now_ms=now_ms)
        pieces = OutOfMemory(state.mac, piece_dots=PIECE_DOTS, wrong=state.wrong_clock)
        self._under[state.mac] = _Under(live, state, session, Drain(), pieces, now_ms, state.ready_ms)
        session.hold_memory(hold=True, now_ms=now_ms)

    def _hear(self, under: _Under, said: Iterable[PenEvent], now_ms: int) -> None:
        for stroke in under.drain.take(said):
            for piece in under.pieces.pieces(stroke, transfer=under.drain.transfer, at_ms=now_ms):
                under.waiting.add(id(piece))
                under.dots += len(piece.rows)
                self._links.from_memory.append(piece)

    def _go_on(self, mac: str, under: _Under, now_ms: int, *, allowed: bool) -> None:
        drain, session = under.drain, under.session
        if under.waiting or not allowed or _writes(under.live, now_ms):
            return
        drain.committed()
        if drain.must_leave:
            session.leave_memory()
            drain.left()
        if drain.must_stop:
            session.stop_memory(now_ms=now_ms)
            drain.stopped()
        session.hold_memory(hold=False, now_ms=now_ms)
        session.hold_memory(hold=True, now_ms=now_ms)
        if (request := drain.request()) is not None:
            session.ask(request, now_ms=now_ms)
        under.state.memory_strokes = drain.strokes_in_pen
        if drain.is_ended:
            self._close(mac, under, now_ms, whole=drain.whole, why=drain.why)

    def _close(self, mac: str, under: _Under, now_ms: int, *, whole: bool, why: str | None) -> None:
        del self._under[mac]
        drain, state = under.drain, under.state
        state.memory_strokes, state.memory_why = drain.strokes_in_pen, why
        if whole:
            state.wrong_clock = None
        if why is not None:
            logger.warning("the memory of pen %s was not emptied (%s)", mac, why)
        times = self._tried.get(mac, (under.live, 0, 0))
        tries = times[1] + 1 if times[0] is under.live else 1
        again = 0 if why in {None, "hurt"} or tries >= _TRIES else now_ms + _AGAIN_MS
        self._tried[mac] = (under.live, tries, again)
        if why != "link_lost":
            under.session.hold_memory(hold=False, now_ms=now_ms)
        self._links.drained.append(
            Drained(
                mac, under.ready_ms, under.from_ms, now_ms, drain.strokes, under.dots, drain.pages_deleted, whole, why
            )
        )


def _writes(live: Live, now_ms: int) -> bool:
    """Whether this pen writes now, or did just before."""
    return live.ink is not None and (live.ink.open is not None or now_ms - live.ink.last_ms < WRITES_MS)
