import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recognition.readers.characters import GRID, MAP_CHANNELS, POINTS, centred, maps, resampled, sequences

_number = st.floats(-500, 500, width=32)
_strokes = st.lists(st.lists(st.tuples(_number, _number), min_size=1, max_size=30), min_size=0, max_size=24)


def _arrays(strokes: list[list[tuple[float, float]]]) -> list[NDArray[np.float32]]:
    return [np.array(stroke, np.float32) for stroke in strokes]


@given(_strokes)
def test_any_ink_gives_64_finite_points_inside_the_box(strokes: list[list[tuple[float, float]]]) -> None:
    points = resampled(_arrays(strokes))
    assert points.shape == (POINTS, 3)
    assert np.abs(points).max() <= 1 + 1e-5
    for seen in (sequences(points[None]), maps(points[None])):
        assert np.isfinite(seen).all()


@given(_strokes.filter(bool), st.floats(0.1, 50), _number, _number)
def test_where_and_how_large_ink_is_does_not_matter(
    strokes: list[list[tuple[float, float]]], scale: float, right: float, down: float
) -> None:
    ink = [np.round(stroke) for stroke in _arrays(strokes)]
    moved = [stroke.astype(np.float64) * scale + [right, down] for stroke in ink]
    np.testing.assert_allclose(resampled(ink), resampled(moved), atol=1e-3)


def test_each_stroke_begins_with_a_jump() -> None:
    points = resampled(_arrays([[(0, 0), (10, 0)], [(5, -5), (5, 5)], [(0, 9), (10, 9)]]))
    assert (points[:, 2] == 0).sum() == 3


def test_points_are_shared_out_by_length() -> None:
    points = resampled(_arrays([[(0, 0), (30, 0)], [(0, 9), (10, 9)]]))
    first = int(np.flatnonzero(points[:, 2] == 0)[1])
    assert first == pytest.approx(2 + 60 * 0.75, abs=1)


def test_of_many_strokes_the_longest_count() -> None:
    strokes = [[(0.0, float(k)), (1.0 + k, float(k))] for k in range(20)]
    points = resampled(_arrays(strokes))
    assert (points[:, 2] == 0).sum() == 16


def test_a_pens_force_and_time_are_not_looked_at() -> None:
    xy = np.array([[0, 0], [3, 1], [4, 9]], np.float32)
    np.testing.assert_array_equal(resampled([xy]), resampled([np.hstack([xy, [[1], [2], [3]]])]))


def test_no_ink_gives_zeros() -> None:
    assert not resampled([]).any()


def test_a_stroke_to_the_right_fills_the_first_map_only() -> None:
    filled = maps(resampled(_arrays([[(0, 0), (10, 0)]]))[None])[0]
    assert filled.shape == (MAP_CHANNELS, GRID, GRID)
    assert filled[0].sum() > 0
    assert filled[1:].sum() == pytest.approx(0, abs=1e-4)


def test_the_pens_jump_has_a_map_of_its_own() -> None:
    filled = maps(resampled(_arrays([[(0, 0), (10, 0)], [(0, 5), (10, 5)]]))[None])[0]
    assert filled[8].sum() > 0


def test_a_batch_is_seen_as_its_members_are() -> None:
    ink = np.random.default_rng(1).normal(0, 1, (5, 12, 2))
    points = np.stack([resampled([one]) for one in ink])
    for see in (sequences, maps, centred):
        np.testing.assert_allclose(see(points), np.concatenate([see(one[None]) for one in points]), atol=1e-6)
