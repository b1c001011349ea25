"""Field case 15: what was taken back, and what was not."""

import numpy as np
import pytest

from recognition.ink import Stroke
from recognition.shapes import shape_of
from recognition.withdrawal import Roles, character_roles
from tests.recognition.drawn import dense, joined, stroke, strokes, written, zigzag

_FIRST = (22.0, 61.0, 32.0, 69.0)
_BESIDE = (40.0, 61.0, 50.0, 69.0)


def _found(*groups: list[Stroke]) -> Roles:
    return character_roles([shape_of(one) for one in joined(*groups)])


def test_a_zigzag_takes_back_all_that_lies_under_it() -> None:
    first = written("47", _FIRST, 1)
    found = _found(first, [zigzag((21, 61, 33, 69), 6, 6)], written("74", _BESIDE, 8))
    assert found.taken_back == tuple(range(len(first) + 1))
    assert [one.why for one in found.strokes[: len(first) + 1]] == ["scribbled_out"] * len(first) + ["scribble"]
    assert {one.by for one in found.strokes[: len(first)]} == {(len(first),)}
    assert not found.doubts


def test_one_straight_line_through_two_digits_takes_them_back() -> None:
    first = written("47", _FIRST, 1)
    found = _found(first, [stroke("20,65.5>34,64.5", 6)], written("74", _BESIDE, 8))
    assert found.taken_back == tuple(range(len(first) + 1))


def test_two_lines_through_one_digit_take_it_back() -> None:
    first = written("5", (22, 61, 27, 69), 1)
    found = _found(first, strokes(("20,64>29,64", 6), ("20,66>29,66", 6.4)))
    assert found.taken_back == (0, 1, 2, 3)


def test_a_cross_over_one_digit_takes_it_back() -> None:
    first = written("8", (22, 61, 27, 69), 1)
    assert _found(first, strokes(("21,60>28,70", 6), ("28,60>21,70", 6.4))).taken_back == (0, 1, 2)


def test_ink_that_goes_on_over_a_scratch_is_the_same_scratch() -> None:
    first = written("4", (22, 61, 27, 69), 1)
    scratch = [zigzag((21, 61, 28, 69), 6, 6), stroke("22,62>27,68", 7.2)]
    assert _found(first, scratch).taken_back == (0, 1, 2, 3)


def test_a_word_written_once_and_fast_is_no_scratch() -> None:
    """`minimum`: many turns, but no earlier ink under them."""
    x = np.linspace(0, 30, 120)
    points = [(20 + float(v), 65 + 2 * float(np.sin(v * 3))) for v in x]
    found = character_roles([shape_of(Stroke(dense(points, 1000), 1000))])
    assert found.standing == (0,)
    assert not found.doubts


@pytest.mark.parametrize("text", ["4", "5", "7", "44", "547", "100"])
def test_plainly_written_digits_take_nothing_back(text: str) -> None:
    found = _found(written(text, (22, 61, 22 + 7 * len(text), 69), 1))
    assert not found.taken_back
    assert not found.doubts


def test_the_bar_of_a_seven_and_the_foot_of_a_one_take_nothing_back() -> None:
    seven = strokes(("2,1.5>7.5,1.5>4,9", 1), ("3.2,5>7,4.8", 1.6))
    one = strokes(("3.5,3.2>5.2,1.4>5.2,8.8", 1), ("3.4,8.8>7,8.8", 1.6))
    assert _found(seven).taken_back == _found(one).taken_back == ()


def test_a_slash_through_a_zero_is_never_taken_for_a_sure_scratch() -> None:
    zero = written("0", (2.8, 1.5, 7.2, 8.5), 1)
    found = _found(zero, [stroke("8,0.8>2,9.2", 1.9)], written("5", (10, 1.5, 14, 8.5), 2.4))
    assert not found.taken_back


def test_one_line_through_one_digit_is_a_doubt_until_a_new_answer_stands_beside_it() -> None:
    first = written("5", (22, 61, 27, 69), 1)
    assert _found(first, [stroke("19,65>30,65", 6)]).doubts == ("maybe_crossed_out",)
    assert _found(first, [stroke("19,65>30,65", 6)], written("3", (34, 61, 39, 69), 8)).taken_back == (0, 1, 2)


_STEM = "22,61>22.2,65>22,69"
_BOWS = "22,61>26,61.4>27,63>26,64.8>22.4,65>26.4,65.4>27.4,67>26,68.8>22,69"


def _begun_after(stem: Stroke, corners: str, pause_s: float) -> Stroke:
    return stroke(corners, float(stem.points[-1, 2]) / 1000 + pause_s)


def test_bows_soon_after_their_stem_are_a_b() -> None:
    stem = stroke(_STEM, 1)
    found = _found([stem, _begun_after(stem, _BOWS, 0.2)])
    assert (found.standing, found.doubts) == ((0, 1), ())


@pytest.mark.parametrize("pause_s", [0.5, 3.0])
def test_what_may_be_bows_or_a_hasty_scribble_takes_nothing_back_and_is_a_doubt(pause_s: float) -> None:
    stem = stroke(_STEM, 1)
    scribble = "20,62>24,63>20,64>24,65>20,66>24,67"
    found = _found([stem, _begun_after(stem, scribble, pause_s)], written("7", _BESIDE, 9))
    assert (found.taken_back, found.doubts[0]) == ((), "maybe_crossed_out")


def test_a_thorough_scribble_over_a_one_takes_it_back() -> None:
    stem = stroke(_STEM, 1)
    assert _found([stem, zigzag((20, 61, 25, 69), 7, 3)], written("7", _BESIDE, 6)).taken_back == (0, 1)


def test_a_tap_takes_nothing_back() -> None:
    assert _found(written("3", (22, 61, 27, 69), 1), [stroke("24,65", 6)]).standing == (0, 1)


def test_a_second_line_soon_after_a_strike_is_the_same_strike_though_a_new_answer_stands_beside() -> None:
    first = written("5", (22, 61, 27, 69), 1)
    lines = strokes(("19,64>30,64", 6), ("19,66>30,66", 6.6))
    found = _found(first, lines, written("3", (40, 61, 45, 69), 8))
    assert found.taken_back == (0, 1, 2, 3)
    assert found.standing == (4,)


def test_lines_of_a_sign_strike_nothing() -> None:
    first = written("5", (22, 61, 27, 69), 1)
    ink = joined(first, strokes(("19,64>30,64", 6), ("19,66>30,66", 6.6)))
    assert character_roles([shape_of(one) for one in ink], lines=False).taken_back == ()
