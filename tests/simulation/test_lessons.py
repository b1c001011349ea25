"""Whole simulated lessons: every promise holds in them, one seed is one history, and no protection can be spared."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulate import Total, lessons
from tests.simulation.lesson import run
from tests.simulation.protections import PROTECTIONS, house_without

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 20
FOUND_WITHIN = 100
FULL_LESSONS = 1_000
QUICKLY_MISSED = {"delete_before_commit", "delete_on_puback", "epoch_in_database", "journal_after_screen"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_promise_holds_in_every_lesson() -> None:
    outcomes = [run(seed) for seed in range(1, SEEDS + 1)]
    broken = {outcome.seed: (outcome.broken, outcome.lines[-20:]) for outcome in outcomes if outcome.broken}
    assert broken == {}
    assert min(outcome.dots for outcome in outcomes) > 0
    assert sum(outcome.results for outcome in outcomes) > 10 * SEEDS


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_seed_is_one_history_in_this_process_and_in_any_other() -> None:
    here = run(7)
    assert run(7).digest == here.digest
    assert run(8).digest != here.digest
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-m", "tests.simulate", "--seed", "7"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert f"digest {here.digest}" in told


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "protection",
    [p if p in QUICKLY_MISSED else pytest.param(p, marks=pytest.mark.full) for p in sorted(PROTECTIONS)],
)
def test_a_protection_that_is_taken_away_is_missed_within_a_hundred_lessons(protection: str) -> None:
    house = house_without(protection)
    assert any(run(seed, house).broken for seed in range(1, FOUND_WITHIN + 1))
    assert run(1).broken is None, "a protection stays away only as long as its lesson"


@pytest.mark.full
@pytest.mark.timeout(3_600)
def test_a_thousand_lessons_break_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    total = Total()
    for outcome, cpu_s in lessons(1, FULL_LESSONS, jobs=2):
        total.add(outcome, cpu_s)
    with capsys.disabled():
        print(f"\n{total}")  # noqa: T201  the figure that README shows
    assert {outcome.seed: outcome.broken for outcome in total.broken} == {}
