"""Risk against coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.training.judge import upper_bound
from recognition.training.risk import bound_by_writer, curve, risk_at, threshold_at, transfer

SURE = np.linspace(0.001, 1.0, 1000)
RIGHT = SURE > 0.02
ONE = np.array(["ann"] * 1000)
MANY = np.array([f"w{k % 50:02}" for k in range(1000)])


def test_the_least_sure_are_refused_first() -> None:
    found = risk_at(RIGHT, SURE, MANY, 0.01)
    assert (found.kept, found.wrong) == (990, 10)
    assert found.threshold == pytest.approx(0.011)
    assert risk_at(RIGHT, SURE, MANY, 0.02).wrong == 0


def test_with_nothing_refused_every_answer_counts_also_one_that_is_not_sure_at_all() -> None:
    sure = SURE.copy()
    sure[0] = 0.0
    assert risk_at(RIGHT, sure, MANY, 0.0).kept == 1000


def test_the_bound_is_never_below_that_of_independent_answers() -> None:
    for point in curve(RIGHT, SURE, MANY):
        assert point.bound >= upper_bound(point.wrong, point.kept)


def test_errors_of_one_writer_out_of_few_make_the_bound_wide() -> None:
    wrong = np.zeros(1000, np.bool_)
    wrong[:30] = True
    few = np.array([f"w{k // 100}" for k in range(1000)])
    spread = np.random.default_rng(1).permutation(wrong)
    assert bound_by_writer(wrong, few) > bound_by_writer(spread, few) > 0.03


def test_a_threshold_that_is_set_on_the_same_kind_of_writers_refuses_as_much_as_was_wanted() -> None:
    rng = np.random.default_rng(2)
    sure, fold = rng.random(5000), np.arange(5000) % 5
    found = transfer(sure > 0.01, sure, fold, 0.02)
    assert found.least_refused <= found.refused <= found.most_refused
    assert found.refused == pytest.approx(0.02, abs=0.005)
    assert found.error == 0


def test_a_fold_of_unsure_writers_shows_in_how_the_threshold_travels() -> None:
    fold = np.arange(1000) % 5
    sure = np.where(fold == 3, 0.5, 0.9)
    assert transfer(np.ones(1000, np.bool_), sure, fold, 0.01).most_refused == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0, 1))
def test_never_more_is_refused_than_was_asked_for_by_more_than_half_an_answer(
    values: list[float], share: float
) -> None:
    sure = np.array(values)
    refused = int((sure < threshold_at(sure, share)).sum())
    assert refused <= share * len(sure) + 0.5
