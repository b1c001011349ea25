"""A character model with behaviour but without a network: the nearest of a few drawn characters."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.recognition.drawn import GLYPHS, dense

_FAR: Final = 0.11
_SHARPNESS: Final = 60.0


class FakeCharacterModel:
    """Probabilities by the mean distance to each character's own drawing; what is far from all is none of them."""

    version = "fake-1"

    def __init__(self) -> None:
        self.asked: list[int] = []
        """How many pieces each call had."""
        self._own = {
            character: _spread(
                [
                    dense([(float(x), float(y)) for x, y in (c.split(",") for c in part.split(">"))], 0)
                    for part in drawing.split("|")
                ]
            )
            for character, drawing in GLYPHS.items()
        }

    def scores(self, strokes_batch: Sequence[Sequence[NDArray[np.floating]]], alphabet: str) -> NDArray[np.float32]:
        """As `CharacterModel.scores`."""
        self.asked.append(len(strokes_batch))
        out = np.zeros((len(strokes_batch), len(alphabet) + 1), np.float32)
        for row, piece in zip(out, strokes_batch, strict=True):
            ink = _spread(piece)
            far = np.array([*(_far(ink, self._own[c]) if c in self._own else 1.0 for c in alphabet), _FAR])
            near = np.exp(-_SHARPNESS * (far - far.min()))
            row[:] = near / near.sum()
        return out


def _spread(piece: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """All its points, in a square of 1 by its longer side."""
    xy = np.concatenate([np.asarray(one, float)[:, :2] for one in piece])
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = np.maximum(high - low, 0.35 * (high - low).max())
    return np.asarray((xy - (low + high) / 2) / np.maximum(size, 1e-6))


def _far(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    distance = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1))
    return float(max(distance.min(axis=0).mean(), distance.min(axis=1).mean()))
