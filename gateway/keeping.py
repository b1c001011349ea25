"""What is kept, and for how long: rows that say what was pruned, and which stores were put aside.

The district has what is receipted, so an old receipted envelope may go; its results stay, and so does a row that says
what went. Envelopes that wait or were refused never go.
"""

from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database, Migrations

from gateway.aside import Aside

migrations = Migrations("keeping")

PRUNED_AT_ONCE: Final = 200
"""Envelopes that one transaction lets go: the beat waits no longer for it than for another beat."""
_DAY_MS: Final = 86_400_000

_FIRST: Final = """
create table pruned(id integer primary key, at_ms int not null, what text not null, rows int not null,
    from_ms int, to_ms int, why text not null);
create table aside(id integer primary key, name text not null unique, at_ms int not null, lived_ms int not null,
    why text not null, joined_ms int, rows int, unreadable text)
"""


@migrations()
def first(db: Database) -> None:
    """Retention's own record, and the stores that were put aside."""
    for statement in _FIRST.split(";\n"):
        db.conn.execute(statement)


@dataclass(frozen=True, slots=True)
class Held:
    """A store that was put aside."""

    id: int
    name: str
    at_ms: int
    lived_ms: int
    """When the box that wrote it last lived; 0 where that is not known."""
    why: str
    joined_ms: int | None
    unreadable: str | None
    """Tables that could not be read whole when it was joined, comma-separated; None before."""


def prune(db: Database, *, now_ms: int, keep_days: float, low: bool) -> int:
    """Let receipted envelopes go: those that are too old, and while the disk is low the oldest.

    Returns:
        How many went, at most `PRUNED_AT_ONCE`.
    """
    before_s = (now_ms if low else now_ms - keep_days * _DAY_MS) / 1000
    rows = db.conn.execute(
        "select id, at from envelope where state = 'receipted' and at < ? order by at limit ?",
        (before_s, PRUNED_AT_ONCE),
    ).fetchall()
    if not rows:
        return 0
    db.conn.executemany("delete from envelope where id = ?", [(row[0],) for row in rows])
    times = [round(row[1] * 1000) for row in rows]
    db.conn.execute(
        "insert into pruned(at_ms, what, rows, from_ms, to_ms, why) values (?, 'envelope', ?, ?, ?, ?)",
        (now_ms, len(rows), min(times), max(times), "disk.low" if low else "sync.keep_days"),
    )
    return len(rows)


def note_aside(db: Database, aside: Aside) -> None:
    """Remember that a store was put aside."""
    if aside.name:
        db.conn.execute(
            "insert or ignore into aside(name, at_ms, lived_ms, why) values (?, ?, ?, ?)",
            (aside.name, aside.at_ms, aside.lived_ms, aside.why),
        )


def held(db: Database) -> list[Held]:
    """Every store that was put aside, oldest first."""
    rows = db.conn.execute("select id, name, at_ms, lived_ms, why, joined_ms, unreadable from aside order by id")
    return [Held(*row) for row in rows]
