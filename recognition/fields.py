"""Which strokes belong to which answer field.

Nothing is dropped: ink that is nobody's is a note, ink that may be of two fields is offered to both. Strokes are first
grouped into runs, close in time and place, and a run goes to a field as a whole: by the share of its ink in the field's
box, its distance from it and where it begins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.ink import Stroke
from recognition.sheets import SheetPage

RUN_GAP_MS: Final = 600
"""A run ends where no ink comes for so long."""
RUN_NEAR_MM: Final = 6.0
REACH_MM: Final = 8.0
"""Ink that is further than this on average from every box is a note."""
MARGIN_MM: Final = 1.0
"""So far over a box's border counts as inside."""

_AT_HOME: Final = 0.25
"""The score from which on a run has a home whatever its distance."""
_UNDECIDED: Final = 0.2
"""Two fields whose scores differ by less are both possible."""
_ALSO_NEAR_MM: Final = 1.0
_ALSO_SHARE: Final = 0.3
_FEW_POINTS: Final = 24
_TOUCHING_MM: Final = 1.2
_FOLLOWING_MM, _FOLLOWING_MS = 3.5, 4000
_SHIFTS_MM: Final = np.arange(-12, 13, 2, dtype=np.float32)
_REAL_SHIFT_MM: Final = 6.0
_FEWEST_RUNS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Where the strokes of one page belong; strokes are named by their index."""

    fields: dict[str, tuple[int, ...]]
    """By field, in the order in which they were written. A stroke stands in two fields where both are possible."""
    offered_to: dict[str, tuple[str, ...]]
    """By field: the other fields that got some of the same ink. Such a field is unsure."""
    outside: frozenset[str]
    """Fields that got ink from outside of their box."""
    notes: tuple[int, ...]
    """Strokes of no field."""
    fits: bool
    """False where much more ink would lie in boxes if the page were moved: it is not this print, read nothing."""


@dataclass(slots=True)
class _Run:
    strokes: list[int]
    points: NDArray[np.float32]
    begin_ms: float
    end_ms: float
    homes: tuple[int, ...] = ()
    inside: float = 0.0


def field_of(stroke: Stroke, page: SheetPage) -> tuple[str, ...]:
    """The fields that this stroke alone may belong to, nearest first; empty for a note.

    For the live path, where one stroke is known at a time: `assign` knows more.
    """
    points = stroke.points
    (left, top), (right, bottom) = points[:, :2].min(axis=0).tolist(), points[:, :2].max(axis=0).tolist()
    close = []
    for number, about in enumerate(page.fields):
        box = about.box_mm
        if (
            left > box[2] + REACH_MM
            or right < box[0] - REACH_MM
            or top > box[3] + REACH_MM
            or bottom < box[1] - REACH_MM
        ):
            continue
        if left >= box[0] and right <= box[2] and top >= box[1] and bottom <= box[3]:
            return (about.id,)
        close.append(number)
    return _near(_few(points), page, close) if close else ()


def _near(points: NDArray[np.float32], page: SheetPage, close: list[int]) -> tuple[str, ...]:
    """Those of some fields that ink lying in none of them whole may belong to."""
    distance = _distance(points, page.boxes[close])
    mean = distance.mean(axis=1)
    nearest = mean.min()
    if nearest > REACH_MM:
        return ()
    share = (distance <= MARGIN_MM).mean(axis=1)
    hit = share >= _ALSO_SHARE
    if share.max() < 1:
        hit |= mean <= nearest + _ALSO_NEAR_MM
    return tuple(page.ids[close[k]] for k in np.argsort(mean) if hit[k])


def assign(strokes: Sequence[Stroke], page: SheetPage) -> Assignment:
    """Give the strokes of one page, in the order in which they were written, to its fields."""
    if not strokes or not page.fields:
        return Assignment(fields={}, offered_to={}, outside=frozenset(), notes=tuple(range(len(strokes))), fits=True)
    runs = list(_runs(strokes, page))
    for run in runs:
        _find_home(run, page.boxes)
    for run in [run for run in runs if not run.homes]:
        _join_touching(run, runs)
    fields: dict[str, list[int]] = {}
    offered: dict[str, set[str]] = {}
    outside: set[str] = set()
    for run in runs:
        names = [page.ids[k] for k in run.homes]
        for name in names:
            fields.setdefault(name, []).extend(run.strokes)
            if len(names) > 1:
                offered.setdefault(name, set()).update(set(names) - {name})
        if run.inside < 0.5:  # noqa: PLR2004  # less than half of it
            outside.update(names)
    return Assignment(
        fields={name: tuple(sorted(found)) for name, found in fields.items()},
        offered_to={name: tuple(sorted(others)) for name, others in offered.items()},
        outside=frozenset(outside),
        notes=tuple(k for run in runs if not run.homes for k in run.strokes),
        fits=_fits(runs, page),
    )


def _few(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points if len(points) <= _FEW_POINTS else points[:: -(-len(points) // _FEW_POINTS)]


def _distance(points: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (boxes, points): mm from each point to each box, 0 inside."""
    low = boxes[:, None, :2] - points[None, :, :2]
    high = points[None, :, :2] - boxes[:, None, 2:]
    off = np.maximum(np.maximum(low, high), 0)
    return np.asarray(np.hypot(off[..., 0], off[..., 1]), np.float32)


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Least distance between the points of two pieces of ink, mm."""
    step = one[:, None, :2] - other[None, :, :2]
    return float(np.sqrt((step * step).sum(axis=2).min()))


def _runs(strokes: Sequence[Stroke], page: SheetPage) -> Iterator[_Run]:
    current: _Run | None = None
    last_home: int | None = None
    for number, stroke in enumerate(strokes):
        points = _few(stroke.points)
        share = (_distance(points, page.boxes) <= MARGIN_MM).mean(axis=1)
        home = int(share.argmax()) if share.max() > 0.6 else None  # noqa: PLR2004  # most of it
        begin_ms, end_ms = float(stroke.points[0, 2]), float(stroke.points[-1, 2])
        goes_on = (
            current is not None
            and begin_ms - current.end_ms <= RUN_GAP_MS
            and _apart(current.points, points) <= RUN_NEAR_MM
            and (home is None or last_home is None or home == last_home)
        )
        if current is not None and goes_on:
            current.strokes.append(number)
            current.points = np.concatenate([current.points, points])
            current.end_ms = end_ms
        else:
            if current is not None:
                yield current
            current, last_home = _Run([number], points, begin_ms, end_ms), None
        last_home = home if home is not None else last_home
    if current is not None:
        yield current


def _find_home(run: _Run, boxes: NDArray[np.float32]) -> None:
    distance = _distance(run.points, boxes)
    inside = (distance <= MARGIN_MM).mean(axis=1)
    mean = distance.mean(axis=1)
    # Where it begins says something only of ink that reaches into a box at all.
    start = distance[:, 0] if inside.any() else np.float32(0)
    score = 2.2 * inside - 0.22 * mean - 0.06 * start
    order = np.argsort(-score)
    possible = [int(k) for k in order[:2] if score[k] > _AT_HOME or mean[k] < REACH_MM]
    if len(possible) > 1 and score[possible[0]] - score[possible[1]] >= _UNDECIDED:
        possible = possible[:1]
    run.homes = tuple(possible)
    run.inside = float(inside[possible[0]]) if possible else 0.0


def _join_touching(run: _Run, runs: list[_Run]) -> None:
    """A run without a home that touches the ink of another, or follows it closely, is of its field."""
    best: tuple[float, tuple[int, ...]] | None = None
    for other in runs:
        if not other.homes or other is run:
            continue
        mm, later_ms = _apart(run.points, other.points), run.begin_ms - other.end_ms
        if mm < _TOUCHING_MM or (mm < _FOLLOWING_MM and 0 <= later_ms < _FOLLOWING_MS):
            best = min(best, (mm, other.homes)) if best else (mm, other.homes)
    if best is not None:
        run.homes = best[1]


def _fits(runs: list[_Run], page: SheetPage) -> bool:
    """Whether no shift of the whole page explains the ink much better than none."""
    if len(runs) < _FEWEST_RUNS:
        return True
    options = [c.box_mm for f in page.fields for c in f.choices if c.box_mm is not None]
    plain = [f.box_mm for f in page.fields if not any(c.box_mm for c in f.choices)]
    boxes = np.array(options + plain, np.float32)
    middles = np.array([(r.points[:, :2].min(axis=0) + r.points[:, :2].max(axis=0)) / 2 for r in runs], np.float32)
    counts = _inside_counts(middles, boxes)
    here = int(counts[len(_SHIFTS_MM) // 2, len(_SHIFTS_MM) // 2])
    if here > len(runs) - 2:
        return True
    best = int(counts.max())
    moved = np.unravel_index(int(counts.argmax()), counts.shape)
    far = max(abs(float(_SHIFTS_MM[k])) for k in moved) if best > here else 0.0
    explains_all = best == len(runs) and best - here >= 2  # noqa: PLR2004  # one alone may be a slip
    explains_most = best - here >= max(3, 0.3 * len(runs))
    return not (far >= _REAL_SHIFT_MM and (explains_all or explains_most))


def _inside_counts(middles: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.intp]:
    """How many middles of runs, shape (n, 2) in mm, lie in a box, for each shift in x and y: shape (shifts, shifts)."""
    off = []
    for axis in (0, 1):
        at = (middles[:, axis] + _SHIFTS_MM[:, None])[:, None, :]
        low, high = boxes[:, axis][:, None], boxes[:, axis + 2][:, None]
        off.append(np.square(np.maximum(np.maximum(low - at, at - high), 0)))
    near = off[0][:, None] + off[1][None, :] <= MARGIN_MM**2
    return np.asarray(near.any(axis=2).sum(axis=2))
