"""The gateway is killed again and again while the class writes (issue 7, point 6). `inkgate test --full` runs it."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import control
from gateway.errors import GatewayError

ROOT = Path(__file__).resolve().parents[3]
PENS, KILLS, SEED = 48, 10, 1
BACK_WITHIN_S = 10.0

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills") / "kept"


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    words = ["demo", "--headless", "--json", "--calm", "--pens", str(PENS), "--seed", str(SEED), "--lessons", "3"]
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", *words, "--keep", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield child
    if child.poll() is None:
        child.terminate()
        child.communicate(timeout=60)


def status(folder: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = control.ask(folder, "status", timeout_s=5)
    except GatewayError:
        return {}
    return said


def wait_until(done: Callable[[], bool], limit_s: float, what: str, demo: subprocess.Popen[str]) -> float:
    """Wait for the real thing; gives how long it took."""
    began = time.monotonic()
    while not done():
        if demo.poll() is not None or time.monotonic() - began > limit_s:
            demo.terminate()
            _, err = demo.communicate(timeout=60)
            pytest.fail(f"{what}: not within {limit_s} s (the demo's exit code: {demo.returncode}): {err[-2000:]}")
        time.sleep(0.05)
    return time.monotonic() - began


def stored(folder: Path) -> set[tuple[Any, ...]]:
    box = sqlite3.connect(f"file:{folder / 'gateway.db'}?mode=ro", uri=True)
    rows = set(box.execute("select pen, section, owner, note, page, down_ms, piece, dots, sum from ink"))
    box.close()
    return rows


def test_ten_kills_lose_no_committed_stroke_and_double_nothing(
    folder: Path, demo: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(SEED)  # noqa: S311  a seed that is printed
    back_s, committed = [], set()
    for _ in range(KILLS):
        wait_until(
            lambda: (s := status(folder)).get("linked") == PENS and s.get("writing", 0) >= PENS // 2,
            120,
            "half of the pens write",
            demo,
        )
        time.sleep(dice.uniform(0.0, 1.0))
        committed |= stored(folder)
        pid = json.loads((folder / "demo.json").read_text())["children"]["gateway"]["pid"]
        os.kill(pid, signal.SIGKILL)
        back_s.append(
            wait_until(lambda: status(folder).get("linked") == PENS, 30, f"{PENS} links after the kill", demo)
        )
        assert committed <= stored(folder)
    out, err = demo.communicate(timeout=400)
    assert demo.returncode == 0, out[-3000:] + err[-2000:]
    report = json.loads(out)
    ordered = sorted(back_s)
    with capsys.disabled():
        sys.stdout.write(
            f"\nkills {KILLS}, seed {SEED}: back with {PENS} links after {ordered[0]:.1f} / {ordered[KILLS // 2]:.1f} /"
            f" {ordered[-1]:.1f} s (least, median, most); dots written {report['dots_written']}, in losses"
            f" {report['dots_in_losses']}, in pens {report['dots_in_pens']}, unexplained"
            f" {report['dots_lost_unexplained']}; loss rows {report['loss_rows']}\n"
        )
    assert committed <= stored(folder)
    assert report["restarts"]["gateway"] == KILLS
    assert report["balanced"] is True
    assert report["dots_lost_unexplained"] == report["duplicates_in_district"] == report["outbox_left"] == 0
    assert report["results_made"] == report["results_in_district"]
    assert ordered[-1] <= BACK_WITHIN_S
    recount = [sys.executable, "-I", str(ROOT / "tests" / "recount.py"), str(folder)]
    done = subprocess.run(recount, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]
