import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.inspection import inspect, plain
from gateway.store import Store
from tests.gateway.stores import HURTS, fill, filled, hurt, stroke, write

READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin")
connection.execute("select count(*) from ink").fetchone()
print("reads", flush=True)
sys.stdin.read()
"""


@contextmanager
def stranger(path: Path) -> Iterator[int]:
    """Another program in the middle of a read transaction; its process number."""
    child = subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "reads\n"
    try:
        yield child.pid
    finally:
        child.communicate(timeout=20)


def test_a_whole_store_is_told_with_its_rows(tmp_path: Path) -> None:
    found = inspect(filled(tmp_path), held_s=0)
    rows = {table.name: table.rows for table in found.tables}
    assert found.is_whole
    assert all(table.whole for table in found.tables)
    assert (rows["ink"], rows["pupil"], rows["envelope"], rows["fresh"]) == (50, 4, 2, 1)
    assert (found.ink_rows, found.ink_unsound, found.not_yet_ink) == (50, 0, 7)
    assert found.journal_mode == "wal"
    assert found.free_bytes > 0


@pytest.mark.parametrize("how", HURTS)
def test_it_is_told_what_is_hurt_and_what_is_whole_and_nothing_is_changed(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path, strokes=1_000)
    content = hurt(path, how)
    found = inspect(path, held_s=0)
    assert not found.is_whole
    assert path.read_bytes() == content
    whole = {table.name for table in found.tables if table.whole}
    if how == "zeroed":
        assert {"ink", "pupil", "binding"} <= whole
    if how == "truncated":
        assert {"pupil", "binding"} <= whole
        assert any(not table.whole and table.rows for table in found.tables) or found.problems


def test_ink_that_is_not_what_was_stored_is_found(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update ink set dots = dots + 1 where id in (3, 4)")
        connection.commit()
    found = inspect(path, held_s=0)
    assert (found.ink_unsound, found.is_whole) == (2, False)
    assert "2 of 50" in found.problems[0]


def test_it_works_while_pens_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")
    fill(store)
    write(store, [stroke(1, 800)], seq=9)
    found = inspect(store.path, held_s=0.05)
    assert (found.is_whole, found.ink_rows) == (True, 51)
    assert found.log_bytes > 0
    store.close()


@pytest.mark.slow
def test_a_stranger_who_keeps_the_log_from_being_emptied_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")
    fill(store)
    with stranger(store.path) as pid:
        found = inspect(store.path, held_s=0.2)
        assert [holder.pid for holder in found.held_by] == [pid]
        assert "python" in found.held_by[0].command
        assert str(pid) in found.problems[0]
        assert inspect(store.path, gateway_pid=pid, held_s=0.2).is_whole, "the gateway's own readers are no strangers"
    assert inspect(store.path, held_s=0.2).is_whole
    store.close()


def test_it_can_be_said_as_a_document(tmp_path: Path) -> None:
    said = plain(inspect(filled(tmp_path), held_s=0))
    assert said["whole"] is True
    assert {"name": "ink", "rows": 50, "whole": True} in said["tables"]
