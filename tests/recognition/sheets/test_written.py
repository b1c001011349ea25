"""Field case 17: the table of written forms, and what the key's options say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.sheets import KeyOptions, Verdict, compare, right_forms

_COMMA = KeyOptions(decimal_comma=True)
_TABLE: list[tuple[str, KeyOptions, Verdict, list[str]]] = [
    ("3.5", _COMMA, "right", ["3.5", "3,5", "+3.5", "3.50", "03.5"]),
    ("3.5", _COMMA, "wrong", ["35", "3.05", "-3.5"]),
    ("3.5", _COMMA, "ask", ["3 5"]),
    ("3.5", KeyOptions(), "ask", ["3,5"]),
    ("0.823", KeyOptions(), "right", [".823", "0.823"]),
    ("0.823", KeyOptions(), "wrong", ["823"]),
    ("1234", KeyOptions(), "right", ["1234", "1 234"]),
    ("1234", KeyOptions(), "wrong", ["1.234"]),
    ("1234", KeyOptions(), "ask", ["1,234"]),
    ("13", KeyOptions(unit="m"), "right", ["13 m", "13"]),
    ("13", KeyOptions(unit="m"), "wrong", ["13 cm", "1300"]),
    ("13", KeyOptions(unit="m"), "ask", ["13 n"]),
    ("4000", KeyOptions(unit="ml", equal_value=True), "right", ["4000", "4000 ml", "4 l"]),
    ("4000", KeyOptions(unit="ml", equal_value=True), "wrong", ["4 ml"]),
    ("5 V", KeyOptions(), "right", ["5 V"]),
    ("5 V", KeyOptions(), "wrong", ["0 V", "0", "0 A"]),
    ("1/2", KeyOptions(equal_value=True), "right", ["1/2", "0.5", "2/4", "50%"]),
    ("1/2", KeyOptions(equal_value=True), "wrong", ["1.2"]),
    ("1/2", KeyOptions(equal_value=True), "ask", ["1-2", "1/0"]),
    ("1/2", KeyOptions(exact_form=True), "right", ["1/2"]),
    ("1/2", KeyOptions(exact_form=True), "wrong", ["2/4", "0.5"]),
    ("B", KeyOptions(), "right", ["B"]),
    ("B", KeyOptions(), "wrong", ["C"]),
]


@pytest.mark.parametrize(
    ("key", "options", "verdict", "written"), [(k, o, v, w) for k, o, v, all_of_it in _TABLE for w in all_of_it]
)
def test_a_written_form_is_right_wrong_or_asked_about(
    key: str, options: KeyOptions, verdict: Verdict, written: str
) -> None:
    assert compare(written, [key], options) == verdict


def test_any_of_several_keys_makes_it_right() -> None:
    assert compare("C", ["B", "C"]) == "right"
    assert compare("D", ["B", "C"]) == "wrong"


@given(st.text(max_size=12), st.text(max_size=12), st.booleans(), st.booleans())
def test_any_text_has_a_verdict(written: str, key: str, comma: bool, equal: bool) -> None:  # noqa: FBT001  # drawn
    options = KeyOptions(decimal_comma=comma, equal_value=equal)
    assert compare(written, [key], options) in {"right", "wrong", "ask"}
    assert compare(key, [key], options) == "right"


def test_what_counts_as_right_is_said_in_words() -> None:
    assert right_forms(["1/2"], KeyOptions(exact_form=True)) == ["exactly 1/2"]
    assert "a comma is the decimal sign" in right_forms(["3.5"], _COMMA)
    assert "a comma is asked about" in right_forms(["3.5"], KeyOptions())
    assert "with or without m" in right_forms(["13"], KeyOptions(unit="m"))
    assert right_forms([], KeyOptions()) == ["a person marks"]
