"""The district's store in PostgreSQL, for several receivers at once. Needs the extra `postgres` (psycopg).

One transaction a batch, under one advisory lock, so that positions become visible in their order. New results go by
COPY straight into `result`, while the server works on what was sent before; where one of them is there already, and
for every later revision, rows are weighed against what is there. `history` is not kept: `takes` counts how many
revisions a result took, `counter.taken` how many all took, and more than there are revisions is a double.
"""

import contextlib
import logging
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import Connection, Cursor, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sync.district.mark import KEPT_OPENINGS, History, Opening, read_mark, restored_to, write_mark
from sync.district.postgres_rows import Fresh, add_sums, copy_new, put_weighed
from sync.district.store import (
    Batch,
    Clash,
    DistrictCounts,
    Incoming,
    Key,
    Sums,
    Taken,
    conflicting,
    count_query,
    counted,
)
from sync.errors import StoreUnavailable
from sync.messages import Announcement, DaySum

logger = logging.getLogger(__name__)

Dial: TypeAlias = Connection[tuple[Any, ...]]

_TABLES: Final = """
create table if not exists ledger(pos bigint generated always as identity unique, box text not null,
    epoch bytea not null, eseq bigint not null, digest bytea not null, n int not null,
    at timestamptz not null default now(), primary key(box, epoch, eseq));
create table if not exists result(id text primary key, rev int not null, box text not null, day text not null,
    body text not null, digest bytea not null, takes int not null default 1);
create table if not exists quarantine(box text not null, digest bytea not null, why text not null,
    payload bytea not null, at timestamptz not null default now(), primary key(box, digest));
create table if not exists generation(seq bigint generated always as identity primary key,
    generation text not null unique, from_pos bigint not null, at timestamptz not null default now());
create table if not exists opening(seq bigint generated always as identity primary key, token text not null unique,
    pos bigint not null, at timestamptz not null default now());
create table if not exists clash(seq bigint generated always as identity, box text not null, epoch bytea not null,
    eseq bigint not null, kind text not null, id text not null, rev int not null, kept bytea not null,
    came bytea not null, at timestamptz not null default now(), primary key(box, epoch, eseq, id, came));
create table if not exists counter(name text primary key, n bigint not null);
create table if not exists day_sum(box text, day text, n bigint not null, high bigint not null, low bigint not null,
    primary key(box, day));
"""
_LOCK: Final = 0x696E6B67617465
"""`inkgate` in ASCII: this program's advisory lock, one for tables, openings and batches alike."""
_TOKEN_BYTES: Final = 6
_SESSION: Final = {
    "synchronous_commit": "on",  # a receipt is a promise, whatever the server's own setting is
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # a receiver whose machine died holds the lock no longer
    "plan_cache_mode": "force_custom_plan",  # no plan made when the tables were empty
    "client_min_messages": "warning",
}
_NETWORK: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A server whose machine went is noticed in some ten seconds. What the URL says goes first, here and above."""
_SUM: Final = struct.Struct(">qq")
_COUNTS: Final = count_query(
    "select coalesce(sum(greatest(takes - rev, 0)), 0) + greatest(0,"
    " (select coalesce(sum(n), 0) from counter where name = 'taken') - coalesce(sum(takes), 0)) from result"
)


class PostgresStore:
    """A `DistrictStore` in one database of a PostgreSQL server."""

    def __init__(self, url: str, mark: Path | None, *, draw: Callable[[int], bytes] = os.urandom) -> None:
        """Nothing is opened before `open`.

        Args:
            url: `postgresql://USER@HOST/DATABASE`; a password comes from `PGPASSFILE`, or `?passfile=FILE`.
            mark: This receiver's own file, which remembers how far the ledger was; not on the database's machine.
            draw: Random bytes for the names of generations and openings.

        Raises:
            ValueError: The URL cannot be read, or it carries a password. It is not repeated.
        """
        try:
            told = conninfo_to_dict(url)
        except psycopg.Error:
            raise ValueError("the database's URL is postgresql://USER@HOST/DATABASE") from None
        if told.get("password"):
            raise ValueError("no password in the URL, where others can see it: name its file by ?passfile=FILE")
        given = {name: str(value) for name, value in told.items()}
        options = [*(f"-c {name}={value}" for name, value in _SESSION.items()), given.pop("options", "")]
        named = {**_NETWORK, "application_name": "inkgate-district", **given, "options": " ".join(options)}
        self._conninfo = make_conninfo(**named)
        self._mark, self._draw = mark, draw
        self._connection: Dial | None = None
        self._history = History((), ())

    def open(self) -> Announcement:
        """As `DistrictStore.open`."""
        self.close()
        with _available():
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
            encoding = self._connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":  # another one does not hold every character
                raise StoreUnavailable(f"the database's encoding is {encoding}; it takes UTF8")
            with self._writing() as cursor:
                cursor.connection.execute(_TABLES)  # not by a binary cursor: it takes one statement only
                pos = self._begin(cursor)
                self._history = _history(cursor)
            write_mark(self._mark, self._history.mark(pos))
        return self._history.announcement()

    def take(self, batch: Sequence[Incoming]) -> Taken:
        """As `DistrictStore.take`."""
        read = Batch(batch)
        before = self._history.generations
        with _available():
            with self._open.transaction(), self._open.cursor(binary=True) as cursor:
                token, known = _asked(self._open, read)
                if token != self._history.token:
                    self._history = _history(cursor)
                envelopes, rows, conflicts, pos = _write(cursor, read, known)
            # Before any receipt goes out: a receipt beyond the mark would hide a restore.
            write_mark(self._mark, self._history.mark(pos))
        return read.taken(self._history, before, pos, envelopes=envelopes, rows=rows, conflicts=conflicts)

    def counts(self) -> DistrictCounts:
        """As `DistrictStore.counts`."""
        with _available():
            return counted(self._open.execute(_COUNTS).fetchone() or ())

    def digests(self) -> Iterator[tuple[str, str, bytes]]:
        """As `DistrictStore.digests`; a whole scan, fetched in parts."""
        with _available(), self._scanning(), self._open.cursor("digests", binary=True) as cursor:
            yield from cursor.execute("select box, day, digest from result")

    def sums(self, boxes: Sequence[str]) -> Sums:
        """As `DistrictStore.sums`; kept with every batch, so that asking costs a row a day."""
        with _available(), self._open.transaction(), self._open.cursor() as cursor:
            pos = _last_pos(cursor)
            found = cursor.execute(
                "select box, day, n, high, low from day_sum where box = any(%s) and n > 0 order by box, day",
                (list(boxes),),
            )
            days: dict[str, dict[str, DaySum]] = {}
            for box, day, rows, high, low in found:
                days.setdefault(box, {})[day] = DaySum(rows, _SUM.pack(high, low).hex())
            return Sums(self._history.generation, pos, days)

    def rows_of(self, box: str, day: str) -> dict[str, tuple[int, bytes]]:
        """As `DistrictStore.rows_of`; a whole scan: only differences ask for it."""
        with _available(), self._scanning() as cursor:
            found = cursor.execute("select id, rev, digest from result where box = %s and day = %s", (box, day))
            return {code: (rev, value) for code, rev, value in found}

    def close(self) -> None:
        """As `DistrictStore.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    @property
    def _open(self) -> Dial:
        if self._connection is None:
            raise StoreUnavailable("the district's store is not open")
        return self._connection

    @contextmanager
    def _writing(self) -> Iterator[Cursor[tuple[Any, ...]]]:
        """A transaction under the lock; another receiver's is waited for."""
        connection = self._open
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            yield cursor

    @contextmanager
    def _scanning(self) -> Iterator[Cursor[tuple[Any, ...]]]:
        """A reading transaction that may take as long as the table is large."""
        connection = self._open
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            cursor.execute("set local statement_timeout = 0")
            yield cursor

    def _begin(self, cursor: Cursor[tuple[Any, ...]]) -> int:
        """Note this opening, and a new generation where the database went back. Returns the last position."""
        generations, openings = _history(cursor)
        pos = _last_pos(cursor)
        back = restored_to(read_mark(self._mark), generations, openings, pos)
        if back is not None:
            logger.warning("The database went back: a new generation begins at %d", back)
        if back is not None or not generations:
            cursor.execute(
                "insert into generation(generation, from_pos) values (%s, %s)",
                (self._draw(_TOKEN_BYTES).hex(), pos if back is None else back),
            )
        cursor.execute(
            "insert into opening(token, pos) values (%s, %s)",
            (self._draw(_TOKEN_BYTES).hex(), pos),
        )
        return pos


def _asked(connection: Dial, read: Batch) -> tuple[str, dict[int, bytes]]:
    """Take the lock, then ask for the newest opening and for the envelopes that the ledger has, in one round trip.

    Returns the opening's token, and digests by the envelope's place in the batch.
    """
    with connection.pipeline(), _cursors(connection, 2) as (openings, ledger):
        ledger.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        openings.execute("select token from opening order by seq desc limit 1")
        ledger.execute(
            "select u.i - 1, l.digest from unnest(%s::text[], %s::bytea[], %s::bigint[])"
            " with ordinality u(box, epoch, eseq, i) join ledger l using (box, epoch, eseq)",
            _columns(read.sealed),
        )
        newest, known = openings.fetchone(), dict(ledger.fetchall())
    return "" if newest is None else str(newest[0]), known


def _write(cursor: Cursor[tuple[Any, ...]], read: Batch, known: dict[int, bytes]) -> tuple[int, int, int, int]:
    """Returns how many envelopes, rows and conflicts are new, and the last position."""
    keys = list(read.sealed)
    if known:
        told = _told(cursor, keys)
        for at, kept in known.items():
            read.known(keys[at], kept, told.get(at, ()))
    fresh = Fresh(read, [key for at, key in enumerate(keys) if at not in known])
    taken = _put(cursor, fresh)
    conflicts = 0
    for key, one in fresh.arrived.items():
        read.answers.ok(key, one.clashes)
        conflicts += len(conflicting(one.clashes))
    pos = _book(cursor, read, fresh, taken)
    return len(fresh.arrived), sum(len(one.rows) for one in fresh.arrived.values()), conflicts, pos


def _told(cursor: Cursor[tuple[Any, ...]], keys: Sequence[Key]) -> dict[int, list[Clash]]:
    """What was told of clashes when these envelopes came first, by their place in the batch."""
    told: dict[int, list[Clash]] = {}
    for at, *clash in cursor.execute(
        "select u.i - 1, c.kind, c.id, c.rev, c.kept, c.came from unnest(%s::text[], %s::bytea[], %s::bigint[])"
        " with ordinality u(box, epoch, eseq, i) join clash c using (box, epoch, eseq) order by c.seq",
        _columns(keys),
    ):
        told.setdefault(at, []).append(Clash(*clash))
    return told


def _put(cursor: Cursor[tuple[Any, ...]], fresh: Fresh) -> int:
    """Write the rows of new envelopes. Returns how many revisions were taken."""
    if not fresh.keys:
        return 0
    cursor.execute("savepoint new")
    try:
        copy_new(cursor, fresh)
    except errors.UniqueViolation:
        cursor.execute("rollback to savepoint new")
        fresh.none_is_new()
    return fresh.copied + put_weighed(cursor, fresh)


def _book(cursor: Cursor[tuple[Any, ...]], read: Batch, fresh: Fresh, taken: int) -> int:
    """Note all that is not a result itself, in one round trip. Returns the last position."""
    arrived, connection = fresh.arrived, cursor.connection
    with connection.pipeline(), _cursors(connection, 2) as (writing, last):
        add_sums(writing, fresh.sums)
        _count(writing, "taken", taken)
        _count(writing, "repeats", read.repeats)
        if arrived:
            writing.execute(
                "insert into ledger(box, epoch, eseq, digest, n) select box, epoch, eseq, digest, n from"
                " unnest(%s::text[], %s::bytea[], %s::bigint[], %s::bytea[], %s::int[])"
                " with ordinality u(box, epoch, eseq, digest, n, i) order by i",
                (
                    *_columns(arrived),
                    [read.sealed[key].digest for key in arrived],
                    [len(one.rows) for one in arrived.values()],
                ),
            )
        if read.quarantined:
            writing.executemany(
                "insert into quarantine(box, digest, why, payload) values (%s, %s, %s, %s) on conflict do nothing",
                read.quarantined,
            )
        clashes = [(*key, *clash) for key, one in arrived.items() for clash in one.clashes]
        if clashes:
            writing.executemany(
                "insert into clash(box, epoch, eseq, kind, id, rev, kept, came) values (%s, %s, %s, %s, %s, %s, %s, %s)"
                " on conflict do nothing",
                clashes,
            )
        return _last_pos(last)


def _count(cursor: Cursor[tuple[Any, ...]], name: str, more: int) -> None:
    if more:
        cursor.execute(
            "insert into counter(name, n) values (%s, %s) on conflict(name) do update set n = counter.n + excluded.n",
            (name, more),
        )


def _columns(keys: Iterable[Key]) -> tuple[list[str], list[bytes], list[int]]:
    """Boxes, epochs and numbers, as arrays go to the server."""
    listed = list(keys)
    return [key.box for key in listed], [key.epoch for key in listed], [key.eseq for key in listed]


@contextmanager
def _cursors(connection: Dial, count: int) -> Iterator[list[Cursor[tuple[Any, ...]]]]:
    """Several cursors: in a pipeline each keeps the answer to its own last question."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connection.cursor(binary=True)) for _ in range(count)]


def _last_pos(cursor: Cursor[tuple[Any, ...]]) -> int:
    found = cursor.execute("select coalesce(max(pos), 0) from ledger").fetchone()
    return 0 if found is None else int(found[0])


def _history(cursor: Cursor[tuple[Any, ...]]) -> History:
    generations = cursor.execute("select generation, from_pos from generation order by seq").fetchall()
    newest = cursor.execute("select token, pos from opening order by seq desc limit %s", (KEPT_OPENINGS,)).fetchall()
    return History(tuple((name, pos) for name, pos in generations), tuple(Opening(*one) for one in reversed(newest)))


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, OSError) as error:
        words = " ".join(str(error).split())
        raise StoreUnavailable(f"the district's database does not answer: {words}") from error
