"""Stores of older programs."""

import sqlite3
from pathlib import Path

from sqlite_utils import Database

from gateway.healing import Drained, close_drain
from gateway.journal import insert_loss
from gateway.schema import migrations
from gateway.store import Store
from gateway.strokes import LossSeen
from tests.gateway.rig import T0, mac


def test_a_store_of_the_first_migration_opens_and_its_gaps_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    db = Database(sqlite3.connect(path))
    migrations.apply(db, stop_before="drains")
    assert "drain" not in db.table_names()
    db.conn.execute("insert into loss(seq, pen, from_ms, to_ms, cause) values (1, ?, 100, 900, 'link_lost')", (mac(1),))
    db.conn.commit()
    db.conn.close()
    store = Store(path)
    drained = Drained(mac(1), T0, T0, T0 + 100, 0, 0, 0, True, None)
    drain, mended = store.submit(lambda d: close_drain(d, drained)).result()
    assert (drain, mended) == (1, []), "nobody knows which part of an old gap was live ink"
    assert store.reader.execute("select pen, whole from newest_drain").fetchone()[:] == (mac(1), 1)
    assert store.reader.execute("select count(*) from unhealed").fetchone()[0] == 1
    store.close()


def test_only_gaps_from_before_the_link_are_healed_and_only_by_a_drain_that_is_whole(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")

    def fill(db: Database) -> None:
        for from_ms, to_ms in ((100, 900), (1_000, 2_000)):
            insert_loss(db, 1, mac(1), LossSeen(from_ms, to_ms, None, "memory_unread", None, ()))
        insert_loss(db, 1, mac(1), LossSeen(50, 60, 3, "counter_gap", None))

    store.submit(fill).result()
    part = Drained(mac(1), 900, 900, 950, 0, 0, 0, False, "link_lost")
    assert store.submit(lambda db: close_drain(db, part)).result() == (1, [])
    drain, mended = store.submit(lambda db: close_drain(db, part._replace(whole=True, why=None))).result()
    assert [(m.from_ms, m.to_ms, m.left) for m in mended] == [(100, 900, ())]
    rows = [tuple(r) for r in store.reader.execute("select from_ms, healed_by from loss order by from_ms")]
    assert rows == [(50, None), (100, drain), (1_000, None)]
    store.close()
