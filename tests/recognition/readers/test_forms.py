"""Field case 16: forms of digits that others misread, by the shipped net and by a plain model."""

from collections.abc import Sequence

import numpy as np
import pytest

from recognition.ink import Stroke, pack, unpack
from recognition.readers.network import CharacterNetwork
from recognition.readers.reader import Reader
from recognition.readers.reading import Reading, ReadRequest, Thresholds
from recognition.shapes import shape_of
from recognition.withdrawal import character_roles
from tests.recognition.drawn import dense, stroke, strokes
from tests.recognition.fake_model import FakeCharacterModel

_NET = CharacterNetwork()
_READERS = {
    "net": Reader(_NET, _NET.thresholds),
    "plain": Reader(FakeCharacterModel(), Thresholds(digit=0.8, number=0.8, letter=0.8)),
}


def _oval(x: float, y: float, width: float, height: float) -> Stroke:
    t = np.linspace(-np.pi / 2, 1.5 * np.pi, 40)
    points = [(x + width / 2 * float(np.cos(a)), y + height / 2 * float(np.sin(a))) for a in t]
    return Stroke(dense(points, 1000), 1000)


_FORMS = {
    "slashed zero": ("0", [_oval(5, 5, 4.4, 7), stroke("7.2,1.6>2.8,8.4", 1.8)]),
    "crossed seven": ("7", strokes(("2,1.5>7.5,1.5>4,9", 1), ("3.2,5>7,4.8", 1.6))),
    "one with a foot": ("1", strokes(("3.5,3.2>5.2,1.4>5.2,8.8", 1), ("3.4,8.8>7,8.8", 1.6))),
    "four that is closed": ("4", [stroke("6,9>6,1.2>2,6>8,6", 1)]),
    "nine with a straight tail": ("9", strokes(("7,3>5,1.2>3,3>5,5>7,3", 1), ("7,1.5>7,9", 1.6))),
}


def _turned(one: Stroke) -> Stroke:
    points = one.points.copy()
    points[:, [0, 1, 3]] = points[::-1, [0, 1, 3]]
    return Stroke(points, one.pen_down_ms)


def _in_other_order(ink: Sequence[Stroke]) -> list[Stroke]:
    """The strokes the other way round, with times that still run on."""
    out, at_ms = [], 1000.0
    for one in reversed(ink):
        points = one.points.copy()
        points[:, 2] += at_ms - points[0, 2]
        out.append(Stroke(points, round(at_ms)))
        at_ms = float(points[-1, 2]) + 200
    return out


def _read(reader: str, ink: Sequence[Stroke]) -> Reading:
    return _READERS[reader].read(ReadRequest(kind="digit", strokes=tuple(ink), box=(0, 0, 10, 10)))


@pytest.mark.parametrize("reader", _READERS)
@pytest.mark.parametrize("form", _FORMS)
def test_a_form_of_a_digit_is_that_digit_or_asked_about_in_any_order_and_direction(reader: str, form: str) -> None:
    digit, ink = _FORMS[form]
    for way in (ink, _in_other_order(ink), [_turned(one) for one in ink], [_turned(o) for o in _in_other_order(ink)]):
        reading = _read(reader, way)
        assert reading.value == digit or not reading.accepted
        assert not reading.withdrawn


@pytest.mark.parametrize("form", _FORMS)
def test_ink_out_of_the_store_is_read_as_live_ink_was(form: str) -> None:
    live = []
    for one in _FORMS[form][1]:
        points = one.points.copy()
        points[:, :2] = np.rint(points[:, :2] * 100) / 100
        live.append(Stroke(points, one.pen_down_ms))
    scale = np.array([100, 100, 1000, 1])
    kept = unpack(pack([np.rint(one.points[:, [0, 1, 3, 2]] * scale).astype(np.int64) for one in live]))
    again = [
        Stroke((rows[:, [0, 1, 3, 2]] / scale[[0, 1, 3, 2]]).astype(np.float32), one.pen_down_ms)
        for rows, one in zip(kept, live, strict=True)
    ]
    before, after = _read("net", live), _read("net", again)
    assert (before.value, before.confidence, before.accepted) == (after.value, after.confidence, after.accepted)


@pytest.mark.parametrize("pause_s", [0.1, 0.3, 0.6, 1.5])
def test_the_slash_of_a_zero_is_never_a_sure_withdrawal(pause_s: float) -> None:
    zero = _oval(5, 5, 4.4, 7)
    slash = stroke("7.2,1.6>2.8,8.4", float(zero.points[-1, 2]) / 1000 + pause_s)
    assert not character_roles([shape_of(zero), shape_of(slash)]).taken_back
