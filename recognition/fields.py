"""Which strokes belong to which answer field.

Nothing is dropped: ink that is nobody's is a note, ink in a scratch area is rough work, ink that may be of two fields
is offered to both. Strokes are first grouped into runs, close in time and place, and a run goes to a field as a whole:
by the share of its ink in the field's boxes, its distance from them and where it begins. A mark goes where its telling
point is, however far its tail reaches. What is written right after ink was scribbled out, over or beside it, replaces
that ink; and a run that nobody else claims goes to the field whose ink it touches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.ink import Stroke
from recognition.shapes import shape_of
from recognition.sheets import Box, Kind, SheetPage

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
_MOSTLY: Final = 0.6
_HALF: Final = 0.5
_ALSO_NEAR_MM: Final = 1.0
_ALSO_SHARE: Final = 0.3
_FEW_POINTS: Final = 24
_RUN_TAIL: Final = 6
"""A stroke is compared with so many of its run's last ones."""
_TOUCHING_MM: Final = 1.2
_FOLLOWING_MM, _FOLLOWING_MS = 3.5, 4000
_MARK_KINDS: Final[frozenset[Kind]] = frozenset({"choice", "truefalse", "seat"})
_ROW_KINDS: Final[frozenset[Kind]] = frozenset({"number", "word", "expression", "pinyin"})
"""Kinds with several characters in a row, which may run over a border."""
_ROW_GAP_MM: Final = 3.0
_TICK_MM: Final = 45.0
"""The arms of a tick together, at most."""
_STRAIGHT: Final = 0.88
"""The arms of a tick are straight: so much of the pen's way at least."""
_DEEP_MM: Final = 1.5
"""A tick's corner less far inside a box may have slipped in from another one, so near."""
_SLIPPED_MM: Final = 3.0
_REPLACING_MM: Final = 5.0
"""So near to ink that was scribbled out, the next run replaces it."""
_WINDING: Final = 2.2
"""A scribble's way in diagonals of its box, at least; a cheap first look."""
_SHIFTS_MM: Final = np.arange(-12, 13, 2, dtype=np.float32)
_REAL_SHIFT_MM: Final = 6.0
_FEWEST_RUNS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Where the strokes of one page belong; strokes are named by their index."""

    fields: dict[str, tuple[int, ...]]
    """By field, in the order in which they were written. A stroke stands in two fields where both are possible."""
    offered_to: dict[str, tuple[str, ...]]
    """By field: the other fields that got some of the same ink; none where it may be rough work. Such a field is
    unsure."""
    outside: frozenset[str]
    """Fields that got ink from outside of their boxes."""
    notes: tuple[int, ...]
    """Strokes of no field."""
    scratch: tuple[int, ...] = ()
    """Strokes in the page's scratch areas: of no field, and nobody is unsure for them."""
    fits: bool
    """False where much more ink would lie in boxes if the page were moved: it is not this print, read nothing."""


@dataclass(slots=True)
class _Run:
    strokes: list[int]
    begin_ms: float
    end_ms: float
    homes: tuple[int, ...] = ()
    inside: float = 0.0
    box: Box = (0.0, 0.0, 0.0, 0.0)


class _Ink:
    """All strokes of a page, thinned, and how they lie to every home: the fields, and last the scratch areas."""

    def __init__(self, strokes: Sequence[Stroke], page: SheetPage) -> None:
        self.strokes, self.page = strokes, page
        self.points = [_few(stroke.points) for stroke in strokes]
        self.counts = np.array([len(points) for points in self.points])
        self.starts = np.cumsum(self.counts) - self.counts
        whole = np.concatenate(self.points)
        self.distance = _by_owner(_distance(whole, page.areas), page.owners)
        """Shape (homes, points), mm."""
        self.inside = np.add.reduceat(self.distance <= MARGIN_MM, self.starts, axis=1, dtype=np.float32)
        """Shape (homes, strokes): points in the home, and below the sum of distances from it."""
        self.off = np.add.reduceat(self.distance, self.starts, axis=1)
        self.low = np.minimum.reduceat(whole[:, :2], self.starts)
        self.high = np.maximum.reduceat(whole[:, :2], self.starts)
        share = self.inside / self.counts
        self.most = np.where(share.max(axis=0) > _MOSTLY, share.argmax(axis=0), -1)
        """The home in which most of a stroke lies; -1 for none."""
        self.corners, self.ticked = self._ticks()
        """The corners of ticks, by stroke, and the field in which each lies; -1 for a corner between fields."""

    def of(self, strokes: Sequence[int]) -> NDArray[np.float32]:
        """The points of some strokes."""
        return np.concatenate([self.points[k] for k in strokes])

    def _ticks(self) -> tuple[dict[int, tuple[float, float]], dict[int, int]]:
        fields = [k for k, about in enumerate(self.page.fields) if about.kind in _MARK_KINDS]
        found = {k: corner for k, points in enumerate(self.points) if (corner := _corner(points))} if fields else {}
        if not found:
            return {}, {}
        distance = _distance(np.array(list(found.values()), np.float32), self.page.boxes[fields])
        near = distance.min(axis=0) <= MARGIN_MM
        homes = np.where(distance.min(axis=0) > 0, -1, np.array(fields)[distance.argmin(axis=0)])
        numbers = [number for number, is_near in zip(found, near, strict=True) if is_near]
        return found, dict(zip(numbers, homes[near].tolist(), strict=True))


