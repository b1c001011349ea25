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

from sync.district.store import (
    Batch,
    Clash,
    DistrictCounts,
    Envelope,
    Incoming,
    Key,
    Mark,
    Taken,
    read_mark,
    went_back,
    write_mark,
)
from sync.errors import StoreUnavailable
from sync.messages import NUMBER_REUSED, Announcement, Row

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
_GENERATION_BYTES: Final = 6


@migrations()
def first(db: Database) -> None:
    """The tables of sync.md 1.4. `clash` keeps what a repeat must be told again; times are milliseconds UTC."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


class SqliteStore:
    """A `DistrictStore` in one file."""

    def __init__(
        self,
        path: Path,
        mark: Path | None,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Nothing is opened before `open`.

        Args:
            path: The database.
            mark: A file elsewhere than the database's backups that remembers how far the ledger was.
            now_ms: Milliseconds UTC, for the `at` columns only.
            draw: Random bytes for the name of a generation.
        """
        self._path, self._mark, self._now_ms, self._draw = path, mark, now_ms, draw
        self._connection: sqlite3.Connection | None = None
        self._generation = ""

    def open(self) -> Announcement:
        """As `DistrictStore.open`."""
        self.close()
        with _available():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=10, check_same_thread=False)
            self._connection = connection
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            migrations.apply(Database(connection))
            with self._writing(connection):
                generations, pos = self._know(connection)
            self._generation = generations[-1][0]
            write_mark(self._mark, Mark(self._generation, pos))
        return Announcement(generations=tuple(generations))

    def take(self, batch: Sequence[Incoming]) -> Taken:
        """As `DistrictStore.take`."""
        read = Batch(batch)
        with _available(), self._writing(self._open) as connection:
            envelopes, rows, clashes = self._write(connection, read)
            pos = _last_pos(connection)
        with _available():
            # Before any receipt goes out: a receipt beyond the mark would hide a restore.
            write_mark(self._mark, Mark(self._generation, pos))
        return Taken(
            receipts=read.answers.receipts(self._generation, pos),
            envelopes=envelopes,
            rows=rows,
            repeats=read.repeats,
            conflicts=clashes,
            quarantined=len(read.quarantined),
        )

    def counts(self) -> DistrictCounts:
        """As `DistrictStore.counts`."""
        with _available():
            one = self._open.execute(
                "select (select count(*) from result), (select count(*) from ledger),"
                " (select coalesce(sum(n), 0) from counter where name = 'repeats'),"
                " (select count(*) from clash where kind = 'conflict'),"
                " (select count(*) from clash c join result r using (id) where c.kind = 'conflict' and r.rev = c.rev),"
                " (select count(*) from quarantine),"
                " (select count(*) from (select 1 from history group by id, rev having count(*) > 1))"
            ).fetchone()
        names = ("results", "envelopes", "repeats", "conflicts", "unsettled", "quarantined", "doubled")
        return DistrictCounts(**dict(zip(names, one, strict=True)))

    def digests(self) -> Iterator[tuple[str, str, bytes]]:
        """As `DistrictStore.digests`."""
        with _available():
            yield from self._open.execute("select box, day, digest from result")

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

    def _know(self, connection: sqlite3.Connection) -> tuple[list[tuple[str, int]], int]:
        """The generations, oldest first, with a new one if the database went back; and the last position."""
        query = "select generation, from_pos from generation order by seq"
        known = connection.execute(query).fetchall()
        pos = _last_pos(connection)
        mark = read_mark(self._mark)
        back = went_back(mark, [name for name, _ in known], pos)
        if back and mark is not None:
            logger.warning("The database is older than position %d: a new generation begins at %d", mark.pos, pos)
        if back or not known:
            connection.execute(
                "insert into generation(generation, from_pos, at) values (?, ?, ?)",
                (self._draw(_GENERATION_BYTES).hex(), pos, self._now_ms()),
            )
            known = connection.execute(query).fetchall()
        return known, pos

    def _write(self, connection: sqlite3.Connection, read: Batch) -> tuple[int, int, int]:
        """Returns how many envelopes and rows are new, and how many conflicts there were."""
        now_ms = self._now_ms()
        connection.executemany(
            "insert into quarantine(box, digest, why, payload, at) values (?, ?, ?, ?, ?) on conflict do nothing",
            [(*one, now_ms) for one in read.quarantined],
        )
        envelopes = rows = conflicts = 0
        for key, envelope in read.envelopes.items():
            new = connection.execute(
                "insert into ledger(box, epoch, eseq, digest, n, at) values (?, ?, ?, ?, ?, ?) on conflict do nothing",
                (*key, envelope.digest, len(envelope.rows), now_ms),
            ).rowcount
            if not new:
                self._known_number(connection, key, envelope, read)
                continue
            clashes = []
            for row in envelope.rows:
                clash = _put(connection, key.box, row, now_ms)
                if clash is not None:
                    clashes.append(clash)
            connection.executemany(
                "insert into clash(box, epoch, eseq, kind, id, rev, kept, came, at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " on conflict do nothing",
                [(*key, *clash, now_ms) for clash in clashes],
            )
            read.answers.ok(key, clashes)
            envelopes += 1
            rows += len(envelope.rows)
            conflicts += sum(clash.kind == "conflict" for clash in clashes)
        if read.repeats:
            connection.execute(
                "insert into counter(name, n) values ('repeats', ?) on conflict(name) do update set n = n + excluded.n",
                (read.repeats,),
            )
        return envelopes, rows, conflicts

    def _known_number(self, connection: sqlite3.Connection, key: Key, envelope: Envelope, read: Batch) -> None:
        """The same content is a repeat, and is told what it was told before; other content is a mistake."""
        kept = connection.execute(
            "select digest from ledger where box = ? and epoch = ? and eseq = ?", tuple(key)
        ).fetchone()[0]
        if kept != envelope.digest:
            read.answers.refused(key, NUMBER_REUSED)
            return
        told = connection.execute(
            "select kind, id, rev, kept, came from clash where box = ? and epoch = ? and eseq = ?", tuple(key)
        )
        read.answers.ok(key, [Clash(*row) for row in told])
        read.repeats += 1


def _put(connection: sqlite3.Connection, box: str, row: Row, now_ms: int) -> Clash | None:
    """The newer revision wins, in whatever order they come; the same one with other content stays out."""
    value = row.digest
    known = connection.execute("select rev, digest from result where id = ?", (row.id,)).fetchone()
    if known is not None and known[0] >= row.rev:
        if known[0] == row.rev and known[1] == value:
            return None
        kind = "conflict" if known[0] == row.rev else "behind"
        return Clash(kind, row.id, known[0], known[1], value)
    connection.execute(
        "insert into result(id, rev, box, day, body, digest) values (?, ?, ?, ?, ?, ?) on conflict(id) do update set"
        " rev = excluded.rev, box = excluded.box, day = excluded.day, body = excluded.body, digest = excluded.digest",
        (row.id, row.rev, box, row.day, row.body, value),
    )
    connection.execute("insert into history(id, rev, box, at) values (?, ?, ?, ?)", (row.id, row.rev, box, now_ms))
    return None


def _last_pos(connection: sqlite3.Connection) -> int:
    return int(connection.execute("select coalesce(max(pos), 0) from ledger").fetchone()[0])


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the district's store does not answer: {error}") from error
