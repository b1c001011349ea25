import math

import numpy as np
import pytest

from recognition.training.judge import judged, numbers_of, threshold_for, upper_bound

_ONE = np.array(["ann"] * 1000)


def test_no_error_in_three_hundred_bounds_it_at_one_percent() -> None:
    """The exact bound for none wrong is 1 - 0.05 ** (1 / n)."""
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300), abs=1e-9)


@pytest.mark.parametrize(("wrong", "answers"), [(1, 20), (3, 1000), (17, 2837)])
def test_at_the_bound_so_few_errors_have_a_chance_of_one_in_twenty(wrong: int, answers: int) -> None:
    share = upper_bound(wrong, answers)
    chance = sum(math.comb(answers, k) * share**k * (1 - share) ** (answers - k) for k in range(wrong + 1))
    assert chance == pytest.approx(0.05, rel=1e-6)


def test_no_answers_bound_nothing() -> None:
    assert upper_bound(0, 0) == 1.0


def test_figures_tell_refused_from_wrong() -> None:
    right = np.array([True] * 16 + [False] * 4)
    accepted = np.array([True] * 14 + [False] * 2 + [True] + [False] * 3)
    found = judged(right, accepted, np.array(["a"] * 10 + ["b"] * 10))
    assert (found.answers, found.writers, found.accepted_answers, found.wrong_accepted) == (20, 2, 15, 1)
    assert (found.right, found.accepted, found.worst_tenth_right) == (0.8, 0.75, 0.6)


def test_a_threshold_keeps_the_error_and_the_foreign_ink_out() -> None:
    sure = np.linspace(0.51, 1.0, 1000)
    right = sure > 0.52
    foreign = np.linspace(0.0, 0.56, 100)
    limit = threshold_for(right, sure, _ONE, foreign, error=0.003, accepted=0.8, foreign_accepted=0.03)
    assert (~right[sure >= limit]).mean() <= 0.003
    assert (foreign >= limit).mean() <= 0.04


def test_a_threshold_never_refuses_more_than_is_allowed() -> None:
    sure, right = np.linspace(0.6, 1.0, 1000), np.zeros(1000, np.bool_)
    limit = threshold_for(right, sure, _ONE, np.array([0.99]), error=0.003, accepted=0.95, foreign_accepted=0.0)
    assert (sure >= limit).mean() == pytest.approx(0.95, abs=0.002)


def test_a_writer_of_many_odd_answers_does_not_set_the_threshold_for_all() -> None:
    sure = np.concatenate([np.full(900, 0.55), np.linspace(0.6, 1.0, 100)])
    writer = np.array(["odd"] * 900 + [f"w{k:02}" for k in range(100)])
    limit = threshold_for(sure > 0.8, sure, writer, np.empty(0), error=0.0, accepted=0.4, foreign_accepted=0.0)
    assert limit == pytest.approx(0.8, abs=0.01)


def test_a_composed_number_is_one_writers_and_has_no_leading_zero() -> None:
    labels, writers = list("0123401234"), list("aaaaabbbbb")
    numbers = numbers_of(labels, writers, count=200, rng=np.random.default_rng(1))
    assert {len(number) for number in numbers} == {1, 2, 3}
    assert all(len({writers[row] for row in number}) == 1 for number in numbers)
    assert not any(len(number) > 1 and labels[number[0]] == "0" for number in numbers)
