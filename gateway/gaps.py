"""Since when ink of a pen may be missing, and in which part of that time it cannot come any more. Pure.

Between the last event that came and the moment that the pen noticed the end of its link, what it wrote is gone for
good: a `Part`. Before and after it the ink is in the pen's memory. The box learns that moment from evidence alone: the
first stroke in memory that was begun after `after_ms`, or the end that the box itself saw, and a supervision time.
A `Window` is open from a link's end, or from when the pen was wanted, until the pen is ready again; it becomes one loss
row. When the pen's memory is drained whole, that row is healed and its parts, cut at the evidence, take its place.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

SUPERVISION_MS: Final = 6_000
"""A link that the box saw end is over for the pen too after so long: no pen asks for a longer supervision time."""

SET_MS: Final = 2_000
"""What lies in memory from before this link's clock was set may tell a time that is so much too late."""

_MOST_PARTS: Final = 16

Span: TypeAlias = tuple[int, int]


class Part(NamedTuple):
    """A time in which live ink may have been under way and not arrived."""

    from_ms: int
    until_ms: int | None
    """When the pen knew of the end of its link at the latest; None where the box did not see it."""
    after_ms: int
    """A stroke in memory shows that the link was over only if it was begun at or after this."""


@dataclass(slots=True)
class Window:
    """An open gap of one pen."""

    from_ms: int
    parts: list[Part] = field(default_factory=list)
    heals: bool = True
    """Whether the pen's memory can fill it: not if it was full, erased, or switched off."""

    def add(self, part: Part) -> None:
        """One more time in which live ink may be lost."""
        self.from_ms = min(self.from_ms, part.from_ms)
        self.parts.append(part)
        if len(self.parts) > _MOST_PARTS:
            a, b = self.parts[:2]
            until_ms = None if a.until_ms is None or b.until_ms is None else max(a.until_ms, b.until_ms)
            self.parts[:2] = [Part(min(a.from_ms, b.from_ms), until_ms, max(a.after_ms, b.after_ms))]

    def closed(self, back_ms: int | None) -> tuple[Part, ...] | None:
        """Its parts; where the pen is back at `back_ms`, all of them ended by then. None where nothing heals it."""
        if not self.heals:
            return None
        if back_ms is None:
            return tuple(self.parts)
        return tuple(
            p._replace(until_ms=back_ms if p.until_ms is None else min(p.until_ms, back_ms)) for p in self.parts
        )


