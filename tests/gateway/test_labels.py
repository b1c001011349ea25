"""Labelled ink is kept for training only where that was allowed, and leaves the box under drawn numbers."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sqlite_utils import Database

from gateway import labels
from gateway.decisions import Said
from gateway.store import Store, looking
from recognition.ink import unpack
from recognition.training.inkset import load
from tests.gateway.review_rig import Checked, checked_at
from tests.gateway.rig import Q2


async def decide(checked: Checked, said: Said) -> None:
    stack = await checked.stack()
    await checked.review.decide_group(None, stack.groups[0].id, said)


async def test_with_consent_decided_ink_leaves_as_an_inset_that_training_reads(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path, consent=True)
    await checked.write(1, 2)
    await checked.write(1, middle=Q2)
    await decide(checked, Said(value="1"))
    await decide(checked, Said(value="3"))
    with looking(checked.held.store.path) as connection:
        made = labels.inset(connection)
    assert made is not None
    labels.write(tmp_path / "ink.npz", made)
    samples = list(load(tmp_path / "ink.npz"))
    assert sorted((s.label, s.source) for s in samples) == [("1", "inkgate/digit")] * 2 + [("3", "inkgate/digit")]
    assert {len(s.strokes) for s in samples} == {1}
    assert {s.unit_mm for s in samples} == {np.float32(0.01)}
    assert {s.hz for s in samples} == {100}
    xy = np.concatenate(samples[0].strokes)
    assert xy.min(axis=0).tolist() == [0, 0]
    assert np.abs(xy.max(axis=0) * 0.01 - [4.0, 3.0]).max() < 0.05
    writers = {row[0] for row in checked.held.store.reader.execute("select pseudonym from pupil")}
    assert len({s.writer for s in samples}) == 2
    assert not {s.writer for s in samples} & writers
    checked.held.store.close()


async def test_every_file_has_writers_of_its_own(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path, consent=True)
    await checked.write(1)
    await decide(checked, Said(value="1"))
    with looking(checked.held.store.path) as connection:
        first, second = labels.inset(connection), labels.inset(connection)
    assert first is not None
    assert second is not None
    assert not set(first["writers"].tolist()) & set(second["writers"].tolist())
    checked.held.store.close()


async def test_without_consent_the_word_is_kept_and_no_ink(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path)
    await checked.write(1)
    await decide(checked, Said(value="1"))
    query = "select label, consent, packed from label"
    assert [tuple(row) for row in checked.held.store.reader.execute(query)] == [("1", 0, None)]
    with looking(checked.held.store.path) as connection:
        assert labels.inset(connection) is None
    checked.held.store.close()


async def test_a_decision_that_names_no_value_or_was_taken_back_labels_nothing(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path, consent=True)
    await checked.write(1)
    await checked.write(2, middle=Q2)
    await decide(checked, Said(verdict="right"))
    assert checked.held.count("label") == 0
    await decide(checked, Said(value="3"))
    await checked.review.undo(None)
    assert checked.held.count("label") == 1
    with looking(checked.held.store.path) as connection:
        assert labels.inset(connection) is None
    checked.held.store.close()


async def test_the_last_word_on_an_ink_is_its_label(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path, consent=True)
    await checked.write(1)
    await decide(checked, Said(value="1"))
    await checked.review.decide_group(None, "q1@1", Said(value="7"))
    with looking(checked.held.store.path) as connection:
        made = labels.inset(connection)
    assert made is not None
    assert made["labels"][made["label"]].tolist() == ["7"]
    checked.held.store.close()


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ink.npz"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        labels.write(path, {})
    assert path.read_text() == "mine"


POINTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.just(4)),
    elements=st.floats(0, 200, width=32),
)


@given(strokes=st.lists(POINTS, min_size=1, max_size=4))
def test_packed_ink_is_the_ink_to_a_hundredth_of_a_millimetre(strokes: list[NDArray[np.float32]]) -> None:
    again = unpack(labels.packed(strokes))
    assert len(again) == len(strokes)
    for made, stroke in zip(again, strokes, strict=True):
        assert np.abs(made[:, :2] / 100 - stroke[:, :2]).max() <= 0.0051
        assert np.abs(made[:, 3] - stroke[:, 2]).max() <= 0.5


def _labelled(said: bytes, number: int, db: Database) -> None:
    db.conn.execute(
        "insert into decision(id, at_ms, who, kind, lesson, field) values (?, 1, 't', 'value', 'l', 'q1')",
        (f"d{number}",),
    )
    label = labels.Label(f"d{number}", f"p{number}", "i", "digit", "7", said)
    labels.keep(db, label, consent=True, now_ms=1)


@given(strokes=st.lists(POINTS, min_size=1, max_size=3), count=st.integers(1, 3))
def test_whatever_was_labelled_can_be_read_again(
    tmp_path_factory: pytest.TempPathFactory, strokes: list[NDArray[np.float32]], count: int
) -> None:
    folder = tmp_path_factory.mktemp("labels")
    store = Store(folder / "gateway.db")
    said = labels.packed(strokes)
    for k in range(count):
        store.submit(partial(_labelled, said, k)).result()
    with looking(store.path) as connection:
        made = labels.inset(connection)
    store.close()
    assert made is not None
    labels.write(folder / "ink.npz", made)
    samples = list(load(folder / "ink.npz"))
    assert len(samples) == count
    whole = [ink[:, :2] for ink in unpack(said)]
    corner = np.concatenate(whole).min(axis=0)
    for sample in samples:
        for told, ink in zip(sample.strokes, whole, strict=True):
            assert np.array_equal(told, (ink - corner).astype(np.float32))
