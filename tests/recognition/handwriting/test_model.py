from pathlib import Path

import numpy as np
import pytest

from recognition.errors import ModelError
from recognition.handwriting.model import Model

BUNDLED = Path(__file__).parents[3] / "recognition" / "models" / "hand.npz"


def stored() -> dict[str, np.ndarray]:
    with np.load(BUNDLED) as arrays:
        return {name: arrays[name] for name in arrays.files}


def saved(folder: Path, **changes: np.ndarray) -> Path:
    path = folder / "hand.npz"
    np.savez_compressed(path, allow_pickle=False, **{**stored(), **changes})
    return path


def test_the_bundled_hand_knows_digits_letters_and_signs(model: Model) -> None:
    assert set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-=/()<>*%?!") == set(model.characters)


def test_the_bundled_hand_is_small() -> None:
    assert BUNDLED.stat().st_size < 160_000


def test_a_writers_share_of_a_direction_is_that_of_its_style_and_its_own(model: Model) -> None:
    assert np.allclose((model.style**2).sum(axis=1) + model.own**2, model.between, atol=1e-6)


def test_a_copy_of_the_file_is_the_same_hand(tmp_path: Path, model: Model) -> None:
    again = Model.load(saved(tmp_path))
    assert np.array_equal(again.mean, model.mean)
    assert again.index == model.index


def test_another_version_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, format=np.array(9, np.uint8))
    with pytest.raises(ModelError, match="version 9, not 1"):
        Model.load(path)


def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    for name, changed in {
        "first": stored()["first"][:-1],
        "mean": stored()["mean"][:, :40],
        "points": stored()["points"] + np.uint8(1),
        "rank": np.zeros_like(stored()["rank"]),
        "style": stored()["style"][1:],
        "characters": np.array(["ab", *stored()["characters"][1:].tolist()]),
    }.items():
        path = saved(tmp_path, **{name: changed})
        with pytest.raises(ModelError, match=r"hand\.npz is no learnt hand"):
            Model.load(path)


def test_a_file_without_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hand.npz"
    np.savez_compressed(path, format=np.array(1, np.uint8))
    with pytest.raises(ModelError):
        Model.load(path)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hand.npz"
    for size in (0, 10, 5000):
        path.write_bytes(BUNDLED.read_bytes()[:size])
        with pytest.raises(ModelError):
            Model.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no learnt hand at gone\.npz"):
        Model.load(tmp_path / "gone.npz")
