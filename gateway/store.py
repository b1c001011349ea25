"""The box's one database: migrations, the one writer in a thread of its own, and read-only connections for all others.

A missing database is made; one that was there and is gone, or cannot be read, is never replaced without a word. The
gateway (`mend`) puts a damaged one aside untouched and goes on in a new one, at its start or whenever it is noticed;
for everybody else opening it fails. Whoever opens the store for writing holds a lock file, so that two gateways never
share it.
"""

import asyncio
import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlite_utils import Database

from gateway import aside, keeping, salvage
from gateway.aside import Aside
from gateway.clock import now_ms
from gateway.errors import Missing, StoreBusy, StoreDamaged
from gateway.schema import migrations
from sync.outbox import migrations as outbox_migrations

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOG_CAP_BYTES: Final = 32 << 20
"""The writer empties the write-ahead log when it is larger; a reader that stays open keeps it from that."""
CHECKED_AT_START_BYTES: Final = 1 << 30
"""A store up to this size is looked through at each start (0.1 s for 100 MB); `db check` looks at any."""

_MARK: Final = ".installed"
"""Stands beside the database from its making on: a database that is gone later is not replaced without a word."""
_MOST: Final = 20
"""How many faults a check names."""
_BUSY_MS: Final = 1_000
"""How long one try waits for a lock: the beat keeps what it has and tries again."""
_LOOK_EVERY: Final = 64
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Store:
    """The writer, and the way to readers. One for a process; `close()` ends its thread and gives the lock back."""

    def __init__(self, path: Path, *, mend: bool = False) -> None:
        """Open or make the database.

        Args:
            path: The file.
            mend: Whether a damaged one is put aside and a new one begun, now and later.

        Raises:
            StoreBusy: Another process holds it.
            StoreDamaged: It is there and cannot be read, and `mend` is false.
            Missing: It was there once and is gone.
        """
        self.path, self._mend = path, mend
        self.on_replaced: Callable[[], object] = lambda: None
        """Called in the writer's thread when a new store has taken the place of a damaged one."""
        self.filled_up = 0
        """How often the disk had no room for a transaction."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(path.with_suffix(".lock"))
        self._work: queue.SimpleQueue[tuple[Callable[[Database], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._readers: list[sqlite3.Connection] = []
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._write, args=(opened,), name="store-writer", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def reader(self) -> sqlite3.Connection:
        """A connection that only reads, for the thread that made the store. Ask for it anew each time."""
        return self._readers[-1]

    def submit(self, work: Callable[[Database], T]) -> Future[T]:
        """Run work in one transaction of the writer's thread; its result or error comes when that is over.

        Work may run again, on another database, where the first was found damaged: it must not change anything else.
        """
        future: Future[T] = Future()
        self._work.put((work, future))
        return future

    async def run(self, work: Callable[[Database], T]) -> T:
        """As `submit`, awaited."""
        return await asyncio.wrap_future(self.submit(work))

    def doubt(self, error: sqlite3.Error) -> None:
        """A reader met an error: if the store is damaged, the writer does about it what is to be done."""
        if is_damage(error):
            self.submit(lambda _: _look_through(self.path))

    def mark(self, installation: str) -> None:
        """Note beside the database who this installation is: a new store keeps the name of a damaged one."""
        mark = _mark(self.path)
        if mark.read_text(encoding="ascii", errors="replace").strip() != installation:
            mark.write_text(f"{installation}\n", encoding="ascii")

    def close(self) -> None:
        """Finish what waits, then let go."""
        self._work.put(None)
        self._thread.join()
        for reader in self._readers:
            reader.close()
        os.close(self._lock)

    def _write(self, opened: "Future[None]") -> None:
        db: Database | None = None
        try:
            db = self._begin()
        except BaseException as error:  # noqa: BLE001  handed to the caller of __init__, whatever it is
            opened.set_exception(error)
            return
        opened.set_result(None)
        count = 0
        while (item := self._work.get()) is not None:
            work, future = item
            if not future.set_running_or_notify_cancel():
                continue  # whoever asked was cancelled before the work's turn came
            try:
                db = db or self._begin()  # where a new store could not be begun it is tried again
                try:
                    result = _transact(db, work)
                except sqlite3.DatabaseError as error:
                    if not (self._mend and is_damage(error)):
                        raise
                    moved, hurt, db = self._put_aside(str(error)), db, None
                    # The readers have read and are still open: this one is not the last, and leaves the log as it is.
                    hurt.conn.close()
                    db = self._begin_anew(moved)
                    result = _transact(db, work)
            except BaseException as error:  # noqa: BLE001  handed to whoever asked for the work
                self.filled_up += is_full(error)
                future.set_exception(error)
            else:
                future.set_result(result)
            count += 1
            if count % _LOOK_EVERY == 0 and db is not None:
                self._shorten_log(db)
        if db is not None:
            _close(db)

    def _begin(self) -> Database:
        moved = aside.finish(self.path)
        if moved is not None and moved.candidate:
            aside.done(self.path)
            moved = None
        try:
            db = self._open(moved)
        except StoreDamaged as error:
            if not self._mend:
                raise
            return self._begin_anew(self._put_aside(str(error)))
        return db if moved is None else self._filled(db, moved)

    def _put_aside(self, why: str) -> Aside:
        moved = aside.put(self.path, kind="damaged", why=why, at_ms=now_ms())
        logger.error("the store is damaged (%s); it is put aside as %s and a new one is begun", why, moved.name)
        return moved

    def _begin_anew(self, moved: Aside) -> Database:
        db = self._filled(self._open(moved), moved)
        self.on_replaced()
        return db

    def _open(self, moved: Aside | None) -> Database:
        db = _open(self.path, anew=moved is not None)
        reader = read_only(self.path)
        reader.execute("select count(*) from sqlite_master").fetchone()
        self._readers.append(reader)
        return db

    def _filled(self, db: Database, moved: Aside) -> Database:
        installation = _mark(self.path).read_text(encoding="ascii", errors="replace").strip()
        _transact(db, lambda db: salvage.seed(db, self.path, moved, installation=installation))
        aside.done(self.path)
        return db

    def _shorten_log(self, db: Database) -> None:
        if log_bytes(self.path) > LOG_CAP_BYTES:
            db.conn.execute("pragma busy_timeout = 50")
            try:
                db.conn.execute("pragma wal_checkpoint(truncate)").fetchone()
            except sqlite3.OperationalError as error:
                logger.warning("the store's log of %d MB cannot be emptied: %s", log_bytes(self.path) >> 20, error)
            finally:
                db.conn.execute(f"pragma busy_timeout = {_BUSY_MS}")


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads, for one thread; rows by name."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    connection.isolation_level = None
    connection.row_factory = sqlite3.Row
    connection.execute("pragma busy_timeout = 2000")
    return connection


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, closed at the end."""
    connection = read_only(path)
    try:
        yield connection
    finally:
        connection.close()


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the database file itself is hurt."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk has no room."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def log_bytes(path: Path) -> int:
    """The size of the write-ahead log."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def check(path: Path) -> list[str]:
    """What is hurt in a database; an empty list if it is whole."""
    if not path.exists():
        return [f"{path} does not exist"]
    if path.stat().st_size == 0:
        return [f"{path} is empty"]
    try:
        with looking(path) as connection:
            found = [row[0] for row in connection.execute(f"pragma integrity_check({_MOST})")]
    except sqlite3.OperationalError as error:
        return [f"it cannot be looked at now: {error}"]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else [str(line) for text in found for line in str(text).splitlines()]


def hold(path: Path) -> int:
    """Hold a store's lock; closing the descriptor gives it back.

    Raises:
        StoreBusy: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return _hold(path.with_suffix(".lock"))


