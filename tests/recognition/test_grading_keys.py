"""Keys, partial credit, tolerances and steps: a table, each row checked, and what holds for any key."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recognition.grading import DECIDED, Grade, by_steps, by_teacher, grade, key_parts, regrade
from recognition.readers.reading import Reading
from recognition.scoring import DOUBTS, score
from recognition.sheets import Alternate, Choice, Field, KeyOptions, Step, from_table, load

_TABLE: Final = tomllib.loads((Path(__file__).parents[1] / "data" / "keys.toml").read_text("utf-8"))
_PAGE: Final = {"id": "q1", "page": 1, "box_mm": [20, 20, 90, 40]}


def _field_of(group: dict[str, Any]) -> Field:
    raw = {**_PAGE, **group["field"]}
    if raw["kind"] in ("choice", "truefalse"):
        raw["choices"] = [{"value": value} for value in group.get("values", "ABCD")]
    sheet = from_table(
        {
            "id": "s",
            "revision": 1,
            "title": {"en": "S"},
            "page": [{"number": 1, "size_mm": [210, 297]}],
            "field": [raw],
            "placing": [{"address": [3, 27, 603, n], "page": 1, "variant": v} for n, v in enumerate("AB")],
        }
    )
    return sheet.field("q1")


def _rows() -> Iterator[Any]:
    for group in _TABLE["group"]:
        for case in group["cases"]:
            written, wanted, variant = (*case, "") if len(case) == 2 else case
            on = f" on {variant or 'no variant'}" if len(case) == 3 else ""
            yield pytest.param(group, written, wanted, variant, id=f"{group['name']}: {written}{on} is {wanted}")


def test_the_table_of_keys_has_a_hundred_rows_and_more() -> None:
    assert len(list(_rows())) >= 100


@pytest.mark.parametrize(("group", "written", "wanted", "variant"), list(_rows()))
def test_an_answer_has_the_points_of_its_row(
    group: dict[str, Any], written: str, wanted: float | str, variant: str
) -> None:
    found = score(_field_of(group), written, variant=variant)
    if isinstance(wanted, str):
        assert (found.points, found.doubt) == (None, wanted)
    else:
        assert found.doubt == ""
        assert found.points == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("group", "written", "wanted", "variant"), list(_rows()))
def test_a_reading_that_is_not_accepted_has_no_points_whatever_its_row(
    group: dict[str, Any], written: str, wanted: float | str, variant: str
) -> None:
    del wanted
    made = _made(_field_of(group), Reading(value=written, confidence=0.5, accepted=False), variant=variant)
    assert (made.state, made.points, made.is_decided) == ("unsure", 0.0, False)


def _made(field: Field, reading: Reading | None, *, variant: str = "", lost: bool = False) -> Grade:
    return grade(
        field,
        reading,
        handed_out=True,
        pen_seen=True,
        losses_touch=lost,
        has_ink=True,
        reader="fake-1",
        variant=variant,
    )


_STEPPED: Final = Field(
    id="q1",
    kind="number",
    page=1,
    box_mm=(20, 20, 90, 40),
    points=3.0,
    steps=(
        Step("way", 2.0, {"en": "The way"}),
        Step("result", 1.0, {"en": "The result"}, ("36", "37")),
    ),
)


def test_a_rubric_proposes_what_its_keys_say_and_gives_no_points_while_a_step_is_open() -> None:
    found = score(_STEPPED, "37")
    assert (found.points, found.steps) == (None, (("way", "ask"), ("result", "right")))
    made = _made(_STEPPED, Reading(value="37", confidence=1, accepted=True))
    assert (made.state, made.points, made.reasons) == ("unsure", 0.0, ("steps_open",))


def test_a_person_decides_steps_and_the_grade_names_those_that_were_taken() -> None:
    made = _made(_STEPPED, Reading(value="36", confidence=1, accepted=True, reasons=("tap",)))
    decided = by_steps(made, _STEPPED, taken=["result"], who="t-1")
    assert (decided.state, decided.points, decided.reasons) == ("marked", 1.0, ("tap", "step:result"))
    again = by_steps(decided, _STEPPED, taken=["result", "way", "way"], who="t-1", has_ink=False)
    assert (again.state, again.points) == ("marked_on_paper_only", 3.0)
    assert again.reasons == ("tap", "step:way", "step:result")
    with pytest.raises(ValueError, match="there are way, result"):
        by_steps(made, _STEPPED, taken=["idea"], who="t-1")


def test_the_variant_comes_from_the_paper_and_stands_in_the_name_of_the_key() -> None:
    field = Field(
        id="a/b",
        kind="number",
        page=1,
        box_mm=(20, 20, 90, 40),
        points=1.0,
        alternates=(Alternate("5", 1.0, "A"), Alternate("7", 1.0, "B")),
    )
    reading = Reading(value="7", confidence=1, accepted=True)
    assert (_made(field, reading, variant="B").points, _made(field, reading, variant="B").key) == (1.0, "a/b/v1/B")
    assert (_made(field, reading, variant="A").state, _made(field, reading, variant="A").points) == ("answered", 0.0)
    unknown = _made(field, reading)
    assert (unknown.state, unknown.reasons, unknown.key) == ("unsure", ("variant_unknown",), "a/b/v1")


# -- the same answer under another key

_VALUES: Final = st.sampled_from(["1", "2", "0.5", "1/2", "50%", "1,2", "A", "A,B", "C", "?"])
_OPTIONS: Final = st.builds(
    KeyOptions,
    decimal_comma=st.booleans(),
    equal_value=st.booleans(),
    tolerance=st.sampled_from([0.0, 0.5]),
)


@st.composite
def _fields(draw: st.DrawFn) -> Field:
    is_choice = draw(st.booleans())
    keys = tuple(draw(st.lists(_VALUES, min_size=1, max_size=2, unique=True)))
    alternates = tuple(
        Alternate(value, draw(st.sampled_from([0.0, 0.5, 1.0])))
        for value in draw(st.lists(_VALUES, max_size=2, unique=True))
        if value not in keys
    )
    steps = () if alternates else draw(st.sampled_from([(), (Step("s", 2.0, {"en": "s"}, ("2",)),)]))
    return Field(
        id="q1",
        kind="choice" if is_choice else "number",
        page=1,
        box_mm=(20, 20, 90, 40),
        keys=keys,
        alternates=alternates,
        steps=steps,
        points=2.0,
        key_version=draw(st.integers(1, 9)),
        choices=tuple(Choice(v) for v in "ABC") if is_choice else (),
        several=is_choice,
        options=draw(_OPTIONS),
    )


_READINGS: Final = st.none() | st.builds(
    Reading,
    value=st.none() | _VALUES,
    confidence=st.floats(0, 1),
    accepted=st.booleans(),
    reasons=st.sampled_from([(), ("tap",), ("low_confidence",)]),
)


@given(one=_fields(), other=_fields(), reading=_READINGS, lost=st.booleans())
def test_a_grade_under_another_key_is_what_the_ink_and_its_reading_would_have_got(
    *, one: Field, other: Field, reading: Reading | None, lost: bool
) -> None:
    made = regrade(_made(one, reading, lost=lost), other)
    assert made == _made(other, reading, lost=lost)
    assert regrade(made, one) == _made(one, reading, lost=lost), "and back"


@given(_fields(), _fields(), _READINGS)
def test_what_a_person_decided_is_the_same_under_any_key(one: Field, other: Field, reading: Reading | None) -> None:
    decided = by_teacher(_made(one, reading), points=1, who="t-1")
    assert regrade(decided, other) == decided


@given(_fields(), _READINGS)
def test_points_are_between_nothing_and_all_and_none_for_what_is_unsure(field: Field, reading: Reading | None) -> None:
    made = _made(field, reading)
    assert 0 <= made.points <= field.points
    if made.state not in DECIDED:
        assert made.points == 0
    if not DOUBTS.isdisjoint(made.reasons):
        assert made.state == "unsure"


@given(st.sets(st.sampled_from("ABCD"), min_size=1), st.sets(st.sampled_from("ABCD")))
def test_per_option_is_never_below_nothing_and_all_only_for_all(right: set[str], chosen: set[str]) -> None:
    assume(chosen)
    field = Field(
        id="q1",
        kind="choice",
        page=1,
        box_mm=(20, 20, 90, 40),
        keys=(",".join(sorted(right)),),
        points=2.0,
        choices=tuple(Choice(v) for v in "ABCD"),
        several=True,
        scoring="per_option",
    )
    points = score(field, ",".join(sorted(chosen))).points
    assert points is not None
    assert 0 <= points <= 2
    assert (points == 2) == (chosen == right)


def test_a_sheet_says_what_its_keys_give() -> None:
    text = """
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
options = { tolerance = 0.5 }
[[field.key]]
value = "36"
points = 1
[[field.key]]
value = "73"
[[field]]
id = "q2"
kind = "number"
page = 1
box_mm = [20, 80, 60, 90]
[[field.step]]
id = "way"
points = 1
label = { en = "The way", "zh-CN" = "过程" }
[[field.step]]
id = "result"
points = 0.5
label = { en = "The result" }
keys = ["5"]
[[placing]]
address = [3, 27, 603, 5]
page = 1
"""
    one, other = load(text).describe()["pages"][0]["fields"]
    assert one["keys"] == ["37", "73"]
    assert one["alternates"] == [{"value": "36", "points": 1.0, "variant": ""}]
    assert any("0.5" in form for form in one["counts_as_right"])
    assert (other["points"], other["key"]) == (1.5, "q2/v1")
    assert [(s["id"], s["points"], s["keys"]) for s in other["steps"]] == [("way", 1.0, []), ("result", 0.5, ["5"])]
    assert other["steps"][0]["label"]["zh-CN"] == "过程"


@pytest.mark.parametrize(
    ("key", "parts"),
    [("q1/v2/B", ("q1/v2", "B")), ("q1/v2", ("q1/v2", "")), ("", ("", "")), ("q1/v2/B/2", ("q1/v2", "B/2"))],
)
def test_the_key_that_a_grade_names_tells_its_version_and_its_variant(key: str, parts: tuple[str, str]) -> None:
    assert key_parts(key) == parts
