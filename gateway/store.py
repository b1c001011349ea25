"""The box's one database: migrations, the one writer in a thread of its own, and read-only connections for all others.

A missing database is made; one that is there and cannot be read is set aside by nobody but a person: opening it fails.
Whoever opens the store for writing holds a lock file, so that two gateways never share it.
"""

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlite_utils import Database

from gateway.errors import Missing, StoreBusy, StoreDamaged
from gateway.schema import migrations
from sync.outbox import migrations as outbox_migrations

T = TypeVar("T")

_MARK: Final = ".installed"
"""Stands beside the database from its making on: a database that is gone later is not replaced without a word."""


class Store:
    """The writer, and the way to readers. One for a process; `close()` ends its thread and gives the lock back."""

    def __init__(self, path: Path) -> None:
        """Open or make the database.

        Raises:
            StoreBusy: Another process holds it.
            StoreDamaged: It is there and cannot be read.
            Missing: It was there once and is gone.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(path.with_suffix(".lock"))
        self._work: queue.SimpleQueue[tuple[Callable[[Database], Any], Future[Any]] | None] = queue.SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._write, args=(opened,), name="store-writer", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            os.close(self._lock)
            raise
        self.reader: Final = read_only(path)

    def submit(self, work: Callable[[Database], T]) -> Future[T]:
        """Run work in one transaction of the writer's thread; its result or error comes when that is over."""
        future: Future[T] = Future()
        self._work.put((work, future))
        return future

    async def run(self, work: Callable[[Database], T]) -> T:
        """As `submit`, awaited."""
        return await asyncio.wrap_future(self.submit(work))

    def close(self) -> None:
        """Finish what waits, then let go."""
        self._work.put(None)
        self._thread.join()
        self.reader.close()
        os.close(self._lock)

    def _write(self, opened: "Future[None]") -> None:
        try:
            db = _open(self.path)
        except BaseException as error:  # noqa: BLE001  handed to the caller of __init__, whatever it is
            opened.set_exception(error)
            return
        opened.set_result(None)
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                with db.atomic():
                    result = work(db)
            except BaseException as error:  # noqa: BLE001  handed to whoever asked for the work
                future.set_exception(error)
            else:
                future.set_result(result)
        db.conn.execute("pragma wal_checkpoint(truncate)")
        db.conn.close()


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads, for one thread; rows by name."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma busy_timeout = 2000")
    return connection


def check(path: Path) -> list[str]:
    """What is hurt in a database; an empty list if it is whole."""
    if not path.exists():
        return [f"{path} does not exist"]
    try:
        connection = read_only(path)
        found = [row[0] for row in connection.execute("pragma integrity_check(20)")]
        connection.close()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _hold(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreBusy(
            f"Another inkgate works with {path.parent}. Ask that one (`inkgate status`) or stop it first."
        ) from None
    return handle


def _open(path: Path) -> Database:
    mark = path.with_name(path.name + _MARK)
    if mark.exists() and not path.exists():
        raise Missing(f"{path} was here once and is gone. Bring it back from a backup, or remove {mark} to begin anew.")
    if path.exists() and path.stat().st_size == 0 and mark.exists():
        raise StoreDamaged(f"{path} is empty, though it was in use. It is left untouched; bring back a backup.")
    try:
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma busy_timeout = 10000")
        connection.execute("pragma journal_size_limit = 67108864")
        db = Database(connection)
        migrations.apply(db)
        outbox_migrations.apply(db)
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(
            f"{path} cannot be read ({error}). It is left untouched: `inkgate db check` says more."
        ) from error
    mark.touch()
    return db