def migrate(db: Database) -> None:
    """Bring a database to the newest schema."""
    migrations.apply(db)
    outbox_migrations.apply(db)
    keeping.migrations.apply(db)


def _transact(db: Database, work: Callable[[Database], T]) -> T:
    """One transaction. It takes the write lock first, so that nothing is half done when another process has it."""
    try:
        db.conn.execute("begin immediate")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY:
            raise
        db.conn.execute("begin")  # what takes no writes can still be read
    try:
        result = work(db)
        db.conn.execute("commit")
    except BaseException:
        db.conn.rollback()
        raise
    return result


def _look_through(path: Path) -> None:
    """Raise as SQLite does if the file is hurt, by a connection that has nothing of it in memory."""
    with looking(path) as connection:
        found = connection.execute("pragma quick_check(1)").fetchone()[0]
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


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


def _mark(path: Path) -> Path:
    return path.with_name(path.name + _MARK)


def _open(path: Path, *, anew: bool) -> Database:
    mark = _mark(path)
    if mark.exists() and not path.exists() and not anew:
        raise Missing(f"{path} was here once and is gone. Bring it back from a backup, or remove {mark} to begin anew.")
    if path.exists() and path.stat().st_size == 0 and mark.exists() and not anew:
        raise StoreDamaged(f"{path} is empty, though it was in use.")
    try:
        # Looked at before it is opened for writing: that alone may change a damaged file.
        if path.exists() and 0 < path.stat().st_size <= CHECKED_AT_START_BYTES:
            with looking(path) as connection:
                found = connection.execute("pragma quick_check(1)").fetchone()[0]
            if found != "ok":
                raise StoreDamaged(f"{path} is damaged ({found}); `inkgate db check` says more.")
        return _connect(path, mark)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
            raise StoreBusy(f"{path} cannot be opened now ({error}); try again in a moment.") from error
        raise StoreDamaged(f"{path} cannot be read ({error}); `inkgate db check` says more.") from error


def _connect(path: Path, mark: Path) -> Database:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.isolation_level = None
    try:
        connection.execute(f"pragma busy_timeout = {_BUSY_MS * 10}")
        _make_durable(connection, path)
        connection.execute(f"pragma journal_size_limit = {LOG_CAP_BYTES}")
        db = Database(connection)
        migrate(db)
        mark.touch()
        connection.execute(f"pragma busy_timeout = {_BUSY_MS}")
    except BaseException:
        connection.close()
        raise
    return db


def _make_durable(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("pragma journal_mode = wal").fetchone()[0]
    connection.execute("pragma synchronous = full")
    synchronous = connection.execute("pragma synchronous").fetchone()[0]
    if (mode, synchronous) != ("wal", 2):
        raise Missing(f"{path} works with {mode} and {synchronous}, not with WAL and FULL; is the disk a network's?")


def _close(db: Database) -> None:
    with suppress(sqlite3.OperationalError):
        db.conn.execute("pragma wal_checkpoint(truncate)")
    db.conn.close()
