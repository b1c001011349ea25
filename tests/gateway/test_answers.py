"""Which ink stands in which field, when a field is read, and what a gap touches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answers import Answers, Gap, to_mm
from recognition.pages import UNIT_MM
from tests.gateway.rig import FIELDS, PAGE1, PAGE2, Q1, Q2, Q8, SHEET, T0, UNKNOWN_PAPER, mac, piece


@pytest.fixture
def answers() -> Answers:
    return Answers(lesson="l1", sheet=SHEET, started_ms=T0, seats={1: "p1", 2: "p2"}, settle_ms=1000)


def add(
    answers: Answers, seat: int, middle: tuple[float, float], at: int, *, page: object = PAGE1, dots: int = 8
) -> None:
    made = piece(mac(seat), page, middle, T0 + at, dots=dots)  # type: ignore[arg-type]  # one of rig's pages
    answers.add(seat, made.page, made.pen, made.down_ms, made.rows)


def test_a_field_is_due_when_it_was_quiet_for_the_settle_time(answers: Answers) -> None:
    add(answers, 1, Q1, 0)
    assert answers.due(T0 + 1069, {}) == []
    assert answers.due(T0 + 1070, {}) == [(1, "q1")]
    add(answers, 1, Q1, 1000)
    assert answers.due(T0 + 1070, {}) == []
    assert answers.due(T0 + 2070, {}) == [(1, "q1")]


def test_a_field_is_not_due_while_its_seat_writes_on_its_page(answers: Answers) -> None:
    add(answers, 1, Q1, 0)
    assert answers.due(T0 + 9000, {1: PAGE1}) == []
    assert answers.due(T0 + 9000, {2: PAGE1, 1: PAGE2}) == [(1, "q1")]
    assert answers.due(T0 + 9000, {1: UNKNOWN_PAPER}) == [(1, "q1")]


def test_it_is_quiet_when_nothing_is_due_and_nothing_is_with_the_reader(answers: Answers) -> None:
    quiet = [answers.is_quiet]
    add(answers, 1, Q1, 0)
    mark = answers.marked[1, "q1"]
    for due_ms, reading_of in ((T0 + 1070, None), (None, "ink"), (None, None)):
        mark.due_ms, mark.reading_of = due_ms, reading_of
        quiet.append(answers.is_quiet)
    assert quiet == [True, False, False, True]


def test_ink_of_a_seat_that_is_not_in_the_lesson_or_on_unknown_paper_is_nobodys(answers: Answers) -> None:
    add(answers, 3, Q1, 0)
    add(answers, 1, Q1, 0, page=UNKNOWN_PAPER)
    assert answers.marked == {}
    assert answers.ink((1, "q1")).strokes == ()
    assert answers.ink((1, "q1")).digest == ""


def test_the_same_ink_has_the_same_hash_and_any_other_ink_another(answers: Answers) -> None:
    seen = set()
    for at in (0, 2000, 4000):
        add(answers, 1, Q1, at)
        seen.add(answers.ink((1, "q1")).digest)
        assert answers.ink((1, "q1")).digest in seen
    assert len(seen) == 3
    add(answers, 1, Q2, 9000)
    assert answers.ink((1, "q1")).digest in seen, "ink in another field is no ink of this one"
    add(answers, 2, Q1, 0)
    assert answers.ink((2, "q1")).digest not in seen, "the same strokes of another pen are other ink"


def test_a_stroke_that_was_cut_into_pieces_is_one_stroke(answers: Answers) -> None:
    whole = piece(mac(1), PAGE1, Q1, T0, dots=9)
    for number in range(3):
        answers.add(1, PAGE1, mac(1), T0, whole.rows[3 * number : 3 * number + 3])
    (stroke,) = answers.ink((1, "q1")).strokes
    assert len(stroke.points) == 9


def test_one_dot_is_ink_of_its_field(answers: Answers) -> None:
    add(answers, 1, Q1, 0, dots=1)
    (stroke,) = answers.ink((1, "q1")).strokes
    assert stroke.points.shape == (1, 4)
    assert (1, "q1") in answers.marked


def test_a_job_says_the_field_s_kind_its_box_and_its_options(answers: Answers) -> None:
    add(answers, 1, Q8, 0, page=PAGE2)
    request = answers.request((1, "q8"), answers.ink((1, "q8")))
    assert (request["kind"], request["box"]) == ("choice", [20, 122, 190, 140])
    assert [c["value"] for c in request["choices"]] == ["A", "B", "C", "D"]
    assert len(request["strokes"][0]) == 8
    x_mm, y_mm, t_ms, force = request["strokes"][0][0]
    assert (x_mm, y_mm) == pytest.approx((111, 129), abs=0.02)
    assert (t_ms, round(force, 2)) == (0, 0.47)
    plain = answers.request((1, "q1"), answers.ink((1, "q1")))
    assert not {"choices", "redo_box"} & plain.keys()


def test_a_job_says_where_a_second_try_stands(answers: Answers) -> None:
    add(answers, 1, Q1, 0)
    answers.fields["q1"] = replace(answers.fields["q1"], redo_box_mm=(170, 40, 185, 56))
    assert answers.request((1, "q1"), answers.ink((1, "q1")))["redo_box"] == [170, 40, 185, 56]


def test_a_gap_touches_fields_by_page_and_time(answers: Answers) -> None:
    add(answers, 1, Q1, 100_000)
    add(answers, 1, Q2, 500_000)
    answers.set_gaps(1, [Gap(T0 + 105_000, T0 + 106_000, None)], T0 + 600_000)
    assert answers.is_touched(1, "q1"), "a gap just after its ink"
    assert not answers.is_touched(1, "q2"), "a gap minutes before its ink"
    assert answers.is_touched(1, "q3"), "a field without ink may have lost all of it"
    assert not answers.is_touched(2, "q3"), "another seat's gap"


def test_a_gap_on_a_page_touches_only_the_fields_there(answers: Answers) -> None:
    answers.set_gaps(1, [Gap(T0 + 1, T0 + 2, PAGE2)], T0 + 3)
    touched = [name for name in FIELDS if answers.is_touched(1, name)]
    assert touched == [f"q{n}" for n in range(6, 11)]
    answers.set_gaps(1, [Gap(T0 + 1, T0 + 2, UNKNOWN_PAPER)], T0 + 3)
    assert not any(answers.is_touched(1, name) for name in FIELDS)


def test_a_gap_from_before_the_lesson_is_none_of_its(answers: Answers) -> None:
    answers.set_gaps(1, [Gap(T0 - 2, T0 - 1, None)], T0)
    assert not any(answers.is_touched(1, name) for name in FIELDS)


def test_a_gap_makes_fields_due_that_have_ink_and_are_read_already(answers: Answers) -> None:
    add(answers, 1, Q1, 0)
    answers.marked[1, "q1"].due_ms = None
    answers.set_gaps(1, [Gap(T0 + 1, T0 + 2, PAGE1)], T0 + 3)
    assert answers.due(T0 + 3, {}) == [(1, "q1")]


def test_rows_become_millimetres_on_the_sheet() -> None:
    rows = np.array([[4218, 844, 852, 0, 90, 90, 0], [4218, 844, 2000, 30, 90, 90, 0]], np.int64)
    moved = np.array([[1.0, 0, 5], [0, 1, -5]])
    mm = to_mm(rows, moved, 1000)
    assert mm[0].tolist() == pytest.approx([42.18 * UNIT_MM + 5, 8.44 * UNIT_MM - 5, 1000, 1], abs=0.001)
    assert mm[1, 2:].tolist() == [1030, 1], "force never exceeds 1"


@given(order=st.permutations(range(6)), again=st.booleans())
def test_a_field_s_ink_and_hash_do_not_depend_on_the_order_in_which_its_pieces_came(
    *, order: list[int], again: bool
) -> None:
    whole = piece(mac(1), PAGE1, Q1, T0, dots=9)
    parts = [(T0, whole.rows[3 * n : 3 * n + 3]) for n in range(3)]
    parts += [(T0 + 2_000 * n, piece(mac(1), PAGE1, Q1, T0, dots=4 + n).rows) for n in range(1, 4)]
    straight, mixed = (
        Answers(lesson="l1", sheet=SHEET, started_ms=T0, seats={1: "p1"}, settle_ms=1000) for _ in range(2)
    )
    for down_ms, rows in parts:
        straight.add(1, PAGE1, mac(1), down_ms, rows)
    for number in (*order, *(order if again else ())):
        mixed.add(1, PAGE1, mac(1), *parts[number])
    assert mixed.ink((1, "q1")).digest == straight.ink((1, "q1")).digest
    a, b = mixed.request((1, "q1"), mixed.ink((1, "q1"))), straight.request((1, "q1"), straight.ink((1, "q1")))
    assert a == b
    assert len(a["strokes"]) == 4


def test_how_a_seat_worked_is_told_by_field_once_its_ink_is_placed(answers: Answers) -> None:
    add(answers, 1, Q1, 0)
    add(answers, 1, Q2, 5_000)
    assert answers.evidence(1) == {}, "no stroke is given to a field yet"
    answers.ink((1, "q1"))
    q1, q2 = (answers.evidence(1)[name] for name in ("q1", "q2"))
    assert (q1.first_touch_ms, q2.first_touch_ms) == (T0, T0 + 5_000)
    assert (q1.order, q2.order, q1.on_question_ms) == (1, 2, 70)
    add(answers, 1, Q1, 9_000)
    assert answers.evidence(1)["q1"].revisits == 0, "as the page was last assigned"
    answers.ink((1, "q1"))
    assert answers.evidence(1)["q1"].revisits == 1


def test_a_gap_and_a_doubted_time_make_what_is_told_of_a_seat_less_sure(answers: Answers) -> None:
    made = piece(mac(1), PAGE1, Q1, T0 + 60_000)
    answers.add(1, made.page, made.pen, made.down_ms, made.rows, time_known=False)
    answers.ink((1, "q1"))
    sure = answers.evidence(1)["q1"]
    answers.set_gaps(1, [Gap(T0 + 1_000, T0 + 2_000, None)], T0 + 61_000)
    less = answers.evidence(1)["q1"]
    assert sure.first_touch_error_ms > 100
    assert (sure.complete, less.complete) == (True, False)
    assert less.first_touch_least_ms == T0 + 1_000
