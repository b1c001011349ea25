from pathlib import Path

import numpy as np
import pytest

from recognition.errors import InkError
from recognition.training.inkset import Sample, folded_writers, load, parted_writers, split_hash
from tests.recognition.training.made_inkset import drawn, write_inkset


def _line(shift: float, *, points: int = 20) -> list[tuple[float, float]]:
    return [(float(k), shift * k) for k in range(points)]


def _by_many(writers: int) -> list[Sample]:
    return [drawn("1", f"w{k:03}", _line(1.0 + k), source="ab"[k % 2]) for k in range(writers)]


def test_an_inset_gives_the_samples_that_were_written(tmp_path: Path) -> None:
    written = [
        drawn("4", "ann", [(0, 0), (3, 9), (12, 9)], [(8, 2), (7, 20)]),
        drawn("x", "bob", [(5, 0)], source="other"),
    ]
    write_inkset(tmp_path / "a.npz", written)
    read = list(load(tmp_path / "a.npz"))
    assert [(s.label, s.writer, s.source, len(s.strokes)) for s in read] == [
        ("4", "ann", "made", 2),
        ("x", "bob", "other", 1),
    ]
    for one, other in zip(written, read, strict=True):
        for before, after in zip(one.strokes, other.strokes, strict=True):
            np.testing.assert_array_equal(before, after)


def test_a_file_that_is_no_inset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"no zip")
    with pytest.raises(InkError):
        list(load(path))
    np.savez(path, dxy=np.zeros((3, 2), np.int16))
    with pytest.raises(InkError):
        list(load(path))


def test_an_inset_whose_counts_do_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_inkset(path, [drawn("1", "ann", _line(1))])
    with np.load(path) as arrays:
        damaged = {name: arrays[name] for name in arrays.files}
    damaged["npts"] = damaged["npts"] + 1
    np.savez(path, **damaged)
    with pytest.raises(InkError):
        list(load(path))


def test_writers_who_share_identical_ink_are_joined_also_through_a_third() -> None:
    samples = [drawn("1", name, _line(shift)) for name, shift in (("c", 1), ("b", 1), ("b", 2), ("a", 2), ("d", 3))]
    assert folded_writers(samples) == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_a_full_stop_joins_nobody() -> None:
    samples = [drawn(".", name, [(0, 0), (0, 0)]) for name in ("a", "b")]
    assert folded_writers(samples) == {"a": "a", "b": "b"}


def test_joined_writers_are_in_one_part() -> None:
    samples = _by_many(40)
    twins = [drawn("1", f"w{k:03}", _line(999.0)) for k in range(0, 40, 3)]
    parts = parted_writers([*samples, *twins], seed=3)
    assert len({parts[twin.writer] for twin in twins}) == 1


def test_the_split_depends_on_the_seed_and_on_no_order() -> None:
    samples = _by_many(60)
    once, again = parted_writers(samples, seed=1), parted_writers(samples[::-1], seed=1)
    assert once == again
    assert split_hash(once) == split_hash(again)
    assert split_hash(once) != split_hash(parted_writers(samples, seed=2))


def test_seven_tenths_learn_one_tenth_sets_thresholds_and_two_tenths_judge() -> None:
    parts = list(parted_writers(_by_many(100), seed=1).values())
    assert [parts.count(part) for part in ("train", "validation", "test")] == [70, 10, 20]
