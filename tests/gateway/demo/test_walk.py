"""A teacher's walk through the page while the demo's class writes (issue 7, point 7). `inkgate test --full` runs it.

With INKGATE_PICTURES set to a folder the screenshots are left there.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import control
from gateway.errors import GatewayError
from tests.gateway.dashboard.walk import CHROMIUM, walk

ROOT = Path(__file__).resolve().parents[3]
PENS = 48

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no browser: apt-get install chromium fonts-noto-cjk"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a demo whose second lesson runs."""
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "gateway", "demo", "--pens", str(PENS), "--keep", str(kept)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    graded = 0
    while graded < 2 * PENS:
        assert child.poll() is None
        assert time.monotonic() < end
        time.sleep(0.5)
        try:
            graded = control.ask(kept, "status", timeout_s=5)["graded"]
        except GatewayError:
            continue
    yield kept
    child.send_signal(signal.SIGINT)
    assert child.wait(90) == 0


def test_a_teacher_sees_the_class_write(folder: Path, axe: str, tmp_path: Path) -> None:
    said = json.loads((folder / "demo.json").read_text())
    pictures = Path(os.environ.get("INKGATE_PICTURES", tmp_path / "pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    seen = walk(said["url"], said["pin"], pictures, axe=axe)
    assert seen.faults == []
    assert seen.axe == {}
    assert seen.tiles == PENS
    assert seen.tiles_that_moved > PENS // 4
    assert {n for name, n in seen.tiles_below_the_window.items() if not name.endswith("390")} == {0}
    assert seen.bars >= 4 * 10
    assert seen.replay_moved
