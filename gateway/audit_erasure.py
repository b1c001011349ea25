"""A pupil is deleted on request: what goes, what stays, and how that is said.

What goes, in one transaction of a store that no gateway holds: the row on the roster; the pupil's readings, grades,
decisions and seats in lessons, that is every row of any table that names the pseudonym; the ink that the pupil's pen
wrote in those lessons, unless it is also ink of another pupil's grade; the lists of that ink, and jobs that a reader
did not survive; what the outbox holds of it. The district, which only ever gets newer revisions, gets one of each
answer that says nothing (`sync.erasure`). Deleted bytes are written over in the file.

What stays: in the audit chain the rows of the grades, which nobody can read without the key that went too, and a row
`erased` that says how many they were; losses, links and bindings, which name pens and seats; ink that was written in no
lesson, which nothing in the store ties to a pupil. A mark remembers that somebody was deleted, so that a store that was
put aside earlier and is joined later does not bring the rows back. Backups and stores that were put aside hold them
still: whoever deletes must see to these too.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from gateway import audit, audit_ink, journal
from gateway.errors import WrongUse
from gateway.pens import Bindings
from gateway.reading import FAILED
from sync import erasure

_NAMES = ("pupil", "pseudonym")
"""Columns that hold a pseudonym, in whatever table."""
_FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Erased:
    """How much went."""

    grades: int
    """Rows of `grade`, all revisions."""
    readings: int
    ink: int
    """Pieces."""
    lessons: int
    results: int
    """Answers of which the district is sent an empty revision."""


def pseudonym_of(db: Database, whom: str) -> str:
    """The pseudonym of a pupil by seat, as it is on the roster now, or by the pseudonym itself.

    Raises:
        WrongUse: There is no such pupil.
    """
    if whom.isdecimal() and len(whom) <= 3:  # noqa: PLR2004  seats go to 999
        found = db.conn.execute("select pseudonym from pupil where seat = ? and left_ms is null", (int(whom),))
    else:
        found = db.conn.execute(
            "select ? where exists (select 1 from pupil where pseudonym = ?)"
            " or exists (select 1 from grade where pupil = ?) or exists (select 1 from lesson_seat where pupil = ?)",
            (whom,) * 4,
        )
    row = found.fetchone()
    if row is None:
        raise WrongUse(f"Nobody here is {whom}: name a seat of the roster, or a pseudonym.")
    return str(row[0])


def forget(db: Database, pupil: str, *, now_ms: int) -> Erased:
    """Delete a pupil, by pseudonym, inside the caller's transaction. The store must be held, and no gateway run."""
    db.conn.execute("pragma secure_delete = on")
    journal.recover(db, trusted=True)  # strokes that are still open would become ink of nobody at the next start
    codes = {row[0] for row in db.conn.execute("select distinct id from grade where pupil = ?", (pupil,))}
    inks = {row[0] for row in db.conn.execute("select distinct ink from grade where pupil = ? and ink <> ''", (pupil,))}
    grades = db.conn.execute("select count(*) from grade where pupil = ?", (pupil,)).fetchone()[0]
    readings = db.conn.execute("select count(*) from reading where pupil = ?", (pupil,)).fetchone()[0]
    lessons = db.conn.execute("select count(*) from lesson_seat where pupil = ?", (pupil,)).fetchone()[0]
    pieces = _pieces(db, pupil)
    audit.erase(db, pupil, now_ms=now_ms)
    for table, column in _named(db, _NAMES):
        db.conn.execute(f'delete from "{table}" where "{column}" = ?', (pupil,))  # noqa: S608  the store's own names
    others = {row[0] for row in db.conn.execute("select distinct ink from grade where ink <> ''")}
    _drop_ink(db, pieces, inks - others)
    results = erasure.erase(db, codes, now_ms=now_ms)
    return Erased(grades, readings, len(pieces), lessons, results)


def forget_again(db: Database, *, now_ms: int) -> int:
    """Delete whom a joined store has brought back. Returns how many pupils that were.

    A pupil who was put on the roster again after the deletion stays.
    """
    marks = {bytes(row[0]): row[1] for row in db.conn.execute("select mark, at_ms from erased")}
    back = set()
    for table, column in _named(db, _NAMES) if marks else ():
        for (pupil,) in db.conn.execute(f'select distinct "{column}" from "{table}"').fetchall():  # noqa: S608  as above
            if isinstance(pupil, str) and audit.mark_of(pupil) in marks:
                back.add(pupil)
    again = 0
    for pupil in sorted(back):
        added = db.conn.execute("select added_ms from pupil where pseudonym = ?", (pupil,)).fetchone()
        if added is None or added[0] <= marks[audit.mark_of(pupil)]:
            forget(db, pupil, now_ms=now_ms)
            again += 1
    return again


def _named(db: Database, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Tables and their columns of one of these names."""
    tables = [row[0] for row in db.conn.execute("select name from sqlite_master where type = 'table'")]
    return [
        (table, row[1])
        for table in tables
        for row in db.conn.execute(f'pragma table_info("{table}")').fetchall()
        if row[1] in names
    ]


def _pieces(db: Database, pupil: str) -> list[int]:
    """Row numbers of the ink of a pupil's lessons, without what grades of others stand on."""
    bindings = Bindings.load(db)
    is_others = _ink_of_others(db, pupil)
    found = []
    for seat, from_ms, until_ms in db.conn.execute(
        "select s.seat, l.started_ms, coalesce(l.stopped_ms, ?) from lesson_seat s join lesson l on l.id = s.lesson"
        " where s.pupil = ?",
        (_FOREVER_MS, pupil),
    ).fetchall():
        for pen, begin_ms, end_ms in bindings.pens_of(seat, from_ms, until_ms):
            query = (
                "select id, section, owner, note, page, down_ms from ink where pen = ? and down_ms >= ? and down_ms < ?"
            )
            for row, *page, down_ms in db.conn.execute(query, (pen, begin_ms, end_ms)):
                if bindings.seat_of(pen, down_ms) == seat and not is_others((pen, *page, down_ms)):
                    found.append(row)
    return sorted(set(found))


def _ink_of_others(db: Database, pupil: str) -> Callable[[tuple[Any, ...]], bool]:
    """Lessons may share a time, where one was begun backwards; then a stroke may be in grades of two pupils."""
    taken = set()
    query = "select strokes from graded_ink where ink in (select ink from grade where pupil <> ?)"
    for (strokes,) in db.conn.execute(query, (pupil,)):
        taken |= {(each.pen, *each.page, each.down_ms) for each in audit_ink.strokes_of(strokes)}
    return taken.__contains__


def _drop_ink(db: Database, pieces: list[int], inks: set[str]) -> None:
    db.conn.executemany("delete from ink where id = ?", [(each,) for each in pieces])
    for table, column in _named(db, ("ink",)):
        db.conn.executemany(f'delete from "{table}" where "{column}" = ?', [(each,) for each in sorted(inks)])  # noqa: S608  the store's own names
    for row, payload in db.conn.execute("select id, payload from oddity where kind = ?", (FAILED,)).fetchall():
        if json.loads(bytes(payload).partition(b"\n")[0]).get("ink") in inks:
            db.conn.execute("delete from oddity where id = ?", (row,))
