import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway.errors import Missing, StoreBusy, StoreDamaged
from gateway.store import Store, check


def test_work_of_one_call_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")

    def half(db: Database) -> None:
        db.conn.execute("insert into box values ('a', '1')")
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
    await store.run(lambda db: db.conn.execute("insert into box values ('a', '1')"))
    assert store.reader.execute("select v from box").fetchone()[0] == "1"
    await asyncio.to_thread(store.close)


def test_a_second_gateway_is_refused_while_the_first_holds_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    with pytest.raises(StoreBusy):
        Store(tmp_path / "box.db")
    store.close()
    Store(tmp_path / "box.db").close()


def test_a_store_that_was_here_and_is_gone_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    Store(tmp_path / "box.db").close()
    (tmp_path / "box.db").unlink()
    with pytest.raises(Missing, match="backup"):
        Store(tmp_path / "box.db")
    assert not (tmp_path / "box.db").exists()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 400], ids=["empty", "not a database"])
def test_a_damaged_store_is_left_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "box.db"
    Store(path).close()
    path.write_bytes(content)
    with pytest.raises(StoreDamaged):
        Store(path)
    assert path.read_bytes() == content


def test_check_names_what_is_hurt(tmp_path: Path) -> None:
    path = tmp_path / "box.db"
    Store(path).close()
    assert check(path) == []
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 4096] = bytes(4096)
    path.write_bytes(content)
    assert check(path)
    assert check(tmp_path / "none.db")


def test_readers_cannot_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "box.db")
    with pytest.raises(sqlite3.OperationalError):
        store.reader.execute("insert into box values ('a', '1')")
    store.close()
