"""What the character net sees of ink: 64 points along the trace, and maps of where the pen went in which direction.

Plain numpy, and the same code in training and in the product, so that both always see the same.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

POINTS: Final = 64
"""Points of a resampled character."""
SEQUENCE_CHANNELS: Final = 7
"""x, y, step x, step y, cosine and sine of the direction, 1 where ink leads to the point."""
GRID: Final = 24
MAP_CHANNELS: Final = 9
"""Eight writing directions and the pen's jumps."""

_MOST_STROKES: Final = 16
_STEP_GAIN: Final = 10.0
_MAP_GAIN: Final = 12.0
_MOST_WEIGHT: Final = 2.0
_MAP_FILL: Final = 0.85
"""The share of the map's width that the character takes."""


def resampled(strokes: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """One character as (64, 3): x, y in -1..1 about the middle of its box, y down; 1 where ink leads to the point.

    Points are shared out by length, two at least for a stroke; of more than 16 strokes the longest 16 count.
    No strokes give zeros.

    Args:
        strokes: Each (n >= 1, >= 2): x and y in any unit.
    """
    out = np.zeros((POINTS, 3), np.float32)
    # Raw pens repeat a point now and then; interpolation by length does not mind.
    traces = [(xy, _lengths(xy)) for xy in (np.asarray(stroke, np.float64)[:, :2] for stroke in strokes) if len(xy)]
    if not traces:
        return out
    if len(traces) > _MOST_STROKES:
        longest = sorted(range(len(traces)), key=lambda place: -traces[place][1][-1])[:_MOST_STROKES]
        traces = [traces[place] for place in sorted(longest)]
    start = 0
    for (xy, along), count in zip(traces, _shares([along[-1] for _, along in traces]), strict=True):
        at = np.linspace(0.0, along[-1], count)
        out[start : start + count, 0] = np.interp(at, along, xy[:, 0] - traces[0][0][0, 0])
        out[start : start + count, 1] = np.interp(at, along, xy[:, 1] - traces[0][0][0, 1])
        out[start + 1 : start + count, 2] = 1
        start += count
    whole: NDArray[np.float32] = centred(out[None])[0]
    return whole


def centred(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Characters (batch, 64, 3) moved and scaled so that the longer side of each box is -1..1; a new array."""
    low, high = points[:, :, :2].min(axis=1, keepdims=True), points[:, :, :2].max(axis=1, keepdims=True)
    half = np.maximum((high - low).max(axis=2, keepdims=True) / 2, 1e-6)
    moved = points.copy()
    moved[:, :, :2] = (points[:, :, :2] - (low + high) / 2) / half
    return moved


def sequences(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the net's first branch sees of (batch, 64, 3): (batch, 7, 64)."""
    out = np.empty((len(points), SEQUENCE_CHANNELS, POINTS), np.float32)
    xy = points[:, :, :2].transpose(0, 2, 1)
    steps = np.diff(xy, axis=2, prepend=xy[:, :, :1])
    out[:, 0:2] = xy
    out[:, 2:4] = steps * _STEP_GAIN
    out[:, 4:6] = steps / (np.hypot(steps[:, 0], steps[:, 1])[:, None] + 1e-6)
    out[:, 6] = points[:, :, 2]
    return out


def maps(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the net's second branch sees of (batch, 64, 3): (batch, 9, 24, 24), each step spread over four cells."""
    batch = len(points)
    step = points[:, 1:, :2] - points[:, :-1, :2]
    length = np.hypot(step[..., 0], step[..., 1])
    ink = points[:, 1:, 2] > 0
    turn = np.arctan2(step[..., 1], step[..., 0]) * (4 / np.pi) % 8
    first = np.floor(turn)
    late = np.where(ink, turn - first, 0.0)
    first_map = np.where(ink, first.astype(np.int64) % 8, 8)
    second_map = np.where(ink, (first_map + 1) % 8, 8)
    at = ((points[:, 1:, :2] + points[:, :-1, :2]) * (_MAP_FILL / 2) + 1) * ((GRID - 1) / 2)
    low = np.clip(np.floor(at), 0, GRID - 2)
    right, down = np.moveaxis(at - low, 2, 0)
    column, row = np.moveaxis(low.astype(np.int64), 2, 0)
    weight = np.minimum(length * _MAP_GAIN, _MOST_WEIGHT)
    base = (np.arange(batch)[:, None] * MAP_CHANNELS * GRID + row) * GRID + column
    cells, weights = [], []
    for plane, share in ((first_map, 1 - late), (second_map, late)):
        at_plane, of_plane = base + plane * (GRID * GRID), weight * share
        for offset, part in (
            (0, (1 - right) * (1 - down)),
            (1, right * (1 - down)),
            (GRID, (1 - right) * down),
            (GRID + 1, right * down),
        ):
            cells.append((at_plane + offset).ravel())
            weights.append((of_plane * part).ravel())
    size = batch * MAP_CHANNELS * GRID * GRID
    filled = np.bincount(np.concatenate(cells), np.concatenate(weights), minlength=size)
    return filled.astype(np.float32).reshape(batch, MAP_CHANNELS, GRID, GRID)


def _lengths(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    along = np.zeros(len(xy))
    np.cumsum(np.hypot(*np.diff(xy, axis=0).T), out=along[1:])
    return along


def _shares(lengths: Sequence[float]) -> list[int]:
    """How many of the 64 points each stroke gets: two, and the rest by length, the largest remainders rounded up."""
    total = sum(lengths)
    if total <= 0:
        lengths, total = [1.0] * len(lengths), float(len(lengths))
    free = POINTS - 2 * len(lengths)
    wanted = [free * length / total for length in lengths]
    shares = [2 + int(want) for want in wanted]
    by_remainder = sorted(range(len(wanted)), key=lambda place: int(wanted[place]) - wanted[place])
    for place in by_remainder[: POINTS - sum(shares)]:
        shares[place] += 1
    return shares
