"""A drawn path -> ink: millimetres, milliseconds and force at the pen's rate.

Curves, time and force by rule: Catmull-Rom through the nodes, the two-thirds power law (Lacquaniti, Terzuolo, Viviani
1983) where no time was learnt, force that rises after pen-down and falls before pen-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in mm."""

_DOT_NOISE_MM: Final = 0.012
_LEAST_DOTS: Final = 3


class Piece(NamedTuple):
    """What one pen-down is to draw."""

    nodes: Floats
    """(n, 2), n >= 2."""
    seconds: float
    steps: Floats | None = None
    """(n,): time from the node before, in any unit; None: by the law of drawn marks."""


@dataclass(frozen=True, slots=True, eq=False)
class Pen:
    """How a writer moves and presses."""

    rng: np.random.Generator
    hz: float
    force: float
    """Usual force of the stroke's middle, 0..1."""
    tremor_mm: float

    def stroke(self, piece: Piece) -> Floats:
        """Nodes in mm -> (n, 4), n >= 3: x and y in mm, ms from 0, force 0..1."""
        count = max(_LEAST_DOTS, round(piece.seconds * self.hz))
        steps = law_steps(piece.nodes, self.rng) if piece.steps is None else piece.steps
        clock = np.cumsum(steps * (1 + slow_change(self.rng, len(steps), 0.15)[:, 0]).clip(0.5))
        at = np.interp(np.linspace(0, clock[-1], count), clock, np.arange(len(steps)))
        xy = curve(piece.nodes, at)
        xy += slow_change(self.rng, count, self.tremor_mm, knots=3 + count // 5, columns=2)
        xy += self.rng.normal(0, _DOT_NOISE_MM, (count, 2))
        seconds = np.arange(count) / self.hz
        return np.column_stack([xy, 1000 * seconds, self._force(xy, seconds)])

    def _force(self, xy: Floats, seconds: Floats) -> Floats:
        speed = np.hypot(*np.diff(xy, axis=0).T)
        press = 1 - np.exp(-(seconds + 0.012) / 0.03)
        press *= 1 - 0.8 * np.exp(-(seconds[::-1] + 0.012) / 0.022)
        press *= 1 + slow_change(self.rng, len(xy), 0.07)[:, 0]
        press[1:] *= 1 - 0.3 * speed / (speed.max() + 1e-6)
        return np.asarray((self.force * press + self.rng.normal(0, 0.008, len(xy))).clip(0.02, 1))


def law_steps(nodes: Floats, rng: np.random.Generator) -> Floats:
    """Time of each piece of a drawn path: quick where it is straight, slow at both ends. (n, 2) -> (n,), first 0."""
    moves = np.diff(nodes, axis=0)
    length = np.hypot(*moves.T).clip(1e-6)
    turn = np.abs(np.diff(np.unwrap(np.arctan2(moves[:, 1], moves[:, 0]))))
    turn = np.concatenate([[0], turn, [0]])
    bend = (turn[1:] + turn[:-1]) / 2 / length * length.mean()
    from_end = np.minimum(np.arange(len(moves)), np.arange(len(moves))[::-1])
    slow = 1 + 1.2 * np.exp(-from_end / 1.5)
    steps = length * np.cbrt(0.15 + bend) * slow * np.exp(rng.normal(0, 0.05, len(moves)))
    return np.concatenate([[0.0], steps])


def curve(nodes: Floats, at: Floats) -> Floats:
    """Points of the Catmull-Rom curve; `at` counts nodes, 0..n-1. -> (len(at), 2)."""
    last = len(nodes) - 1
    start = np.minimum(at.astype(int), last - 1)
    part = (at - start)[:, None]
    before, here = nodes[np.maximum(start - 1, 0)], nodes[start]
    there, behind = nodes[start + 1], nodes[np.minimum(start + 2, last)]
    cubic = 2 * before - 5 * here + 4 * there - behind + part * (3 * (here - there) + behind - before)
    return np.asarray(here + 0.5 * part * (there - before + part * cubic))


def slow_change(rng: np.random.Generator, count: int, sd: float, *, knots: int = 6, columns: int = 1) -> Floats:
    """Random change that is slow along `count` points: (count, columns)."""
    return np.asarray(_between_knots(count, knots) @ rng.normal(0, sd, (knots, columns)))


@lru_cache(512)
def _between_knots(count: int, knots: int) -> Floats:
    """Linear interpolation of values at knots, as a matrix (count, knots)."""
    away = np.abs(np.linspace(0, knots - 1, count)[:, None] - np.arange(knots))
    return np.asarray(np.clip(1 - away, 0, 1))


def later(strokes: Sequence[Floats], seconds: float) -> list[Floats]:
    """The same strokes, begun so much later."""
    moved = [stroke.copy() for stroke in strokes]
    for stroke in moved:
        stroke[:, 2] += 1000 * seconds
    return moved


def followed(first: Sequence[Floats], then: Sequence[Floats], pause_s: float) -> list[Floats]:
    """One after the other, with a pause between."""
    return [*first, *later(then, end_s(first) + pause_s if first else 0.0)]


def end_s(strokes: Sequence[Floats]) -> float:
    """When the last stroke ends, in seconds."""
    return float(strokes[-1][-1, 2]) / 1000


def bounds(strokes: Sequence[Floats]) -> Box:
    """The box of all dots."""
    dots = np.concatenate([stroke[:, :2] for stroke in strokes])
    (left, top), (right, bottom) = dots.min(axis=0).tolist(), dots.max(axis=0).tolist()
    return left, top, right, bottom


def held_inside(strokes: Sequence[Floats], box: Box) -> list[Floats]:
    """Strokes that leave a box, moved back into it, and made smaller along an axis only where moving is not enough."""
    held = [stroke.copy() for stroke in strokes]
    reach = bounds(strokes)
    for axis in (0, 1):
        low, high, least, most = reach[axis], reach[axis + 2], box[axis], box[axis + 2]
        if low >= least and high <= most:
            continue
        scale = min(1.0, (most - least) / max(high - low, 1e-9))
        start = min(max(low, least), most - scale * (high - low))
        for stroke in held:
            stroke[:, axis] = (start + scale * (stroke[:, axis] - low)).clip(least, most)
    return held
