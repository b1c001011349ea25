import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recognition.handwriting.hand import Hand
from recognition.handwriting.ink import bounds
from recognition.handwriting.marks import STRIKES, Strike
from recognition.handwriting.model import Model
from recognition.training.hand_check import between_writers, shapes_of, written

Ink = list[NDArray[np.float64]]

HEIGHTS = (
    dict.fromkeys("0123456789", 1.0)
    | dict.fromkeys("ABCDEFGHIJKLMNQRSTUWXZ", 1.0)
    | {"O": 0.78, "P": 1.2, "V": 1.1, "Y": 1.2}
    | dict.fromkeys("acemnorsuw", 0.54)
    | {"i": 0.8, "v": 0.64, "x": 0.62, "z": 0.68, "t": 0.85, "j": 1.4}
    | dict.fromkeys("bdfhkl", 1.04)
    | dict.fromkeys("gpqy", 1.13)
    | {"+": 0.65, "=": 0.4, "×": 0.54, "÷": 0.54, "√": 1.05, "<": 0.95, ">": 0.9}
    | {"/": 1.2, "(": 1.24, ")": 1.29, "*": 0.7, "%": 1.03, "?": 1.2, "!": 1.25}
)
"""In heights of a digit."""

LINES = st.text(alphabet="".join(HEIGHTS) + "-., :·−？（", min_size=1, max_size=12)


def same(one: Ink, other: Ink) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def assert_is_ink(strokes: Ink) -> None:
    times = np.concatenate([stroke[:, 2] for stroke in strokes])
    assert (np.diff(times) > 0).all()
    assert times[0] == 0
    for stroke in strokes:
        assert stroke.dtype == np.float64
        assert stroke.shape[1] == 4
        assert len(stroke) >= 3
        assert np.isfinite(stroke).all()
        assert stroke[:, 3].min() >= 0
        assert stroke[:, 3].max() <= 1


def test_the_same_seed_is_the_same_ink(model: Model) -> None:
    for text in ("12+5=17", "The answer?"):
        assert same(Hand(7, model).write(text, 20, 40), Hand(7, model).write(text, 20, 40))


def test_another_seed_is_another_hand(model: Model) -> None:
    assert not same(Hand(7, model).write("12", 20, 40), Hand(8, model).write("12", 20, 40))


def test_a_hand_does_not_write_the_same_twice(model: Model) -> None:
    hand = Hand(7, model)
    assert not same(hand.write("12", 20, 40), hand.write("12", 20, 40))


def test_a_hand_is_the_same_whatever_it_wrote_before(model: Model) -> None:
    one, other = Hand(3, model), Hand(3, model)
    one.write("98", 0, 0)
    for character in "5KA":
        one.write(character, 0, 0)
        other.write(character, 0, 0)
        assert np.array_equal(one._habit(character).odds, other._habit(character).odds)
        assert np.array_equal(one._habit(character).scores, other._habit(character).scores)


@pytest.mark.slow
def test_heights_are_those_of_people(model: Model) -> None:
    hands = [Hand(seed, model) for seed in range(60)]
    for character, height in HEIGHTS.items():
        reach = [bounds(hand.write(character, 0, 0)) for hand in hands]
        found = np.median([(box[3] - box[1]) / hand.cap_mm for box, hand in zip(reach, hands, strict=True)])
        assert 0.7 * height <= found <= 1.3 * height, (character, found)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(text=LINES, width=st.floats(4, 60), seed=st.integers(0, 10_000), neat=st.floats(0.4, 2))
def test_ink_stays_inside_a_given_width(model: Model, text: str, width: float, seed: int, neat: float) -> None:
    strokes = Hand(seed, model, neat=neat).write(text, 20, 40, width)
    if text.strip():
        left, _, right, _ = bounds(strokes)
        assert left >= 20
        assert right <= 20 + width
        assert_is_ink(strokes)
    else:
        assert strokes == []


def test_digits_stand_on_the_line(model: Model) -> None:
    feet = [bounds(Hand(seed, model, cap_mm=6).write("0", 10, 50))[3] for seed in range(60)]
    assert 49.5 < np.median(feet) < 50.5


