"""Ink of Chinese characters made from the shipped templates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognition.ink import Stroke
from recognition.readers.hanzi_templates import HanziTemplates
from recognition.training.hanzi_ink import EM, NEAT, Neatness, even, written

LIFTED = Neatness(joined=0.0)
"""Neat, and the pen is lifted after each stroke."""
EVERY = HanziTemplates(struck_off=())


def template(character: str) -> NDArray[np.float64]:
    """Strokes of a template as `written` takes them: (strokes, 24, 2)."""
    return even([stroke * EM for stroke in EVERY.strokes(character)])


def drawn(character: str, seed: int, *, left_out: int | None = None, neat: Neatness = NEAT) -> tuple[Stroke, ...]:
    """A character as a pen would write it; `left_out` is a stroke that is not written, from 0."""
    strokes = template(character)
    if left_out is not None:
        strokes = np.delete(strokes, left_out, axis=0)
    return inked(written(strokes, np.random.default_rng(seed), neat))


def inked(strokes: Sequence[NDArray[np.floating]]) -> tuple[Stroke, ...]:
    """Strokes (n, 2) in mm, 13 ms a point, 120 ms between two."""
    out, now_ms = [], 0
    for xy in strokes:
        points = np.full((len(xy), 4), 0.5, np.float32)
        points[:, :2] = xy
        points[:, 2] = np.arange(len(xy)) * 13 + now_ms
        out.append(Stroke(points, now_ms))
        now_ms += len(xy) * 13 + 120
    return tuple(out)
