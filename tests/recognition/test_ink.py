"""Packed ink keeps every dot and refuses everything else."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from recognition.errors import InkError
from recognition.ink import dot_sum, pack, unpack

_VALUES = st.integers(-(2**40), 2**40)


@st.composite
def _batches(draw: st.DrawFn) -> list[NDArray[np.int64]]:
    channels = draw(st.integers(4, 7))
    lengths = draw(st.lists(st.integers(1, 12), max_size=6))
    return [draw(arrays.arrays(np.int64, (n, channels), elements=_VALUES)) for n in lengths]


@given(_batches())
def test_what_is_packed_comes_back(batch: list[NDArray[np.int64]]) -> None:
    back = unpack(pack(batch))
    assert len(back) == len(batch)
    for one, other in zip(back, batch, strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_ink_errors(data: bytes) -> None:
    for packed in (data, b"\x01" + data, b"\x01" + zlib.compress(data)):
        try:
            unpack(packed)
        except InkError:
            continue


@given(_batches(), st.data())
def test_ink_cut_short_is_refused(batch: list[NDArray[np.int64]], data: st.DataObject) -> None:
    packed = pack(batch)
    with pytest.raises(InkError):
        unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])


def test_bytes_after_the_ink_are_refused() -> None:
    with pytest.raises(InkError):
        unpack(pack([np.zeros((2, 4), np.int64)]) + b"\x00")


def test_a_bomb_is_refused_before_it_fills_memory() -> None:
    with pytest.raises(InkError):
        unpack(b"\x01" + zlib.compress(bytes([1, 4, 200]) + bytes(40_000_000), 1))


@pytest.mark.parametrize(
    "batch",
    [
        [np.zeros((3, 3), np.int64)],
        [np.zeros((3, 8), np.int64)],
        [np.zeros((0, 4), np.int64)],
        [np.zeros((1, 4), np.int64), np.zeros((1, 5), np.int64)],
        [np.array([[2**62, 0, 0, 0], [-(2**62), 0, 0, 0]], np.int64)],
    ],
)
def test_what_cannot_be_packed_is_refused(batch: list[NDArray[np.int64]]) -> None:
    with pytest.raises(InkError):
        pack(batch)


def test_the_bytes_are_those_of_the_written_format() -> None:
    rows = np.array([[100, 200, 50, 0], [103, 199, 52, 8], [107, 198, 52, 16]], np.int64)
    raw = zlib.decompress(pack([rows])[1:])
    # 1 stroke, 4 channels, 3 dots; x: +100, +3, change +1; y: +200, -1, 0; force: +50, +2, 0; time: 0, +8, +8
    assert raw == bytes([1, 4, 3, 200, 1, 6, 2, 144, 3, 1, 0, 100, 4, 0, 0, 16, 16])


@given(_batches())
def test_the_sum_does_not_care_how_a_stroke_was_cut(batch: list[NDArray[np.int64]]) -> None:
    if not batch:
        return
    whole = np.concatenate(batch)
    assert sum(dot_sum(rows) for rows in batch) % 2**32 == dot_sum(whole)


def test_the_sum_weighs_x_y_and_force() -> None:
    assert dot_sum(np.array([[2025, 3050, 200, 0], [-1, 0, 0, 5]], np.int64)) == 31 * 2024 + 17 * 3050 + 200


def test_handwriting_takes_under_three_bytes_a_dot() -> None:
    t = np.arange(100)
    rows = np.column_stack([2000 + 300 * np.sin(t / 9), 3000 + 250 * np.cos(t / 7), 400 + t % 9, 8 * t]).astype(
        np.int64
    )
    assert len(pack([rows])) < 300
