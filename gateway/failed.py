"""A job that no reader survived, as an oddity: a line that says which it was, then as much of its ink as fits."""

import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.answers import FieldInk
from gateway.results import FailedJob
from recognition.ink import pack

_MOST_BYTES: Final = 1_024


def failed_job(ink: FieldInk, *, lesson: str, field: str, kind: str, reader: str, at_ms: int) -> FailedJob:
    """The job of reading this ink, for whoever wants to know why it failed. It names no pupil."""
    head: dict[str, Any] = {"kind": kind, "reader": reader, "lesson": lesson, "field": field, "ink": ink.digest}
    text = json.dumps(head).encode() + b"\n"
    strokes = [_hundredths(stroke.points) for stroke in ink.strokes]
    packed = pack(strokes)
    while len(text) + len(packed) > _MOST_BYTES and strokes:
        strokes.pop()
        packed = pack(strokes)
    return FailedJob(ink.pen, at_ms, text + packed)


def _hundredths(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """Points as `ink.pack` takes them: x and y in hundredths of a millimetre, force in thousandths, ms."""
    out = np.rint(points[:, [0, 1, 3, 2]] * np.array([100, 100, 1000, 1], np.float32))
    return out.astype(np.int64)