class Gaps:
    """The open windows of all pens. `is_changed` is set by whatever changes them; who has stored them resets it."""

    def __init__(self) -> None:
        self.windows: dict[str, Window] = {}
        self._under_way: dict[str, Part] = {}
        """Pens that said hello and are not ready: they may send live ink before the box knows."""
        self._anyone: list[tuple[Part, set[str]]] = []
        """What any pen may have sent that no store remembers, and which pens it was asked of since."""
        self.is_changed = False

    def want(self, pen: str, at_ms: int) -> None:
        """Ink of this pen matters from now on, and it has no link."""
        if pen not in self.windows:
            self.windows[pen] = Window(at_ms)
            self.is_changed = True

    def hello(self, pen: str, at_ms: int) -> None:
        """A link began: if it goes before the box knows that the pen is ready, live ink may have gone with it."""
        for part in [part for part, met in self._anyone if pen not in met]:
            self.lose(pen, part)
        self._under_way[pen] = Part(at_ms, None, at_ms + SET_MS)
        self.is_changed = True

    def anyone(self, part: Part) -> None:
        """Beats were never committed, or are forgotten: any pen may have sent live ink in them, also an unknown one."""
        self._anyone.append((part, set()))
        if len(self._anyone) > _MOST_PARTS:
            (a, met_a), (b, met_b) = self._anyone[:2]
            joined = Part(min(a.from_ms, b.from_ms), None, max(a.after_ms, b.after_ms))
            self._anyone[:2] = [(joined, met_a & met_b)]
        self.is_changed = True

    def refused(self, pen: str) -> None:
        """The pen wants a password, so it sends no ink."""
        self._under_way.pop(pen, None)
        self.is_changed = True

    def lose(self, pen: str, part: Part) -> None:
        """Live ink may have gone."""
        for _, met in self._anyone:
            met.add(pen)
        self.windows.setdefault(pen, Window(part.from_ms)).add(part)
        self.is_changed = True

    def went(self, pen: str, at_ms: int, *, last_ms: int, ready_ms: int | None) -> None:
        """A link ended, as the box saw; its last event was made at `last_ms`, and it was ready since `ready_ms`."""
        part = self._under_way.pop(pen, None)
        if ready_ms is not None:
            from_ms = min(max(last_ms, ready_ms), at_ms)
            part = Part(from_ms, None, max(from_ms, ready_ms + SET_MS))
        if part is not None:
            self.lose(pen, part._replace(until_ms=max(part.from_ms, at_ms + SUPERVISION_MS)))

    def unhealable(self, pen: str, at_ms: int) -> None:
        """What the pen had in memory is gone, or it kept nothing."""
        self.windows.setdefault(pen, Window(at_ms)).heals = False
        self.is_changed = True

    def ready(self, pen: str) -> Window | None:
        """The pen is ready: what is written from here on comes live. Gives the window that this ends."""
        self._under_way.pop(pen, None)
        self.is_changed = True
        return self.windows.pop(pen, None)

    def end(self, pen: str, at_ms: int) -> Window | None:
        """Nothing more comes, and no link is left: the window as it is, ended."""
        window = self.windows.pop(pen, None)
        self.is_changed = True
        if window is not None:
            late_ms = at_ms + SUPERVISION_MS
            window.parts = [p if p.until_ms is not None else p._replace(until_ms=late_ms) for p in window.parts]
        return window

    def to_text(self) -> str:
        """For the store: as it would be if the gateway died now."""
        windows = {pen: (w.from_ms, list(w.parts), w.heals) for pen, w in self.windows.items()}
        for pen, part in self._under_way.items():
            from_ms, parts, heals = windows.get(pen, (part.from_ms, [], True))
            windows[pen] = (from_ms, [*parts, part], heals)
        anyone = [(part, sorted(met)) for part, met in self._anyone]
        return json.dumps({"windows": windows, "anyone": anyone}, separators=(",", ":"))

    def from_text(self, text: str, *, alive_ms: int) -> None:
        """After a start: as they were; an end that nobody saw is shown only by what was written since `alive_ms`."""
        told = json.loads(text)
        self._anyone = [(Part(*part), set(met)) for part, met in told["anyone"]]
        for pen, (from_ms, parts, heals) in told["windows"].items():
            window = self.windows[pen] = Window(from_ms, heals=heals)
            for part in (Part(*each) for each in parts):
                unseen = part.until_ms is None
                window.add(part._replace(after_ms=max(part.after_ms, alive_ms)) if unseen else part)
        self.is_changed = True


def shortened(span: Span, parts: Sequence[Part], first_after: Callable[[int], int | None]) -> list[Span] | None:
    """What stays lost of a gap when all that the pen kept is here; None where that is no less than the gap.

    Args:
        span: From and to, ms.
        parts: As `Window.closed` gave them.
        first_after: When the first stroke in memory at or after a time was begun.
    """
    left = []
    for part in parts:
        ends = [end for end in (part.until_ms, first_after(part.after_ms)) if end is not None]
        left.append((part.from_ms, max(part.from_ms, min(ends, default=span[1]))))
    left = _joined(left)
    return None if any(a <= span[0] and b >= span[1] for a, b in left) else left


def _joined(spans: Iterable[Span]) -> list[Span]:
    out: list[Span] = []
    for a, b in sorted(spans):
        if out and a <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], b))
        else:
            out.append((a, b))
    return out
