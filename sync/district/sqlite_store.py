"""The district's store in SQLite: one file, WAL, synchronous FULL. For the demo and for a district of one machine."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlite_utils import Database, Migrations

from sync.district.mark import KEPT_OPENINGS, History, Opening, read_mark, restored_to, write_mark
from sync.district.proof import district_side
from sync.district.store import (
    Batch,
    Clash,
    DistrictCounts,
    Held,
    Incoming,
    Key,
    Sums,
    Taken,
    Weighed,
    conflicting,
    count_query,
    counted,
)
from sync.errors import StoreUnavailable
from sync.messages import Announcement, Row

logger = logging.getLogger(__name__)

migrations = Migrations("district")

_FIRST: Final = """
create table ledger(pos integer primary key autoincrement, box text not null, epoch blob not null, eseq int not null,
    digest blob not null, n int not null, at int not null, unique(box, epoch, eseq));
create table result(id text primary key, rev int not null, box text not null, day text not null, body text not null,
    digest blob not null);
create table quarantine(box text not null, digest blob not null, why text not null, payload blob not null,
    at int not null, primary key(box, digest));
create table generation(seq integer primary key autoincrement, generation text not null unique, from_pos int not null,
    at int not null);
create table history(id text not null, rev int not null, box text not null, at int not null);
create table clash(box text not null, epoch blob not null, eseq int not null, kind text not null, id text not null,
    rev int not null, kept blob not null, came blob not null, at int not null,
    primary key(box, epoch, eseq, id, came));
create table counter(name text primary key, n int not null);
"""
_COUNTS: Final = count_query("select count(*) from (select 1 from history group by id, rev having count(*) > 1)")
_GENERATION_BYTES: Final = 6
_BUSY_S: Final = 10
"""So long is another writer of the file waited for."""


@migrations()
def first(db: Database) -> None:
    """The tables of sync.md 1.4. `clash` keeps what a repeat must be told again; times are milliseconds UTC."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


@migrations()
def openings(db: Database) -> None:
    """Which receiver opened the store at which position: see `sync.district.mark`."""
    db.conn.execute(
        "create table opening(seq integer primary key autoincrement, token text not null unique, pos int not null,"
        " at int not null)"
    )


