import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recognition.handwriting.ink import Pen, Piece, bounds, curve, end_s, followed, held_inside, law_steps


def pen(seed: int = 0) -> Pen:
    return Pen(np.random.default_rng(seed), hz=80, force=0.6, tremor_mm=0.03)


def test_a_curve_goes_through_its_nodes() -> None:
    nodes = np.array([[0.0, 0], [2, 1], [3, 5], [7, 7]])
    assert np.allclose(curve(nodes, np.arange(4.0)), nodes)


def test_a_drawn_path_is_slow_at_its_ends_and_where_it_bends() -> None:
    straight = np.column_stack([np.linspace(0, 10, 21), np.zeros(21)])
    steps = law_steps(straight, np.random.default_rng(1))
    assert steps[0] == 0
    assert steps[1] > 1.5 * steps[10] < steps[-1]
    corner = np.vstack([straight[:11], [[5, y] for y in np.arange(0.5, 5.5, 0.5)]])
    bent = law_steps(corner, np.random.default_rng(1))
    assert bent[10] > 1.3 * bent[6]


def test_a_stroke_has_the_pens_rate_and_presses_less_at_both_ends() -> None:
    stroke = pen().stroke(Piece(np.column_stack([np.linspace(0, 9, 10), np.zeros(10)]), 0.5))
    assert len(stroke) == 40
    assert np.allclose(np.diff(stroke[:, 2]), 12.5)
    assert stroke[0, 3] < 0.7 * stroke[:, 3].max() > stroke[-1, 3]


def test_the_shortest_stroke_has_three_dots() -> None:
    assert pen().stroke(Piece(np.array([[0.0, 0], [0.1, 0]]), 0.001)).shape == (3, 4)


def test_a_pen_that_does_not_move_makes_ink_all_the_same() -> None:
    assert np.isfinite(pen().stroke(Piece(np.zeros((4, 2)), 0.1))).all()


def test_what_follows_begins_after_the_pause() -> None:
    stroke = pen().stroke(Piece(np.array([[0.0, 0], [5, 5]]), 0.2))
    both = followed([stroke], [stroke], 0.5)
    assert np.isclose(both[1][0, 2] - both[0][-1, 2], 500)
    assert stroke[0, 2] == 0
    assert end_s(followed([], [stroke], 0.5)) == end_s([stroke])


@given(st.integers(0, 999), st.floats(-30, 30), st.floats(-30, 30), st.floats(0.5, 20))
def test_ink_is_held_inside_any_box(seed: int, left: float, top: float, side: float) -> None:
    strokes = [pen(seed).stroke(Piece(np.random.default_rng(seed).normal(0, 10, (5, 2)), 0.3))]
    reach = bounds(held_inside(strokes, (left, top, left + side, top + side)))
    assert left <= reach[0] <= reach[2] <= left + side
    assert top <= reach[1] <= reach[3] <= top + side


def test_ink_that_is_inside_is_left_alone() -> None:
    stroke = pen().stroke(Piece(np.array([[1.0, 1], [5, 5]]), 0.2))
    assert np.array_equal(held_inside([stroke], (-10, -10, 20, 20))[0], stroke)
