"""A virtual disk that holds one database, and forgets what was not synced.

The database is SQLite's own, in memory; its durable state is an image of it. A commit under `synchronous = full` is
durable at once; under a weaker one it is only durable when the disk gets round to it, and a power cut before that takes
it away. A cut in the middle of a transaction takes the transaction.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Final

_FULL: Final = 2


class Died(BaseException):
    """The process that did this is dead; no `except Exception` of it may run on."""


class _Connection(sqlite3.Connection):
    """A connection that dies with its process, at a statement that was drawn before if need be."""

    is_dead = False
    statements_left: int | None = None
    is_full = False
    on_death: Callable[[], None]
    on_close: Callable[[], None]

    def rollback(self) -> None:
        """Undo what is open; a dead process undoes nothing, its disk has done so."""
        if not self.is_dead:
            super().rollback()

    def close(self) -> None:
        """Its owner lets go; what is committed stays."""
        if not self.is_dead:
            self.on_close()
        super().close()

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401  sqlite3's own parameters
        self._before(sql)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401  sqlite3's own parameters
        self._before(sql)
        return super().executemany(sql, *args)

    def _before(self, sql: str) -> None:
        if self.is_dead:
            raise Died
        if self.statements_left is not None:
            self.statements_left -= 1
            if self.statements_left <= 0:
                self.statements_left = None
                self.on_death()
                raise Died
        if self.is_full and sql[:6].lower() in {"insert", "update", "delete"}:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error


class Drive:
    """One database's place on a disk. Outlives the processes that open it, one at a time."""

    def __init__(self, blank: bytes) -> None:
        self._durable = blank
        self._open: _Connection | None = None

    def open(self, on_death: Callable[[], None]) -> sqlite3.Connection:
        """What a process that starts finds there. `on_death` is called when `die_at` comes true."""
        if self._open is not None:
            raise RuntimeError("two processes with one database")
        connection = sqlite3.connect(":memory:", factory=_Connection, isolation_level=None)
        connection.deserialize(self._durable)
        connection.on_death, connection.on_close = on_death, self.cut
        self._open = connection
        return connection

    def cut(self) -> None:
        """The process is gone: what it had not made durable is too."""
        connection, self._open = self._open, None
        if connection is None:
            return
        if connection.in_transaction:
            sqlite3.Connection.rollback(connection)
        if self._is_synced(connection):
            self._durable = connection.serialize()
        connection.is_dead = True

    def flush(self) -> None:
        """The disk gets round to what nobody synced."""
        if self._open is not None and not self._open.in_transaction:
            self._durable = self._open.serialize()

    def die_at(self, statements: int | None) -> None:
        """Let the process die before so many statements from now are done; None takes that back."""
        if self._open is not None:
            self._open.statements_left = statements

    def fill(self, *, is_full: bool) -> None:
        """No room: whatever writes fails, or there is room again."""
        if self._open is not None:
            self._open.is_full = is_full

    def image(self) -> bytes:
        """A backup of what is committed now."""
        return self._durable if self._open is None else self._open.serialize()

    def restore(self, image: bytes) -> None:
        """Somebody puts a backup back; no process may hold it meanwhile."""
        if self._open is not None:
            raise RuntimeError("the database is in use")
        self._durable = image

    @staticmethod
    def _is_synced(connection: sqlite3.Connection) -> bool:
        found: int = sqlite3.Connection.execute(connection, "pragma synchronous").fetchone()[0]
        return found >= _FULL
