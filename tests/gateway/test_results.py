"""A grade and its outbox row are one: both or neither, once, in revisions."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from gateway import results
from gateway.reading import Answer
from gateway.schema import migrations
from recognition.grading import Grade
from sync import outbox
from sync.messages import Result, result_id
from sync.outbox import migrations as outbox_migrations
from tests.gateway.rig import T0

CONTEXT = results.Context("00112233aabbccdd", "box-1", "l1", "maths", 1, clock_trusted=True)
GRADE = Grade(
    state="answered",
    value="7",
    points=1.0,
    max_points=1.0,
    confidence=0.97,
    reader="fake/1",
    key="q1/v1",
    decided_by="machine",
    coverage=1.0,
    reasons=("ok",),
)
ANSWER = Answer(1, "7", 0.97, True, (("1", 0.02),), (), "fake/1")
GRADED = results.Graded("q1", "pseudonym", "ab" * 16, GRADE, ANSWER)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database(tmp_path / "box.db")
    migrations.apply(db)
    outbox_migrations.apply(db)
    yield db
    db.conn.close()


def write(db: Database, graded: results.Graded, context: results.Context = CONTEXT, at: int = 0) -> int:
    with db.atomic():
        return results.write(db, context, graded, now_ms=T0 + at)


def count(db: Database, table: str) -> int:
    return int(db.conn.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608  our own names


def test_a_grade_goes_with_its_reading_and_its_outbox_row(db: Database) -> None:
    assert write(db, GRADED) == 1
    assert (count(db, "grade"), count(db, "reading"), count(db, "fresh")) == (1, 1, 1)
    body = json.loads(db.conn.execute("select body from result").fetchone()[0])
    assert body["id"] == result_id(CONTEXT.installation, "l1", "q1", "pseudonym")
    assert (body["pupil"], body["value"], body["rev"], body["clock"]) == ("pseudonym", "7", 1, "trusted")


def test_what_was_taken_back_is_kept_with_its_reading(db: Database) -> None:
    roles = (("withdrawn", "scribbled_out", (1,)), ("withdrawn", "scribble", ()), ("answer", "", ()))
    write(db, replace(GRADED, answer=replace(ANSWER, roles=roles)))
    (read,) = results.reading_of(db.conn, "l1", "q1", "pseudonym", "ab" * 16)
    assert read.roles == roles


def test_the_same_grade_again_is_not_written_and_not_sent(db: Database) -> None:
    write(db, GRADED)
    assert write(db, GRADED, at=5000) == 0
    assert (count(db, "grade"), count(db, "fresh")) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        replace(GRADED, grade=replace(GRADE, value="1")),
        replace(GRADED, grade=replace(GRADE, state="unsure")),
        replace(GRADED, grade=replace(GRADE, points=0.0)),
        replace(GRADED, grade=replace(GRADE, key="q1/v2")),
        replace(GRADED, grade=replace(GRADE, decided_by="t1")),
        replace(GRADED, ink="cd" * 16),
    ],
    ids=["value", "state", "points", "key", "decided by", "ink"],
)
def test_anything_else_is_a_new_revision_and_the_old_one_stays(db: Database, other: results.Graded) -> None:
    write(db, GRADED)
    assert write(db, other) == 2
    assert [r[0] for r in db.conn.execute("select rev from grade order by rev")] == [1, 2]
    (newest,) = results.newest(db, "l1")
    assert newest["rev"] == 2


def test_a_doubt_that_has_gone_is_a_new_revision_too(db: Database) -> None:
    write(db, GRADED)
    write(db, replace(GRADED, grade=replace(GRADE, state="unsure")))
    assert write(db, GRADED) == 3


def test_a_grade_without_a_reading_has_none(db: Database) -> None:
    blank = replace(GRADE, state="blank", value=None, points=0.0, confidence=None, reader="none")
    assert write(db, results.Graded("q1", "pseudonym", "", blank, None)) == 1
    assert count(db, "reading") == 0


def test_neither_is_written_where_the_transaction_fails(db: Database) -> None:
    def and_fail() -> None:
        with db.atomic():
            results.write(db, CONTEXT, GRADED, now_ms=T0)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        and_fail()
    assert (count(db, "grade"), count(db, "reading"), count(db, "fresh"), count(db, "result")) == (0, 0, 0, 0)


def test_a_clock_that_cannot_be_trusted_is_said(db: Database) -> None:
    write(db, GRADED, replace(CONTEXT, clock_trusted=False))
    assert db.conn.execute("select clock from grade").fetchone() == (0,)
    assert json.loads(db.conn.execute("select body from result").fetchone()[0])["clock"] == "untrusted"


def test_two_installations_never_share_a_result(db: Database) -> None:
    write(db, GRADED)
    write(db, GRADED, replace(CONTEXT, installation="ffeeddccbbaa9988"))
    assert count(db, "result") == 2


def raised(db: Database, to: int) -> None:
    """The outbox sends what it has again, above the district's revision."""
    body = db.conn.execute("select body from result").fetchone()[0]
    with db.atomic():
        outbox.put(db, msgspec.structs.replace(Result.from_body(body), rev=to))


def test_a_revision_that_the_outbox_raised_gets_a_grade_row_that_says_so(db: Database) -> None:
    write(db, GRADED)
    raised(db, 7)
    with db.atomic():
        assert results.explain_raised(db, now_ms=T0 + 9) == 1
        assert results.explain_raised(db, now_ms=T0 + 9) == 0
    rows = db.conn.execute(
        "select rev, state, value, points, decided_by, why, at_ms from grade order by rev"
    ).fetchall()
    assert rows == [
        (1, "answered", "7", 1.0, "machine", '["ok"]', T0),
        (7, "answered", "7", 1.0, "machine", '["ok", "raised"]', T0 + 9),
    ]


def test_the_next_grade_is_above_grades_and_outbox_alike_and_leaves_no_revision_unexplained(db: Database) -> None:
    write(db, GRADED)
    raised(db, 7)
    assert write(db, replace(GRADED, ink="cd" * 16)) == 8
    assert [r[0] for r in db.conn.execute("select rev from grade order by rev")] == [1, 7, 8]
    assert db.conn.execute("select rev from result").fetchone() == (8,)
    sent = [json.loads(r[0])["rev"] for r in db.conn.execute("select row from fresh order by seq")]
    assert sent == [1, 7, 8]


def test_the_same_grade_after_a_raise_is_still_the_same(db: Database) -> None:
    write(db, GRADED)
    raised(db, 7)
    assert write(db, GRADED, at=5000) == 0
    assert db.conn.execute("select count(*), max(rev) from grade").fetchone() == (2, 7)


@pytest.mark.parametrize(
    "grade", [replace(GRADE, coverage=0.0), replace(GRADE, reasons=("ink_missing",))], ids=["coverage", "reasons"]
)
def test_why_it_is_in_doubt_is_part_of_what_a_grade_says(db: Database, grade: Grade) -> None:
    write(db, GRADED)
    assert write(db, replace(GRADED, grade=grade)) == 2


def test_the_district_is_told_the_true_time_where_it_is_known(db: Database) -> None:
    wrong = replace(CONTEXT, clock_trusted=False, ahead_ms=3_600_000)
    write(db, GRADED, wrong)
    body = json.loads(db.conn.execute("select body from result").fetchone()[0])
    assert (body["at_ms"], body["clock"]) == (T0 + 3_600_000, "trusted")
    assert db.conn.execute("select at_ms, clock from grade").fetchone() == (T0, 0), "rows keep the box's time"
