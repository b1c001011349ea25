"""Field case 23: the backup has the last lesson, and a restore never half-happens."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway import aside
from gateway.backup import back_up, restore
from gateway.errors import FoundProblems, Missing, StoreBusy, StoreDamaged, TryLater, WrongUse
from gateway.identity import installation
from gateway.inspection import inspect
from gateway.store import Store, check, log_bytes
from tests.gateway.rig import mac
from tests.gateway.stores import HURTS, fill, filled, hurt, ink_of, one, stroke, write

ROOT = Path(__file__).resolve().parents[2]


def test_a_backup_has_what_stands_in_the_log_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")
    fill(store, strokes=1_000)
    assert log_bytes(store.path) > 0
    copied = back_up(store.path, tmp_path / "copy.db")
    assert len(ink_of(tmp_path / "copy.db")) == 1_000
    assert copied.bytes == (tmp_path / "copy.db").stat().st_size
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600, "it holds names"
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name] == ["copy.db"]
    store.close()


def test_a_backup_made_while_pens_write_has_all_that_was_acknowledged_before_it_began(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")
    fill(store, strokes=200)
    acknowledged: list[int] = []
    end = threading.Event()

    def pens_write() -> None:
        while not end.is_set():
            number = len(acknowledged)
            write(store, [stroke(1 + number % 4, 1_000 + number)], seq=10 + number)
            acknowledged.append(stroke(1 + number % 4, 1_000 + number).down_ms)

    writer = threading.Thread(target=pens_write)
    writer.start()
    try:
        for number in range(3):
            before = list(acknowledged)
            target = tmp_path / f"copy{number}.db"
            back_up(store.path, target)
            assert set(before) <= {row[1] for row in ink_of(target)}
            assert inspect(target, held_s=0).problems == []
    finally:
        end.set()
        writer.join()
    assert len(acknowledged) > 0
    store.close()


def test_a_restore_into_an_empty_folder_has_everything(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", strokes=1_000)
    back_up(path, tmp_path / "copy.db")
    there = tmp_path / "b" / "gateway.db"
    done = restore(there, tmp_path / "copy.db")
    assert (done.put_aside, done.migrated) == ("", ())
    assert ink_of(there) == ink_of(path)
    assert inspect(there, held_s=0).problems == []
    for query in (
        "select group_concat(pen || seat) from bound",
        "select group_concat(state || n) from envelope",
        "select group_concat(row) from fresh",
        "select group_concat(hex(digest)) from result",
        "select group_concat(name) from pupil",
    ):
        assert one(there, query) == one(path, query)
    assert done.made_ms is not None
    assert f'"to_ms": {done.made_ms}' in str(one(there, "select v from box where k = 'restored'"))
    store = Store(there)
    assert store.submit(installation).result() == "00112233aabbccdd"
    store.close()


def test_what_was_there_is_put_aside_untouched(tmp_path: Path) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "copy.db")
    store = Store(path)
    write(store, [stroke(1, 700)], seq=9)
    store.close()
    content = path.read_bytes()
    done = restore(path, tmp_path / "copy.db")
    (old,) = aside.listed(path)
    assert old.name == done.put_aside
    assert old.read_bytes() == content
    assert one(path, "select why from aside") == "restored"
    assert len(ink_of(path)) == 50
    assert sorted(p.name for p in tmp_path.iterdir() if "restoring" in p.name or "moving" in p.name) == []


def test_a_damaged_store_can_be_replaced_by_a_backup(tmp_path: Path) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "copy.db")
    content = hurt(path, "truncated")
    restore(path, tmp_path / "copy.db")
    assert check(path) == []
    assert [p.read_bytes() for p in aside.listed(path)] == [content]


def test_while_the_gateway_runs_nothing_is_touched(tmp_path: Path) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "copy.db")
    store = Store(path)
    with pytest.raises(StoreBusy):
        restore(path, tmp_path / "copy.db")
    write(store, [stroke(1, 700)], seq=9)
    store.close()
    assert len(ink_of(path)) == 51
    assert not aside.listed(path)


@pytest.mark.parametrize("how", HURTS)
def test_a_backup_that_is_not_whole_changes_nothing(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "copy.db")
    hurt(tmp_path / "copy.db", how)
    before = path.read_bytes()
    with pytest.raises(FoundProblems, match="nothing was changed"):
        restore(path, tmp_path / "copy.db")
    assert path.read_bytes() == before
    assert not aside.listed(path)


def test_what_is_no_store_of_ours_or_another_box_s_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("create table t(x)")
    with pytest.raises(FoundProblems, match="no backup"):
        restore(path, tmp_path / "other.db")
    store = Store(tmp_path / "b" / "gateway.db")
    store.submit(lambda db: db.conn.execute("insert into box values ('installation', 'another')")).result()
    store.close()
    back_up(store.path, tmp_path / "b.db")
    with pytest.raises(WrongUse, match="another box"):
        restore(path, tmp_path / "b.db")
    with pytest.raises(Missing):
        restore(path, tmp_path / "none.db")
    with pytest.raises(Missing):
        back_up(tmp_path / "none.db", tmp_path / "x.db")
    with pytest.raises(WrongUse):
        back_up(path, tmp_path)
    with pytest.raises(WrongUse):
        back_up(path, path)
    assert not aside.listed(path)


def test_an_older_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        for statement in (
            "drop view newest_drain",
            "drop table drain",
            "drop table window",
            "drop index ink_memory",
            "drop table aside",
            "drop table pruned",
            "delete from _sqlite_migrations where name = 'drains' or migration_set = 'keeping'",
        ):
            connection.execute(statement)
        connection.commit()
    done = restore(path, tmp_path / "old.db")
    assert {"gateway.drains", "keeping.first"} <= set(done.migrated)
    assert len(ink_of(path)) == 50
    assert check(path) == []


def test_a_backup_of_a_damaged_store_is_not_made(tmp_path: Path) -> None:
    path = filled(tmp_path)
    hurt(path, "zeroed")
    with pytest.raises(StoreDamaged):
        back_up(path, tmp_path / "copy.db")
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name] == []


def test_without_room_there_is_no_backup_and_no_draft(tmp_path: Path) -> None:
    path = filled(tmp_path, strokes=2_000)
    program = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom gateway.backup import back_up\n"
        "from gateway.errors import TryLater\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    back_up(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except TryLater as error:\n    sys.exit(error.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path / "copy.db")], check=False, timeout=60, cwd=ROOT
    )
    assert done.returncode == TryLater.exit_code
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name] == []


@pytest.mark.slow
def test_a_backup_killed_half_way_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    path = filled(tmp_path, strokes=100)
    store = Store(path)

    def big(db: Database) -> None:
        blobs = ((mac(1), number, bytes(1_000_000)) for number in range(60))
        db.conn.executemany("insert into oddity(seq, pen, at_ms, kind, payload) values (1, ?, ?, 'x', ?)", blobs)

    store.submit(big).result()
    store.close()
    program = (
        "import sys\nfrom pathlib import Path\nfrom gateway.backup import back_up\nback_up(*map(Path, sys.argv[1:]))\n"
    )
    target = tmp_path / "out" / "copy.db"
    target.parent.mkdir()
    killed = 0
    for _ in range(20):
        child = subprocess.Popen([sys.executable, "-c", program, str(path), str(target)], cwd=ROOT)
        until = time.monotonic() + 30
        while child.poll() is None and not any(p.stat().st_size > 4_096 for p in target.parent.glob(".*.draft")):
            assert time.monotonic() < until
        child.kill()
        if child.wait() == -9:
            killed += 1
            assert not target.exists()
        target.unlink(missing_ok=True)
        if killed == 3:
            break
    assert killed == 3
    back_up(path, target)
    assert [p.name for p in target.parent.iterdir()] == ["copy.db"], "what was left half-way is swept away"
    assert len(ink_of(target)) == 100


def test_no_code_copies_the_file_of_a_store() -> None:
    words = ("shutil.copy", "copyfile", "copy2", "sendfile", "copy_file_range")
    code = {p: p.read_text("utf-8") for folder in ("gateway", "sync") for p in (ROOT / folder).rglob("*.py")}
    code = {p: text for p, text in code.items() if p.parent.name != "bench"}  # these copy what they made and closed
    assert [(p.name, w) for p, text in code.items() for w in words if w in text] == []
