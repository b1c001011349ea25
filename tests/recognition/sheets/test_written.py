"""Field case 17 and whatever else a key says of what was written: the table of pairs, and the rules around it."""

import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.sheets import KeyOptions, Verdict, compare, load, right_forms

_PAIRS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "data" / "equivalence.toml").read_text("utf-8")
)["pair"]
_COMMA = KeyOptions(decimal_comma=True)
_TERMS = KeyOptions(expression=True)
_EQUAL_TERMS = KeyOptions(expression=True, equal_value=True)


@pytest.mark.parametrize("pair", _PAIRS, ids=lambda pair: f"{pair['why']}: {pair['written']} for {pair['key']}"[:70])
def test_a_written_form_is_right_wrong_or_asked_about(pair: dict[str, Any]) -> None:
    options = KeyOptions(**pair.get("options", {}))
    assert compare(pair["written"], [pair["key"]], options) == pair["verdict"]


def test_the_table_has_every_verdict_for_most_of_what_it_is_about() -> None:
    assert len({(p["key"], p["written"], str(p.get("options"))) for p in _PAIRS}) == len(_PAIRS) >= 300
    by_reason: dict[str, set[str]] = {}
    for pair in _PAIRS:
        by_reason.setdefault(pair["why"], set()).add(pair["verdict"])
    whole = [why for why, verdicts in by_reason.items() if verdicts == set(get_args(Verdict))]
    assert len(whole) >= 20


def test_any_of_several_keys_makes_it_right() -> None:
    assert compare("C", ["B", "C"]) == "right"
    assert compare("D", ["B", "C"]) == "wrong"


_SIGNS = st.text(max_size=12) | st.text(alphabet="0123456789xm+-·/=√²%,. ", max_size=12)


@given(_SIGNS, _SIGNS, st.booleans(), st.booleans(), st.booleans())
def test_any_text_has_a_verdict(written: str, key: str, comma: bool, equal: bool, terms: bool) -> None:  # noqa: FBT001  # drawn
    options = KeyOptions(decimal_comma=comma, equal_value=equal, expression=terms)
    assert compare(written, [key], options) in {"right", "wrong", "ask"}
    assert compare(key, [key], options) == "right"


def test_what_counts_as_right_is_said_in_words() -> None:
    assert right_forms(["1/2"], KeyOptions(exact_form=True)) == ["exactly 1/2"]
    assert "a comma is the decimal sign" in right_forms(["3.5"], _COMMA)
    assert "a comma is asked about" in right_forms(["3.5"], KeyOptions())
    assert "with or without m" in right_forms(["13"], KeyOptions(unit="m"))
    assert right_forms([], KeyOptions()) == ["a person marks"]


def test_what_counts_as_right_of_an_expression_is_said_in_words() -> None:
    assert right_forms(["x+1"], _TERMS)[:2] == [
        "x+1",
        "the order of terms and factors and the side of an equation make no difference",
    ]
    assert any("term or equation that is equal" in form for form in right_forms(["x+1"], _EQUAL_TERMS))
    assert right_forms(["x+1"], KeyOptions()) == ["x+1"]


_HUGE = [
    "(" * 10_000 + "1" + ")" * 10_000,
    "+".join(["1"] * 10_000),
    "x" * 10_000,
    "9" * 10_000,
    "√" * 10_000 + "2",
    "^".join(["9"] * 50),
    "1/" * 5000 + "1",
    "-" * 10_000 + "1",
    "1 " * 5000,
    "m" * 10_000,
    "=".join(["x"] * 3000),
    "，".join(["x=1"] * 3000),
]


@pytest.mark.parametrize("written", _HUGE, ids=lambda text: f"{text[:6]}... of {len(text)}")
@pytest.mark.parametrize("key", ["1", "x+1"])
def test_what_is_huge_is_asked_about(written: str, key: str) -> None:
    assert compare(written, [key], _EQUAL_TERMS) == "ask"
    assert compare(key, [written], _EQUAL_TERMS) == "ask"
    assert compare(written, ["7"], KeyOptions(equal_value=True)) == "ask"


@given(st.integers(-999, 999), st.integers(1, 99), st.integers(1, 9))
def test_a_fraction_its_multiples_and_its_decimals_are_one_value(top: int, bottom: int, by: int) -> None:
    key, options = f"{top}/{bottom}", KeyOptions(equal_value=True)
    assert compare(f"{top * by}/{bottom * by}", [key], options) == "right"
    assert compare(f"{top * by + 1}/{bottom * by}", [key], options) == "wrong"
    in_hundredths = Fraction(top, bottom) * 100
    if (in_hundredths * 1000).denominator == 1:
        decimal = f"{float(in_hundredths):.3f}"
        assert compare(f"{decimal} %", [key], options) == "right"
        assert compare(f"{decimal} %", [key], KeyOptions()) == "ask"


@given(st.integers(0, 10**9))
def test_one_number_has_one_verdict_in_all_its_spellings(number: int) -> None:
    spellings = [str(number), f"+{number}", f"0{number}", f"{number}.0", f"{number:,}".replace(",", " ")]
    for options in (KeyOptions(), _COMMA, _TERMS, _EQUAL_TERMS):
        for spelling in spellings:
            assert compare(spelling, [str(number)], options) == "right"
            assert compare(spelling, [str(number + 1)], options) == "wrong"


_SHEET = """
id = "terms"
revision = 1
title = { en = "Terms" }
[[page]]
number = 1
size_mm = [210, 297]
[[field]]
id = "q1"
kind = "expression"
page = 1
box_mm = [10, 10, 60, 30]
keys = ["x+1"]
points = 1
[[field]]
id = "q2"
kind = "word"
page = 1
box_mm = [10, 40, 60, 60]
keys = ["ab"]
points = 1
"""


def test_a_field_of_kind_expression_is_read_as_mathematics_and_a_word_is_not() -> None:
    sheet = load(_SHEET)
    terms, word = sheet.field("q1"), sheet.field("q2")
    assert compare("1 + x", terms.keys, terms.options) == "right"
    assert compare("ba", word.keys, word.options) == "wrong"
