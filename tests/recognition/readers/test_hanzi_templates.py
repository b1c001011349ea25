"""The file of templates, and the list of those struck off."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.errors import ModelError
from recognition.readers.hanzi_templates import MODELS, NOBODY, SIDE, STROKES, STRUCK_OFF, HanziTemplates, packed
from tests.recognition.hanzi_drawn import EVERY

_PLACES = st.integers(0, SIDE - 1)
_STROKE = st.lists(st.tuples(_PLACES, _PLACES), min_size=2, max_size=9)


@given(st.lists(st.lists(_STROKE, min_size=1, max_size=6), min_size=1, max_size=4))
def test_strokes_come_back_as_they_were_packed(
    tmp_path_factory: pytest.TempPathFactory, characters: list[list[list[tuple[int, int]]]]
) -> None:
    folder = tmp_path_factory.mktemp("models")
    inks = [[np.array(stroke) / SIDE for stroke in strokes] for strokes in characters]
    names = [chr(0x4E00 + k) for k in range(len(inks))]
    nobody = np.full((len(inks), 2), NOBODY, np.uint16)
    np.savez(folder / STROKES, characters=np.array(names), look_alikes=nobody, **packed(inks))
    kept = HanziTemplates(folder)
    for name, strokes in zip(names, inks, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(kept.strokes(name), strokes, strict=True))
        assert kept.look_alikes(name) == ()


def test_the_file_is_small_and_its_licence_stands_beside_it() -> None:
    assert (MODELS / STROKES).stat().st_size < 1_500_000
    assert "ARPHIC PUBLIC LICENSE" in (MODELS / "hanzi_ARPHICPL.txt").read_text("utf-8").upper()
    assert len(EVERY.characters) > 9500


def test_a_character_with_one_stroke_more_or_less_is_a_look_alike() -> None:
    for one, other in ("太大", "大太", "日目", "王玉", "木本", "鸟乌", "大犬"):
        assert other in EVERY.look_alikes(one)
    assert EVERY.look_alikes("x") == ()


def test_a_template_struck_off_is_none() -> None:
    shipped = HanziTemplates()
    assert {"候", "翰", "覽"} <= shipped.struck_off
    assert "候" not in shipped
    assert "候" in EVERY
    with pytest.raises(KeyError):
        shipped.template("候")
    assert "一" not in HanziTemplates(struck_off=["一"])


@pytest.mark.parametrize("text", ["", "struck_off = 3", "[struck_off]\n'两个' = 'two'", "["])
def test_a_list_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    shutil.copy(MODELS / STROKES, tmp_path)
    assert HanziTemplates(tmp_path).struck_off == frozenset()
    (tmp_path / STRUCK_OFF).write_text(text, "utf-8")
    with pytest.raises(ModelError):
        HanziTemplates(tmp_path)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        HanziTemplates(tmp_path)
    (tmp_path / STROKES).write_bytes(b"PK")
    with pytest.raises(ModelError, match="damaged"):
        HanziTemplates(tmp_path)
    with np.load(MODELS / STROKES) as arrays:
        np.savez(tmp_path / STROKES, **{**arrays, "points": arrays["points"][:-1]})
    with pytest.raises(ModelError, match="do not fit"):
        HanziTemplates(tmp_path)
