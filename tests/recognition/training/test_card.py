"""The model card says what was measured, of the very reader that is shipped."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from recognition.errors import ModelError
from recognition.readers.network import MODELS, CharacterNetwork
from recognition.readers.reader import Reader
from recognition.training.__main__ import main
from recognition.training.card import BENCH_SCHEMA, card, keep_bench

_ABOUT: dict[str, Any] = json.loads((MODELS / "characters.json").read_bytes())
_CARD = (MODELS / "characters.md").read_text("utf-8")
_TITLE = "## Figures through the reader (`inkgate bench read`)"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copy(MODELS / "characters.json", tmp_path)
    return tmp_path


def _report(folder: Path, **changed: object) -> Path:
    path = folder / "bench.json"
    path.write_text(json.dumps({"schema": BENCH_SCHEMA, "ms_per_answer": 1.5, **_ABOUT["bench"], **changed}), "utf-8")
    return path


def test_the_cards_bench_figures_are_those_kept_with_the_model() -> None:
    table = [line.strip("| ").split(" | ") for line in _CARD.split(_TITLE)[1].splitlines() if line.startswith("| ")]
    shown = {name: figures for name, *figures in table[1:]}
    assert shown.keys() == _ABOUT["bench"]["answers"].keys()
    for name, its in _ABOUT["bench"]["answers"].items():
        shares = [f"{100 * its[key]:.2f}" for key in ("right", "accepted", "error", "error_bound")]
        wrong = f"{its['wrong_accepted']} of {its['accepted_answers']}"
        assert shown[name] == [str(its["answers"]), str(its["writers"]), *shares[:2], wrong, *shares[2:]]


def test_the_card_is_what_its_generator_writes() -> None:
    assert card(_ABOUT) == _CARD


def test_the_bench_figures_are_of_the_reader_that_is_shipped() -> None:
    """Rules or net changed: run the bench again and keep its report."""
    assert _ABOUT["bench"]["reader"] == Reader(CharacterNetwork()).version


def test_the_card_owns_up_to_what_its_figures_are_worth() -> None:
    assert "looked at during development" in _CARD
    assert "with replacement" in _CARD


def test_a_net_that_was_not_benched_says_so_and_how_to() -> None:
    text = card({name: value for name, value in _ABOUT.items() if name != "bench"})
    assert "Not measured for this net yet" in text.split(_TITLE)[1]
    assert "inkgate bench read --ink DIR --json" in text


def test_a_report_is_kept_without_its_times(copied: Path) -> None:
    answers = {**_ABOUT["bench"]["answers"]}
    answers["letters A-D"] = {**answers["letters A-D"], "right": 0.12345}
    assert main(["--bench", str(_report(copied, answers=answers)), "--out", str(copied)]) == 0
    about = json.loads((copied / "characters.json").read_bytes())
    assert about == {**_ABOUT, "bench": {**_ABOUT["bench"], "answers": answers}}
    assert "| letters A-D | 670 | 41 | 12.3" in (copied / "characters.md").read_text("utf-8")


@pytest.mark.parametrize(
    "changed", [{"reader": "rules-2+characters-000000000000"}, {"schema": "other/1"}, {"answers": [1]}]
)
def test_a_report_of_something_else_is_refused_and_nothing_is_written(copied: Path, changed: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="no report"):
        keep_bench(_report(copied, **changed), copied)
    assert json.loads((copied / "characters.json").read_bytes()) == _ABOUT
    assert not (copied / "characters.md").exists()
