"""Versions of answer keys, and answers graded anew under another one.

A sheet brings the first version of each field's key. A change is a row of `key_change` with the version, the whole key,
who and when; no row is ever changed. Undoing a change is a row too: it names the version that is in force again and the
one that it undoes. A key is of a revision of a sheet, so every lesson with it goes by the key that is in force.

Answers are graded anew from their grades: what was captured and read stands there, so no ink is read again. What a
person decided stays. An answer that comes out the same under the other version keeps its grade row, with the name of
the version that it was graded by, and is not sent again; an undo brings back the grade that was there before the
change, also in the name of its key. Every new grade goes through `results.write`: a revision with its outbox row.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlite_utils import Database

from gateway import results
from gateway.results import Context, Graded
from recognition.grading import MACHINE, Grade, regrade
from recognition.sheets import Field, Sheet, key_table, rekeyed

SHEET: Final = "sheet"
"""Who made a key's first version."""


class Version(NamedTuple):
    """One version of a field's key."""

    number: int
    field: Field
    """The field under it."""
    who: str
    """A pseudonym; `sheet` for the first version."""
    at_ms: int | None
    """When it came; None for the sheet's own."""


@dataclass(frozen=True, slots=True)
class History:
    """All versions of one field's key, the first one first, and what is in force."""

    versions: tuple[Version, ...]
    in_force: tuple[int, ...]
    """The numbers of the versions that nothing has undone; the last is the key."""

    @property
    def now(self) -> Version:
        """The version that is in force."""
        return self[self.in_force[-1]]

    @property
    def next_number(self) -> int:
        """The number of the next version: no number comes twice, undone or not."""
        return max(version.number for version in self.versions) + 1

    def __getitem__(self, number: int) -> Version:
        """A version by its number; LookupError where there is none."""
        found = [version for version in self.versions if version.number == number]
        if not found:
            raise LookupError(f"no version {number}")
        return found[-1]


class Affected(NamedTuple):
    """One answer, as it was and as it is under the other key."""

    lesson: str
    seat: int
    pupil: str
    ink: str
    before: Grade
    after: Grade


@dataclass(frozen=True, slots=True)
class Weighed:
    """What another key does to the answers that have a grade."""

    changed: tuple[Affected, ...]
    by_hand: tuple[Affected, ...]
    """What persons decided; `after` is as it was."""
    unchanged: tuple[Affected, ...]


class Change(NamedTuple):
    """A change of a key, ready to be written."""

    sheet: Sheet
    """As it was loaded, with whatever keys."""
    field: Field
    """Under the key that is to be in force."""
    undoes: int | None
    """The version that it undoes."""
    who: str


def history(connection: sqlite3.Connection, sheet: Sheet, name: str) -> History:
    """All versions of a field's key.

    Args:
        connection: To the store.
        sheet: As it was printed: with the keys of its own text.
        name: The field; KeyError where the sheet has none of this name.
    """
    first = sheet.field(name)
    versions, stack = [Version(first.key_version, first, SHEET, None)], [first.key_version]
    for version, key, who, at_ms, undoes in connection.execute(
        "select version, key, who, at_ms, undoes from key_change where sheet = ? and sheet_rev = ? and field = ?"
        " order by at_ms, id",
        (sheet.id, sheet.revision, name),
    ):
        if undoes is None:
            versions.append(Version(version, rekeyed(first, json.loads(key), version=version), who, at_ms))
            stack.append(version)
        elif len(stack) > 1 and undoes in stack:
            stack.remove(undoes)
    return History(tuple(versions), tuple(stack))


def current(connection: sqlite3.Connection, sheet: Sheet) -> Sheet:
    """A sheet under the keys that are in force."""
    changed = [
        row[0]
        for row in connection.execute(
            "select distinct field from key_change where sheet = ? and sheet_rev = ?", (sheet.id, sheet.revision)
        ).fetchall()
    ]
    if not changed:
        return sheet
    return sheet.with_fields({name: history(connection, sheet, name).now.field for name in changed})


