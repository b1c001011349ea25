"""Dictation: two opinions must agree, and what is expected never repairs what was written."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from recognition.errors import ModelError
from recognition.ink import Stroke
from recognition.readers.hanzi import ABOUT, HanziReader, open_hanzi
from recognition.readers.hanzi_recogniser import RECOGNISER, Opinion
from recognition.readers.hanzi_templates import MODELS, STROKES
from recognition.readers.reader import Reader
from recognition.readers.reading import Reading, ReadRequest
from tests.recognition.drawn import stroke
from tests.recognition.fake_model import FakeCharacterModel
from tests.recognition.hanzi_drawn import EVERY, LIFTED, drawn, inked, template

_PAIRS: Final = tomllib.loads((Path(__file__).parents[2] / "data" / "hanzi-pairs.toml").read_text("utf-8"))["pair"]
_SEEDS: Final = range(6)


def _opened() -> HanziReader:
    reader = open_hanzi()
    assert reader is not None
    return reader


_HANZI: Final = _opened()
_READER: Final = Reader(FakeCharacterModel(), hanzi=_HANZI)


def _read(strokes: tuple[Any, ...], **asked: Any) -> Reading:  # noqa: ANN401  # what a request takes
    return _READER.read(ReadRequest(kind="hanzi", strokes=strokes, **asked))


def _plain(character: str) -> tuple[Stroke, ...]:
    """The first of some neat inks of a character that is read without a doubt."""
    inks = (drawn(character, seed, neat=LIFTED) for seed in _SEEDS)
    return next(ink for ink in inks if _read(ink).accepted)


@pytest.mark.parametrize("pair", _PAIRS, ids=lambda pair: pair["name"])
def test_what_is_written_against_a_key(pair: dict[str, Any]) -> None:
    left_out = pair.get("left_out", 0) - 1
    inks = [drawn(pair["wrote"], seed, left_out=None if left_out < 0 else left_out, neat=LIFTED) for seed in _SEEDS]
    verdicts = [_read(ink, expected=pair["key"]).verdict for ink in inks]
    assert set(verdicts) <= set(pair["may"])
    assert pair.get("must", verdicts[0]) in verdicts


@pytest.mark.parametrize("wrote", "太大未已候家")
@pytest.mark.parametrize("key", ["太", "大", "末", "己", "候", "x", ""])
def test_what_is_expected_changes_neither_value_nor_confidence(wrote: str, key: str) -> None:
    ink = drawn(wrote, 4)
    free, asked = _read(ink), _read(ink, expected=key)
    assert replace(asked, verdict=None, reasons=free.reasons) == free
    assert set(free.reasons) <= set(asked.reasons)
    assert free.verdict is None
    assert asked.verdict is not None


@pytest.mark.parametrize("character", "太大一国赢春我")
def test_neat_ink_is_read_without_a_key(character: str) -> None:
    readings = [_read(drawn(character, seed, neat=LIFTED)) for seed in _SEEDS]
    accepted = [reading for reading in readings if reading.accepted]
    assert len(accepted) >= len(readings) - 2
    assert {(reading.value, reading.reasons) for reading in accepted} == {(character, ())}


def test_another_order_of_strokes_marks_nothing_wrong() -> None:
    ink = _plain("国")
    assert _read(tuple(reversed(ink)), expected="国").verdict == "right"


def test_a_missing_stroke_is_told_and_asked_about() -> None:
    reading = _read(drawn("明", 2, left_out=2, neat=LIFTED), expected="明")
    assert (reading.accepted, reading.verdict) == (False, "ask")
    assert "stroke_missing" in reading.reasons or "readers_disagree" in reading.reasons


def test_two_readers_who_disagree_ask() -> None:
    class _Elsewhere:
        """A recogniser that sees another character in everything."""

        def opinion(self, strokes: object, *, count: int = 8) -> Opinion:
            del strokes, count
            return Opinion(likely=(("犬", 0.9), ("太", 0.1)))

    reading = HanziReader(EVERY, _Elsewhere(), version="fake").read(
        ReadRequest(kind="hanzi", strokes=drawn("太", 2), expected="太")
    )
    assert (reading.value, reading.verdict) == ("太", "ask")
    assert "readers_disagree" in reading.reasons


def test_a_recogniser_who_is_not_sure_asks() -> None:
    class _Unsure:
        """A recogniser that is right by half."""

        def opinion(self, strokes: object, *, count: int = 8) -> Opinion:
            del strokes, count
            return Opinion(likely=(("太", 0.5), ("犬", 0.5)))

    reading = HanziReader(EVERY, _Unsure(), version="fake").read(
        ReadRequest(kind="hanzi", strokes=drawn("太", 2), expected="太")
    )
    assert (reading.accepted, reading.verdict, reading.reasons) == (False, "ask", ("low_confidence",))


def test_ink_that_may_be_anothers_is_never_accepted() -> None:
    reading = _read(_plain("太"), expected="太", offered_to=("next",))
    assert (reading.accepted, reading.verdict, reading.reasons) == (False, "ask", ("offered_to_two",))


def test_ink_beside_the_field_is_asked_about() -> None:
    ink = _plain("太")
    assert _read(ink, box=(-1, -1, 20, 20)).accepted
    beside = _read(ink, box=(50, 50, 70, 70))
    assert (beside.value, beside.accepted, beside.reasons) == ("太", False, ("ink_outside",))


def test_a_whole_page_of_ink_is_no_character() -> None:
    ink = inked([xy + np.array((12 * k, 0)) for k in range(10) for xy in template("国") / 100])
    reading = _read(ink, expected="国")
    assert (reading.value, reading.accepted, reading.verdict) == (None, False, "ask")
    assert reading.reasons == ("too_much_ink",)


@pytest.mark.parametrize("corners", ["0,0>0,0", "0,0>10,0>0,10>10,10>0,0", "3,3>4,4>5,3>6,4>7,3"])
def test_odd_ink_is_never_marked_right(corners: str) -> None:
    assert _read((stroke(corners),), expected="龍").verdict != "right"


def test_an_empty_field_has_no_verdict_but_ask() -> None:
    reading = _read((), expected="太")
    assert (reading.reasons, reading.verdict) == (("blank",), "ask")


def test_a_grade_names_the_templates_too() -> None:
    assert _READER.version.split("+")[1] == _HANZI.version
    assert _HANZI.version.startswith("hanzi-")


def test_a_list_of_other_templates_struck_off_is_another_reader(tmp_path: Path) -> None:
    for name in (STROKES, RECOGNISER, ABOUT):
        shutil.copy(MODELS / name, tmp_path)
    other = open_hanzi(tmp_path)
    assert other is not None
    assert other.version != _HANZI.version
    assert other.read(ReadRequest(kind="hanzi", strokes=_plain("太"), expected="太")).verdict == "right"


def test_a_folder_without_templates_has_no_such_reader(tmp_path: Path) -> None:
    assert open_hanzi(tmp_path) is None
    reading = Reader(FakeCharacterModel()).read(ReadRequest(kind="hanzi", strokes=drawn("太", 2)))
    assert reading.reasons == ("kind_not_read",)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    shutil.copy(MODELS / STROKES, tmp_path)
    with pytest.raises(ModelError, match="missing or damaged"):
        open_hanzi(tmp_path)
    shutil.copy(MODELS / ABOUT, tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        open_hanzi(tmp_path)
    (tmp_path / RECOGNISER).write_bytes((MODELS / RECOGNISER).read_bytes() + b"x")
    with pytest.raises(ModelError, match="not those"):
        open_hanzi(tmp_path)
