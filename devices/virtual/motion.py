"""A hand's path to the dots that a pen's camera would see of it: pure, seeded, no clock.

Millimetres become pattern units here and nowhere else on the pens' side.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNIT_MM: Final = 56 * 25.4 / 600
"""One pattern unit in millimetres (neo-protocol 11.1)."""

FORCE_MAX: Final = 852
"""What a pen reports at full force."""

MAX_DELTA_MS: Final = 255
"""A dot's time since the one before is one byte."""

_LARGEST_HUNDREDTHS: Final = 6_553_599
_SLOWEST_HZ: Final = 8.0
_JITTER: Final = 0.15
_UPRIGHT_DEG: Final = 90


class MotionDot(NamedTuple):
    """One dot as the pen sees it."""

    delta_ms: int
    """Since the dot before, at most 255; the first one since the pen-down."""
    x_hundredths: int
    y_hundredths: int
    force: int
    tilt_x: int
    tilt_y: int
    twist: int


def to_dots(
    stroke: NDArray[np.floating[Any]],
    *,
    hz: float = 80.0,
    offset_units: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
) -> list[MotionDot]:
    """Sample one stroke at the pen's rate.

    Args:
        stroke: Shape (n, 4), n >= 1: x and y in mm (y down), ms, force 0 to 1. A pause repeats the position.
        hz: Dots a second, 8 or more, so that no delta passes 255 ms; the moments scatter by 15 % as a camera's do.
        offset_units: Where the paper's corner lies in the pattern.
        seed: Of the scatter and of how the pen is held.

    Returns:
        One dot or more, the first and the last point always among them. What lies left of or above the pattern is put
        on its edge.

    Raises:
        ValueError: No point, a shape that is not (n, 4), or too slow a rate.
    """
    if stroke.ndim != 2 or stroke.shape[1] != 4 or not len(stroke) or hz < _SLOWEST_HZ:  # noqa: PLR2004  # (n, 4)
        raise ValueError(f"a stroke is (n, 4) with n >= 1 at {_SLOWEST_HZ} Hz or more, not {stroke.shape} at {hz} Hz")
    random = np.random.default_rng(seed)
    times = np.maximum.accumulate(stroke[:, 2].astype(np.float64))
    times -= times[0]
    moments = _moments(float(times[-1]), hz, random)
    x, y, force = (np.interp(moments, times, stroke[:, column]) for column in (0, 1, 3))
    x_hundredths = _hundredths(x, offset_units[0])
    y_hundredths = _hundredths(y, offset_units[1])
    forces = np.clip(np.rint(force * FORCE_MAX), 0, FORCE_MAX).astype(np.int64)
    deltas = np.diff(moments, prepend=0)
    tilt_x, tilt_y = (_UPRIGHT_DEG + random.integers(-25, 26, size=2)).tolist()
    twist = int(random.integers(0, 360))
    rows = zip(deltas.tolist(), x_hundredths.tolist(), y_hundredths.tolist(), forces.tolist(), strict=True)
    return [MotionDot(*row, tilt_x, tilt_y, twist) for row in rows]


def _moments(length_ms: float, hz: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Whole milliseconds from 0 to the end, rising, at about the pen's rate."""
    period_ms = 1000.0 / hz
    end = round(length_ms)
    count = int(length_ms / period_ms)
    inner = np.arange(1, count + 1) * period_ms + random.uniform(-_JITTER, _JITTER, count) * period_ms
    whole = np.rint(inner).astype(np.int64)
    between = whole[(whole > 0) & (whole < end)]
    return np.unique(np.concatenate(([0], between, [end]))).astype(np.int64)


def _hundredths(mm: NDArray[np.float64], offset_units: float) -> NDArray[np.int64]:
    units = mm / UNIT_MM + offset_units
    return np.clip(np.rint(100 * units), 0, _LARGEST_HUNDREDTHS).astype(np.int64)
