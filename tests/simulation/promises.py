"""The promises of the issue, looked at after every step of a lesson.

- Every dot that a pen made is durable once, or in the pen, or under way, or inside a loss that nothing has healed, or
  inside a gap that is still open and will be one.
- A dot is on the page where it was written, or a gap of events is at the beginning of its stroke: one told of the page.
- Nothing was shown that is not durable.
- An envelope that the box takes for receipted is in the district.
"""

from typing import Final, Protocol

from devices.virtual.memory import Kept
from gateway.links import Links
from sync.messages import unpack
from tests.simulation.air import Link
from tests.simulation.history import History
from tests.simulation.loop import BASE_MS, SimulatedLoop
from tests.simulation.pens import LONGEST_STROKE_MS, serials_of
from tests.simulation.stored import Stored
from tests.simulation.truth import SLACK_MS, Dot, Truth

PATIENCE_S: Final = 2.5
"""So long may a living gateway take from an arrival to the commit, and from a pen's return to its loss row."""


class Life(Protocol):
    """What is looked at of a living gateway."""

    links: Links
    is_up: bool

    @property
    def takes_writes(self) -> bool:
        """Whether its disk took all that it was given lately."""


class Promises:
    """Everything that must hold, and the bookkeeping to see it."""

    def __init__(self, loop: SimulatedLoop, history: History, truth: Truth, stored: Stored) -> None:
        self._loop, self._history, self._truth, self._stored = loop, history, truth, stored
        self._ready: dict[str, float] = {}
        """Since when a pen is ready, in the gateway's eyes."""
        self._links: dict[int, Link] = {}
        self._version = -1
        self.checks = 0

    def link_made(self, link: Link) -> None:
        """Another link exists."""
        self._links[link.number] = link

    def shown(self, serials: list[int]) -> None:
        """The page was handed these dots."""
        lacking = self._stored.lacks(set(serials))
        if lacking:
            self._history.breach(f"dots {sorted(lacking)} were shown and are not durable")

    def gateway_died(self) -> None:
        """What it had not committed is gone."""
        self._truth.box_died(self._loop.now_s)
        self._stored.misplaced.clear()  # the gap of a stroke that was open may have died with the box
        self._ready.clear()

    def look(self, life: Life | None) -> None:
        """After a step: is every dot where it may be?"""
        self.checks += 1
        now_s = self._loop.now_s
        self._note_ready(life)
        if self._version != self._stored.version:
            self._version = self._stored.version
            self._truth.doubt()
        for dot in self._stored.misplaced.values():
            if self._is_overdue(dot, life) and not self._is_marked(dot):
                self._history.breach(
                    f"dot {dot.serial} of {dot.pen} is on a page where it was not written: no gap tells"
                )
        explained = []
        for dot in self._truth.suspect.values():
            if dot.place == "gone" and self._is_explained(dot):
                explained.append(dot.serial)  # until the losses change
            elif dot.place == "box" and self._is_overdue(dot, life) and not self._is_explained(dot):
                self._history.breach(f"dot {dot.serial} of {dot.pen} came {now_s - dot.since_s:.1f} s ago: nowhere now")
            elif dot.place == "gone" and self._is_owed(dot, life):
                made_s = (dot.at_ms - BASE_MS) / 1000
                self._history.breach(f"dot {dot.serial} of {dot.pen}, made at {made_s:.3f} s, is gone: no loss row")
        for serial in explained:
            del self._truth.suspect[serial]

    def at_rest(self, in_pens: dict[str, list[Kept]]) -> None:
        """At the end, when all is healed and quiet."""
        for dot in self._truth.astray.values():
            if dot.place not in {"pen", "unheard"} and not self._is_explained(dot):
                self._history.breach(f"at the end dot {dot.serial} of {dot.pen} (last: {dot.place}) is nowhere")
            if dot.place == "pen" and not any(dot.serial in serials_of(kept) for kept in in_pens[dot.pen]):
                self._history.breach(f"at the end dot {dot.serial} of {dot.pen} is neither in the pen nor stored")

    def receipted(self, payload: bytes, has: dict[str, int]) -> None:
        """The box takes an envelope for receipted; `has` is the newest revision of each result in the district."""
        for row in unpack(payload):
            if has.get(row.id, 0) < row.rev:
                self._history.breach(f"result {row.id} rev {row.rev} is receipted and not in the district")

    def _is_marked(self, dot: Dot) -> bool:
        """Whether a gap of no known page, at the beginning of its stroke, tells that the page did not come."""
        losses = [loss for loss in self._stored.losses if loss.pen == dot.pen and loss.page is None]
        gaps = (loss for loss in losses if loss.cause == "counter_gap")
        return any(gap.from_ms - SLACK_MS <= dot.at_ms <= gap.to_ms + LONGEST_STROKE_MS + SLACK_MS for gap in gaps)

    def _is_overdue(self, dot: Dot, life: Life | None) -> bool:
        """Whether what arrived should be durable by now. A dot whose page never came waits for its gap to be closed."""
        if life is None or not life.takes_writes or self._loop.now_s - dot.since_s <= PATIENCE_S:
            return False
        ink = life.links.inks.get(dot.pen)
        return ink is None or not ink._lost or ink._lost_from_ms > dot.at_ms + SLACK_MS

    def _is_explained(self, dot: Dot) -> bool:
        if dot.was_kept and dot.at_ms < BASE_MS:
            return True  # a known limit: homework that a restored box had, and a pen has forgotten, is in no lesson
        return any(loss.covers(dot) for loss in self._stored.losses)

    def _is_owed(self, dot: Dot, life: Life | None) -> bool:
        """Whether a loss row should tell of it by now; until then its gap must at least be open."""
        if life is None or not life.is_up or not life.takes_writes:
            return False
        now_s = self._loop.now_s
        state = life.links.states.get(dot.pen)
        window_ms = life.links.windows.get(dot.pen)
        if window_ms is not None and window_ms <= dot.at_ms + SLACK_MS:
            return False
        if state is None:
            return False  # this life has not met the pen: what it did not see begins with the hello
        live, link = life.links.of(dot.pen), self._links.get(dot.link)
        if live is not None and link is not None and live.pen.transport is link:
            return link.heard_after(dot.number, PATIENCE_S)
        return now_s - self._ready.get(dot.pen, now_s) > PATIENCE_S

    def _note_ready(self, life: Life | None) -> None:
        if life is None:
            return
        for mac, state in life.links.states.items():
            if not state.ready:
                self._ready.pop(mac, None)
            else:
                self._ready.setdefault(mac, self._loop.now_s)
