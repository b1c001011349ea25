"""Results and boxes for the tests of this folder."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from sync import outbox
from sync.messages import Result, result_id

T = TypeVar("T")

MADE_MS = 1_790_000_000_000
"""2026-09-21."""


def result(number: int, *, rev: int = 1, value: str = "37", installation: str = "i1") -> Result:
    """Answer number so-and-so of a lesson."""
    return Result(
        v=1,
        id=result_id(installation, "l1", f"q{number}", "pseudonym"),
        rev=rev,
        box="box-1",
        lesson="l1",
        sheet="demo",
        sheet_rev=1,
        field=f"q{number}",
        pupil="pseudonym",
        state="answered",
        value=value,
        points=1.0,
        max_points=1.0,
        confidence=0.93,
        reader="digits-1",
        key="k1",
        ink="ab" * 16,
        decided_by="reader",
        coverage=1.0,
        at_ms=MADE_MS + number,
        clock="trusted",
    )


class Box:
    """A box's database with an outbox, and the one writer that a publisher is given."""

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        self.db = Database(connection)
        outbox.migrations.apply(self.db)
        self.broken = False

    async def run(self, work: Callable[[Database], T]) -> T:
        """As the gateway's store."""
        if self.broken:
            raise sqlite3.OperationalError("disk I/O error")
        with self.db.atomic():
            return work(self.db)

    def put(self, *results: Result) -> None:
        """Write results in one transaction."""
        with self.db.atomic():
            for one in results:
                outbox.put(self.db, one)

    def depth(self) -> outbox.OutboxDepth:
        """What waits."""
        return outbox.depth(self.db)

    def states(self) -> list[str]:
        """The state of each envelope, in order."""
        return [row[0] for row in self.db.conn.execute("select state from envelope order by id")]

    def revisions(self) -> dict[str, int]:
        """The newest revision of each result."""
        return dict(self.db.conn.execute("select id, rev from result").fetchall())

    def close(self) -> None:
        """Let go."""
        self.db.conn.close()


@contextmanager
def box_at(path: Path) -> Iterator[Box]:
    """A box that is closed afterwards."""
    box = Box(path)
    try:
        yield box
    finally:
        box.close()
