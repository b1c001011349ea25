"""What can be read out of a damaged store, and what a new one is begun with. The damaged file is only read.

A table is read by row number; where that fails the range is halved, down to the rows that cannot be read, and what lies
behind them is read on.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from gateway import keeping
from gateway.aside import Aside

LOST: Final = "store_lost"
"""Cause of a loss: the ink is in a store that was put aside; joining it heals the loss."""

logger = logging.getLogger(__name__)

_CARRIED: Final = ("pen", "binding", "pupil", "sheet", "key_change", "lesson", "lesson_seat")
"""Small tables that a lesson needs to go on."""
_NOT_CARRIED: Final = frozenset({"late", "store_damaged", "restored"})
"""Of the table `box`: what tells of rows that the new store does not have."""
_TRIES: Final = 20_000
_BEYOND: Final = 4_096
"""How far behind the last row that could be read to look on, where the highest number is not known."""


@dataclass(slots=True)
class Table:
    """What was read of one table: rows as mappings by column."""

    name: str
    columns: list[str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0
    """Row numbers, or runs of them, that cannot be read; 0 if the table is whole."""


class Wreck:
    """A store that may be damaged, opened to read what can be read."""

    def __init__(self, path: Path) -> None:
        """Open it; a file that is no database at all has no tables."""
        self.names: dict[str, list[str]] = {}
        self.is_readable = True
        """Whether the list of its tables can be read."""
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("pragma busy_timeout = 2000")
            # Without it SQLite refuses a file that is shorter than its header says, or whose schema has a fault.
            self._connection.execute("pragma writable_schema = on")
            found = self._connection.execute("select name from sqlite_master where type = 'table'").fetchall()
            for (name,) in found:
                self.names[name] = [row["name"] for row in self._connection.execute(f'pragma table_info("{name}")')]
        except sqlite3.DatabaseError:
            self.is_readable = False

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def table(self, name: str) -> Table:
        """All of a table that can be read."""
        table = Table(name, self.names.get(name, []))
        if not table.columns:
            table.unreadable = 1
            return table
        for row in self._rows(table):
            table.rows.append(dict(zip(table.columns, tuple(row)[1:], strict=True)))
        return table

    def count(self, name: str) -> tuple[int, int]:
        """How many rows of a table can be read, and how many row numbers or runs of them cannot."""
        table = Table(name, self.names[name])
        return sum(1 for _ in self._rows(table)), table.unreadable

    def _rows(self, table: Table) -> Iterator[sqlite3.Row]:
        columns = ", ".join(f'"{name}"' for name in table.columns)
        query = f'select rowid, {columns} from "{table.name}" where rowid between ? and ? order by rowid'  # noqa: S608  names of the file's own tables
        top = self._top(table.name)
        spans, tries, last = [(0, 1 << 62 if top is None else top)], 0, 0
        while spans:
            low, high = spans.pop()
            at = low - 1
            try:
                for row in self._connection.execute(query, (low, high)):
                    at = last = int(row[0])
                    yield row
            except sqlite3.DatabaseError:
                tries += 1
                start = at + 1
                high = high if top is not None else min(high, last + _BEYOND)
                if start >= high or tries > _TRIES:
                    table.unreadable += 1
                    continue
                middle = (start + high) // 2
                spans += [(middle + 1, high), (start, middle)]

    def _top(self, name: str) -> int | None:
        try:
            return int(self._connection.execute(f'select coalesce(max(rowid), 0) from "{name}"').fetchone()[0])  # noqa: S608  as above
        except sqlite3.DatabaseError:
            return None


def insert(db: Database, table: str, rows: list[dict[str, Any]]) -> int:
    """Insert rows, all with one set of columns, as far as the table has them; keys that are there are left out."""
    if not rows:
        return 0
    here = [row[1] for row in db.conn.execute(f'pragma table_info("{table}")')]
    names = [name for name in here if name in rows[0]]
    marks = ",".join("?" * len(names))
    before = db.conn.total_changes
    db.conn.executemany(
        f'insert or ignore into "{table}"({",".join(names)}) values ({marks})',  # noqa: S608  our own names
        ([row[name] for name in names] for row in rows),
    )
    return db.conn.total_changes - before


def seed(db: Database, path: Path, moved: Aside, *, installation: str) -> None:
    """Begin a new store in the place of one that was put aside, as far as that one can be read.

    Brought over are pens, bindings, the roster and the running lesson, and who this installation is. What each pen
    wrote until now is a loss of the cause `store_lost`, until the old store is joined.
    """
    if db.conn.execute("select 1 from box where k = 'store_damaged' and v = ?", (moved.name,)).fetchone():
        return  # done before a kill
    keeping.note_aside(db, moved)
    # Numbers of the old store may still be under way to the district: none of them means two envelopes.
    for table in ("envelope", "fresh"):
        db.conn.execute("insert into sqlite_sequence(name, seq) values (?, ?)", (table, moved.at_ms))
    if moved.name:
        try:
            with closing(Wreck(path.with_name(moved.name))) as wreck, db.atomic():
                _carry(db, wreck)
        except (sqlite3.Error, LookupError, TypeError, ValueError):
            logger.exception("nothing could be brought over from %s; pens are bound by a tick on the card", moved.name)
    if installation:
        _keep(db, "installation", installation)
    _keep(db, "store_damaged", moved.name)
    until_ms = moved.lived_ms or moved.at_ms
    db.conn.execute(
        "insert into loss(seq, pen, from_ms, to_ms, cause) select 0, mac, first_ms, ?, ? from pen where first_ms < ?",
        (until_ms, LOST, until_ms),
    )


def _carry(db: Database, wreck: Wreck) -> None:
    for row in wreck.table("box").rows:
        if row["k"] not in _NOT_CARRIED:
            _keep(db, row["k"], row["v"])
    for name in _CARRIED:
        rows = wreck.table(name).rows
        if name in {"lesson", "lesson_seat"}:
            running = {row["id"] for row in wreck.table("lesson").rows if row["stopped_ms"] is None}
            rows = [row for row in rows if row.get("lesson", row.get("id")) in running]
        insert(db, name, rows)
    db.conn.execute("delete from lesson where not exists (select 1 from sheet where id = sheet and rev = sheet_rev)")


def _keep(db: Database, key: str, value: object) -> None:
    db.conn.execute("insert into box(k, v) values (?, ?) on conflict(k) do update set v = excluded.v", (key, value))
