"""Crossed-out ink among written characters: which strokes the child took back, and which strokes did it.

A scratch is a scribble, a strike line or a cross over ink that was there before it; without earlier ink under it
nothing is a scratch. A line that may as well be a part of a character (the bar of a 7, the slash of a 0) makes the
field doubtful instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recognition.shapes import Shape, around, share_inside
from recognition.sheets import Box
from recognition.withdrawal.roles import Ledger, Why

_UNDER: Final = 0.6
"""Ink is under a scribble where so much of it lies within the scribble's box."""
_GOES_ON_MS: Final = 1500
_MOSTLY: Final = 0.7
_WIDE_ENOUGH: Final = 0.5
_SPANS: Final = 0.75
_DECIDED_MS: Final = 700
"""A strike comes after a pause: the child has seen that it is wrong."""
_SAME_CHARACTER_MS: Final = 400
"""What follows sooner is a stroke of the character: the slash of a 0, the bar of a 7, the bows of a B."""
_BOW_TURNS: Final = 5
_STEM: Final = 1.6
"""A stem's way in its box's diagonals, at most: pens go down it and some way up again."""
_STICKS_OUT: Final = 0.2
_LEAST_HEIGHT_MM: Final = 1.5
_MIDDLE: Final = 0.35
"""So far from the middle, in heights, a line may pass."""


@dataclass(slots=True)
class _Work:
    shapes: Sequence[Shape]
    ledger: Ledger
    lines: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    """By the strokes that they cross: lines that alone decide nothing."""
    last_scratch: int | None = None
    last_targets: Sequence[int] = ()

    def standing(self, before: int) -> list[int]:
        pending = {line for lines in self.lines.values() for line in lines}
        return [k for k in range(before) if self.ledger.stands(k) and k not in pending]

    def withdraw(self, targets: Sequence[int], scratches: Sequence[int], why: Why, how: Why) -> None:
        self.ledger.withdraw(targets, scratches, why, how)
        self.last_scratch, self.last_targets = scratches[-1], targets
        self.lines = {key: lines for key, lines in self.lines.items() if not set(key) & set(targets)}

    def doubt(self) -> None:
        self.ledger.doubt("maybe_crossed_out")


def cross_out(shapes: Sequence[Shape], ledger: Ledger, *, lines: bool = True) -> None:
    """Find what was taken back among the strokes of one field, in the order in which they were written.

    Args:
        shapes: The strokes.
        ledger: Their roles; gets what is found.
        lines: Whether a line can strike out; not where lines are the answer's own, as a written cross is.
    """
    work = _Work(shapes, ledger)
    for number, shape in enumerate(shapes):
        if shape.is_tap or number in ledger.keep or _goes_on(work, number):
            continue
        if shape.is_scribble:
            _scribbled(work, number)
        elif shape.is_line and lines:
            _struck(work, number)
    if work.lines:
        work.doubt()


def _goes_on(work: _Work, number: int) -> bool:
    """More ink on a scratch soon after it is the same scratch; later it is a doubt."""
    if work.last_scratch is None:
        return False
    scratch, shape = work.shapes[work.last_scratch], work.shapes[number]
    is_soon = shape.begin_ms - scratch.end_ms <= _GOES_ON_MS
    if scratch.is_line:
        crosses = shape.is_line and any(_passes_through(shape, work.shapes[k]) for k in work.last_targets)
        if is_soon and crosses:
            work.ledger.also(work.last_scratch, [number])
        return is_soon and crosses
    if share_inside(shape, scratch.box, margin=0.5) < _MOSTLY:
        return False
    if is_soon:
        work.ledger.also(work.last_scratch, [number])
    else:
        work.doubt()
    return True


def _scribbled(work: _Work, number: int) -> None:
    scribble = work.shapes[number]
    under = [k for k in work.standing(number) if share_inside(work.shapes[k], scribble.box, margin=1.0) >= _UNDER]
    if not under:
        return
    is_kept = work.ledger.keep.issuperset(under)
    if under == [number - 1] and _is_bow(scribble, work.shapes[number - 1]):
        is_soon = scribble.begin_ms - work.shapes[number - 1].end_ms < _SAME_CHARACTER_MS
        if is_soon:
            return
        if not is_kept:
            work.doubt()
            return
    covered = around([work.shapes[k] for k in under])
    if is_kept or scribble.box[2] - scribble.box[0] >= _WIDE_ENOUGH * (covered[2] - covered[0]):
        work.withdraw(under, [number], "scribbled_out", "scribble")
    else:
        work.doubt()


