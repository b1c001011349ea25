"""Keys of a sheet: every fault is named with its place, and a key goes to a table and back as it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.errors import SheetError
from recognition.sheets import Alternate, Choice, Field, KeyOptions, Step, from_table, key_table, rekeyed
from recognition.sheets.key_linting import key_faults
from recognition.sheets.linting import faults


def _faults(**raw: Any) -> str:  # noqa: ANN401  whatever a sheet may hold
    field = {"kind": "number", "points": 2, **raw}
    return "\n".join(
        f"{where}: {what}" for where, what in key_faults("field q", {k: v for k, v in field.items() if v is not None})
    )


_CHOICES = [{"value": "A"}, {"value": "B"}, {"value": "C"}]
_STEP = {"id": "way", "points": 2, "label": {"en": "The way"}}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "field q, keys: a list of right answers"),
        ({"keys": []}, "field q, keys: a list of right answers"),
        ({"keys": ["37", "37 "]}, "field q, keys: an answer stands twice"),
        ({"keys": ["x"]}, "field q, keys: a number has a digit"),
        ({"keys": ["37"], "key": []}, "field q, key: tables such as [[field.key]]"),
        ({"keys": ["37"], "key": [3]}, "field q, key number 1: a table like [[field.key]]"),
        ({"keys": ["37"], "key": [{"points": 1}]}, "field q, key number 1, value: an answer"),
        ({"keys": ["37"], "key": [{"value": "x", "points": 1}]}, "field q, key number 1, value: a number has a digit"),
        ({"keys": ["37"], "key": [{"value": "36", "points": 3}]}, "field q, key number 1, points: a number from 0"),
        ({"keys": ["37"], "key": [{"value": "36", "points": -1}]}, "field q, key number 1, points: a number from 0"),
        ({"keys": ["37"], "key": [{"value": "36", "pionts": 1}]}, "field q, key number 1: unknown name pionts; points"),
        (
            {"keys": ["37"], "key": [{"value": "37", "points": 1}]},
            "field q, key number 1, value: 37 stands in this key",
        ),
        ({"key": [{"value": "36", "points": 1}]}, "field q, key: no answer has all of the field's points"),
        (
            {"key": [{"value": "5", "variant": "A"}, {"value": "6", "variant": "B", "points": 1}]},
            "field q, key: no answer of variant B has all",
        ),
        ({"keys": ["37"], "key": [{"value": "36", "variant": ""}]}, "field q, key number 1, variant: the name of"),
        ({"step": []}, "field q, step: tables such as [[field.step]]"),
        ({"step": [1]}, "field q, step number 1: a table like [[field.step]]"),
        ({"step": [{**_STEP, "points": 1}]}, "field q, points: its steps add up to 1, not 2"),
        ({"step": [{**_STEP, "points": 1}, {**_STEP, "points": 1}]}, "field q, step way: each step has an id"),
        ({"step": [{**_STEP, "points": 0}]}, "field q, step way, points: a number above 0"),
        ({"step": [{**_STEP, "label": {}}]}, "field q, step way, label: texts by language"),
        ({"step": [{**_STEP, "keys": ["x"]}]}, "field q, step way, keys: a number has a digit"),
        ({"step": [{**_STEP, "value": "3"}]}, "field q, step way: unknown name value"),
        ({"step": [_STEP], "key": [{"value": "3"}]}, "field q, step: steps give the part points"),
        ({"step": [_STEP], "several": True}, "field q, step: several options are no work"),
        ({"keys": ["37"], "scoring": "best"}, "field q, scoring: one of all_or_nothing, per_option"),
        ({"keys": ["37"], "scoring": "per_option"}, "field q, scoring: per_option counts the options"),
        (
            {"kind": "choice", "choices": _CHOICES, "several": True, "scoring": "per_option", "key": [{"value": "A"}]},
            "field q, scoring: per_option gives part points by itself",
        ),
        ({"kind": "choice", "choices": _CHOICES, "keys": ["D"]}, "field q, keys: D is none of its options"),
        (
            {"kind": "choice", "choices": _CHOICES, "keys": ["A,A"], "several": True},
            "field q, keys: A,A names an option twice",
        ),
        ({"keys": ["37"], "options": {"tolerance": -1}}, "field q, options, tolerance: a number from 0"),
        ({"keys": ["37"], "options": {"tolerance_percent": "2"}}, "field q, options, tolerance_percent: a number"),
        ({"keys": ["37"], "options": {"tolerance": 1, "exact_form": True}}, "field q, options: exact_form and a tol"),
        ({"kind": "word", "keys": ["a"], "options": {"tolerance": 1}}, "field q, options: a tolerance is for fields"),
        ({"keys": ["37"], "options": {"tolerence": 1}}, "field q, options: unknown name tolerence; tolerance is near"),
        ({"keys": ["37"], "points": None}, "field q, points: a number above 0"),
    ],
)
def test_a_fault_of_a_key_is_named_with_its_place(raw: dict[str, Any], said: str) -> None:
    assert any(line.startswith(said) for line in _faults(**raw).splitlines())


@pytest.mark.parametrize(
    "raw",
    [
        {"keys": ["37"], "key": [{"value": "36", "points": 1}]},
        {"key": [{"value": "37"}, {"value": "36", "points": 0}]},
        {"key": [{"value": "5", "variant": "A"}, {"value": "5", "variant": "B"}]},
        {"keys": ["5"], "key": [{"value": "6", "variant": "B", "points": 1}]},
        {"points": None, "step": [_STEP]},
        {"points": 2.3, "step": [{**_STEP, "points": 0.1}, {**_STEP, "id": "b", "points": 2.2}]},
        {"kind": "choice", "choices": _CHOICES, "several": True, "scoring": "per_option", "keys": ["A, B"]},
        {"keys": ["37"], "options": {"tolerance": 0.5, "tolerance_percent": 1}},
    ],
)
def test_a_sound_key_has_no_fault(raw: dict[str, Any]) -> None:
    assert _faults(**raw) == ""


def _sheet(field: dict[str, Any], *placings: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "s",
        "revision": 1,
        "title": {"en": "S"},
        "page": [{"number": 1, "size_mm": [210, 297]}],
        "field": [{"id": "q", "page": 1, "box_mm": [20, 60, 60, 70], "kind": "number", "points": 2, **field}],
        "placing": [{"address": [3, 27, 603, n], "page": 1, **placing} for n, placing in enumerate(placings)],
    }


def test_a_variant_that_no_paper_is_printed_as_is_a_fault() -> None:
    key = {"key": [{"value": "5", "variant": "A"}, {"value": "6", "variant": "B"}]}
    assert list(faults(_sheet(key, {"variant": "A"}))) == [("field q, key", "no [[placing]] is of variant B")]
    assert list(faults(_sheet(key, {"variant": "A"}, {"variant": "B"}, {}))) == []
    assert list(faults(_sheet({"keys": ["5"]}, {"variant": 3}))) == [
        ("placing number 1, variant", "the name of a variant: a text")
    ]
    with pytest.raises(SheetError, match="variant B"):
        from_table(_sheet(key, {"variant": "A"}))


def test_a_sheet_knows_the_variant_of_its_paper() -> None:
    sheet = from_table(_sheet({"keys": ["5"]}, {"variant": "A"}, {}))
    one, other = (placing.address for placing in sheet.placings)
    assert (sheet.variant_of(one), sheet.variant_of(other), sheet.variant_of(other._replace(page=99))) == ("A", "", "")


_VALUES = st.sampled_from(["1", "2", "3", "4", "5"])


@st.composite
def _fields(draw: st.DrawFn) -> Field:
    values = draw(st.lists(_VALUES, min_size=1, unique=True))
    count = draw(st.integers(1, len(values)))
    return Field(
        id="q",
        kind="number",
        page=1,
        box_mm=(0, 0, 9, 9),
        keys=tuple(values[:count]),
        alternates=tuple(Alternate(v, draw(st.sampled_from([0.0, 0.5, 1.0]))) for v in values[count:]),
        points=2.0,
        key_version=draw(st.integers(1, 9)),
        options=draw(
            st.builds(
                KeyOptions,
                decimal_comma=st.booleans(),
                equal_value=st.booleans(),
                unit=st.sampled_from([None, "m"]),
                tolerance=st.sampled_from([0.0, 0.25]),
            )
        ),
    )


@given(_fields(), _fields())
def test_a_key_goes_to_a_table_and_into_any_field_as_it_was(one: Field, other: Field) -> None:
    assert rekeyed(other, key_table(one), version=one.key_version) == one


def test_a_new_key_leaves_steps_scoring_and_points_and_is_checked_like_a_sheet() -> None:
    field = Field(
        id="q",
        kind="choice",
        page=1,
        box_mm=(0, 0, 9, 9),
        keys=("A,B",),
        points=2.0,
        choices=tuple(Choice(v) for v in "ABC"),
        several=True,
        scoring="per_option",
    )
    changed = rekeyed(field, {"keys": ["A,C"]}, version=2)
    assert (changed.keys, changed.scoring, changed.points, changed.key) == (("A,C",), "per_option", 2.0, "q/v2")
    with pytest.raises(SheetError, match="per_option gives part points by itself"):
        rekeyed(field, {"keys": ["A,C"], "key": [{"value": "A", "points": 1}]}, version=2)
    stepped = Field(
        id="q", kind="number", page=1, box_mm=(0, 0, 9, 9), points=2.0, steps=(Step("way", 2.0, {"en": "w"}, ("5",)),)
    )
    assert rekeyed(stepped, {"keys": ["7"]}, version=2).steps == stepped.steps


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_NAMES = ("kind", "points", "keys", "key", "step", "scoring", "several", "choices", "options", "key_version")
_PARTS = st.dictionaries(
    st.sampled_from(["value", "points", "variant", "id", "label", "keys", "tolerance", "unit"]), _ANYTHING, max_size=5
)


@given(
    st.fixed_dictionaries(
        {}, optional={name: _ANYTHING | _PARTS | st.lists(_PARTS, max_size=3) | st.just("number") for name in _NAMES}
    )
)
def test_any_key_has_faults_or_none_and_no_crash(raw: dict[str, Any]) -> None:
    assert all(where.startswith("field q") for where, _ in key_faults("field q", raw))
