"""Sheet definitions: what comes along is sound, and every fault is named with its place."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.errors import SheetError
from recognition.pages import PageAddress
from recognition.sheets import bundled, lint, load
from recognition.sheets.linting import faults

_SOUND = """
id = "s"
revision = 1
title = { en = "S" }
[[page]]
number = 1
size_mm = [210, 297]
[[field]]
id = "q1"
kind = "number"
page = 1
box_mm = [20, 60, 60, 70]
keys = ["37"]
points = 2
[[field]]
id = "q2"
kind = "choice"
page = 1
box_mm = [20, 80, 90, 96]
keys = ["B"]
points = 1
choices = [{ value = "A", box_mm = [22, 82, 30, 90] }, { value = "B", box_mm = [42, 82, 50, 90] }]
[[placing]]
address = [3, 27, 603, 5]
page = 1
"""


def _said(old: str, new: str) -> str:
    assert old in _SOUND
    return "\n".join(f"{where}: {what}" for where, what in lint(_SOUND.replace(old, new)))


@pytest.mark.parametrize("name", ["demo", "demo.toml", "link-card", "link-card.toml"])
def test_the_sheets_that_come_along_have_no_fault(name: str) -> None:
    assert lint(bundled(name)) == []


def test_an_unknown_bundled_sheet_names_the_known_ones() -> None:
    with pytest.raises(SheetError, match="demo, link-card"):
        bundled("../../secrets")


def test_the_demo_sheet_has_ten_fields_on_two_pages_of_one_note() -> None:
    sheet = load(bundled("demo"))
    kinds = [f.kind for page in sheet.pages for f in page.fields]
    assert (kinds.count("digit"), kinds.count("number"), kinds.count("choice")) == (3, 4, 3)
    assert [sheet.address_of(k) for k in (0, 1)] == [PageAddress(3, 1013, 4100, 1), PageAddress(3, 1013, 4100, 2)]
    assert all(set(f.prompt) == {"en", "zh-CN"} for page in sheet.pages for f in page.fields)
    assert sheet.page_of("q10").number == 2
    assert sheet.field("q4").keys == ("37",)


def test_the_link_card_has_a_box_for_each_of_sixty_seats() -> None:
    sheet = load(bundled("link-card"))
    assert [f.seat for f in sheet.pages[0].fields] == list(range(1, 61))
    assert sheet.address_of(0) == PageAddress(3, 1013, 4101, 1)


def test_paper_that_is_not_placed_is_unknown() -> None:
    sheet = load(_SOUND)
    assert sheet.place(PageAddress(3, 27, 603, 6)) is None
    placed = sheet.place(PageAddress(3, 27, 603, 5))
    assert placed is not None
    assert placed[0] is sheet.page_of("q1")


def test_a_description_is_plain_json_with_the_forms_that_count_as_right() -> None:
    described = load(bundled("demo")).describe()
    assert json.loads(json.dumps(described)) == described
    assert described["pages"][0]["fields"][3]["counts_as_right"][0] == "37"


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("points = 2", "pionts = 2", "field q1", "points is near"),
        ("points = 2", "points = 0", "field q1, points", "above 0"),
        ('keys = ["37"]', "", "field q1, keys", "list of right answers"),
        ('keys = ["B"]', 'keys = ["E"]', "field q2, keys", "none of its options"),
        ('kind = "number"', 'kind = "nunber"', "field q1, kind", "number is near"),
        ('id = "q2"', 'id = "q1"', "field q1", "of this id already"),
        ("[20, 80, 90, 96]", "[20, 65, 90, 96]", "field q2", "overlaps the one of field q1"),
        ("[42, 82, 50, 90]", "[28, 82, 50, 90]", "field q2, choice B", "overlaps the one of field q2, choice A"),
        ("[42, 82, 50, 90]", "[42, 82, 50, 99]", "field q2, choice B, box_mm", "not inside its field"),
        ("[20, 60, 60, 70]", "[20, 60, 260, 70]", "field q1, box_mm", "not inside the page"),
        ("[20, 60, 60, 70]", "[60, 60, 20, 70]", "field q1, box_mm", "left < right"),
        ("page = 1\nbox_mm = [20, 60", "page = 2\nbox_mm = [20, 60", "field q1, page", "page of this sheet"),
        ("revision = 1", "revision = 0", "revision", "from 1"),
        ("[3, 27, 603, 5]", "[3, 27, 603]", "placing number 1, address", "section, owner, note, page"),
        ("[3, 27, 603, 5]", "[3, 27, 603, 5]\naffine = [[1, 0, 0], [2, 0, 0]]", "placing number 1, affine", "a line"),
        ("points = 2", "points = 2\noptions = { unit = 'furlong' }", "field q1, options, unit", "one of"),
        (
            "points = 2",
            "points = 2\noptions = { exact_form = true, equal_value = true }",
            "field q1, options",
            "contradict",
        ),
        ("revision = 1", "revision = ", "TOML", "line 3"),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, where: str, what: str) -> None:
    assert any(line.startswith(where) and what in line for line in _said(old, new).splitlines())


def test_all_faults_are_listed_at_once_and_load_refuses_them() -> None:
    text = _SOUND.replace("points = 2", "points = -1").replace('keys = ["37"]', "keys = []")
    with pytest.raises(SheetError) as caught:
        load(text, origin="mine.toml")
    assert [where for where, _ in caught.value.problems] == ["mine.toml, field q1, keys", "mine.toml, field q1, points"]


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["id", "kind", "page", "box_mm", "prompt", "keys", "points", "choices", "options", "seat"])
_FIELDS = st.lists(
    st.dictionaries(_NAMES, _ANYTHING | st.sampled_from(["choice", "seat", "number"]), max_size=10), max_size=4
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": _ANYTHING,
            "title": _ANYTHING,
            "page": _ANYTHING | st.just([{"number": 1, "size_mm": [210, 297]}]),
            "field": _ANYTHING | _FIELDS,
            "placing": _ANYTHING | st.lists(st.dictionaries(st.sampled_from(["address", "page", "affine"]), _ANYTHING)),
        },
    )
)
def test_any_definition_has_faults_and_no_crash(table: dict[str, Any]) -> None:
    assert list(faults(table))


@given(st.text(max_size=60))
def test_any_text_is_refused_with_words(text: str) -> None:
    assert lint(text)
