import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway import aside
from gateway.errors import Missing, StoreBusy, StoreDamaged
from gateway.store import LOG_CAP_BYTES, Store, check, is_full, log_bytes
from tests.gateway.rig import mac
from tests.gateway.stores import HURTS, fill, filled, hurt, ink_of, one, stroke, write


def insert(db: Database, key: str = "a") -> None:
    db.conn.execute("insert into box values (?, '1')", (key,))


def files(folder: Path) -> dict[str, bytes]:
    """What must never change of a store: the index of the log is rebuilt from it by whoever reads."""
    return {path.name: path.read_bytes() for path in folder.glob("gateway.db*") if not path.name.endswith("-shm")}


def test_whoever_goes_away_before_its_turn_takes_the_writer_along_with_nothing(tmp_path: Path) -> None:
    store, gate = Store(tmp_path / "box.db"), threading.Event()
    first = store.submit(lambda _: gate.wait(20))
    gone = store.submit(lambda db: insert(db, "gone"))
    assert gone.cancel()
    gate.set()
    assert first.result(20)
    store.submit(lambda db: insert(db, "after")).result(20)
    assert [row[0] for row in store.reader.execute("select k from box where v = '1'")] == ["after"]
    store.close()


def test_work_of_one_call_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")

    def half(db: Database) -> None:
        insert(db)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        store.submit(half).result()
    assert store.reader.execute("select count(*) from box").fetchone()[0] == 0
    store.close()


def test_a_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    assert store.submit(lambda db: db.conn.execute("pragma synchronous").fetchone()[0]).result() == 2
    assert store.submit(lambda db: db.conn.execute("pragma journal_mode").fetchone()[0]).result() == "wal"
    store.close()


