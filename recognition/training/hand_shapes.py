"""Shapes of characters for the learnt hand: even sampling along the path, clusters of like shapes, slant and stretch.

Pure numpy and without chance: the same ink gives the same clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recognition.training.inkset import Sample

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

POINTS: Final = 24
"""Points of a character, shared among its strokes by length."""
MAX_STROKES: Final = 4

_LEAST_A_STROKE: Final = 3
_LEAST_DOTS: Final = 6
_SPECK: Final = 0.04
"""A stroke below this part of a character's ink is an accident."""
_WITH_SHORT_STROKES: Final = "ij!?%"
"""Characters in which a very short stroke is none."""
_LEAST_SAMPLES: Final = 15
_LEAST_SHARE: Final = 0.007
_LEAST_WRITERS: Final = 4
"""A cluster is written by so many writers, as if in equal parts: (sum k)^2 / sum k^2."""
_TOWARDS_UPRIGHT: Final = 0.15
"""How strongly a slant that a shape says nothing of is held near none."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A stroke without its standing points: path length, place and time (in sample steps) at each point."""

    length: Floats
    xy: Floats
    steps: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """A character sampled evenly along its path."""

    xy: Floats
    """(POINTS, 2)."""
    passed: Floats
    """(POINTS,): time passed in the stroke at each point, 0..1."""
    steps: Floats
    """Sample steps that each stroke took."""


def traces_of(sample: Sample) -> list[Trace]:
    """The strokes of a character without accidental specks; none if it cannot be used."""
    traces = [_trace(stroke.astype(np.float64)) for stroke in sample.strokes]
    total = sum(trace.length[-1] for trace in traces)
    if sample.label not in _WITH_SHORT_STROKES:
        traces = [trace for trace in traces if trace.length[-1] > _SPECK * total]
    dots = sum(len(trace.length) for trace in traces)
    return traces if total > 0 and 1 <= len(traces) <= MAX_STROKES and dots >= _LEAST_DOTS else []


def _trace(stroke: Floats) -> Trace:
    moves = np.hypot(*np.diff(stroke, axis=0).T)
    kept = np.concatenate([[True], moves > 0])
    return Trace(np.cumsum(np.concatenate([[0.0], moves]))[kept], stroke[kept], np.flatnonzero(kept).astype(np.float64))


def shared_points(lengths: Floats, total: int = POINTS) -> Ints:
    """How many of `total` points each stroke gets: by length, three at least."""
    part = lengths / lengths.sum()
    counts: Ints = np.maximum(_LEAST_A_STROKE, np.floor(part * total).astype(np.int64))
    while counts.sum() < total:
        counts[np.argmax(part - counts / total)] += 1
    while counts.sum() > total:
        counts[np.argmax(counts)] -= 1
    return counts


def sampled(traces: Sequence[Trace], counts: Ints) -> Trail:
    """Places and times at equal steps along the path of each stroke."""
    places, passed = [], []
    for trace, count in zip(traces, counts, strict=True):
        at = np.linspace(0, trace.length[-1], count)
        places.append(np.stack([np.interp(at, trace.length, trace.xy[:, axis]) for axis in (0, 1)], axis=1))
        passed.append(np.interp(at, trace.length, trace.steps / max(trace.steps[-1], 1)))
    return Trail(np.concatenate(places), np.concatenate(passed), np.array([trace.steps[-1] for trace in traces]))


def to_unit(shapes: Floats) -> tuple[Floats, Floats]:
    """Shapes (n, points, 2) -> the same about the origin with a mean square radius of 1; and their radii (n,)."""
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    radii = np.sqrt((centred**2).sum(axis=2).mean(axis=1)).clip(1e-6)
    return centred / radii[:, None, None], radii


def clusters_of(shapes: Floats, stroke_counts: Ints, writers: NDArray[np.str_], quota: int) -> Ints:
    """Bisecting k-means among shapes with equally many strokes. -> the cluster of each shape, -1 for left out.

    Args:
        shapes: (n, POINTS, 2).
        stroke_counts: (n,).
        writers: (n,); a cluster that too few write is not split off.
        quota: At most so many clusters.
    """
    flat = shapes.reshape(len(shapes), -1)

    def stands(members: NDArray[np.bool_]) -> bool:
        each = np.unique(writers[members], return_counts=True)[1]
        enough = members.sum() >= max(_LEAST_SAMPLES, _LEAST_SHARE * len(flat))
        return bool(enough and each.sum() ** 2 >= _LEAST_WRITERS * (each**2).sum())

    parts = [members for count in np.unique(stroke_counts) if stands(members := stroke_counts == count)]
    spreads = [_spread(flat[members]) for members in parts]
    while parts and len(parts) < quota and max(spreads) > 0:
        widest = int(np.argmax(spreads))
        one = parts[widest].copy()
        one[one] = _halved(flat[one])
        other = parts[widest] & ~one
        if stands(one) and stands(other):
            parts[widest : widest + 1] = [one, other]
            spreads[widest : widest + 1] = [_spread(flat[one]), _spread(flat[other])]
        else:
            spreads[widest] = 0.0
    for _ in range(5):
        parts = [members for members in _settled(flat, stroke_counts, parts) if stands(members)]
    clusters = np.full(len(flat), -1)
    for number, members in enumerate(parts):
        clusters[members] = number
    return clusters


def _spread(flat: Floats) -> float:
    return float(((flat - flat.mean(axis=0)) ** 2).sum())


def _halved(flat: Floats) -> NDArray[np.bool_]:
    """2-means, begun along the main direction. -> True for one half."""
    centred = flat - flat.mean(axis=0)
    thinned = centred[:: max(1, len(flat) // 400)]
    side = centred @ np.linalg.svd(thinned, full_matrices=False)[2][0] > 0
    for _ in range(12):
        if side.any() and not side.all():
            to_one = ((flat - flat[side].mean(axis=0)) ** 2).sum(axis=1)
            side = to_one < ((flat - flat[~side].mean(axis=0)) ** 2).sum(axis=1)
    return np.asarray(side)


def _settled(flat: Floats, stroke_counts: Ints, parts: list[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    """Every shape goes to the nearest mean among those with its stroke count."""
    if not parts:
        return []
    means = np.array([flat[members].mean(axis=0) for members in parts])
    kinds = np.array([stroke_counts[members][0] for members in parts])
    distance = ((flat[:, None] - means) ** 2).sum(axis=2)
    distance[stroke_counts[:, None] != kinds] = np.inf
    has_one = np.isfinite(distance.min(axis=1))
    return [(distance.argmin(axis=1) == index) & has_one for index in range(len(parts))]


def slants_of(shapes: Floats, mean: Floats) -> Floats:
    """(n, 2, 2): for each shape the matrix that turns `mean` into it, held near the identity where a shape is mute."""
    held = _TOWARDS_UPRIGHT * np.eye(2)
    both = np.einsum("ti,ntj->nij", mean, shapes) / len(mean) + held
    return np.asarray(np.linalg.solve(mean.T @ mean / len(mean) + held, both).transpose(0, 2, 1))
