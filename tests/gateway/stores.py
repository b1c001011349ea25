"""Stores for the tests: filled as lessons fill them, hurt as power cuts hurt them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from gateway import journal, pens, roster
from gateway.journal import Batch
from gateway.roster import Pupil
from gateway.store import Store
from gateway.strokes import LossSeen, Piece
from sync import outbox
from sync.messages import Receipt
from tests.gateway.rig import DEMO, KEY, PAGE1, Q1, T0, mac, piece
from tests.sync.samples import result

PAGE_BYTES = 4096


def stroke(pen: int, number: int, *, dots: int = 20) -> Piece:
    """Stroke number so-and-so of a pen."""
    return piece(mac(pen), PAGE1, Q1, T0 + 1_000 * number, dots=dots)


def write(store: Store, pieces: list[Piece], *, seq: int = 1, still_open: tuple[Piece, ...] = ()) -> None:
    """One beat of ink."""
    batch = Batch(seq, T0, closed=pieces, open=list(still_open))
    entries, keep_from = journal.prepare(batch)
    store.submit(lambda db: journal.commit(db, batch, entries, keep_from, trusted=True)).result()


def fill(store: Store, *, strokes: int = 50, pens_there: int = 4) -> None:
    """Pupils, pens, a lesson that runs, ink, a stroke that is open, a loss, and results in all four states."""
    open_one = stroke(1, 9_000)
    open_one.rows = open_one.rows[:7]

    def work(db: Database) -> None:
        roster.merge(db, [Pupil(n, f"name {n}", f"L{n}") for n in range(1, pens_there + 1)], key=KEY, now_ms=T0)
        for number in range(1, pens_there + 1):
            pens.bind(db, pen=mac(number), seat=number, at_ms=T0 - 1_000, how="card")
        db.conn.execute("insert or ignore into box(k, v) values ('installation', '00112233aabbccdd')")
        db.conn.execute("insert into lesson values ('l1', 'demo', 1, ?, null)", (T0,))
        db.conn.execute("insert into sheet values ('demo', 1, ?, ?)", (DEMO, T0))
        db.conn.execute("insert into lesson_seat select 'l1', seat, pseudonym from pupil")
        journal.insert_loss(db, 1, mac(1), LossSeen(T0, T0 + 50, 3, "counter_gap", None))

    store.submit(work).result()
    write(
        store,
        [stroke(1 + n % pens_there, n // pens_there) for n in range(strokes)],
        still_open=(open_one,),
    )
    store.submit(put_results).result()
    store.mark("00112233aabbccdd")


def put_results(db: Database) -> None:
    """Results 1 to 3 receipted, 4 to 6 in an envelope that waits, 7 fresh."""
    numbers = outbox.Numbers()
    for number in range(1, 4):
        outbox.put(db, result(number))
    outbox.seal(db, numbers, now_ms=T0)
    receipt = Receipt(v=1, epoch=numbers.epoch.hex(), ok=((1, 1),), generation="g", pos=1)
    outbox.book(db, receipt, numbers)
    for number in range(4, 7):
        outbox.put(db, result(number))
    outbox.seal(db, numbers, now_ms=T0)
    outbox.put(db, result(7))


def filled(folder: Path, **more: int) -> Path:
    """A store that a gateway left behind."""
    store = Store(folder / "gateway.db")
    fill(store, **more)
    store.close()
    return store.path


def ink_of(path: Path) -> set[tuple[object, ...]]:
    """All ink of a store."""
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("select pen, down_ms, piece, dots, sum from ink"))


def one(path: Path, query: str, *values: object) -> object:
    """The first column of the first row."""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(query, values).fetchone()
    return None if row is None else row[0]


def zero_page(path: Path, page: int) -> bytes:
    """Write zeros over a page (from 1). Returns what the file is then."""
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = bytes(PAGE_BYTES)
    path.write_bytes(content)
    return bytes(content)


def hurt(path: Path, how: str) -> bytes:
    """Hurt a store as field case 24 has it. Returns what the file is then."""
    if how == "zeroed":
        return zero_page(path, 3)
    content = {"empty": b"", "truncated": path.read_bytes()[:-PAGE_BYTES], "no database": b"no database" * 1_000}[how]
    path.write_bytes(content)
    return content


HURTS = ("zeroed", "empty", "truncated", "no database")
