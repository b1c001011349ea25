"""Fields for one character, with the shipped net: all ink is one character, or the field is asked about."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.ink import Stroke
from recognition.readers.network import CharacterNetwork
from recognition.readers.reader import Reader
from recognition.readers.reading import Choice, Kind, Reading, ReadRequest
from tests.recognition.drawn import dense, joined, ring, stroke, strokes, written
from tests.recognition.fake_model import FakeCharacterModel

_MODEL = CharacterNetwork()
_READER = Reader(_MODEL, _MODEL.thresholds)
_CHOICES = tuple(Choice(value) for value in "ABCD")


def _read(*groups: list[Stroke], kind: Kind = "digit") -> Reading:
    choices = _CHOICES if kind == "choice" else ()
    return _READER.read(ReadRequest(kind=kind, strokes=joined(*groups), choices=choices))


def test_a_five_whose_bar_was_drawn_apart_is_a_five() -> None:
    body = "2,2>1.6,5>4,4.6>5.6,6>5.2,8.6>3,9.6>0.8,9"
    reading = _read(strokes((body, 1), ("3.4,1.6>7.6,1.1", 1.8)))
    assert (reading.value, reading.accepted) == ("5", True)


def test_an_eight_of_two_rings_is_no_double_zero() -> None:
    reading = _read([ring(3, 2, 1.9, 2, 1), ring(3.3, 6.4, 2.3, 2.4, 2.5)])
    assert reading.value == "8"
    assert "00" not in (reading.value, *(value for value, _ in reading.alternatives[:1]))


@pytest.mark.parametrize("pause_s", [0.15, 0.3, 0.6, 1.5])
def test_a_b_of_stem_and_bows_is_a_b_however_slowly_it_is_written(pause_s: float) -> None:
    stem = stroke("1,0>1.1,5>1,10", 1)
    bows = "1,0>5,0.4>6,2.4>4.6,4.4>1.4,5>5,5.4>6.6,7.6>5,9.6>1,10"
    reading = _read([stem, stroke(bows, stem.points[-1, 2] / 1000 + pause_s)], kind="choice")
    assert reading.value == "B"


@pytest.mark.parametrize(("text", "kind"), [("12", "digit"), ("47", "digit"), ("AB", "choice"), ("BC", "choice")])
@pytest.mark.parametrize("width", [11, 13, 18])
def test_two_characters_are_noticed_and_asked_about(text: str, kind: Kind, width: int) -> None:
    reading = _read(written(text, (0, 0, width, 9), 1), kind=kind)
    assert not reading.accepted
    assert reading.value is None or len(reading.value) == 1
    assert "too_many_characters" in reading.reasons


def test_two_characters_are_named_beside_the_value() -> None:
    reading = _read(written("47", (0, 0, 13, 9), 1))
    assert "47" in dict(reading.alternatives)


def test_a_tap_beside_a_digit_is_asked_about_and_the_digit_is_named() -> None:
    reading = _read(written("3", (0, 0, 5, 8), 1), [stroke("9,8", 3)])
    assert (reading.accepted, "tap" in reading.reasons) == (False, True)
    assert reading.value is not None


def test_one_character_costs_the_net_one_call() -> None:
    model = FakeCharacterModel()
    Reader(model).read(ReadRequest(kind="digit", strokes=joined(written("6", (0, 0, 5, 8), 1))))
    assert model.asked == [1]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 12)), min_size=1, max_size=6), min_size=1, max_size=6),
    st.sampled_from(["digit", "letter", "choice"]),
)
def test_the_value_is_never_more_than_one_character(raw: list[list[tuple[float, float]]], kind: Kind) -> None:
    reading = _read([Stroke(dense(points, 1000 * k), 1000 * k) for k, points in enumerate(raw, 1)], kind=kind)
    assert reading.value is None or len(reading.value) == 1
