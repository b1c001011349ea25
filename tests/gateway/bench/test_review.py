from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.bench.review import PUPILS, run
from gateway.cli.bench_review import bench_review
from gateway.errors import Missing
from recognition.training.inkset import load
from tests.recognition.training.made_inkset import write_inkset

_SAMPLE = Path(__file__).parents[2] / "data" / "digits-sample.npz"


@pytest.fixture
def ink_dir(tmp_path: Path) -> Path:
    """The sample's digits as if two writers had written all of them."""
    (tmp_path / "pendigits").mkdir()
    samples = [replace(sample, writer=f"writer {place % 2}") for place, sample in enumerate(load(_SAMPLE))]
    write_inkset(tmp_path / "pendigits" / "digits.npz", samples)
    return tmp_path


@pytest.mark.slow
def test_the_figures_of_a_lesson_fit_each_other(ink_dir: Path) -> None:
    figures = run(ink_dir, lessons=1)
    assert (figures.lessons, figures.pupils, figures.questions) == (1, PUPILS, 10)
    assert 0 < figures.decisions_a_lesson <= figures.unsure_a_lesson == figures.unsure <= 480
    assert figures.decisions_by_reading_a_lesson <= figures.unsure
    assert figures.wrong <= figures.joined <= figures.unsure
    assert figures.largest_group <= PUPILS
    assert figures.wrong_share <= figures.wrong_bound
    assert run(ink_dir, lessons=1) == figures


@pytest.mark.parametrize("folder", [None, "nowhere", "."])
def test_without_ink_it_says_what_is_missing(tmp_path: Path, folder: str | None) -> None:
    with pytest.raises(Missing):
        run(None if folder is None else tmp_path / folder)


@pytest.mark.slow
def test_the_command_says_it_in_words_and_as_a_document(ink_dir: Path) -> None:
    words = CliRunner().invoke(bench_review, ["--ink", str(ink_dir), "--lessons", "1"])
    assert words.exit_code == 0
    assert "In a wrong group" in words.output
    document = CliRunner().invoke(bench_review, ["--ink", str(ink_dir), "--lessons", "1", "--json"])
    assert '"schema": "inkgate.bench.review/1"' in document.output
