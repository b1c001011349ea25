"""Work ends when its calls are used up, wherever it is."""

import gc
import sys
from collections.abc import Iterator
from itertools import count

import pytest

from recognition.mathematics.budget import Budget, Spent


def _endless() -> None:
    for number in count():
        abs(number)


def _calls(number: int) -> None:
    for n in range(number):
        abs(n)


def test_work_without_end_is_stopped() -> None:
    with pytest.raises(Spent):
        Budget(1000).spend(_endless)


def test_a_sum_without_end_is_stopped_inside_its_generator() -> None:
    with pytest.raises(Spent):
        Budget(1000).spend(lambda: sum(abs(n) for n in count()))


def test_a_library_that_catches_every_exception_does_not_catch_the_end() -> None:
    def stubborn() -> None:
        while True:
            try:
                _endless()
            except Exception:  # noqa: BLE001, S112  # as libraries do
                continue

    with pytest.raises(Spent):
        Budget(1000).spend(stubborn)


@pytest.mark.parametrize("calls", range(40))
def test_the_end_is_not_lost_in_a_generator_that_is_closed(calls: int) -> None:
    def numbers() -> Iterator[int]:
        yield from count()

    def left_open() -> None:
        while True:
            next(numbers())

    with pytest.raises(Spent):
        Budget(calls).spend(left_open)
    # A lost exception would be a warning here, and warnings are errors.
    gc.collect()


@pytest.mark.parametrize("calls", [*range(12), 10_000])
def test_what_was_set_before_is_set_again(calls: int) -> None:
    def own(*_: object) -> None:
        pass

    before = sys.getprofile()
    sys.setprofile(own)
    try:
        with pytest.raises(Spent):
            Budget(calls).spend(_endless)
        assert sys.getprofile() is own
        assert Budget(10_000).spend(lambda: 7) == 7
        assert sys.getprofile() is own
    finally:
        sys.setprofile(before)


def test_calls_are_counted_over_several_pieces_of_work_and_not_while_unspent() -> None:
    budget = Budget(10_000)
    budget.spend(lambda: _calls(100))
    left = budget.left
    assert left < 10_000 - 100
    budget.spend(lambda: budget.unspent(lambda: _calls(5000)))
    assert left - 100 < budget.left < left


def test_work_after_an_unspent_piece_is_counted_again() -> None:
    budget = Budget(10_000)

    def both() -> None:
        budget.unspent(lambda: _calls(5000))
        _endless()

    with pytest.raises(Spent):
        budget.spend(both)
