"""The short form of `python -m tests.chaos`, for `inkgate test --full`: few pens, few deaths, every kind of them.

The whole, with 48 pens and 20 deaths of each process, is the command; its figures stand in README.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.reporting import document, words
from tests.chaos.running import Options, Outcome
from tests.chaos.scenarios import REMOVALS, SCENARIOS

SEED = 1
OPTIONS = Options(seed=SEED, pens=16, kills=2, rounds=1, broker="nats", database="postgres")
FEW = Options(seed=SEED, pens=8, kills=1, rounds=1, broker="nats", database="postgres")

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]


def gone_through(
    folder: Path, name: str, options: Options, capsys: pytest.CaptureFixture[str]
) -> tuple[Outcome, dict[str, Any]]:
    outcome = SCENARIOS[name](folder / name, options)
    said = document(options, [outcome], folder)
    with capsys.disabled():
        sys.stdout.write("\n" + words(said) + "\n")
    return outcome, said


@pytest.mark.parametrize("name", ["kills", "points", "wiped", "image"])
def test_whatever_dies_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, said = gone_through(tmp_path, name, OPTIONS, capsys)
    assert outcome.faults == []
    assert outcome.kept
    assert said["canaries"][0]["hits"] == []
    assert all(said["canaries"][0]["planted"].values())
    assert outcome.kills


@pytest.mark.parametrize("what", REMOVALS)
def test_without_a_protection_the_same_seed_loses_something(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, _ = gone_through(tmp_path, f"without_{what}", FEW, capsys)
    assert any(outcome.lost.values()), json.dumps(outcome.notes)