def test_a_line_can_be_smaller_than_the_writers_own(model: Model) -> None:
    hand = Hand(4, model)
    tall = np.median([bounds(hand.write("1", 0, 0))[1] for _ in range(20)])
    small = np.median([bounds(hand.write("1", 0, 0, cap_mm=hand.cap_mm / 2))[1] for _ in range(20)])
    assert 0.4 < small / tall < 0.6


def test_a_slower_pace_takes_longer(model: Model) -> None:
    seconds = [Hand(5, model, pace=pace).write("2468", 0, 0)[-1][-1, 2] for pace in (1.0, 2.0)]
    assert seconds[1] > 1.3 * seconds[0]


def test_a_hand_says_what_it_cannot_write(model: Model) -> None:
    hand = Hand(1, model)
    assert hand.can_write("12 × 3 = √1,296")
    assert not hand.can_write("三")
    with pytest.raises(ValueError, match="has not learnt '三'"):
        hand.write("三", 0, 0)


@pytest.mark.slow
def test_digit_shapes_differ_between_writers_as_much_as_those_of_people(model: Model) -> None:
    share, _ = between_writers(shapes_of(written((Hand(seed, model) for seed in range(60)), "0123456789", 4)))
    assert 0.6 <= share <= 0.8


@pytest.mark.parametrize("kind", STRIKES)
def test_a_correction_is_written_crossed_out_and_written_again_beside_it(model: Model, kind: Strike) -> None:
    for seed in range(20):
        strokes = Hand(seed, model, cap_mm=6).corrected("7", "7", 10, 50, kind=kind)
        assert_is_ink(strokes)
        pauses = [float(b[0, 2] - a[-1, 2]) for a, b in itertools.pairwise(strokes)]
        assert sorted(pauses)[-2] > 599
        assert bounds(strokes[-1:])[0] > bounds(strokes[:1])[2]


@pytest.mark.slow
def test_a_correction_keeps_to_its_width(model: Model) -> None:
    for seed in range(40):
        left, _, right, _ = bounds(Hand(seed, model).corrected("365", "28", 10, 50, 25))
        assert 10 <= left < right <= 35


def test_a_correction_needs_both_answers(model: Model) -> None:
    with pytest.raises(ValueError, match="a correction needs"):
        Hand(1, model).corrected("", "5", 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("side_mm", [5, 6.5, 8])
def test_ticks_and_crosses_stay_in_their_box_and_fill_most_of_it(model: Model, side_mm: float) -> None:
    box = (40.0, 60.0, 40 + side_mm, 60 + side_mm)
    for seed in range(60):
        hand = Hand(seed, model, neat=0.5)
        for strokes in (hand.tick(box), hand.cross(box)):
            assert_is_ink(strokes)
            left, top, right, bottom = bounds(strokes)
            assert 40 <= left < right <= 40 + side_mm
            assert 60 <= top < bottom <= 60 + side_mm
            assert right - left > 0.5 * side_mm


def test_a_tick_is_one_stroke_and_a_cross_two(model: Model) -> None:
    hand = Hand(2, model)
    assert len(hand.tick((0, 0, 6, 6))) == 1
    assert len(hand.cross((0, 0, 6, 6))) == 2


def test_a_circle_goes_round_and_a_scribble_stays_in_its_box(model: Model) -> None:
    for seed in range(20):
        hand = Hand(seed, model)
        (round_one,) = hand.circle((0, 0, 8, 8))
        assert 0.15 < (np.hypot(*(round_one[:, :2] - 4).T) > 2.5).mean() <= 1
        left, top, right, bottom = bounds(hand.scribble((0, 0, 20, 10), 3))
        assert 0 <= left < right <= 20
        assert 0 <= top < bottom <= 10


def test_a_fraction_has_its_bar_between_its_parts(model: Model) -> None:
    for seed in range(20):
        strokes = Hand(seed, model, cap_mm=5).fraction("1", "1", 30, 80)
        assert_is_ink(strokes)
        bar = max(strokes, key=lambda stroke: float(np.ptp(stroke[:, 0])))
        above = [stroke for stroke in strokes if stroke[:, 1].mean() < bar[:, 1].mean() - 1]
        below = [stroke for stroke in strokes if stroke[:, 1].mean() > bar[:, 1].mean() + 1]
        assert above
        assert below
