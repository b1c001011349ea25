"""Which doubtful answers look alike, so that one decision of a person may serve many.

Conservative on purpose, since one key press decides a whole group: answers of different fields never stand together,
nor answers whose readings name other values, nor such as are doubtful for another cause, nor two of which any pair
looks less alike than `MOST_APART`. What nobody could read stands alone. Where and how it stands in its box does not
count, nor in which direction a line was drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognition.readers.characters import GRID, maps, resampled

MOST_APART: Final = 0.3
"""1 - cosine of two answers' maps. `inkgate bench review` tells what it costs and what it saves."""
RIVAL: Final = 0.2
"""A second value below this confidence is named by no reading worth the name: it sets nobody apart."""

_DIRECTIONS: Final = 4
_SPREAD_CELLS: Final = 1.5
_EVERY: Final = 2
"""Every second cell of the spread maps is enough."""
_USUAL: Final = frozenset({"low_confidence", "crossed_out", "undone"})
"""Reasons that say nothing of what the ink is worth: they set nobody apart."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An answer that a person has to decide."""

    field: str
    """What was asked: only what was asked alike is decided together."""
    value: str | None
    """What the reader would say; None where it cannot name one."""
    alternatives: tuple[tuple[str, float], ...]
    """Other values with their confidence, best first."""
    reasons: tuple[str, ...]
    strokes: tuple[NDArray[np.floating], ...]
    """Each (n >= 1, >= 2): x and y in mm, in the order of writing."""

    @property
    def rival(self) -> str | None:
        """The second value, where the reading takes it for possible."""
        return next((value for value, confidence in self.alternatives[:1] if confidence >= RIVAL), None)


class _Bucket(NamedTuple):
    """What answers of one group have in common for certain."""

    field: str
    value: str
    doubts: frozenset[str]


def clusters(answers: Sequence[Doubtful], *, most_apart: float = MOST_APART) -> list[tuple[int, ...]]:
    """Groups of answers that may be decided together, as indices; each answer stands in exactly one group.

    Complete linkage: of all pairs of groups the nearest by their farthest members are joined, as long as those are near
    enough (O(n^3) of the answers that one reading names alike).

    Args:
        answers: Of one lesson.
        most_apart: The largest distance of two answers in one group, 0..1.

    Returns:
        Each group in the order of `answers`, groups by their first answer.
    """
    buckets: dict[_Bucket, list[int]] = {}
    groups: list[list[int]] = []
    for place, answer in enumerate(answers):
        if answer.value is None or not answer.strokes:
            groups.append([place])
        else:
            key = _Bucket(answer.field, answer.value, frozenset(answer.reasons) - _USUAL)
            buckets.setdefault(key, []).append(place)
    for places in buckets.values():
        apart = _apart([answers[place] for place in places])
        groups += [[places[k] for k in group] for group in _linked(apart, most_apart)]
    return sorted(tuple(sorted(group)) for group in groups)


def distances(inks: Sequence[Sequence[NDArray[np.floating]]]) -> NDArray[np.float32]:
    """How unlike n >= 1 inks are: (n, n), 0 for the same shape, 1 for shapes that share no line."""
    seen = maps(np.stack([resampled(strokes) for strokes in inks]))
    lines = seen[:, :_DIRECTIONS] + seen[:, _DIRECTIONS : 2 * _DIRECTIONS]
    spread = (_SPREAD @ lines @ _SPREAD.T)[:, :, ::_EVERY, ::_EVERY].reshape(len(inks), -1)
    unit = spread / np.maximum(np.linalg.norm(spread, axis=1, keepdims=True), 1e-9)
    apart: NDArray[np.float32] = np.clip(1 - unit @ unit.T, 0, 1).astype(np.float32)
    return apart


def _spread() -> NDArray[np.float32]:
    """(24, 24): what a line through one cell gives to the others, by distance."""
    steps = np.arange(GRID)[:, None] - np.arange(GRID)[None]
    weight = np.exp(-(steps**2) / (2 * _SPREAD_CELLS**2))
    spread: NDArray[np.float32] = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return spread


_SPREAD: Final = _spread()


def _apart(answers: Sequence[Doubtful]) -> NDArray[np.float32]:
    """Distances; infinite between readings that name different rivals."""
    apart = distances([answer.strokes for answer in answers])
    rivals = [answer.rival for answer in answers]
    for row, one in enumerate(rivals):
        for column, other in enumerate(rivals):
            if one is not None and other is not None and one != other:
                apart[row, column] = np.inf
    return apart


def _linked(apart: NDArray[np.float32], most_apart: float) -> list[list[int]]:
    groups = [[k] for k in range(len(apart))]
    between = apart.copy()
    np.fill_diagonal(between, np.inf)
    while len(groups) > 1:
        row, column = divmod(int(between.argmin()), len(groups))
        if between[row, column] > most_apart:
            break
        keep, gone = min(row, column), max(row, column)
        between[keep] = between[:, keep] = np.maximum(between[keep], between[gone])
        between[keep, keep] = np.inf
        between = np.delete(np.delete(between, gone, axis=0), gone, axis=1)
        groups[keep] += groups.pop(gone)
    return groups
