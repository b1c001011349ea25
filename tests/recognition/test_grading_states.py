"""The eight states and their order of precedence: a table, each row checked; and sums that say of what they are."""

import tomllib
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.grading import DECIDED, STATES, Grade, Total, by_teacher, grade, state_of, total
from recognition.readers.reading import Reading
from recognition.sheets import Alternate, Field

_CASES: Final = tomllib.loads((Path(__file__).parents[1] / "data" / "states.toml").read_text("utf-8"))["case"]
_FIELD: Final = Field(
    id="q1",
    kind="number",
    page=1,
    box_mm=(20, 60, 60, 70),
    keys=("74",),
    alternates=(Alternate("47", 1.0),),
    points=2.0,
)
_READINGS: Final = {
    "none": None,
    "right": Reading(value="74", confidence=0.98, accepted=True),
    "wrong": Reading(value="12", confidence=0.98, accepted=True),
    "part": Reading(value="47", confidence=0.98, accepted=True),
    "unsure": Reading(value="74", confidence=0.5, accepted=False, reasons=("low_confidence",)),
    "doubt": Reading(value="7 4", confidence=0.98, accepted=True),
    "empty": Reading(value=None, confidence=0.98, accepted=True),
}


def _made(case: dict[str, Any]) -> Grade:
    ink = case.get("ink", False)
    made = grade(
        _FIELD,
        _READINGS[case.get("reading", "none")],
        handed_out=case.get("handed_out", True),
        pen_seen=case.get("pen_seen", True),
        losses_touch=case.get("lost", False),
        has_ink=ink,
        reader="fake-1",
        fits=case.get("fits", True),
        page_untouched=case.get("untouched", False),
    )
    if "decided" in case:
        return by_teacher(made, points=case["decided"], who="t-1", has_ink=ink)
    return made


def test_the_table_of_states_has_forty_rows_and_every_state() -> None:
    assert len(_CASES) >= 40
    assert {case["state"] for case in _CASES} == set(STATES)
    told = [{k: v for k, v in case.items() if k != "name"} for case in _CASES]
    assert all(case not in told[:n] for n, case in enumerate(told)), "no row stands twice"


@pytest.mark.parametrize("case", _CASES, ids=lambda case: str(case["name"]))
def test_an_answer_is_in_the_state_of_its_row(case: dict[str, Any]) -> None:
    made = _made(case)
    assert made.state == case["state"]
    assert made.points == case.get("points", 0)
    assert made.coverage == case.get("coverage", 1)
    assert made.decided_by == ("t-1" if "decided" in case else "machine")
    if "reasons" in case:
        assert list(made.reasons) == case["reasons"]


_FLAGS: Final = ("by_person", "has_ink", "is_clear", "handed_out", "pen_seen", "losses_touch")
_RANK: Final[tuple[tuple[str, dict[str, bool]], ...]] = (
    ("marked", {"by_person": True, "has_ink": True}),
    ("marked_on_paper_only", {"by_person": True}),
    ("answered", {"has_ink": True, "is_clear": True}),
    ("unsure", {"has_ink": True}),
    ("not_handed_out", {"handed_out": False}),
    ("no_pen", {"pen_seen": False}),
    ("not_captured", {"losses_touch": True}),
    ("blank", {}),
)


@pytest.mark.parametrize("drawn", list(product((False, True), repeat=len(_FLAGS))), ids=str)
def test_the_first_line_of_the_order_that_holds_is_the_state(drawn: tuple[bool, ...]) -> None:
    seen = dict(zip(_FLAGS, drawn, strict=True))
    first = next(state for state, needs in _RANK if all(seen[name] is value for name, value in needs.items()))
    assert state_of(**seen) == first


# -- sums


def test_a_total_leaves_out_what_nobody_decided_and_says_so() -> None:
    """Field case 21: totals never treat `not_captured` or `unsure` as 0."""
    by_name = {case["name"]: _made(case) for case in _CASES}
    right, lost = (
        by_name["ink and a right reading"],
        by_name["a link that was down, or a loss row on that page, and no ink"],
    )
    unsure, blank = by_name["ink, and the reader abstains"], by_name["a pen linked all the time, no hole, no ink"]
    assert total([right, lost, unsure]) == Total(2.0, 2.0, 1, 3)
    assert total([right, lost, unsure]).coverage == pytest.approx(1 / 3)
    assert total([right, blank]) == Total(2.0, 4.0, 2, 2), "blank is seen to be empty: that is 0"
    assert total([]).coverage == 0


@given(st.integers(0, 60), st.integers())
def test_the_states_of_a_class_add_up_to_its_size_and_the_total_counts_the_decided(size: int, seed: int) -> None:
    drawn = Random(seed)  # noqa: S311  a play with dice, not a secret
    frame = [_made(drawn.choice(_CASES)) for _ in range(size)]
    counts = {state: sum(made.state == state for made in frame) for state in STATES}
    assert sum(counts.values()) == size
    found = total(frame)
    assert (found.answers, found.decided) == (size, sum(counts[state] for state in DECIDED))
    assert found.points <= found.max_points
