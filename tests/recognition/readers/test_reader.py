"""The reader's other kinds, and what it says of itself."""

import pytest

from recognition.readers.reader import RULES, Reader
from recognition.readers.reading import Kind, ReadRequest
from recognition.sheets import Choice, KeyOptions
from tests.recognition.drawn import stroke, strokes, written
from tests.recognition.fake_model import FakeCharacterModel

_READER = Reader(FakeCharacterModel())


def test_no_ink_is_blank() -> None:
    reading = _READER.read(ReadRequest(kind="number", strokes=()))
    assert (reading.value, reading.reasons) == (None, ("blank",))


def test_the_version_names_rules_and_model() -> None:
    assert _READER.version == f"{RULES}+fake-1"
    assert int(RULES.removeprefix("rules-")) >= 3


@pytest.mark.parametrize("letter", "ABCD")
def test_a_choice_without_boxes_is_a_written_letter(letter: str) -> None:
    choices = tuple(Choice(value) for value in "ABCD")
    ink = tuple(written(letter, (10, 10, 15, 18), 1))
    reading = _READER.read(ReadRequest(kind="choice", strokes=ink, choices=choices))
    assert (reading.value, reading.accepted) == (letter, True)


def test_a_written_tick_is_true_and_a_cross_is_false() -> None:
    for ink, value in (
        ([stroke("10,12>12,15>18,8")], "true"),
        (strokes(("10,10>15,15", 1), ("15,10>10,15", 1.4)), "false"),
    ):
        reading = _READER.read(ReadRequest(kind="truefalse", strokes=tuple(ink)))
        assert (reading.value, reading.accepted) == (value, True)
    assert not _READER.read(ReadRequest(kind="truefalse", strokes=(stroke("10,10>15,10"),))).accepted


def test_any_mark_in_a_seats_box_is_read() -> None:
    request = ReadRequest(kind="seat", strokes=(stroke("20,34>23,38>30,30"),), box=(15, 30, 40, 47))
    assert _READER.read(request).value == "seat"


@pytest.mark.parametrize("kind", ["word", "expression", "hanzi", "pinyin"])
def test_kinds_that_are_not_read_yet_go_to_a_person(kind: Kind) -> None:
    reading = _READER.read(ReadRequest(kind=kind, strokes=tuple(written("5", (1, 1, 5, 9), 1)), expected="5"))
    assert (reading.accepted, reading.reasons, reading.verdict) == (False, ("kind_not_read",), "ask")


def test_the_verdict_follows_the_keys_options() -> None:
    request = ReadRequest(kind="number", strokes=tuple(written("7", (10, 10, 15, 18), 1)), expected="07")
    assert _READER.read(request).verdict == "right"
    assert _READER.read(request, options=KeyOptions(exact_form=True)).verdict == "wrong"
