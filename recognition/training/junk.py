"""Made-up ink that is no character, for the class "other": what a box holds when no single answer is in it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.readers.characters import resampled

Strokes = list[NDArray[np.float64]]

_MOST_TOUCHING: Final = 0.45
"""How far two overlaid digits may be apart, in half sizes."""


def strokes_of(points: NDArray[np.float32]) -> Strokes:
    """A resampled character (64, 3) cut into its strokes again, each (n, 2)."""
    starts = np.flatnonzero(points[:, 2] == 0)
    return list(np.split(points[:, :2].astype(np.float64), starts[1:]))


def junk(digits: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """So many pieces of ink that are no character, (count, 64, 3).

    Args:
        digits: (n, 64, 3), what is overlaid, doubled and crossed out; best without the 1, which hides in other digits.
        count: How many.
        rng: What chooses.
    """
    kinds = (_overlaid, _beside, _overlaid, _beside, _crossed_out, _zigzag, _curl, _dots)
    return np.stack([resampled(kinds[place % len(kinds)](digits, rng)) for place in range(count)])


def _one(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    return strokes_of(digits[rng.integers(len(digits))])


def _overlaid(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    away = np.clip(rng.normal(0, 0.2, 2), -_MOST_TOUCHING, _MOST_TOUCHING)
    return _one(digits, rng) + [stroke + away for stroke in _one(digits, rng)]


def _beside(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    away = np.array([rng.uniform(1.1, 2.2), rng.normal(0, 0.15)])
    return _one(digits, rng) + [stroke * rng.uniform(0.8, 1.2) + away for stroke in _one(digits, rng)]


def _crossed_out(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    """A digit under a zigzag or under two strokes; a single bar may belong to a 7 or a 0."""
    over = _zigzag(digits, rng) if rng.integers(2) else [_bar(rng), _bar(rng)]
    return _one(digits, rng) + over


def _bar(rng: np.random.Generator) -> NDArray[np.float64]:
    slope = rng.uniform(-1, 1)
    ends = np.array([[-1.1, slope], [1.1, -slope]]) + rng.normal(0, 0.1, (2, 2))
    bar: NDArray[np.float64] = ends[0] + np.linspace(0, 1, 12)[:, None] * (ends[1] - ends[0])
    return bar


def _zigzag(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    del digits
    turns = int(rng.integers(5, 14))
    x = np.linspace(-1, 1, turns) * rng.uniform(0.5, 1.2) + rng.normal(0, 0.08, turns)
    y = np.where(np.arange(turns) % 2, 1.0, -1.0) * rng.uniform(0.3, 1.0) + rng.normal(0, 0.12, turns)
    angle = rng.uniform(0, 2 * np.pi)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [_smooth(np.stack([x, y], axis=1) @ turned, 2)]


def _curl(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    """A scribble: a walk that keeps turning."""
    del digits
    steps = int(rng.integers(60, 160))
    bend = np.cumsum(rng.normal(0, 0.12, steps)) + rng.normal(0, 0.5)
    at = np.cumsum(bend * 0.6 + rng.normal(0, 0.3, steps))
    return [np.cumsum(np.stack([np.cos(at), np.sin(at)], axis=1), axis=0)]


def _dots(digits: NDArray[np.float32], rng: np.random.Generator) -> Strokes:
    """One to three specks: what the pen's own noise looks like when it is blown up to full size."""
    del digits
    count = int(rng.integers(1, 4))
    return [rng.normal(0, 0.1, (int(rng.integers(2, 7)), 2)) + rng.normal(0, 1, 2) for _ in range(count)]


def _smooth(corners: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """Corners cut (Chaikin), so many times."""
    for _ in range(times):
        near = corners[:-1] * 0.75 + corners[1:] * 0.25
        far = corners[:-1] * 0.25 + corners[1:] * 0.75
        corners = np.stack([near, far], axis=1).reshape(-1, 2)
    return corners
