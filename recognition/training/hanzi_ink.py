"""Neat ink made from stroke templates: the same characters in the hand of nobody. Feeds training and `bench hanzi`.

It is made, not written. What is measured on it says whether the program does what it should, never how well it reads
children.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

EM: Final = 1024.0
"""Units of a template's square."""

_DENSE: Final = 24
_BENDS: Final = 4
_HZ: Final = (60.0, 90.0)
_MM_PER_S: Final = (20.0, 45.0)
_SIZE_MM: Final = (8.0, 13.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neatness:
    """How far the made ink strays from its template: one deviation each; lengths are shares of the character's size."""

    turn: float = 0.035
    """Of the whole character, radians."""
    lean: float = 0.05
    stretch: float = 0.07
    shift: float = 0.018
    """Of a stroke against the others, as are turn and stretch below."""
    stroke_turn: float = 0.04
    stroke_stretch: float = 0.06
    bend: float = 0.008
    tremble_mm: float = 0.03
    joined: float = 0.03
    """Chance that the pen is not lifted between two strokes."""


NEAT: Final = Neatness()
LOOSE: Final = Neatness(
    turn=0.05, lean=0.07, stretch=0.1, shift=0.025, stroke_turn=0.06, stroke_stretch=0.09, bend=0.012, joined=0.05
)
"""What the recogniser learns from: people are looser than templates."""


def even(strokes: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """A template's strokes, each (n >= 1, 2) -> (strokes, 24, 2): points evenly along each."""
    return np.stack([_spaced(np.asarray(stroke, np.float64)) for stroke in strokes])


def written(
    template: NDArray[np.float64], rng: np.random.Generator, neat: Neatness = NEAT
) -> list[NDArray[np.float32]]:
    """What `even` gives, in units of the template's square -> ink, each stroke (n >= 2, 2) in mm, evenly in time.

    Two strokes that are joined come as one.
    """
    size_mm = rng.uniform(*_SIZE_MM)
    spacing = rng.uniform(*_MM_PER_S) / rng.uniform(*_HZ)
    turn, lean, stretch = rng.normal(0, (neat.turn, neat.lean, neat.stretch))
    cos, sin = np.cos(turn), np.sin(turn)
    whole = np.array([[cos * np.exp(stretch), lean - sin], [sin, cos * np.exp(-stretch)]]) * size_mm
    traces = _joined(_strayed(template / EM, rng, neat) @ whole.T, rng, neat.joined)
    return [_sampled(trace, spacing, rng, neat.tremble_mm) for trace in traces]


def _strayed(traces: NDArray[np.float64], rng: np.random.Generator, neat: Neatness) -> NDArray[np.float64]:
    count = len(traces)
    middle = traces.mean(axis=1, keepdims=True)
    angle, stretch = rng.normal(0, neat.stroke_turn, count), np.exp(rng.normal(0, neat.stroke_stretch, count))
    cos, sin = np.cos(angle) * stretch, np.sin(angle) * stretch
    turned = (traces - middle) @ np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1) + middle
    at = np.linspace(0, _BENDS - 1, _DENSE)
    towards = np.maximum(1 - np.abs(at[:, None] - np.arange(_BENDS)), 0)
    bends = towards @ rng.normal(0, neat.bend, (count, _BENDS, 2))
    moved: NDArray[np.float64] = turned + bends + rng.normal(0, neat.shift, (count, 1, 2))
    return moved


def _joined(traces: NDArray[np.float64], rng: np.random.Generator, chance: float) -> list[NDArray[np.float64]]:
    joins = rng.random(len(traces) - 1) < chance
    starts = [0, *(np.flatnonzero(~joins) + 1).tolist(), len(traces)]
    return [traces[a:b].reshape(-1, 2) for a, b in pairwise(starts)]


def _sampled(
    trace: NDArray[np.float64], spacing: float, rng: np.random.Generator, tremble: float
) -> NDArray[np.float32]:
    along = _along(trace)
    at = np.linspace(0, along[-1], max(int(along[-1] / spacing) + 1, 2))
    points = np.stack([np.interp(at, along, trace[:, axis]) for axis in (0, 1)], axis=1)
    return (points + rng.normal(0, tremble, points.shape)).astype(np.float32)


def _spaced(stroke: NDArray[np.float64]) -> NDArray[np.float64]:
    along = _along(stroke)
    at = np.linspace(0, along[-1], _DENSE)
    return np.stack([np.interp(at, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


def _along(trace: NDArray[np.float64]) -> NDArray[np.float64]:
    step = np.diff(trace, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(step[:, 0], step[:, 1]))])
