"""Redo boxes and scratch areas of a sheet: what loads, and what is refused."""

import numpy as np
import pytest

from recognition.sheets import bundled, lint, load

_FIELD = """
[[field]]
id = "extra"
kind = "number"
page = 1
box_mm = [20, 255, 60, 265]
keys = ["7"]
points = 1
redo_box_mm = [70, 255, 90, 265]
"""
_SCRATCH = """
[[scratch]]
page = 1
box_mm = [100, 255, 190, 285]
"""


def _faults(more: str) -> list[str]:
    return [where for where, _ in lint(bundled("demo") + more)]


def test_a_redo_box_and_a_scratch_area_are_loaded_and_told() -> None:
    sheet = load(bundled("demo") + _FIELD + _SCRATCH)
    page = sheet.pages[0]
    assert sheet.field("extra").redo_box_mm == (70, 255, 90, 265)
    assert list(page.scratch) == [(100, 255, 190, 285)]
    told = sheet.describe()["pages"][0]
    assert told["scratch_mm"] == [[100, 255, 190, 285]]
    assert next(f for f in told["fields"] if f["id"] == "extra")["redo_box_mm"] == [70, 255, 90, 265]


def test_every_area_has_its_owner() -> None:
    page = load(bundled("demo") + _FIELD + _SCRATCH).pages[0]
    count = len(page.fields)
    assert list(page.owners) == [*range(count), count - 1, count]
    np.testing.assert_array_equal(page.areas[-2:], [[70, 255, 90, 265], [100, 255, 190, 285]])
    np.testing.assert_array_equal(page.areas[:count], page.boxes)


def test_a_page_with_other_keys_keeps_its_scratch_areas() -> None:
    sheet = load(bundled("demo") + _FIELD + _SCRATCH)
    assert sheet.with_fields({"extra": sheet.field("extra")}).pages[0].scratch == sheet.pages[0].scratch


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("[70, 255, 90, 265]", "[70, 255, 90]", "field extra, redo_box_mm"),
        ("[70, 255, 90, 265]", "[70, 255, 230, 265]", "field extra, redo_box_mm"),
        ("[70, 255, 90, 265]", "[50, 255, 90, 265]", "field extra, redo_box_mm"),
        ("[70, 255, 90, 265]", "[85, 255, 110, 265]", "scratch number 1"),
        ("[100, 255, 190, 285]", "[10, 255, 190, 285]", "scratch number 1"),
        ("[100, 255, 190, 285]", "[100, 255, 190, 299]", "scratch number 1, box_mm"),
        ("[[scratch]]\npage = 1", "[[scratch]]\npage = 9", "scratch number 1, page"),
        ("[[scratch]]\npage = 1", "[[scratch]]\npaeg = 1", "scratch number 1"),
    ],
)
def test_a_faulty_redo_box_or_scratch_area_is_named(old: str, new: str, where: str) -> None:
    more = (_FIELD + _SCRATCH).replace(old, new)
    assert more != _FIELD + _SCRATCH
    assert where in _faults(more)


def test_option_boxes_have_no_redo_box() -> None:
    choices = 'choices = [{ value = "A", box_mm = [21, 256, 26, 261] }, { value = "B", box_mm = [31, 256, 36, 261] }]\n'
    more = _FIELD.replace('kind = "number"', 'kind = "choice"').replace('["7"]', '["A"]') + choices
    assert _faults(more) == ["field extra, redo_box_mm"]


def test_the_faultless_ones_have_no_fault() -> None:
    assert _faults(_FIELD + _SCRATCH) == []
