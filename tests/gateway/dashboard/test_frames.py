import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.frames import MOST_DOTS, Kind, pack, unpack
from gateway.dashboard.source import LiveChunk

DOTS = st.lists(
    st.tuples(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255)), max_size=40
)
CHUNKS = st.lists(
    st.builds(
        LiveChunk,
        seat=st.integers(0, 65535),
        page=st.integers(0, 255),
        at_ms=st.integers(0, 2**60),
        dots=DOTS,
        first=st.booleans(),
        ended=st.booleans(),
    ),
    max_size=10,
)


@given(kind=st.sampled_from(Kind), chunks=CHUNKS, seq=st.integers(0, 2**32 - 1), before=st.integers(0, 2**32 - 1))
def test_a_frame_unpacks_to_what_was_packed(kind: Kind, chunks: list[LiveChunk], seq: int, before: int) -> None:
    frame = unpack(pack(kind, chunks, seq=seq, before=before, box_ms=1_700_000_000_000))
    assert frame == (kind, seq, before, 1_700_000_000_000, chunks)


@given(chunks=CHUNKS.filter(bool), cut=st.integers(1, 200))
def test_a_cut_frame_is_refused(chunks: list[LiveChunk], cut: int) -> None:
    frame = pack(Kind.LIVE, chunks, seq=1, before=0, box_ms=0)
    with pytest.raises(ValueError, match=r"cut|version"):
        unpack(frame[: max(0, len(frame) - cut)])


def test_a_frame_of_another_version_is_refused() -> None:
    frame = pack(Kind.LIVE, [], seq=1, before=0, box_ms=0)
    with pytest.raises(ValueError, match="version"):
        unpack(b"\x02" + frame[1:])


def test_a_dot_that_does_not_fit_is_clamped_and_its_neighbours_are_not() -> None:
    chunk = LiveChunk(1, 0, 0, [(1, 2, 3, 4), (-5, 70_000, 300, 900), (7, 8, 9, 10)])
    (back,) = unpack(pack(Kind.LIVE, [chunk], seq=1, before=0, box_ms=0)).chunks
    assert back.dots == [(1, 2, 3, 4), (0, 65535, 255, 255), (7, 8, 9, 10)]


def test_a_stroke_of_one_dot_is_a_stroke() -> None:
    chunk = LiveChunk(3, 0, 5, [(100, 200, 90, 0)], first=True, ended=True)
    assert unpack(pack(Kind.LIVE, [chunk], seq=1, before=0, box_ms=0)).chunks == [chunk]


def test_a_long_run_is_cut_and_keeps_its_dots_and_its_times() -> None:
    dots = [(i % 65536, 0, 1, 10 if i else 0) for i in range(2 * MOST_DOTS + 5)]
    chunk = LiveChunk(1, 0, 1_000, dots, first=True, ended=True)
    parts = unpack(pack(Kind.LIVE, [chunk], seq=1, before=0, box_ms=0)).chunks
    assert [dot for part in parts for dot in part.dots] == dots
    assert [part.first for part in parts] == [True, False, False]
    assert [part.ended for part in parts] == [False, False, True]
    assert [part.at_ms for part in parts] == [1_000, 1_000 + 10 * MOST_DOTS, 1_000 + 20 * MOST_DOTS]