async def test_readers_see_what_is_committed(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    await store.run(insert)
    assert store.reader.execute("select v from box").fetchone()[0] == "1"
    await asyncio.to_thread(store.close)


def test_a_second_gateway_is_refused_while_the_first_holds_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    with pytest.raises(StoreBusy):
        Store(tmp_path / "box.db", mend=True)
    store.close()
    Store(tmp_path / "box.db").close()


@pytest.mark.parametrize("mend", [False, True])
def test_a_store_that_was_here_and_is_gone_is_not_replaced_by_an_empty_one(tmp_path: Path, *, mend: bool) -> None:
    Store(tmp_path / "box.db").close()
    (tmp_path / "box.db").unlink()
    with pytest.raises(Missing, match="backup"):
        Store(tmp_path / "box.db", mend=mend)
    assert not (tmp_path / "box.db").exists()


@pytest.mark.parametrize("how", HURTS)
def test_a_command_leaves_a_damaged_store_untouched(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    content = hurt(path, how)
    assert check(path)
    with pytest.raises(StoreDamaged):
        Store(path)
    assert path.read_bytes() == content
    assert not aside.listed(path)


@pytest.mark.parametrize("how", HURTS)
def test_the_gateway_puts_a_damaged_store_aside_untouched_and_goes_on_in_a_new_one(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    content = hurt(path, how)
    store = Store(path, mend=True)
    (old,) = aside.listed(path)
    assert old.read_bytes() == content
    assert "damaged-2" in old.name
    write(store, [stroke(2, 500)])
    assert [row[0] for row in store.reader.execute("select name from aside")] == [old.name]
    assert one(path, "select v from box where k = 'installation'") == "00112233aabbccdd", "who we are is kept"
    store.close()
    assert len(ink_of(path)) == 1
    assert check(path) == []
    assert old.read_bytes() == content, "closing and reading change nothing either"


def test_pens_roster_and_the_running_lesson_come_over_and_the_old_ink_is_a_loss(tmp_path: Path) -> None:
    path = filled(tmp_path)
    hurt(path, "truncated")
    store = Store(path, mend=True)
    rows = store.reader.execute
    assert [tuple(r) for r in rows("select pen, seat from bound order by seat")] == [(mac(n), n) for n in range(1, 5)]
    assert rows("select count(*) from pen where adopted_ms is not null").fetchone()[0] == 4
    assert rows("select count(*) from pupil").fetchone()[0] == 4
    assert rows("select id from lesson where stopped_ms is null").fetchone()[0] == "l1"
    lost = rows("select pen, cause, from_ms <= ? from loss order by pen", (1_790_000_000_000,)).fetchall()
    assert [tuple(row) for row in lost] == [(mac(n), "store_lost", 1) for n in range(1, 5)]
    store.close()


def test_envelopes_of_a_new_store_never_have_a_number_of_the_old_one(tmp_path: Path) -> None:
    path = filled(tmp_path)
    before = one(path, "select max(id) from envelope")
    hurt(path, "empty")
    store = Store(path, mend=True)
    fill(store)
    assert store.reader.execute("select min(id) from envelope").fetchone()[0] > before
    store.close()


@pytest.mark.parametrize("step", range(6))
def test_a_kill_while_a_store_is_put_aside_is_finished_by_the_next_start(tmp_path: Path, step: int) -> None:
    """Steps: note written, file moved, log moved, new store begun and empty, new store filled, note not yet gone."""
    path = filled(tmp_path)
    content = hurt(path, "zeroed")
    log = path.with_name("gateway.db-wal")
    log.write_bytes(b"the old store's log")
    name = "gateway.db.damaged-20260921T000000Z"
    note = {"name": name, "at_ms": 1, "why": "w", "candidate": "", "lived_ms": 0}
    if step in {4, 5}:
        Store(path, mend=True).close()
        (old,) = aside.listed(path)
        note["name"] = old.name
        with closing(sqlite3.connect(path)) as connection:
            if step == 4:
                connection.execute("delete from box")
                connection.commit()
    else:
        old = path.with_name(name)
        if step >= 1:
            path.rename(old)
        if step >= 2:
            log.rename(old.with_name(old.name + "-wal"))
        if step == 3:
            path.touch()
    path.with_name("gateway.db.moving").write_text(json.dumps(note))
    store = Store(path, mend=True)
    assert [p.name for p in aside.listed(path)] == [old.name]
    assert old.read_bytes() == content
    assert old.with_name(old.name + "-wal").read_bytes() == b"the old store's log"
    assert store.reader.execute("select v from box where k = 'store_damaged'").fetchone()[0] == old.name
    assert store.reader.execute("select count(*) from aside").fetchone()[0] == 1
    store.close()
    assert not path.with_name("gateway.db.moving").exists()
    Store(path).close()


def test_what_stands_in_the_log_alone_is_put_aside_with_it(tmp_path: Path) -> None:
    """The gateway was killed, so the log is not written back; then the file is found damaged."""
    path = filled(tmp_path)
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom gateway.store import Store\n"
        "from tests.gateway.stores import stroke, write\nstore = Store(Path(sys.argv[1]))\n"
        "write(store, [stroke(1, 800)])\nos._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60).returncode == 9
    assert log_bytes(path) > 0
    hurt(path, "no database")
    before = files(tmp_path)
    Store(path, mend=True).close()
    (old,) = aside.listed(path)
    assert old.read_bytes() == before["gateway.db"]
    assert old.with_name(old.name + "-wal").read_bytes() == before["gateway.db-wal"]


def test_damage_that_is_noticed_in_the_middle_of_work_loses_nothing_of_that_work(tmp_path: Path) -> None:
    path = filled(tmp_path, strokes=400)
    store = Store(path, mend=True)
    replaced = threading.Event()
    store.on_replaced = replaced.set
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("select rootpage from sqlite_master where name = 'ink_page'").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    hurt_bytes = path.read_bytes()
    store.submit(lambda db: db.conn.execute("pragma shrink_memory").fetchone()).result()
    write(store, [stroke(3, 700), stroke(4, 701)], seq=7)
    assert replaced.is_set()
    (old,) = aside.listed(path)
    assert old.read_bytes() == hurt_bytes
    assert store.reader.execute("select count(*) from ink").fetchone()[0] == 2, "the reader reads the new one"
    write(store, [stroke(3, 702)], seq=8)
    store.close()
    assert len(ink_of(path)) == 3
    assert check(path) == []
    assert old.read_bytes() == hurt_bytes


def test_a_reader_s_doubt_makes_the_writer_look_and_a_whole_store_stays(tmp_path: Path) -> None:
    path = filled(tmp_path)
    store = Store(path, mend=True)
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    store.doubt(error)
    store.submit(insert).result()
    assert not aside.listed(path)
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 4096] = bytes(4096)
    path.write_bytes(content)
    store.doubt(error)
    store.submit(lambda db: insert(db, "b")).result()
    assert len(aside.listed(path)) == 1
    store.close()


def test_a_locked_store_undoes_the_work_says_so_and_takes_it_later(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    with closing(sqlite3.connect(tmp_path / "box.db", isolation_level=None)) as stranger:
        stranger.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.submit(insert).result(timeout=20)
        stranger.execute("rollback")
    store.submit(insert).result()
    assert store.reader.execute("select count(*) from box").fetchone()[0] == 1
    store.close()


def test_a_full_store_undoes_the_work_counts_it_and_takes_it_later(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")

    def narrow(db: Database, pages: int) -> None:
        db.conn.execute(f"pragma max_page_count = {pages}")

    def much(db: Database) -> None:
        insert(db, "first")
        db.conn.execute("insert into box values ('big', ?)", ("x" * 200_000,))

    size = store.submit(lambda db: int(db.conn.execute("pragma page_count").fetchone()[0])).result()
    store.submit(lambda db: narrow(db, size + 2)).result()
    with pytest.raises(sqlite3.OperationalError) as raised:
        store.submit(much).result()
    assert is_full(raised.value)
    assert store.filled_up == 1
    assert store.reader.execute("select count(*) from box").fetchone()[0] == 0
    store.submit(lambda db: narrow(db, 100_000)).result()
    store.submit(much).result()
    assert store.reader.execute("select count(*) from box").fetchone()[0] == 2
    store.close()


def test_the_log_is_emptied_when_it_has_grown_and_not_while_a_stranger_reads(tmp_path: Path) -> None:
    path = tmp_path / "box.db"
    store = Store(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("begin")
        stranger.execute("select count(*) from box").fetchone()

        def churn(db: Database) -> None:
            db.conn.execute("insert or replace into box values ('big', ?)", ("x" * 1_000_000,))

        for _ in range(64):
            store.submit(churn).result()
        assert log_bytes(path) > LOG_CAP_BYTES, "a stranger who reads keeps it"
        stranger.execute("rollback")
    for _ in range(64):
        store.submit(churn).result()
    assert log_bytes(path) <= LOG_CAP_BYTES
    store.close()


def test_check_names_what_is_hurt(tmp_path: Path) -> None:
    path = filled(tmp_path)
    assert check(path) == []
    hurt(path, "zeroed")
    assert check(path)
    assert check(tmp_path / "none.db")


def test_readers_cannot_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    with pytest.raises(sqlite3.OperationalError):
        store.reader.execute("insert into box values ('a', '1')")
    store.close()