def newest_change(connection: sqlite3.Connection, sheet: Sheet) -> str | None:
    """The field whose key was changed last, of those changes that nothing has undone."""
    found: list[tuple[int, str]] = []
    for (name,) in connection.execute(
        "select distinct field from key_change where sheet = ? and sheet_rev = ?", (sheet.id, sheet.revision)
    ).fetchall():
        now = history(connection, sheet, name).now
        if now.at_ms is not None:
            found.append((now.at_ms, name))
    return max(found)[1] if found else None


def weigh(connection: sqlite3.Connection, change: Change) -> Weighed:
    """What a change does to the graded answers of every lesson with this revision of the sheet. Writes nothing."""
    changed: list[Affected] = []
    by_hand: list[Affected] = []
    unchanged: list[Affected] = []
    for (lesson, seat, pupil), rows in _answers(connection, change):
        ink, before = rows[-1]["ink"], grade_of(rows[-1])
        after = regrade(before, change.field)
        former = None if change.undoes is None else _former(rows, f"{change.field.id}/v{change.undoes}")
        for known in (before, before if former is None else grade_of(former)):
            if (kept := settled(after, known)) is not after:
                after = kept
                break
        one = Affected(lesson, seat, pupil, ink, before, after)
        (by_hand if before.decided_by != MACHINE else unchanged if after == before else changed).append(one)
    return Weighed(tuple(changed), tuple(by_hand), tuple(unchanged))


def write(db: Database, change: Change, *, context: Context, now_ms: int) -> Weighed:
    """Put a change into force, with the grades that follow from it, in the caller's transaction.

    Args:
        db: The store.
        change: What is to be in force.
        context: What every result carries, but for its lesson.
        now_ms: The box's time.
    """
    db.conn.execute(
        "insert into key_change(sheet, sheet_rev, field, version, key, who, at_ms, undoes) values (?,?,?,?,?,?,?,?)",
        (
            *(change.sheet.id, change.sheet.revision, change.field.id, change.field.key_version),
            *(json.dumps(key_table(change.field), ensure_ascii=False), change.who, now_ms, change.undoes),
        ),
    )
    weighed = weigh(db.conn, change)
    for one in weighed.changed:
        graded = Graded(change.field.id, one.pupil, one.ink, one.after, None)
        results.write(db, replace(context, lesson=one.lesson), graded, now_ms=now_ms)
    return weighed


def settled(made: Grade, before: Grade) -> Grade:
    """A grade that says what the one before said, but for the version of its key, by that one's name of the key."""
    named = replace(made, key=before.key)
    told = partial(replace, confidence=None, reader="", alternatives=())
    return named if told(named) == told(before) else made


def grade_of(row: Mapping[str, Any]) -> Grade:
    """A row of `grade` as a grade; what the outbox adds to its reasons is no part of it."""
    return Grade(
        state=row["state"],
        value=row["value"],
        points=row["points"],
        max_points=row["max_points"],
        confidence=row["confidence"],
        reader=row["reader"],
        key=row["key"],
        decided_by=row["decided_by"],
        coverage=row["coverage"],
        reasons=tuple(reason for reason in json.loads(row["why"]) if reason != results.RAISED),
    )


def _former(rows: list[dict[str, Any]], undone: str) -> dict[str, Any] | None:
    """The row that was the newest when a version of the key came, if it is of the ink that there is now."""
    for row, later in pairwise(rows):
        if later["key"] == undone or later["key"].startswith(f"{undone}/"):
            return row if row["ink"] == rows[-1]["ink"] else None
    return None


def _answers(
    connection: sqlite3.Connection, change: Change
) -> Iterator[tuple[tuple[str, int, str], list[dict[str, Any]]]]:
    """Each graded answer of the field: whose it is, and all its rows, the oldest first."""
    cursor = connection.execute(
        "select s.seat, g.* from lesson l join lesson_seat s on s.lesson = l.id"
        " join grade g on g.lesson = l.id and g.pupil = s.pupil and g.field = ?"
        " where l.sheet = ? and l.sheet_rev = ? order by l.started_ms, l.id, s.seat, g.rev",
        (change.field.id, change.sheet.id, change.sheet.revision),
    )
    names = [column[0] for column in cursor.description]
    found: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for values in cursor:
        row = dict(zip(names, tuple(values), strict=True))
        found.setdefault((row["lesson"], row["seat"], row["pupil"]), []).append(row)
    yield from found.items()
