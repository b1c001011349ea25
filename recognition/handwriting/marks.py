"""Marks drawn by rule and not learnt: tick, cross, circle, crossing out, scribble. Boxes and nodes in mm."""

from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from recognition.handwriting.ink import Box, Floats, Piece, slow_change

Strike: TypeAlias = Literal["line", "double", "zigzag", "blacken"]
STRIKES: Final[tuple[Strike, ...]] = get_args(Strike)


def tick(box: Box, rng: np.random.Generator) -> list[Piece]:
    """A tick that fills most of the box."""
    corners = np.array([[0.14, 0.55], [0.4, 0.88], [0.92, 0.1]]) + rng.normal(0, 0.04, (3, 2))
    return [Piece(_in(box, elbow(corners)), 0.3)]


def cross(box: Box, rng: np.random.Generator) -> list[Piece]:
    """Two slanting lines, from top to bottom."""
    ends = np.array([[[0.14, 0.14], [0.86, 0.86]], [[0.86, 0.14], [0.14, 0.86]]])
    return _lines(_in(box, ends + rng.normal(0, 0.04, (2, 2, 2))), bow=0.03 * _short(box), seconds=0.22, rng=rng)


def circle(box: Box, rng: np.random.Generator) -> list[Piece]:
    """Round the box's middle, nearly closed or a little past it."""
    turns = np.linspace(0, 2 * np.pi * rng.uniform(0.96, 1.12), 26)
    angle = rng.normal(-2, 0.3) + turns * (-1 if rng.random() < 0.8 else 1)  # noqa: PLR2004  most go anticlockwise
    radius = 0.5 + slow_change(rng, 26, 0.025)[:, 0] + np.linspace(0, rng.normal(0, 0.03), 26)
    around = 0.5 + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return [Piece(_in(box, around), 0.7)]


def strike(box: Box, kind: Strike, rng: np.random.Generator) -> list[Piece]:
    """Cross out what stands in the box."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if kind in ("line", "double"):
        ends = np.empty((1 if kind == "line" else 2, 2, 2))
        # Over narrow things it goes further out than over wide ones, as a part of them.
        out = 0.06 + 0.15 * height / max(width, 0.2 * height)
        ends[..., 0] = (-out, 1 + out)
        ends[..., 1] = rng.uniform(0.3, 0.65, ends.shape[:2])
        return _lines(_in(box, ends), bow=0.03 * height, seconds=0.25, rng=rng)
    count = max(6, int(2.2 * width / max(0.25 * height, 0.8))) if kind == "zigzag" else 16
    side = np.arange(count) % 2
    if kind == "zigzag":
        nodes = np.column_stack([np.linspace(0, 1, count), 0.15 + 0.7 * side])
    else:
        nodes = np.column_stack([side, rng.random(count)])
    # Each corner twice: a hand turns back sharply there.
    nodes = _in(box, np.repeat(nodes, 2, axis=0)) + rng.normal(0, 0.06 * height, (2 * count, 2))
    return [Piece(nodes, 0.05 * count + 0.2)]


def scribble(box: Box, seconds: float, rng: np.random.Generator) -> list[Piece]:
    """Loops that wander about the box and say nothing."""
    count = max(8, int(16 * seconds))
    columns = [
        0.5 + 0.5 * np.sin(np.cumsum(rng.gamma(2, 0.5, count)) + start) * rng.uniform(0.5, 1, count)
        for start in rng.uniform(0, 6, 2)
    ]
    return [Piece(_in(box, np.column_stack(columns)), seconds)]


def elbow(corners: Floats) -> Floats:
    """Three corners -> the nodes of a line with a sharp bend: short arm, long arm."""
    return np.vstack([np.linspace(corners[0], corners[1], 5)[:-1], np.linspace(corners[1], corners[2], 9)])


def _lines(ends: Floats, *, bow: float, seconds: float, rng: np.random.Generator) -> list[Piece]:
    """Slightly bent lines: (lines, 2 ends, 2) in mm."""
    arc = np.sin(np.linspace(0, np.pi, 8))[:, None]
    return [Piece(np.linspace(start, end, 8) + arc * rng.normal(0, bow, 2), seconds) for start, end in ends]


def _in(box: Box, shares: Floats) -> Floats:
    """Places in parts of the box -> mm."""
    left, top, right, bottom = box
    return np.asarray(shares * [right - left, bottom - top] + [left, top])


def _short(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])
