"""Lays written strokes on a template's, one to one, and says which strokes are missing, extra or moved.

Order and direction are free: a stroke costs what its points are away from the template's, after the whole character
has been moved, sized and slightly bent to fit (an affine map held near the plain one, so that it cannot bend one
character into another). Where strokes are missing, one written stroke may be two or three of the template's that follow
each other, drawn without lifting the pen. All costs are squared distances; 1 is the side of the template's square.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

POINTS: Final = 24
"""Points of a stroke, evenly along it."""

MISSING: Final = 0.02
"""What a stroke costs that has no partner, on either side."""
_REVERSED: Final = 0.0004
_MOVED: Final = 0.0121
"""A partner so far away, in the mean over its points, is not where it belongs."""
_STIFF: Final = 0.06
"""How firmly the fit is held near the plain one, in strokes of the usual spread."""
_FITS: Final = 2
_JOIN: Final = 0.009
"""So near must a stroke be to the path of several to count as these."""
_JOIN_NEARER: Final = 0.7
"""And by so much nearer than to any single one: a stroke alone is no join that hides a missing one."""
_MOST_JOINED: Final = 3
_SMALLEST: Final = 1e-9
_PLAIN: Final = np.eye(2)
_HELD: Final = _PLAIN * _STIFF


@dataclass(frozen=True, eq=False)
class Template:
    """How a character is taught."""

    character: str
    strokes: NDArray[np.float64]
    """Shape (strokes >= 1, 24, 2) in taught order; the square is 0..1, y down."""

    @cached_property
    def spread(self) -> tuple[NDArray[np.float64], float]:
        """Middle (2,) of its ink and how far the ink is from it, root mean square."""
        return _spread(self.strokes)

    @cached_property
    def flat(self) -> NDArray[np.float64]:
        """Shape (48, 2 strokes): every stroke as it is taught, then every stroke from its end."""
        both = np.concatenate([self.strokes, self.strokes[:, ::-1]])
        return np.ascontiguousarray(both.reshape(len(both), -1).T)

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """Shape (strokes,): sums of squares over the points."""
        squares: NDArray[np.float64] = (self.strokes**2).sum(axis=(1, 2))
        return squares


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How written strokes lie on a template."""

    cost: float
    """Sum over all strokes; comparable between templates for the same ink."""
    missing: tuple[int, ...]
    """Strokes of the template, from 0 in taught order, that nothing was written for."""
    extra: tuple[int, ...]
    """Written strokes, from 0, that belong to no stroke of the template."""
    moved: tuple[int, ...]
    """Strokes of the template whose written partner lies elsewhere or has another shape."""
    joined: int = 0
    """Pen lifts that were left out."""
    strokes: int
    """Of the template."""

    @property
    def whole(self) -> bool:
        """Every stroke is there, in its place, and nothing else."""
        return not (self.missing or self.extra or self.moved)

    @property
    def away(self) -> float:
        """Root mean square distance of a stroke."""
        return float(np.sqrt(self.cost / self.strokes))


