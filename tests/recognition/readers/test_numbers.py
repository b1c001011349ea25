"""Digits and short numbers with the fake model: field cases 12, 15, 16, 18 and 19."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.ink import Stroke
from recognition.readers.reader import Reader
from recognition.readers.reading import Kind, Reading, ReadRequest, Thresholds
from tests.recognition.drawn import F, dense, joined, stroke, strokes, written, zigzag
from tests.recognition.fake_model import FakeCharacterModel

_MODEL = FakeCharacterModel()
_READER = Reader(_MODEL, Thresholds(digit=0.8, number=0.8, letter=0.8))
_LEFT = (22.0, 61.0, 32.0, 69.0)
_RIGHT = (40.0, 61.0, 50.0, 69.0)


def _read(*groups: list[Stroke], kind: Kind = "number", expected: str | None = None, decimals: bool = False) -> Reading:
    request = ReadRequest(
        kind=kind, strokes=joined(*groups), box=F.box_mm, max_digits=3, expected=expected, decimals=decimals
    )
    return _READER.read(request)


@pytest.mark.parametrize("text", ["0", "7", "12", "37", "47", "74", "100", "408", "111", "954", "863", "202"])
def test_plainly_written_numbers_are_read(text: str) -> None:
    reading = _read(written(text, (22, 61, 22 + 6 * len(text), 69), 1))
    assert (reading.value, reading.accepted) == (text, True)


@pytest.mark.parametrize("digit", "0123456789")
def test_every_digit_is_read_alone(digit: str) -> None:
    reading = _read(written(digit, (25, 61, 31, 69), 1), kind="digit")
    assert (reading.value, reading.accepted) == (digit, True)


def test_a_dot_is_an_answer_too() -> None:
    ink = joined(written("3", (22, 61, 27, 69), 1), [stroke("30.0,68.5", 3)], written("5", (33, 61, 38, 69), 4))
    asked = _read(list(ink))
    assert (asked.value, asked.accepted, "point" in asked.reasons) == ("3.5", False, True)
    read = _read(list(ink), decimals=True)
    assert (read.value, read.accepted) == ("3.5", True)


def test_a_short_comma_is_no_digit() -> None:
    reading = _read(
        written("3", (22, 61, 27, 69), 1), [stroke("30.2,67.8>29.8,69.4", 3)], written("5", (33, 61, 38, 69), 4)
    )
    assert (reading.value, reading.accepted) == ("3.5", False)


@pytest.mark.parametrize("tap", ["30.0,62.0", "24.5,58.5", "44,68.5", "30.0,65"])
def test_a_tap_that_is_no_clear_point_is_asked_about(tap: str) -> None:
    reading = _read(written("3", (22, 61, 27, 69), 1), [stroke(tap, 3)], written("5", (33, 61, 38, 69), 4))
    assert (reading.value, reading.accepted) == (None, False)
    assert "tap" in reading.reasons


def test_a_tap_on_the_ink_itself_changes_nothing() -> None:
    ink = written("3", (22, 61, 27, 69), 1)
    x, y = ink[0].points[10, :2].tolist()
    assert _read(ink, [stroke(f"{x + 0.1},{y}", 3)]).value == "3"


def test_a_field_whose_only_ink_is_a_tap_is_not_blank_and_not_answered() -> None:
    reading = _read([stroke("30,65", 1)])
    assert (reading.value, reading.accepted, reading.reasons) == (None, False, ("only_a_tap",))


def test_a_scribbled_out_number_gives_way_to_the_new_one() -> None:
    reading = _read(written("47", _LEFT, 1), [zigzag((21, 61, 33, 69), 6, 6)], written("74", _RIGHT, 8))
    assert (reading.value, reading.accepted, reading.withdrawn) == ("74", True, (0, 1, 2, 3))


def test_a_number_written_anew_above_the_box_is_read() -> None:
    reading = _read(written("47", _LEFT, 1), [zigzag((21, 61, 33, 69), 6, 6)], written("74", (22, 52, 30, 58), 8))
    assert reading.value == "74"


def test_a_number_struck_through_with_one_line_gives_way_to_the_new_one() -> None:
    reading = _read(written("47", _LEFT, 1), [stroke("20,65.5>34,64.5", 6)], written("74", _RIGHT, 8))
    assert reading.value == "74"


def test_scratched_and_nothing_written_after_is_unsure() -> None:
    reading = _read(written("47", _LEFT, 1), [zigzag((21, 61, 33, 69), 6, 6)])
    assert (reading.value, reading.accepted) == (None, False)
    assert reading.reasons == ("crossed_out", "nothing_after")


def test_a_scribble_alone_is_no_digit() -> None:
    assert not _read([zigzag(_LEFT, 7, 1)]).accepted


def test_ink_beside_the_box_is_read_and_noted() -> None:
    reading = _read(written("12", (62, 61, 70, 69), 1))
    assert (reading.value, reading.accepted, reading.reasons) == ("12", True, ("outside",))


def test_ink_in_the_box_and_more_beside_it_is_asked_about() -> None:
    reading = _read(written("12", _LEFT, 1), written("9", (70, 61, 75, 69), 9))
    assert (reading.accepted, "ink_outside" in reading.reasons) == (False, True)


def test_ink_offered_to_two_fields_is_never_accepted() -> None:
    request = ReadRequest(kind="number", strokes=joined(written("12", _LEFT, 1)), offered_to=("G",))
    assert not _READER.read(request).accepted


def test_more_digits_than_the_field_takes_are_asked_about() -> None:
    assert "too_many_characters" in _read(written("1234", (21, 61, 50, 69), 1)).reasons
    assert not _read(written("12", _LEFT, 1), kind="digit").accepted


def test_what_is_expected_never_changes_the_value() -> None:
    ink = written("74", _LEFT, 1)
    for expected, verdict in (("74", "right"), ("47", "wrong"), ("7", "wrong")):
        reading = _read(ink, expected=expected)
        assert (reading.value, reading.verdict) == ("74", verdict)


def test_what_is_not_accepted_has_no_verdict_but_ask() -> None:
    assert _read([stroke("30,65", 1)], expected="1").verdict == "ask"


def test_slashed_zero_crossed_seven_and_footed_one_are_right_or_asked_about() -> None:
    t = np.linspace(0, 2 * np.pi, 30)
    oval = [(5 + 2.2 * float(np.cos(a)), 5 + 3.5 * float(np.sin(a))) for a in t]
    zero = [Stroke(dense(oval, 1000), 1000), stroke("7.2,1.6>2.8,8.4", 1.6)]
    seven = strokes(("2,1.5>7.5,1.5>4,9", 1), ("3.2,5>7,4.8", 1.6))
    one = strokes(("3.5,3.2>5.2,1.4>5.2,8.8", 1), ("3.4,8.8>7,8.8", 1.6))
    for ink, digit in ((zero, "0"), (seven, "7"), (one, "1")):
        for order in (ink, ink[::-1]):
            reading = _READER.read(ReadRequest(kind="digit", strokes=tuple(order), box=(0, 0, 10, 10)))
            assert reading.value == digit or not reading.accepted


def test_a_lone_flat_line_is_no_one() -> None:
    assert not _read([stroke("24,65>31,65", 1)], kind="digit").accepted


def test_all_pieces_of_a_number_go_to_the_model_at_once() -> None:
    model = FakeCharacterModel()
    Reader(model).read(ReadRequest(kind="number", strokes=joined(written("547", (22, 61, 40, 69), 1))))
    assert len(model.asked) == 1
    assert model.asked[0] <= 12


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 40)), min_size=1, max_size=8), min_size=1, max_size=8),
    st.sampled_from(["digit", "number", "letter", "choice", "truefalse", "seat", "word"]),
)
def test_any_ink_gives_a_reading_and_no_ink_is_blank_alone(raw: list[list[tuple[float, float]]], kind: Kind) -> None:
    ink = tuple(Stroke(dense(points, 1000 * k), 1000 * k) for k, points in enumerate(raw, 1))
    reading = _READER.read(ReadRequest(kind=kind, strokes=ink, box=(0, 0, 60, 40)))
    assert 0 <= reading.confidence <= 1
    assert "blank" not in reading.reasons
    assert reading.value is not None or not reading.accepted
