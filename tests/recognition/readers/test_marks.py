"""Field cases 14, 19 and 12 in option boxes."""

import pytest

from recognition.ink import Stroke
from recognition.readers.marks import read_marks
from recognition.readers.reading import Reading, ReadRequest, Thresholds
from tests.recognition.drawn import BOX_B, CHOICE, CROSS_B, CROSS_C, OPTIONS, joined, ring, stroke, strokes, zigzag

_SCRIBBLE = (30.2, 40.2, 34.8, 44.8)


def _read(ink: tuple[Stroke, ...] | list[Stroke], *, several: bool = False) -> Reading:
    request = ReadRequest(kind="choice", strokes=tuple(ink), box=CHOICE.box_mm, choices=OPTIONS, several=several)
    return read_marks(request, Thresholds())


def _cross(which: tuple[str, str], at_s: float) -> list[Stroke]:
    return strokes((which[0], at_s), (which[1], at_s + 0.3))


def _named(reading: Reading) -> set[str]:
    return {value for value, _ in reading.alternatives}


def test_a_cross_gone_over_six_times_is_answered_and_not_withdrawn() -> None:
    ink = joined(*[_cross(CROSS_B, 1 + k * 0.33) for k in range(6)])
    reading = _read(ink)
    assert (reading.value, reading.accepted, reading.withdrawn) == ("B", True, ())


def test_a_cross_gone_over_in_one_stroke_is_answered_and_not_withdrawn() -> None:
    reading = _read(joined(_cross(CROSS_B, 1), [zigzag(_SCRIBBLE, 10, 2.0)]))
    assert (reading.value, reading.accepted) == ("B", True)


def test_a_fill_with_nothing_before_it_is_a_mark() -> None:
    reading = _read([zigzag(_SCRIBBLE, 8, 1)])
    assert (reading.value, reading.accepted) == ("B", True)


def test_a_mark_scribbled_out_gives_way_to_the_next_mark() -> None:
    reading = _read(joined(_cross(CROSS_B, 1), [zigzag(_SCRIBBLE, 8, 9)], _cross(CROSS_C, 11)))
    assert (reading.value, reading.accepted, reading.withdrawn) == ("C", True, (0, 1, 2))


def test_a_mark_scribbled_out_with_nothing_after_is_unsure_and_names_none() -> None:
    reading = _read(joined(_cross(CROSS_B, 1), [zigzag(_SCRIBBLE, 8, 9)]))
    assert (reading.value, reading.accepted, reading.alternatives) == (None, False, ())
    assert "crossed_out" in reading.reasons


def test_two_marks_are_unsure_with_both_named() -> None:
    reading = _read(joined(_cross(CROSS_B, 1), _cross(CROSS_C, 5)))
    assert (reading.value, reading.accepted, _named(reading)) == (None, False, {"B", "C"})


def test_two_marks_are_both_the_answer_where_several_are_allowed() -> None:
    reading = _read(joined(_cross(CROSS_C, 1), _cross(CROSS_B, 5)), several=True)
    assert (reading.value, reading.accepted) == ("B,C", True)


def test_a_withdrawn_option_ringed_again_is_the_answer_after_all() -> None:
    reading = _read(joined(_cross(CROSS_B, 1), [zigzag(_SCRIBBLE, 8, 9)], [ring(32.5, 42.5, 5, 4.5, 15)]))
    assert (reading.value, reading.accepted) == ("B", True)


def test_ringed_again_beside_another_mark_is_unsure() -> None:
    ink = joined(_cross(CROSS_B, 1), [zigzag(_SCRIBBLE, 8, 9)], _cross(CROSS_C, 11), [ring(32.5, 42.5, 5, 4.5, 15)])
    assert _named(_read(ink)) == {"B", "C"}


def test_the_pens_own_time_from_any_start_gives_the_same_readings() -> None:
    ink = joined(_cross(CROSS_B, 4001), [zigzag(_SCRIBBLE, 8, 4009)], _cross(CROSS_C, 4011))
    assert _read(ink).value == "C"


def test_a_tick_that_crosses_boxes_is_of_its_lowest_corner() -> None:
    reading = _read([stroke("33.5,41.5>41.5,44.0>52,38")])
    assert (reading.value, reading.accepted) == ("C", True)


def test_a_tick_with_its_corner_between_boxes_is_unsure_of_both() -> None:
    reading = _read([stroke("33.5,41.5>37.5,44.0>52,38")])
    assert (reading.value, reading.accepted, _named(reading)) == (None, False, {"B", "C"})


def test_a_ring_outside_of_the_box_all_the_way_is_its_mark() -> None:
    reading = _read([ring(32.5, 42.5, 4.5, 4.5, 1)])
    assert (reading.value, reading.accepted) == ("B", True)


def test_a_ring_drawn_twice_round_is_one_mark() -> None:
    assert _read([ring(32.5, 42.5, 4.5, 4.5, 1, rounds=2.1)]).value == "B"


def test_a_ring_around_two_boxes_is_unsure_of_both() -> None:
    assert _named(_read([ring(37.5, 42.5, 10, 5, 1)])) == {"B", "C"}


def test_a_line_that_joins_two_boxes_is_unsure_of_both() -> None:
    reading = _read([stroke("32.5,42.5>42.5,42.5")])
    assert (reading.value, reading.accepted, _named(reading)) == (None, False, {"B", "C"})


def test_a_scribble_over_two_boxes_is_unsure_of_both() -> None:
    assert _named(_read([zigzag((30, 40, 45, 45), 9, 1)])) == {"B", "C"}


def test_a_tap_alone_is_no_answer_and_no_blank() -> None:
    reading = _read([stroke("32.5,42.5")])
    assert (reading.value, reading.accepted, _named(reading)) == (None, False, {"B"})
    assert "blank" not in reading.reasons


def test_ink_far_from_every_box_is_no_mark() -> None:
    reading = _read([stroke("90,42>94,44>96,41")])
    assert (reading.accepted, reading.reasons) == (False, ("outside", "no_mark"))


@pytest.mark.parametrize("number", range(4))
def test_every_option_can_be_crossed_ticked_and_ringed(number: int) -> None:
    x, value = 20.0 + 10 * number, "ABCD"[number]
    cross = strokes((f"{x},40>{x + 5},45", 1), (f"{x + 5},40>{x},45", 1.3))
    tick = [stroke(f"{x + 0.5},42>{x + 2},44.5>{x + 7},38")]
    for ink in (cross, tick, [ring(x + 2.5, 42.5, 3, 3, 1)]):
        assert _read(ink).value == value


def test_the_ready_papers_box_b_is_where_the_cases_say() -> None:
    assert OPTIONS[1].box_mm == BOX_B