def field_of(stroke: Stroke, page: SheetPage) -> tuple[str, ...]:
    """The fields that this stroke alone may belong to, nearest first; empty for a note and for rough work.

    For the live path, where one stroke is known at a time: `assign` knows more.
    """
    points = stroke.points
    (left, top), (right, bottom) = points[:, :2].min(axis=0).tolist(), points[:, :2].max(axis=0).tolist()
    close = []
    for area, box in enumerate(page.areas.tolist()):
        if (
            left > box[2] + REACH_MM
            or right < box[0] - REACH_MM
            or top > box[3] + REACH_MM
            or bottom < box[1] - REACH_MM
        ):
            continue
        if left >= box[0] and right <= box[2] and top >= box[1] and bottom <= box[3]:
            return page.ids[page.owners[area] : page.owners[area] + 1]
        close.append(area)
    return _near(_few(points), page, close) if close else ()


def _near(points: NDArray[np.float32], page: SheetPage, close: list[int]) -> tuple[str, ...]:
    """Those of the fields of some areas that ink lying in none of them whole may belong to."""
    owners = [page.owners[area] for area in close]
    distance = _by_owner(_distance(points, page.areas[close]), owners)
    mean = distance.mean(axis=1)
    nearest = mean.min()
    if nearest > REACH_MM:
        return ()
    share = (distance <= MARGIN_MM).mean(axis=1)
    hit = share >= _ALSO_SHARE
    if share.max() < 1:
        hit |= mean <= nearest + _ALSO_NEAR_MM
    homes = list(dict.fromkeys(owners))
    return tuple(page.ids[homes[k]] for k in np.argsort(mean) if hit[k] and homes[k] < len(page.ids))


def assign(strokes: Sequence[Stroke], page: SheetPage) -> Assignment:
    """Give the strokes of one page, in the order in which they were written, to its fields and scratch areas."""
    if not strokes or not len(page.areas):
        return Assignment(fields={}, offered_to={}, outside=frozenset(), notes=tuple(range(len(strokes))), fits=True)
    ink = _Ink(strokes, page)
    runs = list(_runs(ink))
    for run in runs:
        _find_home(run, ink)
    _replace(runs, ink)
    _rejoin(runs, ink)
    for run in [run for run in runs if not run.homes]:
        _join_touching(run, runs, ink)
    fields: dict[str, list[int]] = {}
    offered: dict[str, set[str]] = {}
    outside: set[str] = set()
    for run in runs:
        names = [page.ids[k] for k in run.homes if k < len(page.ids)]
        for name in names:
            fields.setdefault(name, []).extend(run.strokes)
            if len(run.homes) > 1:
                offered.setdefault(name, set()).update(set(names) - {name})
        if run.inside < _HALF:
            outside.update(names)
    rough = (len(page.ids),)
    return Assignment(
        fields={name: tuple(sorted(found)) for name, found in fields.items()},
        offered_to={name: tuple(sorted(others)) for name, others in offered.items()},
        outside=frozenset(outside),
        notes=tuple(k for run in runs if not run.homes for k in run.strokes),
        scratch=tuple(k for run in runs if run.homes == rough for k in run.strokes),
        fits=_fits([run for run in runs if run.homes != rough], ink),
    )


