import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.virtual.motion import FORCE_MAX, MAX_DELTA_MS, UNIT_MM, to_dots


@st.composite
def strokes(draw: st.DrawFn) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    count = draw(st.integers(1, 30))
    point = st.tuples(st.floats(-10, 300), st.floats(-10, 300), st.floats(0, 400), st.floats(0, 1.2))
    rows = np.array(draw(st.lists(point, min_size=count, max_size=count)), dtype=np.float64)
    rows[:, 2] = np.cumsum(rows[:, 2])
    return rows


@pytest.mark.slow
@given(strokes(), st.floats(8, 120), st.integers(0, 9))
def test_dots_fit_the_wire_and_take_as_long_as_the_stroke(
    stroke: np.ndarray[tuple[int, ...], np.dtype[np.float64]], hz: float, seed: int
) -> None:
    dots = to_dots(stroke, hz=hz, seed=seed)
    assert all(0 <= dot.delta_ms <= MAX_DELTA_MS for dot in dots)
    assert all(dot.x_hundredths >= 0 and dot.y_hundredths >= 0 for dot in dots)
    assert all(0 <= dot.force <= FORCE_MAX for dot in dots)
    assert all(0 <= dot.tilt_x <= 180 and 0 <= dot.tilt_y <= 180 and 0 <= dot.twist < 360 for dot in dots)
    assert abs(sum(dot.delta_ms for dot in dots) - (stroke[-1, 2] - stroke[0, 2])) <= 1


def test_a_second_has_about_eighty_dots_and_both_ends() -> None:
    line = np.array([[0, 0, 0, 0.5], [100 * UNIT_MM, 50 * UNIT_MM, 1000, 0.5]])
    dots = to_dots(line)
    assert 79 <= len(dots) <= 82
    assert (dots[0].x_hundredths, dots[-1].x_hundredths, dots[-1].y_hundredths) == (0, 10_000, 5_000)
    assert {dot.force for dot in dots} == {426}


def test_a_tap_is_one_dot() -> None:
    assert len(to_dots(np.array([[20.0, 20.0, 7.0, 0.4]]))) == 1


def test_a_pause_repeats_the_position() -> None:
    dots = to_dots(np.array([[20, 20, 0, 0.4], [30, 20, 100, 0.4], [30, 20, 900, 0.4], [40, 20, 1000, 0.4]]))
    still = [dot for dot in dots if dot.x_hundredths == round(3000 / UNIT_MM)]
    assert len(still) > 60


def test_the_offset_is_where_the_paper_begins() -> None:
    [dot] = to_dots(np.array([[0.0, 0.0, 0.0, 1.0]]), offset_units=(5.36, 2.0))
    assert (dot.x_hundredths, dot.y_hundredths) == (536, 200)


def test_the_same_seed_writes_the_same_dots() -> None:
    line = np.array([[0, 0, 0, 0.5], [30, 10, 500, 0.5]])
    assert to_dots(line, seed=3) == to_dots(line, seed=3) != to_dots(line, seed=4)


@pytest.mark.parametrize(("shape", "hz"), [((0, 4), 80), ((3, 3), 80), ((2, 4), 2)])
def test_what_is_no_stroke_is_refused(shape: tuple[int, int], hz: float) -> None:
    with pytest.raises(ValueError, match="a stroke is"):
        to_dots(np.zeros(shape), hz=hz)
