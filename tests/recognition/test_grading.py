"""Field case 21, and what the machine never claims."""

from dataclasses import replace
from itertools import product
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.fields import assign
from recognition.grading import DECIDED, MACHINE, STATES, Grade, by_teacher, grade
from recognition.readers.reader import Reader
from recognition.readers.reading import Reading, ReadRequest
from recognition.sheets import KeyOptions
from tests.recognition.drawn import (
    CHOICE,
    CROSS_B,
    CROSS_C,
    OPTIONS,
    PAPER,
    F,
    G,
    joined,
    stroke,
    strokes,
    written,
    zigzag,
)
from tests.recognition.fake_model import FakeCharacterModel

_RIGHT: Final = Reading(value="74", confidence=0.98, accepted=True)
_WRONG: Final = Reading(value="47", confidence=0.98, accepted=True)
_UNSURE: Final = Reading(value="74", confidence=0.5, accepted=False, reasons=("low_confidence",))


def _grade(
    reading: Reading | None = None,
    *,
    handed_out: bool = True,
    pen_seen: bool = True,
    lost: bool = False,
    ink: bool = False,
) -> Grade:
    return grade(
        F,
        reading,
        handed_out=handed_out,
        pen_seen=pen_seen,
        losses_touch=lost,
        has_ink=ink,
        reader="fake-1",
    )


def test_no_sheet_given_is_not_handed_out() -> None:
    assert _grade(handed_out=False).state == "not_handed_out"


def test_a_sheet_given_and_a_pen_never_seen_is_no_pen() -> None:
    assert _grade(pen_seen=False).state == "no_pen"
    assert _grade(pen_seen=False, lost=True).state == "no_pen"


def test_a_pen_linked_all_the_time_and_no_ink_is_blank() -> None:
    made = _grade()
    assert (made.state, made.points, made.coverage, made.reader) == ("blank", 0.0, 1.0, "none")


def test_a_loss_that_touches_a_field_without_ink_is_not_captured() -> None:
    made = _grade(lost=True)
    assert (made.state, made.coverage, made.reasons) == ("not_captured", 0.0, ("ink_missing",))


def test_a_pens_memory_not_emptied_is_not_captured_and_blank_only_after_it_is() -> None:
    """Memory that is not emptied is a loss which nothing has healed: there is one word for both."""
    assert _grade(lost=True).state == "not_captured"
    assert _grade(lost=False).state == "blank"


def test_a_reader_that_abstains_is_unsure() -> None:
    made = _grade(_UNSURE, ink=True)
    assert (made.state, made.value, made.points, made.is_decided) == ("unsure", "74", 0.0, False)
    assert "low_confidence" in made.reasons


def test_a_teachers_word_without_ink_is_marked_on_paper_only() -> None:
    made = by_teacher(_grade(), points=2, who="t-1", has_ink=False)
    assert (made.state, made.points, made.decided_by) == ("marked_on_paper_only", 2, "t-1")


def test_a_teachers_word_with_ink_is_marked() -> None:
    made = by_teacher(_grade(_UNSURE, ink=True), points=1, who="t-1")
    assert (made.state, made.points, made.value) == ("marked", 1, "74")
    with pytest.raises(ValueError, match="between 0 and"):
        by_teacher(made, points=3, who="t-1")


def test_ink_that_a_loss_touches_is_unsure_until_the_loss_is_healed() -> None:
    made = _grade(_RIGHT, ink=True, lost=True)
    assert (made.state, made.value, made.points, made.reasons) == ("unsure", "74", 0.0, ("ink_missing",))
    healed = _grade(_RIGHT, ink=True)
    assert (healed.state, healed.points, healed.coverage) == ("answered", 2.0, 1.0)


def test_an_accepted_reading_is_answered_with_the_keys_points() -> None:
    right, wrong = _grade(_RIGHT, ink=True), _grade(_WRONG, ink=True)
    assert (right.state, right.points, wrong.state, wrong.points) == ("answered", 2.0, "answered", 0.0)
    assert (right.reader, right.key, right.decided_by, right.max_points) == ("fake-1", "F/v1", MACHINE, 2)


def test_a_form_that_the_key_does_not_decide_goes_to_a_person() -> None:
    field = replace(F, keys=("1234",))
    made = grade(
        field,
        Reading(value="1,234", confidence=1, accepted=True),
        handed_out=True,
        pen_seen=True,
        losses_touch=False,
        has_ink=True,
    )
    assert (made.state, made.reasons) == ("unsure", ("form_unclear",))


