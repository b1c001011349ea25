"""A grade and its outbox row, in one transaction.

The only writer of `reading` and `grade`; nothing is ever changed: a new state of an answer is a row with a higher
revision.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlite_utils import Database

from gateway.reading import Answer
from recognition.grading import Grade
from sync import outbox
from sync.messages import Result, result_id

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Context:
    """What every result of a lesson carries."""

    installation: str
    box: str
    lesson: str
    sheet: str
    sheet_rev: int
    clock_trusted: bool


@dataclass(frozen=True, slots=True)
class Graded:
    """One answer's grade, ready to be written."""

    field: str
    pupil: str
    ink: str
    grade: Grade
    answer: Answer | None


def write(db: Database, context: Context, graded: Graded, *, now_ms: int) -> int:
    """Write a grade if it says something new, with its reading and its outbox row.

    Returns:
        Its revision, or 0 where nothing changed.
    """
    if graded.answer is not None:
        _insert_reading(db, context, graded, graded.answer, now_ms)
    grade = graded.grade
    code = result_id(context.installation, context.lesson, graded.field, graded.pupil)
    new = (grade.state, grade.value, grade.points, grade.max_points, grade.key, graded.ink, grade.decided_by)
    before = db.conn.execute(
        "select rev, state, value, points, max_points, key, ink, decided_by from grade where id=? order by rev desc"
        " limit 1",
        (code,),
    ).fetchone()
    if before is not None and tuple(before[1:]) == new:
        return 0
    rev = 1 if before is None else before[0] + 1
    db.conn.execute(
        "insert into grade(id, rev, lesson, field, pupil, state, value, points, max_points, confidence, reader, key,"
        " ink, decided_by, coverage, why, at_ms, clock) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(code, rev, context.lesson, graded.field, graded.pupil, grade.state, grade.value, grade.points),
            *(grade.max_points, grade.confidence, grade.reader, grade.key, graded.ink, grade.decided_by),
            *(grade.coverage, json.dumps(list(grade.reasons)), now_ms, int(context.clock_trusted)),
        ),
    )
    outbox.put(db, _result(context, graded, code, rev, now_ms))
    return rev


def newest(db: Database, lesson: str) -> Iterator[dict[str, Any]]:
    """The newest grade of each answer of a lesson, as rows by name."""
    cursor = db.conn.execute("select * from newest_grade where lesson = ?", (lesson,))
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _insert_reading(db: Database, context: Context, graded: Graded, answer: Answer, now_ms: int) -> None:
    more = {"alternatives": answer.alternatives, "reasons": answer.reasons}
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
        at_ms=now_ms,
        clock="trusted" if context.clock_trusted else "untrusted",
    )