def _few(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points if len(points) <= _FEW_POINTS else points[:: -(-len(points) // _FEW_POINTS)]


def _distance(points: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (boxes, points): mm from each point to each box, 0 inside."""
    low = boxes[:, None, :2] - points[None, :, :2]
    high = points[None, :, :2] - boxes[:, None, 2:]
    off = np.maximum(np.maximum(low, high), 0)
    return np.asarray(np.hypot(off[..., 0], off[..., 1]), np.float32)


def _by_owner(distance: NDArray[np.float32], owners: Sequence[int]) -> NDArray[np.float32]:
    """Distances from areas, (areas, points), as distances from whose they are, (owners, points); owners ascend."""
    starts = [k for k, owner in enumerate(owners) if not k or owner != owners[k - 1]]
    return distance if len(starts) == len(owners) else np.minimum.reduceat(distance, starts, axis=0)


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Least distance between the points of two pieces of ink, mm."""
    step = one[:, None, :2] - other[None, :, :2]
    return float(np.sqrt((step * step).sum(axis=2).min()))


def _gap(one: Box, other: Box) -> float:
    """How far two boxes are from each other, along one side; 0 where they meet."""
    return max(one[0] - other[2], other[0] - one[2], one[1] - other[3], other[1] - one[3], 0.0)


def _corner(points: NDArray[np.float32]) -> tuple[float, float] | None:
    """Where a tick, with its straight arms, is lowest; None for any other stroke."""
    y = points[:, 1]
    lowest = int(y.argmax())
    if min(y[lowest] - y[0], y[lowest] - y[-1]) < MARGIN_MM:
        return None
    step = np.diff(points[:, :2], axis=0)
    arms = np.hypot(*(points[[0, -1], :2] - points[lowest, :2]).T).sum()
    if arms > _TICK_MM or arms < _STRAIGHT * np.hypot(step[:, 0], step[:, 1]).sum():
        return None
    return float(points[lowest, 0]), float(points[lowest, 1])


def _runs(ink: _Ink) -> Iterator[_Run]:
    current: _Run | None = None
    last_home = -1
    for number, stroke in enumerate(ink.strokes):
        home = int(ink.most[number])
        begin_ms, end_ms = float(stroke.points[0, 2]), float(stroke.points[-1, 2])
        goes_on = (
            current is not None
            and not {current.strokes[-1], number} & ink.ticked.keys()
            and begin_ms - current.end_ms <= RUN_GAP_MS
            and (home < 0 or last_home < 0 or home == last_home)
            and _apart(ink.of(current.strokes[-_RUN_TAIL:]), ink.points[number]) <= RUN_NEAR_MM
        )
        if current is not None and goes_on:
            current.strokes.append(number)
            current.end_ms = end_ms
        else:
            if current is not None:
                yield current
            current, last_home = _Run([number], begin_ms, end_ms), -1
        last_home = home if home >= 0 else last_home
    if current is not None:
        yield current


def _find_home(run: _Run, ink: _Ink) -> None:
    low, high = ink.low[run.strokes].min(axis=0), ink.high[run.strokes].max(axis=0)
    run.box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    count = ink.counts[run.strokes].sum()
    inside = ink.inside[:, run.strokes].sum(axis=1) / count
    mean = ink.off[:, run.strokes].sum(axis=1) / count
    if ink.ticked.get(run.strokes[0], -1) >= 0:
        run.homes, run.inside = _ticked_homes(run.strokes[0], ink), 1.0
        return
    # Where it begins says something only of ink that reaches into a box at all.
    start = ink.distance[:, ink.starts[run.strokes[0]]] if inside.any() else np.float32(0)
    score = 2.2 * inside - 0.22 * mean - 0.06 * start
    order = np.argsort(-score)
    possible = [int(k) for k in order[:2] if score[k] > _AT_HOME or mean[k] < REACH_MM]
    if len(possible) > 1 and score[possible[0]] - score[possible[1]] >= _UNDECIDED:
        possible = possible[:1]
    run.homes = tuple(possible)
    run.inside = float(inside[possible[0]]) if possible else 0.0


def _ticked_homes(number: int, ink: _Ink) -> tuple[int, ...]:
    """A tick is of the field of its corner; of two where the corner may have slipped, or most of it says so."""
    home, start = ink.ticked[number], ink.distance[:, ink.starts[number]]
    left, top, right, bottom = ink.page.boxes[home].tolist()
    x, y = ink.corners[number]
    most = int(ink.most[number])
    if min(x - left, right - x, y - top, bottom - y) >= _DEEP_MM:
        return (home,) if most in (-1, home) or start[most] > 0 else (home, most)
    corner = _distance(np.array([[x, y]], np.float32), ink.page.boxes)[:, 0]
    others = (corner <= _SLIPPED_MM) & (start[: len(corner)] < start[home])
    return (home, *(k for k in np.flatnonzero(others).tolist() if k != home))


def _replace(runs: Sequence[_Run], ink: _Ink) -> None:
    """What comes right after ink was scribbled out, close to it, replaces it: it is of the same field.

    Where it lies for the most part in another field, both may have it.
    """
    for before, run in pairwise(runs):
        if len(before.homes) != 1 or run.homes == before.homes or before.homes[0] >= len(ink.page.ids):
            continue
        scribble = before.strokes[-1]
        if not _is_scratch_out(scribble, before, runs, ink):
            continue
        if _apart(ink.points[scribble], ink.of(run.strokes)) > _REPLACING_MM:
            continue
        elsewhere = [home for home in run.homes if home != before.homes[0] and run.inside >= _HALF]
        run.homes = (*before.homes, *elsewhere)


def _rejoin(runs: Sequence[_Run], ink: _Ink) -> None:
    """A row of characters that runs over a border, on at once and close by, may be of both sides."""
    rows = {k for k, about in enumerate(ink.page.fields) if about.kind in _ROW_KINDS} | {len(ink.page.ids)}
    for before, run in pairwise(runs):
        if before.homes == run.homes or not rows.issuperset((*before.homes, *run.homes)):
            continue
        if run.begin_ms - before.end_ms > RUN_GAP_MS or _gap(before.box, run.box) > _ROW_GAP_MM:
            continue
        if _apart(ink.points[before.strokes[-1]], ink.points[run.strokes[0]]) <= _ROW_GAP_MM:
            before.homes = run.homes = tuple(dict.fromkeys((*before.homes, *run.homes)))


def _is_scratch_out(number: int, of: _Run, runs: Sequence[_Run], ink: _Ink) -> bool:
    """Whether a stroke is a scribble over earlier ink of its field."""
    points = ink.points[number]
    step = np.diff(points[:, :2], axis=0)
    size = np.hypot(*(ink.high[number] - ink.low[number]))
    if np.hypot(step[:, 0], step[:, 1]).sum() < _WINDING * size or not shape_of(ink.strokes[number]).is_scribble:
        return False
    earlier = [k for run in runs if run.homes == of.homes for k in run.strokes if k < number]
    over = (ink.low[earlier] < ink.high[number]) & (ink.high[earlier] > ink.low[number])
    return bool(over.all(axis=1).any())


def _join_touching(run: _Run, runs: Sequence[_Run], ink: _Ink) -> None:
    """A run without a home that touches the ink of another, or follows it closely, is of its field."""
    best: tuple[float, tuple[int, ...]] | None = None
    points = ink.of(run.strokes)
    for other in runs:
        if not other.homes or other is run or _gap(run.box, other.box) >= _FOLLOWING_MM:
            continue
        mm, later_ms = _apart(points, ink.of(other.strokes)), run.begin_ms - other.end_ms
        if mm < _TOUCHING_MM or (mm < _FOLLOWING_MM and 0 <= later_ms < _FOLLOWING_MS):
            best = min(best, (mm, other.homes)) if best else (mm, other.homes)
    if best is not None:
        run.homes = best[1]


def _fits(runs: Sequence[_Run], ink: _Ink) -> bool:
    """Whether no shift of the whole page explains the ink much better than none."""
    if len(runs) < _FEWEST_RUNS:
        return True
    page = ink.page
    options = [c.box_mm for f in page.fields for c in f.choices if c.box_mm is not None]
    plain = [f.box_mm for f in page.fields if not any(c.box_mm for c in f.choices)]
    redo = [f.redo_box_mm for f in page.fields if f.redo_box_mm is not None]
    boxes = np.array(options + plain + redo, np.float32)
    middles = np.array([run.box for run in runs], np.float32).reshape(-1, 2, 2).mean(axis=1)
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
