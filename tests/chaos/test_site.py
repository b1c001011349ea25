"""The wrapper: a child dies in the function that is named, when it is armed, and the product has no part in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.house import ROOT
from tests.chaos.points import POINTS, CrashPoint, ordered
from tests.chaos.scenarios import REMOVALS

SITE = ROOT / "tests" / "chaos" / "site"


def child(
    folder: Path, code: str, *, role: str = "run", without: str | None = None, points: tuple[CrashPoint, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    (folder / "arm").mkdir(exist_ok=True)
    orders = folder / "orders.json"
    orders.write_text(json.dumps({"folder": str(folder), "points": ordered(points or POINTS), "without": without}))
    return subprocess.run(
        [sys.executable, "-c", code, "gateway", role],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(SITE), "CHAOS_ORDERS": str(orders)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


COUNTS = """
from devices.neo.messages_memory import MemoryNotesReply
print(MemoryNotesReply.unpack(b"\\0\\0").notes, flush=True)
"""


def test_a_point_that_is_not_armed_changes_nothing(tmp_path: Path) -> None:
    done = child(tmp_path, COUNTS)
    assert (done.returncode, done.stdout) == (0, "()\n"), done.stderr


def test_whoever_comes_by_an_armed_point_is_gone_and_named(tmp_path: Path) -> None:
    (tmp_path / "arm").mkdir()
    (tmp_path / "arm" / "drain_list").touch()
    done = child(tmp_path, COUNTS)
    assert (done.returncode, done.stdout) == (-9, "")
    assert json.loads((tmp_path / "died.jsonl").read_text())["point"] == "drain_list"
    assert child(tmp_path, COUNTS).returncode == 0


def test_another_process_than_the_one_meant_goes_on(tmp_path: Path) -> None:
    (tmp_path / "arm").mkdir()
    (tmp_path / "arm" / "drain_list").touch()
    assert child(tmp_path, COUNTS, role="read").returncode == 0


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_every_point_names_a_function_that_is_there(tmp_path: Path, point: CrashPoint) -> None:
    module, _, qualname = point.target.partition(":")
    code = f"import {module} as m\nf = m\nfor part in {qualname!r}.split('.'): f = getattr(f, part)\n"
    code += "print(hasattr(f, '__wrapped__'))"
    role = {"gateway": "run", "reader": "read", "receiver": "district"}[point.role]
    done = child(tmp_path, code, role=role)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.mark.parametrize("what", REMOVALS)
def test_every_protection_that_is_taken_away_is_there_to_be_taken(tmp_path: Path, what: str) -> None:
    code = "import gateway.app, sync.district.receiver, sync.district.store\nprint('up')"
    for role in ("run", "district"):
        done = child(tmp_path, code, role=role, without=what)
        assert (done.returncode, done.stdout) == (0, "up\n"), done.stderr