def even(strokes: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Strokes, each (n >= 1, >= 2) -> (strokes, 24, 2), points evenly along each."""
    return np.stack([_spaced(np.asarray(stroke, np.float64)[:, :2]) for stroke in strokes])


def align(written: NDArray[np.float64], template: Template) -> Alignment:
    """Lay written strokes, as `even` gives them, in any unit, y down, on a template."""
    (middle, spread), (to_middle, to_spread) = _spread(written), template.spread
    found, fitted = _fitted((written - middle) * (to_spread / spread) + to_middle, template)
    if not found.missing or len(written) >= len(template.strokes):
        return found
    joins = _joins(fitted, template, found.missing, len(template.strokes) - len(written))
    if not joins:
        return found
    parted, owner = _parted(fitted, template.strokes, joins)
    anew, _ = _fitted(parted, template)
    if anew.cost >= found.cost:
        return found
    extra = tuple(sorted({owner[k] for k in anew.extra}))
    return replace(anew, extra=extra, joined=len(parted) - len(written))


def _spread(strokes: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    step = np.diff(strokes, axis=1)
    length = np.hypot(step[..., 0], step[..., 1]) + _SMALLEST
    halves = (strokes[:, 1:] + strokes[:, :-1]) / 2
    middle = np.einsum("ij,ijk->k", length, halves) / length.sum()
    away = halves - middle
    spread = np.sqrt((length * (away * away).sum(axis=2)).sum() / length.sum())
    return middle, max(float(spread), _SMALLEST)


def _fitted(placed: NDArray[np.float64], template: Template) -> tuple[Alignment, NDArray[np.float64]]:
    """The alignment after the fit, and the ink as it then lies."""
    now, bent = placed, 0.0
    for _ in range(_FITS):
        now, bent = _affine(placed, template, now)
    costs, _ = _costs(now, template)
    count = len(template.strokes)
    partner = _partners(costs)
    missing = tuple(j for j, k in enumerate(partner) if k is None)
    extra = tuple(sorted(set(range(len(placed))) - {k for k in partner if k is not None}))
    away = [float(costs[k, j]) if k is not None else 0.0 for j, k in enumerate(partner)]
    cost = bent + sum(away) + MISSING * (len(missing) + len(extra))
    moved = tuple(j for j in range(count) if away[j] > _MOVED)
    return Alignment(cost=cost, missing=missing, extra=extra, moved=moved, strokes=count), now


def _costs(written: NDArray[np.float64], template: Template) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean squared distance of each written stroke (m) to each of the template's (n), in the nearer direction.

    And whether that is from its end.
    """
    flat = written.reshape(len(written), -1)
    both = flat @ template.flat
    forward, backward = both[:, : len(template.strokes)], both[:, len(template.strokes) :] - _REVERSED * POINTS / 2
    turned = backward > forward
    squares = (flat * flat).sum(axis=1)[:, None] + template.squares
    return np.maximum(squares - 2 * np.where(turned, backward, forward), 0) / POINTS, turned


def _affine(
    placed: NDArray[np.float64], template: Template, now: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The ink bent towards its partners, strokes that are each other's nearest, and what the bending costs."""
    costs, turned = _costs(now, template)
    nearest, of_its = costs.argmin(axis=0), costs.argmin(axis=1)
    goals = np.flatnonzero((of_its[nearest] == np.arange(len(nearest))) & (costs.min(axis=0) < 2 * MISSING))
    if not len(goals):
        return now, 0.0
    mine = nearest[goals]
    here = placed[mine].reshape(-1, 2)
    goal = np.where(turned[mine, goals][:, None, None], template.strokes[goals, ::-1], template.strokes[goals])
    there = goal.reshape(-1, 2)
    from_middle, to_middle = here.mean(axis=0), there.mean(axis=0)
    here = here - from_middle
    (a, b), (_, d) = (here.T @ here / POINTS + _HELD).tolist()
    into = here.T @ (there - to_middle) / POINTS + _HELD
    way = np.array([[d, -b], [-b, a]]) @ into / (a * d - b * b)
    return (placed - from_middle) @ way + to_middle, _STIFF * float(((way - _PLAIN) ** 2).sum())


def _partners(costs: NDArray[np.float64]) -> list[int | None]:
    """The written stroke of each of the template's, at the least cost in all; None where two blanks are cheaper."""
    count = costs.shape[1]
    chosen = costs.argmin(axis=0).tolist()
    # As a rule every stroke's nearest is its own; then nothing can be cheaper.
    if len(set(chosen)) < count:
        # One row a stroke of the template; a written stroke, or as many blanks as there are strokes.
        chosen = _assigned(np.concatenate([costs.T, np.full((count, count), 2 * MISSING)], axis=1))
    return [k if k < len(costs) and costs[k, j] < 2 * MISSING else None for j, k in enumerate(chosen)]


def _assigned(costs: NDArray[np.float64]) -> list[int]:
    """The column of each row, all different, at the least cost in all; no more rows than columns.

    Shortest augmenting paths with potentials (Jonker and Volgenant 1987); rows squared times columns.
    """
    rows, columns = costs.shape
    row_of = np.full(columns + 1, -1)
    of_row, of_column = np.zeros(rows), np.zeros(columns + 1)
    late = []
    # A row's cheapest column is its own where no row before it has taken it; the others look for a way round.
    for row, (column, least) in enumerate(zip(costs.argmin(axis=1).tolist(), costs.min(axis=1).tolist(), strict=True)):
        of_row[row] = least
        if row_of[column] < 0:
            row_of[column] = row
        else:
            late.append(row)
    for row in late:
        row_of[columns], column = row, columns
        slack, before = np.full(columns, np.inf), np.full(columns, columns)
        used = np.zeros(columns + 1, np.bool_)
        while row_of[column] >= 0:
            used[column] = True
            here = row_of[column]
            now = costs[here] - of_row[here] - of_column[:columns]
            nearer = ~used[:columns] & (now < slack)
            slack[nearer], before[nearer] = now[nearer], column
            free = np.where(used[:columns], np.inf, slack)
            step_to = int(free.argmin())
            step = float(free[step_to])
            of_row[row_of[used]] += step
            of_column[used] -= step
            slack[~used[:columns]] -= step
            column = step_to
        while column != columns:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    out = [0] * rows
    for column, its in enumerate(row_of[:columns].tolist()):
        if its >= 0:
            out[its] = column
    return out


@dataclass(frozen=True, slots=True)
class _Join:
    """Written stroke `stroke` stands for `count` strokes of the template from `first` on."""

    cost: float
    stroke: int
    first: int
    count: int


def _joins(fitted: NDArray[np.float64], template: Template, missing: Sequence[int], lifts: int) -> list[_Join]:
    """Which written strokes are several of the template's: the nearest first, while lifts are to be explained."""
    taken: list[_Join] = []
    for join in sorted(_possible(fitted, template, set(missing)), key=lambda one: one.cost):
        overlap = any(
            join.stroke == other.stroke
            or not (join.first + join.count <= other.first or other.first + other.count <= join.first)
            for other in taken
        )
        if not overlap and join.count - 1 <= lifts:
            taken.append(join)
            lifts -= join.count - 1
    return taken


def _possible(fitted: NDArray[np.float64], template: Template, missing: set[int]) -> Iterator[_Join]:
    """Written strokes that lie nearer to the path of several than to any one stroke."""
    taught = template.strokes
    alone = _costs(fitted, template)[0].min(axis=1)
    least = np.minimum(_JOIN, alone * _JOIN_NEARER)[:, None]
    for count in range(2, min(_MOST_JOINED, len(taught)) + 1):
        firsts = [first for first in range(len(taught) - count + 1) if missing & set(range(first, first + count))]
        if not firsts:
            continue
        paths = np.stack([_spaced(taught[first : first + count].reshape(-1, 2)) for first in firsts])
        away = ((fitted[:, None] - paths) ** 2).sum(axis=3).mean(axis=2)
        for stroke, row in np.argwhere(away < least).tolist():
            yield _Join(float(away[stroke, row]), stroke, firsts[row], count)


def _parted(
    fitted: NDArray[np.float64], template: NDArray[np.float64], joins: Sequence[_Join]
) -> tuple[NDArray[np.float64], list[int]]:
    """Joined strokes cut where the template lifts the pen; and the written stroke that each part comes from."""
    by_stroke = {join.stroke: join for join in joins}
    parts: list[NDArray[np.float64]] = []
    owner: list[int] = []
    for number, stroke in enumerate(fitted):
        join = by_stroke.get(number)
        cut = [stroke] if join is None else _cut(stroke, template[join.first : join.first + join.count])
        parts += cut
        owner += [number] * len(cut)
    return np.stack(parts), owner


def _cut(stroke: NDArray[np.float64], into: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The parts of a stroke that lie where a path along these strokes of the template has ink."""
    along = _along(into.reshape(-1, 2))
    ends = along[np.arange(len(into) * 2) // 2 * POINTS + np.tile([0, POINTS - 1], len(into))] / along[-1]
    its = _along(stroke)
    out = []
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        at = np.linspace(start, end, POINTS) * its[-1]
        out.append(np.stack([np.interp(at, its, stroke[:, axis]) for axis in (0, 1)], axis=1))
    return out


def _spaced(stroke: NDArray[np.float64]) -> NDArray[np.float64]:
    along = _along(stroke)
    at = np.linspace(0, along[-1], POINTS)
    return np.stack([np.interp(at, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


def _along(trace: NDArray[np.float64]) -> NDArray[np.float64]:
    step = np.diff(trace, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(step[:, 0], step[:, 1]))])
