"""What a stroke looks like: a tap, a line, a tick, a ring, a scribble. Geometry only, in mm."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.ink import Stroke
from recognition.sheets import Box

SCRATCH_TURNS: Final = 4
"""A stroke that turns back so often is a scribble (paper 5)."""
TAP_MM: Final = 1.2
"""A stroke that stays within this is a tap of the pen."""

_STEP_MM: Final = 0.3
_MOST_POINTS: Final = 1500
_LINE: Final = 0.93
_LEAST_LINE_MM: Final = 1.5
_DIRECTIONS: Final = np.array([[1, 0], [0, 1], [0.7071, 0.7071], [0.7071, -0.7071]])
_CORNER_RISE_MM: Final = 1.0
_RING_TURNING: Final = 1.5 * np.pi
_RING_ONE_WAY: Final = 0.75
_RING_HOLLOW: Final = 0.1


@dataclass(frozen=True, eq=False)
class Shape:
    """One stroke, its points a third of a millimetre apart."""

    xy: NDArray[np.float64]
    """Shape (n, 2), n >= 1, mm."""
    begin_ms: float
    end_ms: float

    @cached_property
    def box(self) -> Box:
        """Left, top, right, bottom."""
        low, high = self.xy.min(axis=0), self.xy.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @cached_property
    def size(self) -> float:
        """Diagonal of its box, mm."""
        box = self.box
        return float(np.hypot(box[2] - box[0], box[3] - box[1]))

    @cached_property
    def length(self) -> float:
        """Way of the pen, mm."""
        step = np.diff(self.xy, axis=0)
        return float(np.hypot(step[:, 0], step[:, 1]).sum())

    @property
    def is_tap(self) -> bool:
        """A dot, or next to it."""
        return self.size < TAP_MM

    @cached_property
    def is_line(self) -> bool:
        """Straight, and long enough to say so."""
        chord = float(np.hypot(*(self.xy[-1] - self.xy[0])))
        return chord >= _LEAST_LINE_MM and chord >= _LINE * self.length

    @cached_property
    def turns(self) -> int:
        """How often it turns back, along the direction in which it does most."""
        return max(_reversals(self.xy @ direction) for direction in _DIRECTIONS)

    @cached_property
    def is_ring(self) -> bool:
        """Goes round in one sense and leaves its middle empty."""
        step = np.diff(self.xy, axis=0)
        if len(step) < 8 or self.is_tap:  # noqa: PLR2004  # too short to go round anything
            return False
        angle = np.arctan2(step[:, 1], step[:, 0])
        bend = (np.diff(angle) + np.pi) % (2 * np.pi) - np.pi
        if abs(bend.sum()) < max(_RING_TURNING, _RING_ONE_WAY * np.abs(bend).sum()):
            return False
        box = self.box
        middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
        half = np.maximum(np.array([box[2] - box[0], box[3] - box[1]]) / 2, 0.1)
        return bool((np.abs((self.xy - middle) / half).max(axis=1) < 0.5).mean() < _RING_HOLLOW)  # noqa: PLR2004  # half way

    @cached_property
    def corner(self) -> tuple[float, float] | None:
        """The corner of a tick: the lowest point, where the pen came down to it and went up from it."""
        y = self.xy[:, 1]
        lowest = int(y.argmax())
        if y[lowest] - y[0] >= _CORNER_RISE_MM and y[lowest] - y[-1] >= _CORNER_RISE_MM:
            return float(self.xy[lowest, 0]), float(self.xy[lowest, 1])
        return None

    @property
    def is_scribble(self) -> bool:
        """Goes to and fro over the same place."""
        return self.turns >= SCRATCH_TURNS and not self.is_ring


def shape_of(stroke: Stroke) -> Shape:
    """The shape of a stroke, with its points evenly spaced."""
    xy = np.asarray(stroke.points[:, :2], np.float64)
    step = np.diff(xy, axis=0)
    way = np.concatenate([[0.0], np.cumsum(np.hypot(step[:, 0], step[:, 1]))])
    count = min(_MOST_POINTS, int(way[-1] / _STEP_MM) + 2)
    at = np.linspace(0, way[-1], count) if way[-1] > 0 else np.zeros(1)
    even = np.column_stack([np.interp(at, way, xy[:, 0]), np.interp(at, way, xy[:, 1])])
    return Shape(even, float(stroke.points[0, 2]), float(stroke.points[-1, 2]))


def around(shapes: Sequence[Shape]) -> Box:
    """The box around all of these; at least one."""
    boxes = np.array([shape.box for shape in shapes])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom


def share_inside(shape: Shape, box: Box, *, margin: float = 0.0) -> float:
    """The share of a shape's ink within a box, 0..1."""
    xy = shape.xy
    inside = (xy[:, 0] >= box[0] - margin) & (xy[:, 0] <= box[2] + margin)
    inside &= (xy[:, 1] >= box[1] - margin) & (xy[:, 1] <= box[3] + margin)
    return float(inside.mean())


def distance_to(x: float, y: float, box: Box) -> float:
    """How far a point is from a box, mm; 0 inside."""
    return float(np.hypot(max(box[0] - x, x - box[2], 0.0), max(box[1] - y, y - box[3], 0.0)))


def crossing(one: Shape, other: Shape) -> tuple[float, float] | None:
    """Where the chords of two lines cross, or None."""
    a, b, c, d = one.xy[0], one.xy[-1], other.xy[0], other.xy[-1]
    (rx, ry), (sx, sy), (qx, qy) = b - a, d - c, c - a
    across = rx * sy - ry * sx
    if abs(across) < 0.05 * np.hypot(rx, ry) * np.hypot(sx, sy):  # as good as parallel
        return None
    t, u = (qx * sy - qy * sx) / across, (qx * ry - qy * rx) / across
    slack = 0.1
    if -slack <= t <= 1 + slack and -slack <= u <= 1 + slack:
        return float(a[0] + t * rx), float(a[1] + t * ry)
    return None


def _reversals(along: NDArray[np.float64]) -> int:
    """How often a position turns back by more than a fifth of its whole range (and 0.8 mm)."""
    least = max(0.8, 0.2 * float(np.ptp(along)))
    count, sense, extreme = 0, 0, float(along[0])
    low = high = extreme
    for value in along.tolist():
        if sense == 0:
            low, high = min(low, value), max(high, value)
            if value - low >= least:
                sense, extreme = 1, value
            elif high - value >= least:
                sense, extreme = -1, value
        elif (value - extreme) * sense > 0:
            extreme = value
        elif (extreme - value) * sense >= least:
            count, sense, extreme = count + 1, -sense, value
    return count