def _is_bow(scribble: Shape, stem: Shape) -> bool:
    """Whether a scribble may be the bows of a B, which turn as often as a hasty one and lie over their stem."""
    return scribble.turns <= _BOW_TURNS and stem.length <= _STEM * stem.size


def _struck(work: _Work, number: int) -> None:
    line = work.shapes[number]
    hit = [k for k in work.standing(number) if _passes_through(line, work.shapes[k])]
    if not hit:
        return
    targets = _with_parts(work, hit, number)
    box = around([work.shapes[k] for k in targets])
    characters = _columns([work.shapes[k].box for k in targets])
    if characters > 1 and line.length >= max(_SPANS * (box[2] - box[0]), 0.9 * (box[3] - box[1])):
        work.withdraw(targets, [number], "struck_out", "strike")
        return
    if not _spans(line, box):
        return
    earlier = work.lines.get(tuple(targets), [])
    if earlier:
        work.withdraw(targets, [*earlier, number], "struck_out", "strike")
        return
    out = _STICKS_OUT * (box[2] - box[0])
    sticks_out = line.box[0] <= box[0] - out and line.box[2] >= box[2] + out
    pause_ms = line.begin_ms - max(work.shapes[k].end_ms for k in targets)
    if not sticks_out and 0 <= pause_ms < _SAME_CHARACTER_MS:
        return
    is_clear = sticks_out and pause_ms >= _DECIDED_MS and _new_answer_follows(work, number, box)
    if is_clear or work.ledger.keep.issuperset(targets):
        work.withdraw(targets, [number], "struck_out", "strike")
    else:
        work.lines[tuple(targets)] = [number]


def _new_answer_follows(work: _Work, number: int, box: Box) -> bool:
    """Whether ink beside the box comes after a stroke."""
    return any(
        later.box[0] > box[2] or later.box[2] < box[0] or later.box[3] < box[1] or later.box[1] > box[3]
        for later in work.shapes[number + 1 :]
        if not later.is_tap
    )


def _passes_through(line: Shape, shape: Shape) -> bool:
    """Whether a line goes through the middle of a shape and not along its edge."""
    left, top, right, bottom = shape.box
    if bottom - top < _LEAST_HEIGHT_MM:
        return False
    middle = ((left + right) / 2, (top + bottom) / 2)
    size = (max(right - left, 1.0), bottom - top)
    first, last = line.xy[0].tolist(), line.xy[-1].tolist()
    along = 0 if abs(last[0] - first[0]) >= abs(last[1] - first[1]) else 1
    share = (middle[along] - first[along]) / (last[along] - first[along])
    if not 0 <= share <= 1:
        return False
    across = 1 - along
    at = float(first[across] + (last[across] - first[across]) * share)
    return abs(at - middle[across]) <= _MIDDLE * size[across]


def _spans(line: Shape, box: Box) -> bool:
    """Whether a line is as long as what it crosses, so that it is no bar of a character."""
    width, height = box[2] - box[0], box[3] - box[1]
    out = 0.1 * width + 0.3
    sticks_out = line.box[0] <= box[0] - out and line.box[2] >= box[2] + out
    return sticks_out or bool(
        line.length >= 0.8 * np.hypot(width, height) and line.box[2] - line.box[0] > 0.6 * width > 1
    )


def _with_parts(work: _Work, hit: list[int], number: int) -> list[int]:
    """The strokes hit and those that stand over or under them: the other strokes of the same characters."""
    parts = [k for k in work.standing(number) if any(_share_column(work.shapes[k], work.shapes[h]) for h in hit)]
    return sorted({*hit, *parts})


def _share_column(one: Shape, other: Shape) -> bool:
    """Whether the middle of one is over or under the other."""
    return any(b.box[0] - 0.3 <= (a.box[0] + a.box[2]) / 2 <= b.box[2] + 0.3 for a, b in ((one, other), (other, one)))


def _columns(boxes: Sequence[Box]) -> int:
    """How many groups stand side by side without overlapping."""
    count, edge = 0, -np.inf
    for left, _, right, _ in sorted(boxes):
        if left > edge:
            count += 1
        edge = max(edge, right)
    return count
