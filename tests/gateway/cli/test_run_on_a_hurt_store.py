"""`run` on a store that is damaged or gone, as a process: field case 24."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import aside, control
from gateway.errors import GatewayError
from gateway.store import check
from tests.gateway.stores import HURTS, filled, hurt, ink_of

pytestmark = pytest.mark.slow


def command(folder: Path) -> list[str]:
    sets = [f"box.folder={folder}", "dashboard.port=0", f"radio.adapters=unix:{folder}/none", "disk.reserve_mb=1"]
    return [sys.executable, "-m", "gateway", *(word for each in sets for word in ("--set", each)), "run"]


@contextmanager
def gateway(folder: Path) -> Iterator[dict[str, Any]]:
    """A gateway that runs; what its status says."""
    child = subprocess.Popen(command(folder), stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 50
        while True:
            assert child.poll() is None
            assert time.monotonic() < until
            try:
                said = control.ask(folder, "status", timeout_s=5)
                break
            except GatewayError:
                time.sleep(0.05)
        yield said
    finally:
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=30)
    assert child.returncode == 0, err


@pytest.mark.parametrize("how", HURTS)
def test_it_goes_on_in_a_new_store_says_so_and_leaves_the_old_one_untouched(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    content = hurt(path, how)
    with gateway(tmp_path) as said:
        (old,) = aside.listed(path)
        assert said["store"] == {"pid": said["store"]["pid"], "synchronous": "full", "damaged": old.name}
        assert "store.damaged" in [warning["code"] for warning in said["warnings"]]
        if how == "zeroed":
            assert (said["bound"], said["lesson"]) == (4, None) or said["bound"] == 4
    assert old.read_bytes() == content
    assert check(path) == []
    with gateway(tmp_path) as said:
        assert said["store"]["damaged"] == old.name, "until it is joined"
    assert len(aside.listed(path)) == 1


def test_where_a_store_had_been_and_none_is_it_is_69_and_one_sentence(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.unlink()
    done = subprocess.run(command(tmp_path), check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 69
    assert len(done.stderr.strip().splitlines()) == 1
    assert "backup" in done.stderr
    assert not path.exists()


def test_what_a_kill_left_in_the_log_is_in_the_backup_that_is_made_afterwards(tmp_path: Path) -> None:
    path = filled(tmp_path)
    before = ink_of(path)
    child = subprocess.Popen(command(tmp_path), stderr=subprocess.DEVNULL)
    until = time.monotonic() + 50
    while not (tmp_path / "control.sock").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    target = tmp_path / "copy.db"
    words = [*command(tmp_path)[:-1], "db", "backup", str(target)]
    assert subprocess.run(words, check=False, capture_output=True, timeout=50).returncode == 0
    assert before < ink_of(target), "the stroke that was open is ink, too"
