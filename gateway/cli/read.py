"""`read`: ink as JSON lines in, readings as JSON lines out. The box runs this command as its reader process."""

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import click
import numpy as np

from gateway.errors import Missing
from recognition.errors import InkError, RecognitionError
from recognition.ink import Stroke
from recognition.readers.reading import Box, Choice, Kind, Reading, ReadRequest

_KINDS: Final[tuple[str, ...]] = get_args(Kind)
_CHANNELS: Final = 4
_CORNERS: Final = 4


@click.command()
@click.option(
    "--models", "folder", type=click.Path(path_type=Path), help="Folder of the reader's models, instead of our own."
)
def read(folder: Path | None) -> int:
    """Read ink: one JSON object a line in, one reading a line out.

    A line that cannot be used is told on stderr and, where it has an id, answered with no value; the other lines are
    answered all the same, and the exit code is then 1.
    """
    # OpenCV takes a while to load, and `inkgate --help` has no use for it.
    from recognition.readers.hanzi import open_hanzi  # noqa: PLC0415  see above
    from recognition.readers.network import CharacterNetwork  # noqa: PLC0415  see above
    from recognition.readers.plugins import installed  # noqa: PLC0415  see above
    from recognition.readers.reader import Reader  # noqa: PLC0415  see above

    try:
        model = CharacterNetwork() if folder is None else CharacterNetwork(folder)
        hanzi = open_hanzi() if folder is None else open_hanzi(folder)
    except RecognitionError as error:
        raise Missing(
            f"{error}. Install inkgate again, or make the model with `python -m recognition.training`."
        ) from None
    reader, failed = Reader(model, model.thresholds, hanzi=hanzi, others=installed()), False
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        began = time.perf_counter()
        asked: dict[str, Any] = {}
        try:
            asked = _parsed(line)
            reading = reader.read(request_of(asked))
        except InkError as error:
            failed = True
            click.echo(f"inkgate read: line {number}: {error}", err=True)
            if "id" not in asked:
                continue
            reading = Reading(value=None, confidence=0.0, accepted=False, reasons=("bad_request",))
        ms = (time.perf_counter() - began) * 1000
        said = {"id": asked.get("id"), **answer_of(reading), "reader": reader.version, "ms": round(ms, 3)}
        click.echo(json.dumps(said, ensure_ascii=False))
    return int(failed)


def request_of(asked: Mapping[str, Any]) -> ReadRequest:
    """One line's object as a request.

    Raises:
        InkError: It is not what `read` takes; the message says where.
    """
    if not isinstance(asked.get("kind"), str) or asked["kind"] not in _KINDS:
        raise InkError(f"kind is one of {', '.join(_KINDS)}")
    expected, digits = asked.get("expected"), asked.get("max_digits", 3)
    if not isinstance(expected, str | None):
        raise InkError("expected is a string")
    if not isinstance(digits, int) or isinstance(digits, bool) or digits < 1:
        raise InkError("max_digits is a number from 1 on")
    strokes, choices = asked.get("strokes"), asked.get("choices") or []
    if not isinstance(strokes, list) or not isinstance(choices, list):
        raise InkError("strokes is a list of strokes, each a list of [x_mm, y_mm, t_ms, force]; choices is a list")
    return ReadRequest(
        kind=asked["kind"],
        strokes=tuple(_stroke(points) for points in strokes),
        box=None if asked.get("box") is None else _box(asked["box"]),
        choices=tuple(_choice(one) for one in choices),
        expected=expected,
        max_digits=digits,
        several=bool(asked.get("several", False)),
        redo_box=None if asked.get("redo_box") is None else _box(asked["redo_box"]),
        keep=_places(asked.get("keep", []), len(strokes)),
    )


def answer_of(reading: Reading) -> dict[str, Any]:
    """A reading as `read` prints it, without id and time."""
    said: dict[str, Any] = {
        "value": reading.value,
        "confidence": round(reading.confidence, 5),
        "accepted": reading.accepted,
        "alternatives": [[value, round(confidence, 5)] for value, confidence in reading.alternatives],
    }
    if reading.verdict is not None:
        said["verdict"] = reading.verdict
    if reading.roles:
        said["withdrawn"] = list(reading.withdrawn)
        said["roles"] = [[one.role, one.why, list(one.by)] for one in reading.roles]
    return {**said, "reasons": list(reading.reasons)}


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        raise InkError("this is no JSON") from None
    if not isinstance(asked, dict):
        raise InkError("a line is one JSON object")
    return asked


def _stroke(points: object) -> Stroke:
    try:
        rows = np.array(points, np.float64)
    except (ValueError, TypeError):
        raise InkError("a point is [x_mm, y_mm, t_ms, force]") from None
    if rows.ndim != 2 or rows.shape[1] != _CHANNELS or not len(rows):  # noqa: PLR2004  rows and columns
        raise InkError("a stroke has one point at least, a point is [x_mm, y_mm, t_ms, force]")
    if not np.isfinite(rows).all() or np.abs(rows[:, [0, 1, 3]]).max() > 1e6:  # noqa: PLR2004  a kilometre of paper
        raise InkError("a point has a value that no pen gives")
    # The packed points are float32: a time since 1970 would lose its milliseconds there.
    down_ms = int(rows[0, 2])
    if abs(down_ms) > 2**31:
        rows[:, 2] -= down_ms
    return Stroke(rows.astype(np.float32), down_ms)


def _box(corners: object) -> Box:
    if not isinstance(corners, list) or len(corners) != _CORNERS or not all(_is_number(value) for value in corners):
        raise InkError("a box is [x0, y0, x1, y1] in mm")
    left, top, right, bottom = corners
    if right <= left or bottom <= top:
        raise InkError("a box is [x0, y0, x1, y1] with x0 < x1 and y0 < y1")
    return float(left), float(top), float(right), float(bottom)


def _places(raw: object, count: int) -> frozenset[int]:
    if not isinstance(raw, list) or not all(type(place) is int and 0 <= place < count for place in raw):
        raise InkError("keep is a list of strokes by their place, from 0")
    return frozenset(raw)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choice(one: object) -> Choice:
    """A value, [value, box or null], or {"value": ..., "box": ...}."""
    match one:
        case str(value):
            return Choice(value)
        case [str(value), None] | {"value": str(value), "box": None}:
            return Choice(value)
        case [str(value), list(box)] | {"value": str(value), "box": list(box)}:
            return Choice(value, _box(box))
        case {"value": str(value)}:
            return Choice(value)
        case _:
            raise InkError('a choice is a value, [value, [x0, y0, x1, y1]] or {"value": …, "box": …}')
