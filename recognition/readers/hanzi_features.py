"""What the recogniser of Chinese characters sees: where ink runs in which direction, not in which strokes or order.

A line drawn from left to right and one from right to left are the same here, and so is any order of the strokes. That
makes it an opinion of its own beside the stroke alignment, which sees nothing but strokes.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

GRID: Final = 8
DIRECTIONS: Final = 8
"""Over half a turn."""
FEATURES: Final = DIRECTIONS * GRID * GRID

_STEP: Final = 0.07
"""Between two points of evenly spaced ink, in spreads of the ink."""
_SPREAD_CELLS: Final = 2.1
"""So many cells of the grid are one spread; a character is about four spreads wide."""
_MOST_POINTS: Final = 4000
_SMALLEST: Final = 1e-6


def features(strokes: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """One character -> (512,); zeros for no ink.

    Args:
        strokes: Each (n >= 1, >= 2): x and y in any unit, y down.
    """
    middle, step = _even(strokes)
    if not len(middle):
        return np.zeros(FEATURES, np.float32)
    length = np.hypot(step[:, 0], step[:, 1])
    whole = max(float(length.sum()), _SMALLEST)
    centre = length @ middle / whole
    away = middle - centre
    spread = max(float(np.sqrt((length @ (away * away)).sum() / whole / 2)), _SMALLEST)
    at = np.clip(away * (_SPREAD_CELLS / spread) + (GRID - 1) / 2, 0, GRID - 1 - _SMALLEST)
    turn = np.arctan2(step[:, 1], step[:, 0]) * (DIRECTIONS / np.pi) % DIRECTIONS
    low, first = np.floor(at).astype(np.int64), np.floor(turn).astype(np.int64) % DIRECTIONS
    part, late = at - low, turn - np.floor(turn)
    weight = length / spread
    cell = low[:, 1] * GRID + low[:, 0]
    cells, weights = [], []
    for plane, of_plane in ((first, 1 - late), ((first + 1) % DIRECTIONS, late)):
        for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
            share = np.abs(1 - right - part[:, 0]) * np.abs(1 - down - part[:, 1])
            cells.append(plane * (GRID * GRID) + cell + right + down * GRID)
            weights.append(weight * of_plane * share)
    filled = np.bincount(np.concatenate(cells), np.concatenate(weights), minlength=FEATURES)
    # The root evens out the spread of large and small sums: the usual power transform of direction features.
    return np.sqrt(filled).astype(np.float32)


def _even(strokes: Sequence[NDArray[np.floating]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Short steps along all strokes: their middles and the steps themselves."""
    traces = [np.asarray(stroke, np.float64)[:, :2] for stroke in strokes if len(stroke)]
    if not traces:
        return np.empty((0, 2)), np.empty((0, 2))
    every = np.concatenate(traces)
    size = max(float(np.ptp(every, axis=0).max()), _SMALLEST)
    starts, ends = np.concatenate([t[:-1] for t in traces]), np.concatenate([t[1:] for t in traces])
    dots = np.array([t[0] for t in traces if not np.ptp(t, axis=0).any()]).reshape(-1, 2)
    if len(dots):
        # A dot is ink too: a short slanting stroke, as it is taught.
        starts, ends = np.concatenate([starts, dots]), np.concatenate([ends, dots + size * _STEP / 2])
    whole = ends - starts
    count = np.maximum(np.ceil(np.hypot(whole[:, 0], whole[:, 1]) / (size * _STEP / 2)).astype(np.int64), 1)
    if count.sum() > _MOST_POINTS:
        count = np.ones_like(count)
    row = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 0.5
    share = (place / count[row])[:, None]
    return starts[row] + whole[row] * share, whole[row] / count[row][:, None]
