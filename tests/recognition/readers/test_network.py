import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recognition.errors import ModelError
from recognition.readers.network import CAPITALS, CLASSES, DIGITS, MODELS, CharacterNetwork, probabilities
from recognition.training.inkset import Sample, load, writer_hash

_SAMPLE = Path(__file__).parents[2] / "data" / "digits-sample.npz"


@pytest.fixture(scope="module")
def model() -> CharacterNetwork:
    return CharacterNetwork()


@pytest.fixture(scope="module")
def digits() -> list[Sample]:
    return list(load(_SAMPLE))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("characters.onnx", "characters.json"):
        shutil.copy(MODELS / name, tmp_path / name)
    return tmp_path


def test_digits_of_writers_whom_the_net_never_saw_are_read(model: CharacterNetwork, digits: list[Sample]) -> None:
    scores = model.scores([sample.strokes for sample in digits], DIGITS)
    read = scores[:, :10].argmax(axis=1)
    assert np.mean(read == [int(sample.label) for sample in digits]) >= 0.97
    assert not {writer_hash(sample.writer) for sample in digits} & model.training_writers


def test_hardly_an_accepted_digit_is_wrong(model: CharacterNetwork, digits: list[Sample]) -> None:
    scores = model.scores([sample.strokes for sample in digits], DIGITS)[:, :10]
    accepted = scores.max(axis=1) >= model.thresholds.digit
    wrong = scores.argmax(axis=1) != [int(sample.label) for sample in digits]
    assert accepted.mean() >= 0.9
    assert (wrong & accepted).sum() <= 1


def test_a_scribble_is_none_of_the_digits(model: CharacterNetwork) -> None:
    rng = np.random.default_rng(5)
    turns = [np.stack([np.arange(12) + rng.normal(0, 0.2, 12), 9.0 * (np.arange(12) % 2)], axis=1) for _ in range(20)]
    scores = model.scores([[turn] for turn in turns], DIGITS)
    assert (scores[:, :10].max(axis=1) < model.thresholds.digit).mean() >= 0.9


def test_two_digits_over_each_other_are_mostly_refused(model: CharacterNetwork, digits: list[Sample]) -> None:
    some = [sample for sample in digits if sample.label in "23456890"]
    pairs = [[*one.strokes, *two.strokes] for one, two in zip(some[::2], some[1::2], strict=False)]
    scores = model.scores(pairs, DIGITS)
    assert (scores[:, :10].max(axis=1) < model.thresholds.digit).mean() >= 0.85


def test_a_batch_says_what_its_members_say(model: CharacterNetwork, digits: list[Sample]) -> None:
    some = [sample.strokes for sample in digits[:7]]
    one_by_one = np.concatenate([model.scores([strokes], DIGITS) for strokes in some])
    np.testing.assert_allclose(model.scores(some, DIGITS), one_by_one, atol=1e-4)


def test_probabilities_are_in_the_alphabets_order_and_sum_to_one() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (6, len(CLASSES) + 1)).astype(np.float32)
    forth, back = probabilities(logits, DIGITS), probabilities(logits, DIGITS[::-1])
    np.testing.assert_allclose(forth.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(forth[:, :10], back[:, 9::-1], atol=1e-6)


def test_a_letter_that_was_not_asked_for_is_none_of_these() -> None:
    logits = np.full((1, len(CLASSES) + 1), -5, np.float32)
    logits[0, CLASSES.index("E")] = 5
    assert probabilities(logits, "ABCD")[0, -1] > 0.99
    assert probabilities(logits, CAPITALS)[0, CAPITALS.index("E")] > 0.99


def test_digits_say_nothing_in_a_question_of_letters() -> None:
    logits = np.zeros((1, len(CLASSES) + 1), np.float32)
    logits[0, CLASSES.index("0")], logits[0, CLASSES.index("O")] = 9, 5
    assert probabilities(logits, CAPITALS)[0, CAPITALS.index("O")] > 0.8


def test_a_character_that_the_net_does_not_know_gets_nothing() -> None:
    scores = probabilities(np.zeros((1, len(CLASSES) + 1), np.float32), "A好")
    assert scores[0, 1] == 0
    assert scores.sum() == pytest.approx(1)


def test_nothing_asked_gives_nothing(model: CharacterNetwork) -> None:
    assert model.scores([], DIGITS).shape == (0, 11)


def test_a_missing_model_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"characters\.onnx"):
        CharacterNetwork(tmp_path)


def test_a_damaged_net_is_refused(copied: Path) -> None:
    path = copied / "characters.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="not the net"):
        CharacterNetwork(copied)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"classes": "01"}', json.dumps({"classes": CLASSES})])
def test_a_damaged_description_is_refused(copied: Path, text: str) -> None:
    (copied / "characters.json").write_text(text, "utf-8")
    with pytest.raises(ModelError):
        CharacterNetwork(copied)


def test_a_net_that_does_not_give_its_stored_answers_is_refused(copied: Path) -> None:
    path = copied / "characters.json"
    about = json.loads(path.read_bytes())
    about["self_test"][0]["logits"][3] += 0.01
    path.write_text(json.dumps(about), "utf-8")
    with pytest.raises(ModelError, match="stored answers"):
        CharacterNetwork(copied)


def test_the_version_names_the_file(model: CharacterNetwork) -> None:
    assert model.version == f"characters-{model.sha256[:12]}"
    assert (MODELS / "characters.onnx").stat().st_size < 1_500_000
