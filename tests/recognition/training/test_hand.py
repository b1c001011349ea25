from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from recognition.handwriting.hand import Hand
from recognition.handwriting.ink import bounds
from recognition.handwriting.model import Model
from recognition.training.hand import FILES, learn_and_save, read_ink
from recognition.training.hand_check import written
from recognition.training.hand_shapes import clusters_of, shared_points, slants_of, to_unit, traces_of
from recognition.training.hand_statistics import effects, faithlessness
from recognition.training.inkset import Sample

TAUGHT = {
    "pendigits/digits": "012",
    "unipen/digits": "01",
    "unipen/upper": "AB",
    "unipen/lower": "bl",
    "unipen/symbols": "+-",
}


def save_inkset(path: Path, samples: Sequence[Sample]) -> None:
    """The form of the data's README, from samples in hundredths of a millimetre."""
    dxy, npts = [], []
    for sample in samples:
        points = np.concatenate(sample.strokes) * 100
        dxy.append(np.diff(np.rint(points - points.min(axis=0)), axis=0, prepend=0))
        npts += [len(stroke) for stroke in sample.strokes]
    labels, label = np.unique([sample.label for sample in samples], return_inverse=True)
    writers, writer = np.unique([sample.writer for sample in samples], return_inverse=True)
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        allow_pickle=False,
        dxy=np.concatenate(dxy).astype(np.int16),
        npts=np.array(npts, np.uint16),
        nstrokes=np.array([len(sample.strokes) for sample in samples], np.uint16),
        label=label.astype(np.uint16),
        labels=labels,
        writer=writer.astype(np.uint16),
        writers=writers,
        source=np.zeros(len(samples), np.uint16),
        sources=np.array(["made"]),
        hz=np.full(len(samples), 80, np.uint16),
        unit_mm=np.full(len(samples), 0.01, np.float32),
    )


@pytest.fixture(scope="module")
def ink_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ink of eight made hands, in the places of the real sets; hand 100's first file again under another name."""
    folder, model = tmp_path_factory.mktemp("ink"), Model.load()
    for name, text in TAUGHT.items():
        samples = list(written((Hand(seed, model, pace=1) for seed in range(100, 108)), text, 6))
        if name == "unipen/upper":
            samples += [
                Sample(s.label, "copy", s.source, s.hz, s.unit_mm, s.strokes) for s in samples if s.writer == "100"
            ]
        save_inkset(folder / f"{name}.npz", samples)
    return folder


@pytest.mark.slow
def test_learning_again_gives_the_same_bytes_and_a_hand_that_writes(ink_dir: Path, tmp_path: Path) -> None:
    learn_and_save(ink_dir, tmp_path)
    once = (tmp_path / "hand.npz").read_bytes()
    learn_and_save(ink_dir, tmp_path)
    assert (tmp_path / "hand.npz").read_bytes() == once
    model = Model.load(tmp_path / "hand.npz")
    assert model.characters == "012ABbl+-"
    heights = [bounds(Hand(seed, model, cap_mm=5).write("0", 0, 0))[1] for seed in range(20)]
    assert -6.5 < np.median(heights) < -3.5


@pytest.mark.slow
def test_ink_under_two_names_is_learnt_once(ink_dir: Path) -> None:
    ink = list(read_ink(ink_dir))
    assert {sample.writer for _, sample in ink} == {str(seed) for seed in range(100, 108)}
    assert sum(name == "unipen/upper" for name, _ in ink) == 8 * 2 * 6


def test_only_free_sets_are_learnt_from() -> None:
    assert {name.split("/")[0] for name in FILES} == {"pendigits", "unipen"}


def test_points_are_shared_by_length_and_three_at_least() -> None:
    assert shared_points(np.array([1.0, 1.0]), 24).tolist() == [12, 12]
    assert shared_points(np.array([100.0, 1.0, 1.0]), 24).tolist() == [18, 3, 3]


def test_a_speck_beside_a_character_is_dropped_but_not_the_dot_of_an_i() -> None:
    line = np.column_stack([np.zeros(20), np.arange(20)]).astype(np.float32)
    speck = np.array([[5, 0], [5, 0.3]], np.float32)
    assert len(traces_of(Sample("1", "w", "s", 80, 1, (line, speck)))) == 1
    assert len(traces_of(Sample("i", "w", "s", 80, 1, (line, speck)))) == 2


def test_a_character_without_length_is_not_used() -> None:
    assert traces_of(Sample("1", "w", "s", 80, 1, (np.zeros((9, 2), np.float32),))) == []


def test_two_shapes_of_many_writers_are_two_clusters_and_one_writers_whim_is_none() -> None:
    rng = np.random.default_rng(3)
    bars = np.stack([np.linspace(-1, 1, 24), np.zeros(24)], axis=1)
    shapes = np.concatenate([np.tile(bars, (60, 1, 1)), np.tile(bars[:, ::-1], (20, 1, 1))])
    shapes += rng.normal(0, 0.02, (80, 24, 2))
    many = np.array([f"w{k % 8}" for k in range(80)])
    apart = clusters_of(shapes, np.ones(80, int), many, 2)
    assert len(set(apart[:60].tolist())) == len(set(apart[60:].tolist())) == 1
    assert apart[0] != apart[-1]
    whim = np.where(np.arange(80) < 60, many, "one")
    assert set(clusters_of(shapes, np.ones(80, int), whim, 2).tolist()) == {0}


def test_a_character_of_too_few_writers_has_no_form() -> None:
    shapes = np.random.default_rng(3).normal(0, 1, (40, 24, 2))
    assert set(clusters_of(shapes, np.ones(40, int), np.array(["one"] * 40), 5).tolist()) == {-1}


def test_a_slant_is_found_again_and_held_near_none() -> None:
    circle = np.column_stack([np.cos(np.linspace(0, 6, 24)), np.sin(np.linspace(0, 6, 24))])
    slanted = circle @ np.array([[1, 0.3], [0, 1]]).T
    matrix = slants_of(slanted[None], to_unit(circle[None])[0][0])[0]
    assert 0.1 < matrix[0, 1] < 0.35


def test_effects_of_writer_and_kind_are_told_apart() -> None:
    writers = np.repeat(["slow", "quick"], 200)
    kinds = np.tile([0, 1], 200)
    values = np.where(writers == "slow", 1.0, 0.0) + 3.0 * kinds
    of_writer, of_kind, rest = effects(values, writers, kinds)
    assert abs(of_writer["slow"] - of_writer["quick"] - 1) < 0.05
    assert abs(of_kind[1] - of_kind[0] - 3) < 0.05
    assert np.abs(rest).max() < 0.05


def test_writers_who_keep_to_a_form_have_a_small_concentration() -> None:
    writers = np.repeat([f"w{k}" for k in range(10)], 10)
    faithful = np.repeat(np.arange(10) % 2, 10)
    changing = np.tile([0, 1], 50)
    shares = np.array([0.5, 0.5])
    assert faithlessness(faithful, writers, shares) < 0.1
    assert faithlessness(changing, writers, shares) > 1
