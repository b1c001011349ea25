"""Written strokes on a template: what is missing, extra, moved, joined."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recognition.readers.hanzi_alignment import Template, _assigned, align, even
from tests.recognition.hanzi_drawn import EVERY


def _template(character: str) -> Template:
    return EVERY.template(character)


@given(
    st.tuples(st.integers(1, 4), st.integers(4, 6)).flatmap(
        lambda shape: arrays.arrays(np.float64, shape, elements=st.integers(0, 40).map(float))
    )
)
def test_the_assignment_is_the_cheapest_of_all(costs: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    rows, columns = costs.shape
    chosen = _assigned(costs)
    least = min(sum(costs[row, c] for row, c in enumerate(way)) for way in permutations(range(columns), rows))
    assert len(set(chosen)) == rows
    assert sum(costs[row, column] for row, column in enumerate(chosen)) == least


@given(st.data())
def test_order_direction_size_and_place_of_strokes_change_nothing(data: st.DataObject) -> None:
    its = _template(data.draw(st.sampled_from("永我国春")))
    order = data.draw(st.permutations(range(len(its.strokes))))
    turned = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    size = data.draw(st.floats(0.5, 50))
    ink = np.stack([its.strokes[k][:: -1 if turn else 1] for k, turn in zip(order, turned, strict=True)]) * size + 7
    found = align(ink, its)
    assert found.whole
    assert found.away < 0.03


@pytest.mark.parametrize("character", "太玉鸟明赢")
def test_each_stroke_that_is_left_out_is_named(character: str) -> None:
    its = _template(character)
    for left_out in range(len(its.strokes)):
        found = align(np.delete(its.strokes, left_out, axis=0), its)
        assert found.missing == (left_out,)
        assert not found.extra


def test_a_stroke_too_many_is_named_by_its_number() -> None:
    its = _template("大")
    dot = np.linspace((0.4, 0.75), (0.5, 0.85), 24)[None]
    found = align(np.concatenate([its.strokes[:1], dot, its.strokes[1:]]), its)
    assert (found.missing, found.extra) == ((), (1,))


def test_a_stroke_in_another_place_is_moved() -> None:
    its = _template("明")
    ink = its.strokes.copy()
    ink[2] += (0.0, 0.16)
    found = align(ink, its)
    assert (found.missing, found.extra, found.moved) == ((), (), (2,))


@pytest.mark.parametrize(("first", "count"), [(0, 2), (1, 2), (0, 3)])
def test_strokes_that_follow_each_other_may_be_one(first: int, count: int) -> None:
    its = _template("口")
    joined = np.concatenate(list(its.strokes[first : first + count]))
    rest = [*its.strokes[:first], joined, *its.strokes[first + count :]]
    found = align(even(rest), its)
    assert found.whole
    assert found.joined == count - 1


def test_a_lift_that_is_left_out_hides_no_missing_stroke() -> None:
    its = _template("明")
    joined = np.concatenate(list(its.strokes[4:6]))
    found = align(even([*its.strokes[:4], joined, its.strokes[6]]), its)
    assert found.missing == (7,)


def test_one_bent_line_is_no_character_of_four_strokes() -> None:
    found = align(even([np.array([(0.0, 0), (1, 0), (0, 1), (1, 1)])]), _template("太"))
    assert not found.whole
    assert len(found.missing) >= 2


def test_a_dot_of_one_point_is_a_stroke() -> None:
    its = _template("太")
    found = align(even([*its.strokes[:3], its.strokes[3].mean(axis=0, keepdims=True)]), its)
    assert not found.missing
