import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.bench.hanzi import run
from gateway.cli.bench_hanzi import bench_hanzi
from gateway.errors import Missing
from tests.recognition.training.test_hanzi import ink_dir_of


@pytest.mark.slow
def test_the_figures_count_every_answer_and_add_up(tmp_path: Path) -> None:
    figures = run(ink_dir_of(tmp_path, "一大太国明春我赢家餐"), pairs=30)
    assert [its.answers for its in figures.asked.values()] == [30, 30, 30, 10, 10, 10]
    for its in figures.asked.values():
        assert its.right + its.wrong + its.ask == pytest.approx(1)
        assert its.wrong_bound >= its.wrong
    assert figures.asked["neat, as taught"].right_bound < figures.asked["neat, as taught"].right
    assert figures.asked["neat, as taught"].right >= 0.8
    left_out = figures.asked["neat, one stroke left out"]
    assert left_out.right < left_out.right_bound < 0.3
    assert 0 < figures.ms_per_character <= figures.ms_per_character_p99


@pytest.mark.slow
def test_the_report_says_whose_ink_it_is(tmp_path: Path) -> None:
    ink = ink_dir_of(tmp_path, "太大天木")
    plain = CliRunner().invoke(bench_hanzi, ["--ink", str(ink), "--pairs", "9"])
    assert plain.exit_code == 0
    assert "nobody's handwriting" in plain.stdout
    said = json.loads(CliRunner().invoke(bench_hanzi, ["--ink", str(ink), "--pairs", "9", "--json"]).stdout)
    assert said["schema"] == "inkgate.bench.hanzi/1"
    assert "nobody's handwriting" in said["hand"]


@pytest.mark.parametrize("folder", [None, "."])
def test_without_templates_it_says_what_is_missing(tmp_path: Path, folder: str | None) -> None:
    with pytest.raises(Missing, match="--ink DIR"):
        run(None if folder is None else tmp_path / folder)


def test_a_row_for_which_no_character_serves_is_left_out(tmp_path: Path) -> None:
    asked = run(ink_dir_of(tmp_path, "一"), pairs=3).asked
    assert asked.keys() == {"neat, as taught", "looser, as taught", "neat, without a key"}