def test_the_keys_options_decide_about_forms() -> None:
    field = replace(F, keys=("3.5",), options=KeyOptions(decimal_comma=True))
    reading = Reading(value="3,50", confidence=1, accepted=True)
    made = grade(field, reading, handed_out=True, pen_seen=True, losses_touch=False, has_ink=True)
    assert (made.state, made.points, made.value) == ("answered", 2.0, "3,50")


def test_ink_that_was_not_read_is_unsure_and_not_blank() -> None:
    assert _grade(None, ink=True).state == "unsure"
    assert _grade(Reading(value=None, confidence=1, accepted=True, reasons=("blank",)), ink=True).state == "unsure"


def test_a_page_that_does_not_fit_its_sheet_is_not_marked() -> None:
    made = grade(F, _RIGHT, handed_out=True, pen_seen=True, losses_touch=False, has_ink=True, fits=False)
    assert (made.state, made.reasons) == ("unsure", ("page_does_not_fit",))


def test_several_options_are_compared_as_a_set() -> None:
    field = replace(CHOICE, several=True, keys=("C,B",))
    reading = Reading(value="B,C", confidence=1, accepted=True)
    assert grade(field, reading, handed_out=True, pen_seen=True, losses_touch=False, has_ink=True).points == 2


@pytest.mark.parametrize(
    ("ink", "state", "value"),
    [
        (strokes((CROSS_B[0], 1), (CROSS_B[1], 1.3)), "answered", "B"),
        (joined(strokes((CROSS_B[0], 1), (CROSS_B[1], 1.3)), [zigzag((30, 40, 35, 45), 8, 9)]), "unsure", None),
        (strokes((CROSS_B[0], 1), (CROSS_B[1], 1.3), (CROSS_C[0], 5), (CROSS_C[1], 5.3)), "unsure", None),
        ([stroke("32,42")], "unsure", None),
    ],
)
def test_a_choice_goes_from_ink_to_its_state(ink: list[object], state: str, value: str | None) -> None:
    request = ReadRequest(kind="choice", strokes=tuple(ink), choices=OPTIONS)  # type: ignore[arg-type]  # pytest's list
    reading = Reader(FakeCharacterModel()).read(request)
    made = grade(CHOICE, reading, handed_out=True, pen_seen=True, losses_touch=False, has_ink=True)
    assert (made.state, made.value) == (state, value)


def test_a_number_between_two_boxes_is_unsure_for_both_and_blank_for_neither() -> None:
    ink = written("12", (25, 71.5, 33, 76.5), 1)
    found = assign(ink, PAPER)
    for field in (F, G):
        request = ReadRequest(
            kind=field.kind,
            strokes=tuple(ink[k] for k in found.fields[field.id]),
            box=field.box_mm,
            offered_to=found.offered_to[field.id],
        )
        made = grade(
            field,
            Reader(FakeCharacterModel()).read(request),
            handed_out=True,
            pen_seen=True,
            losses_touch=False,
            has_ink=True,
        )
        assert (made.state, "offered_to_two" in made.reasons) == ("unsure", True)


_READINGS = st.one_of(
    st.none(),
    st.builds(
        Reading,
        value=st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["74", "7,4", "3.5"])),
        confidence=st.floats(0, 1),
        accepted=st.booleans(),
    ),
)


@given(_READINGS, st.lists(st.booleans(), min_size=4, max_size=4))
def test_no_circumstance_makes_the_machine_claim_more_than_was_seen(reading: Reading | None, drawn: list[bool]) -> None:
    handed_out, pen_seen, lost, ink = drawn
    made = _grade(reading, handed_out=handed_out, pen_seen=pen_seen, lost=lost, ink=ink)
    assert made.state in STATES
    if ink:
        assert made.state in {"answered", "unsure"}
    if made.state == "blank":
        assert drawn == [True, True, False, False]
    if made.state == "answered":
        assert reading is not None
        assert (reading.accepted, lost) == (True, False)
    if made.state not in DECIDED:
        assert made.points == 0


def test_the_eight_states_add_up_to_the_class_in_every_frame() -> None:
    frame = [
        _grade(reading, handed_out=h, pen_seen=p, lost=lo, ink=i)
        for reading in (None, _RIGHT, _UNSURE)
        for h, p, lo, i in product((False, True), repeat=4)
    ]
    counts = {state: sum(made.state == state for made in frame) for state in STATES}
    assert len(STATES) == 8
    assert sum(counts.values()) == len(frame)
