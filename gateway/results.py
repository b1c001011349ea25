"""A grade and its outbox row, in one transaction.

The only writer of `reading` and, but for stores that are joined, of `grade`; nothing is ever changed: a new state of an
answer is a row with a higher revision, and the audit chain takes in each as it is written. The outbox may raise a
revision by itself, where the district has another content under the same one (a box that was restored); each such
revision gets a grade row too, with `raised` among its reasons, so that every revision which leaves the box has the
grade that explains it.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from gateway import audit
from gateway.reading import FAILED, Answer
from recognition.grading import Grade
from sync import outbox
from sync.messages import Result, result_id

VERSION: Final = 1
RAISED: Final = "raised"
"""The reason of a grade row that says nothing new: the outbox sent the one before it again, above the district's."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every result of a lesson carries."""

    installation: str
    box: str
    lesson: str
    sheet: str
    sheet_rev: int
    clock_trusted: bool
    """Whether the box's time, by which rows go, is the true one."""
    ahead_ms: int = 0
    """What it lacks to the true time, as far as that is known: for the district."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One answer's grade, ready to be written."""

    field: str
    pupil: str
    ink: str
    grade: Grade
    answer: Answer | None
    failed: "FailedJob | None" = None
    """The job, where the reader did not survive it."""
    strokes: str = ""
    """The strokes of the ink, as its hash was made of them (`FieldInk.text`); empty where the store knows them."""


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that the reader did not survive, for whoever wants to know why. It names no pupil."""

    pen: str
    at_ms: int
    payload: bytes


def write(db: Database, context: Context, graded: Graded, *, now_ms: int) -> int:
    """Write a grade if it says something new, with its reading and its outbox row.

    Its revision is above every revision of this answer that a grade or the outbox knows.

    Returns:
        Its revision, or 0 where nothing changed.
    """
    if graded.answer is not None:
        _insert_reading(db, context, graded, graded.answer, now_ms)
    if graded.failed is not None:
        _keep_failed(db, graded.failed)
    grade, why = graded.grade, json.dumps(list(graded.grade.reasons))
    code = result_id(context.installation, context.lesson, graded.field, graded.pupil)
    _explain(db, code, now_ms)
    said = {
        "state": grade.state,
        "value": grade.value,
        "points": grade.points,
        "max_points": grade.max_points,
        "key": grade.key,
        "ink": graded.ink,
        "decided_by": grade.decided_by,
        "coverage": grade.coverage,
    }
    before = db.conn.execute(
        f"select rev, why, {', '.join(said)} from grade where id = ? order by rev desc limit 1",  # noqa: S608  the names above
        (code,),
    ).fetchone()
    if before is not None and tuple(before[2:]) == tuple(said.values()) and _reasons(before[1]) == grade.reasons:
        return 0
    rev = 1 if before is None else before[0] + 1
    whose = {"id": code, "rev": rev, "lesson": context.lesson, "field": graded.field, "pupil": graded.pupil}
    rest = {"confidence": grade.confidence, "reader": grade.reader, "why": why}
    row = {**whose, **said, **rest, "at_ms": now_ms, "clock": int(context.clock_trusted)}
    audit.insert_grade(db, row, kind=audit.GRADE, now_ms=now_ms, strokes=graded.strokes)
    outbox.put(db, _result(context, graded, code, rev, now_ms))
    return rev


def explain_raised(db: Database, *, now_ms: int) -> int:
    """Give each revision that the outbox raised the grade row that it lacks. Returns how many there were."""
    codes = db.conn.execute(
        "select r.id from result r join (select id, max(rev) rev from grade group by id) g on g.id = r.id"
        " where r.rev > g.rev"
    ).fetchall()
    for (code,) in codes:
        _explain(db, code, now_ms)
    return len(codes)


def reading_of(db: sqlite3.Connection, lesson: str, field: str, pupil: str, ink: str) -> list[Answer]:
    """What readers said of this ink before, newest first."""
    rows = db.execute(
        "select value, confidence, accepted, more, reader from reading where lesson = ? and field = ? and pupil = ?"
        " and ink = ? order by id desc",
        (lesson, field, pupil, ink),
    ).fetchall()
    out = []
    for value, confidence, accepted, text, reader in rows:
        more = json.loads(text)
        alternatives = tuple((str(v), float(c)) for v, c in more["alternatives"])
        roles = tuple((role, why, tuple(by)) for role, why, by in more.get("roles", ()))
        out.append(Answer(0, value, confidence, bool(accepted), alternatives, tuple(more["reasons"]), reader, roles))
    return out


def newest(db: Database, lesson: str) -> Iterator[dict[str, Any]]:
    """The newest grade of each answer of a lesson, as rows by name."""
    cursor = db.conn.execute("select * from newest_grade where lesson = ?", (lesson,))
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _explain(db: Database, code: str, now_ms: int) -> None:
    """Where the outbox holds this answer above its newest grade, the same grade once more, under that revision."""
    sent = db.conn.execute("select rev from result where id = ?", (code,)).fetchone()
    cursor = db.conn.execute("select * from grade where id = ? order by rev desc limit 1", (code,))
    names, newest_row = [column[0] for column in cursor.description], cursor.fetchone()
    if sent is None or newest_row is None or sent[0] <= newest_row[names.index("rev")]:
        return
    row = dict(zip(names, newest_row, strict=True))
    why = [*_reasons(row["why"]), RAISED]
    row |= {"rev": sent[0], "why": json.dumps(why), "at_ms": now_ms}
    audit.insert_grade(db, row, kind=audit.RAISED, now_ms=now_ms)


def _reasons(why: str) -> tuple[str, ...]:
    return tuple(reason for reason in json.loads(why) if reason != RAISED)


def _keep_failed(db: Database, job: FailedJob) -> None:
    db.conn.execute(
        "insert into oddity(seq, pen, at_ms, kind, command, payload)"
        " select coalesce((select seq from ink order by id desc limit 1), 0), ?, ?, ?, null, ?"
        " where not exists (select 1 from oddity where pen = ? and kind = ? and payload = ?)",
        (job.pen, job.at_ms, FAILED, job.payload, job.pen, FAILED, job.payload),
    )


def _insert_reading(db: Database, context: Context, graded: Graded, answer: Answer, now_ms: int) -> None:
    more: dict[str, Any] = {"alternatives": answer.alternatives, "reasons": answer.reasons}
    if answer.roles:
        more["roles"] = answer.roles
    db.conn.execute(
        "insert or ignore into reading(lesson, field, pupil, ink, reader, value, confidence, accepted, more, at_ms)"
        " values (?,?,?,?,?,?,?,?,?,?)",
        (
            *(context.lesson, graded.field, graded.pupil, graded.ink, answer.reader, answer.value),
            *(answer.confidence, int(answer.accepted), json.dumps(more, ensure_ascii=False), now_ms),
        ),
    )


def _result(context: Context, graded: Graded, code: str, rev: int, now_ms: int) -> Result:
    grade = graded.grade
    return Result(
        v=VERSION,
        id=code,
        rev=rev,
        box=context.box,
        lesson=context.lesson,
        sheet=context.sheet,
        sheet_rev=context.sheet_rev,
        field=graded.field,
        pupil=graded.pupil,
        state=grade.state,
        value=grade.value,
        points=grade.points,
        max_points=grade.max_points,
        confidence=grade.confidence,
        reader=grade.reader,
        key=grade.key,
        ink=graded.ink,
        decided_by=grade.decided_by,
        coverage=grade.coverage,
        at_ms=now_ms + context.ahead_ms,
        clock="trusted" if context.clock_trusted or context.ahead_ms else "untrusted",
    )