class SqliteStore:
    """A `DistrictStore` in one file."""

    def __init__(
        self,
        path: Path,
        mark: Path | None,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        draw: Callable[[int], bytes] = os.urandom,
        connect: Callable[[Path], sqlite3.Connection] | None = None,
    ) -> None:
        """Nothing is opened before `open`.

        Args:
            path: The database.
            mark: A file elsewhere than the database's backups that remembers how far the ledger was.
            now_ms: Milliseconds UTC, for the `at` columns only.
            draw: Random bytes for the names of generations and openings.
            connect: Opens the database in autocommit mode; the file at `path`, if not given.
        """
        self._path, self._mark, self._now_ms, self._draw = path, mark, now_ms, draw
        self._connect = _connect if connect is None else connect
        self._connection: sqlite3.Connection | None = None
        self._history = History((), ())

    def open(self) -> Announcement:
        """As `DistrictStore.open`."""
        self.close()
        with _available():
            connection = self._connection = self._connect(self._path)
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            migrations.apply(Database(connection))
            with self._writing(connection):
                pos = self._begin(connection)
                self._history = _history(connection)
            write_mark(self._mark, self._history.mark(pos))
        return self._history.announcement()

    def take(self, batch: Sequence[Incoming]) -> Taken:
        """As `DistrictStore.take`."""
        read = Batch(batch)
        before = self._history.generations
        with _available():
            with self._writing(self._open) as connection:
                if _newest_opening(connection) != self._history.token:
                    self._history = _history(connection)
                envelopes, rows, conflicts = self._write(connection, read)
                pos = _last_pos(connection)
            # Before any receipt goes out: a receipt beyond the mark would hide a restore.
            write_mark(self._mark, self._history.mark(pos))
        return read.taken(self._history, before, pos, envelopes=envelopes, rows=rows, conflicts=conflicts)

    def counts(self) -> DistrictCounts:
        """As `DistrictStore.counts`."""
        with _available():
            return counted(self._open.execute(_COUNTS).fetchone())

    def digests(self) -> Iterator[tuple[str, str, bytes]]:
        """As `DistrictStore.digests`."""
        with _available():
            yield from self._open.execute("select box, day, digest from result")

    def sums(self, boxes: Sequence[str]) -> Sums:
        """As `DistrictStore.sums`."""
        marks = ",".join("?" * len(boxes))
        with _available():
            pos = _last_pos(self._open)
            found = self._open.execute(f"select box, day, digest from result where box in ({marks})", tuple(boxes))  # noqa: S608  marks only
            return Sums(self._history.generation, pos, district_side(found))

    def rows_of(self, box: str, day: str) -> dict[str, tuple[int, bytes]]:
        """As `DistrictStore.rows_of`."""
        with _available():
            found = self._open.execute("select id, rev, digest from result where box = ? and day = ?", (box, day))
            return {code: (rev, value) for code, rev, value in found}

    def close(self) -> None:
        """As `DistrictStore.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreUnavailable("the district's store is not open")
        return self._connection

    @contextmanager
    def _writing(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        connection.execute("begin immediate")
        try:
            yield connection
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise

    def _begin(self, connection: sqlite3.Connection) -> int:
        """Note this opening, and a new generation where the database went back. Returns the last position."""
        generations, before = _history(connection)
        pos = _last_pos(connection)
        back = restored_to(read_mark(self._mark), generations, before, pos)
        if back is not None:
            logger.warning("The database went back: a new generation begins at %d", back)
        if back is not None or not generations:
            connection.execute(
                "insert into generation(generation, from_pos, at) values (?, ?, ?)",
                (self._draw(_GENERATION_BYTES).hex(), pos if back is None else back, self._now_ms()),
            )
        connection.execute(
            "insert into opening(token, pos, at) values (?, ?, ?)",
            (self._draw(_GENERATION_BYTES).hex(), pos, self._now_ms()),
        )
        return pos

    def _write(self, connection: sqlite3.Connection, read: Batch) -> tuple[int, int, int]:
        """Returns how many envelopes and rows are new, and how many conflicts there were."""
        now_ms = self._now_ms()
        envelopes = rows = conflicts = 0
        for key, sealed in read.sealed.items():
            kept = connection.execute(
                "select digest from ledger where box = ? and epoch = ? and eseq = ?", tuple(key)
            ).fetchone()
            if kept is not None:
                told = connection.execute(
                    "select kind, id, rev, kept, came from clash where box = ? and epoch = ? and eseq = ?"
                    " order by rowid",
                    tuple(key),
                )
                read.known(key, kept[0], [Clash(*row) for row in told])
                continue
            unpacked = read.unpacked(key)
            if unpacked is None:
                continue
            connection.execute(
                "insert into ledger(box, epoch, eseq, digest, n, at) values (?, ?, ?, ?, ?, ?)",
                (*key, sealed.digest, len(unpacked), now_ms),
            )
            clashes = _put(connection, key, unpacked, now_ms)
            read.answers.ok(key, clashes)
            envelopes += 1
            rows += len(unpacked)
            conflicts += len(conflicting(clashes))
        connection.executemany(
            "insert into quarantine(box, digest, why, payload, at) values (?, ?, ?, ?, ?) on conflict do nothing",
            [(*one, now_ms) for one in read.quarantined],
        )
        if read.repeats:
            connection.execute(
                "insert into counter(name, n) values ('repeats', ?) on conflict(name) do update set n = n + excluded.n",
                (read.repeats,),
            )
        return envelopes, rows, conflicts


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)


def _put(connection: sqlite3.Connection, key: Key, rows: Sequence[Row], now_ms: int) -> list[Clash]:
    """Weigh the rows of one envelope against what is there, and write what is newer. Returns what clashed."""
    held = {}
    for row in rows:
        found = connection.execute("select rev, box, day, digest from result where id = ?", (row.id,)).fetchone()
        if found is not None:
            held[row.id] = Held(*found)
    weighed = Weighed(held)
    clashes, history = [], []
    for row in rows:
        clash = weighed.weigh(key.box, row, row.digest)
        if clash is not None:
            clashes.append(clash)
        elif row.id in weighed.written and weighed.written[row.id][1] is row:
            history.append((row.id, row.rev, key.box, now_ms))
    connection.executemany(
        "insert into result(id, rev, box, day, body, digest) values (?, ?, ?, ?, ?, ?) on conflict(id) do update set"
        " rev = excluded.rev, box = excluded.box, day = excluded.day, body = excluded.body, digest = excluded.digest",
        [(row.id, row.rev, box, row.day, row.body, value) for box, row, value, _ in weighed.written.values()],
    )
    connection.executemany("insert into history(id, rev, box, at) values (?, ?, ?, ?)", history)
    connection.executemany(
        "insert into clash(box, epoch, eseq, kind, id, rev, kept, came, at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict do nothing",
        [(*key, *clash, now_ms) for clash in clashes],
    )
    return clashes


def _history(connection: sqlite3.Connection) -> History:
    generations = connection.execute("select generation, from_pos from generation order by seq").fetchall()
    newest = connection.execute("select token, pos from opening order by seq desc limit ?", (KEPT_OPENINGS,)).fetchall()
    return History(tuple(generations), tuple(Opening(*one) for one in reversed(newest)))


def _newest_opening(connection: sqlite3.Connection) -> str:
    found = connection.execute("select token from opening order by seq desc limit 1").fetchone()
    return "" if found is None else str(found[0])


def _last_pos(connection: sqlite3.Connection) -> int:
    return int(connection.execute("select coalesce(max(pos), 0) from ledger").fetchone()[0])


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the district's store does not answer: {error}") from error
