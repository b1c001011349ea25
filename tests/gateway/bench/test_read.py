import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.bench.read import run
from gateway.cli.bench_read import bench_read
from gateway.errors import Missing
from recognition.readers import network
from recognition.training.inkset import load, writer_hash
from tests.recognition.training.made_inkset import drawn, write_inkset

_SAMPLE = Path(__file__).parents[2] / "data" / "digits-sample.npz"


@pytest.fixture
def ink_dir(tmp_path: Path) -> Path:
    (tmp_path / "pendigits").mkdir()
    shutil.copy(_SAMPLE, tmp_path / "pendigits" / "digits.npz")
    return tmp_path


@pytest.mark.slow
def test_the_figures_count_every_answer_of_a_writer_whom_the_model_does_not_know(ink_dir: Path) -> None:
    figures = run(ink_dir)
    digits = figures.answers["digits, pendigits"]
    assert (digits.answers, figures.writers_left_out) == (200, 0)
    assert digits.right >= 0.95
    assert figures.answers["digits, together"] == digits
    assert figures.answers["numbers of 1 to 3 digits, composed"].right >= 0.8
    assert figures.ratio_to_net >= 1
    assert "letters A-D" not in figures.answers


@pytest.mark.slow
def test_at_a_larger_share_refused_never_more_of_what_is_kept_is_wrong(ink_dir: Path) -> None:
    for points in run(ink_dir).curves.values():
        assert [point.wrong for point in points] == sorted((point.wrong for point in points), reverse=True)


@pytest.mark.slow
def test_a_writer_whom_the_model_knows_is_left_out_with_all_who_share_his_ink(ink_dir: Path) -> None:
    """Names come hashed in the model; a name whose hash it lists is made here by search."""
    known = next(name for name in (f"pd{k:02}" for k in range(1, 31)) if writer_hash(name) in _seen())
    path = ink_dir / "pendigits" / "digits.npz"
    samples = list(load(path))
    line = [(float(k), float(k * k)) for k in range(20)]
    twins = [drawn("1", known, line), drawn("1", samples[0].writer, line)]
    write_inkset(path, [*samples, *twins])
    of_his = sum(sample.writer == samples[0].writer for sample in samples)
    figures = run(ink_dir)
    assert figures.writers_left_out == 2
    assert figures.answers["digits, together"].answers == 200 - of_his


@pytest.mark.parametrize("folder", [None, "nowhere", "."])
def test_without_ink_it_says_what_is_missing(tmp_path: Path, folder: str | None) -> None:
    with pytest.raises(Missing) as caught:
        run(None if folder is None else tmp_path / folder)
    assert caught.value.exit_code == 69


@pytest.mark.slow
def test_the_report_for_people_has_a_line_a_question(ink_dir: Path) -> None:
    result = CliRunner().invoke(bench_read, ["--ink", str(ink_dir)])
    assert result.exit_code == 0
    assert "digits, pendigits\t200" in result.stdout


@pytest.mark.slow
def test_the_report_for_programs_is_one_document_with_its_schema(ink_dir: Path) -> None:
    result = CliRunner().invoke(bench_read, ["--ink", str(ink_dir), "--json"])
    said = json.loads(result.stdout)
    assert (result.exit_code, said["schema"]) == (0, "inkgate.bench.read/1")
    digits = said["answers"]["digits, pendigits"]
    assert digits["accepted"] == pytest.approx(digits["accepted_answers"] / digits["answers"], abs=1e-5)
    assert digits["error_bound"] > digits["error"]


@pytest.mark.parametrize("asked", [[], ["--json"], ["--ink", "nowhere"], ["--ink", "nowhere", "--json"]])
def test_without_a_folder_the_command_ends_with_69_and_says_what_to_give(asked: list[str]) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "gateway", "bench", "read", *asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (child.returncode, child.stdout) == (69, "")
    assert "--ink DIR" in child.stderr


def _seen() -> frozenset[str]:
    return network.CharacterNetwork().training_writers
