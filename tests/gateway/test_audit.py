"""One flipped byte is named, and nothing else is accused."""

import asyncio
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from gateway import audit, audit_verify
from gateway.audit_verify import verify
from gateway.backup import back_up, join_aside, restore
from gateway.inspection import inspect
from gateway.schema import migrations
from gateway.store import Store, check
from gateway.words import LANGUAGES, words
from tests.gateway.audit_rig import a_lesson
from tests.gateway.rig import T0
from tests.gateway.stores import hurt

TABLES = ("grade", "audit", "audit_key", "graded_ink", "ink")
NOT_PROVEN = {("ink", "id"), ("ink", "piece")}
"""Columns that a joining may change: nothing hangs on them."""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a lesson that was read and graded."""
    return asyncio.run(a_lesson(tmp_path_factory.mktemp("lesson")))


@pytest.fixture
def path(lesson: Path, tmp_path: Path) -> Path:
    """A copy of it, to be hurt."""
    return Path(shutil.copy(lesson, tmp_path / "gateway.db"))


def do(path: Path, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(query, values).fetchall()


def named(path: Path, *, head: str = "") -> list[tuple[str, str]]:
    return [(each.code, each.row) for each in verify(path, head=head).problems]


def a_grade(path: Path) -> str:
    code, rev = do(path, "select id, rev from grade where ink <> '' order by id limit 1")[0]
    return f"grade {code} rev {rev}"


ONE = "id = (select min(id) from grade where ink <> '')"


def test_a_lesson_verifies_with_all_its_ink(path: Path) -> None:
    found = verify(path)
    assert found.holds
    assert (found.grades, found.unlisted, found.erased) == (20, 0, 0)
    assert do(path, "select count(*) from graded_ink") == [(4,)]
    assert found.head == do(path, "select lower(hex(hash)) from audit order by seq desc limit 1")[0][0]


# -- one flipped byte


def columns(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        every = [(t, row[1]) for t in TABLES for row in connection.execute(f'pragma table_info("{t}")').fetchall()]
    return [each for each in every if each not in NOT_PROVEN]


def flipped(value: object, at: int, bit: int) -> tuple[str, object]:
    """How a value with one bit changed is written in SQL, and what for: as it would come out of the file."""
    if value is None:
        return "?", 1
    if isinstance(value, int):
        return "?", value ^ 1 << (8 * at + bit) % 40
    if isinstance(value, float):
        (whole,) = struct.unpack(">Q", struct.pack(">d", value))
        return "?", struct.unpack(">d", struct.pack(">Q", whole ^ 1 << (8 * at + bit) % 64))[0]
    raw = bytearray(value.encode() if isinstance(value, str) else bytes(value))  # type: ignore[call-overload]  # a blob
    assume(raw)
    raw[at % len(raw)] ^= 1 << bit
    return ("cast(? as text)" if isinstance(value, str) else "?"), bytes(raw)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_in_grades_chain_keys_or_their_ink_is_found(
    lesson: Path, tmp_path: Path, data: st.DataObject
) -> None:
    path = Path(shutil.copy(lesson, tmp_path / "gateway.db"))
    table, column = data.draw(st.sampled_from(columns(path)), "column")
    rows = [row[0] for row in do(path, f'select rowid from "{table}" order by rowid')]  # noqa: S608  the store's own names
    row = data.draw(st.sampled_from(rows), "row")
    (before,) = do(path, f'select "{column}" from "{table}" where rowid = ?', row)[0]  # noqa: S608  as above
    sql, after = flipped(before, data.draw(st.integers(0, 255), "byte"), data.draw(st.integers(0, 7), "bit"))
    try:
        do(path, f'update "{table}" set "{column}" = {sql} where rowid = ?', after, row)  # noqa: S608  as above
    except (sqlite3.IntegrityError, OverflowError):
        assume(False)  # no store can hold that
    (stored,) = do(path, f'select "{column}" is ? from "{table}" where rowid in (?, ?)', before, row, after)[0]  # noqa: S608  as above
    assume(not stored)
    assert not verify(path).holds, f"{table}.{column} of row {row}: {before!r} became {after!r}"


@pytest.mark.parametrize(
    "query",
    [
        "select pupil || state || value from grade where ink <> '' limit 1",
        "select reader || key || ink from grade where ink <> '' limit 1",
        "select commitment from audit where kind = 'grade' limit 1",
        "select packed from ink limit 1",
    ],
    ids=["value", "ink", "commitment", "packed"],
)
def test_a_byte_flipped_in_the_file_is_named_where_sqlite_sees_nothing(path: Path, query: str) -> None:
    """The columns of a query stand side by side in the file, and so together in their own table alone."""
    (value,) = do(path, query)[0]
    needle = value.encode() if isinstance(value, str) else bytes(value)
    content = bytearray(path.read_bytes())
    at = content.index(needle) + len(needle) - 1
    content[at] ^= 4
    path.write_bytes(content)
    assert check(path) == []
    assert not verify(path).holds


@pytest.mark.parametrize(
    ("column", "value"),
    [("value", "'9'"), ("points", "1.5"), ("reader", "'rules-0'"), ("why", "'[]x'"), ("clock", "0"), ("pupil", "'p'")],
)
def test_an_altered_grade_is_named_and_no_other(path: Path, column: str, value: str) -> None:
    do(path, f"update grade set {column} = {value} where {ONE}")  # noqa: S608  the test's own words
    assert named(path) == [(audit_verify.ALTERED, a_grade(path))]


def test_a_grade_that_is_gone_is_named(path: Path) -> None:
    grade = a_grade(path)
    do(path, f"delete from grade where {ONE}")  # noqa: S608  as above
    assert named(path) == [(audit_verify.MISSING, grade)]


def test_a_grade_that_was_slipped_in_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"create temp table t as select * from grade where {ONE}")  # noqa: S608  as above
        connection.execute("update t set rev = 99")
        connection.execute("insert into grade select * from t")
    ((code, row),) = named(path)
    assert (code, row.rsplit(" ", 1)[1]) == (audit_verify.UNCOMMITTED, "99")


def test_a_chain_row_that_points_elsewhere_is_named_and_its_grade_is_not(path: Path) -> None:
    do(path, "update audit set rev = 7 where seq = 2")
    assert named(path) == [(audit_verify.WRONG_GRADE, "audit 2")]


@pytest.mark.parametrize("column", ["hash", "prev", "commitment", "at_ms", "kind"])
def test_a_hurt_row_of_the_chain_is_named_and_the_rows_after_it_are_not(path: Path, column: str) -> None:
    value = {"at_ms": "at_ms + 1", "kind": "'adopted'"}.get(column, f"zeroblob(31) || substr({column}, 32)")
    value = value if column in {"at_ms", "kind"} else f"cast({value} as blob)"
    do(path, f"update audit set {column} = {value} where seq = 5")  # noqa: S608  as above
    chain = [(code, row) for code, row in named(path) if row.startswith("audit")]
    assert [row for _, row in chain] == ["audit 5"]


def test_rows_that_were_taken_out_or_changed_places_are_named(path: Path) -> None:
    do(path, "delete from audit where seq between 6 and 8")
    assert (audit_verify.ROW_GONE, "audit 6 – 8") in named(path)
    do(path, "update audit set seq = -1 where seq = 10")
    do(path, "update audit set seq = 10 where seq = 11")
    do(path, "update audit set seq = 11 where seq = -1")
    assert {"audit 10", "audit 11"} <= {row for _, row in named(path)}


def test_a_damaged_key_is_told_as_one_and_says_nothing_of_grades(path: Path) -> None:
    pupil = do(path, "select min(pupil) from audit_key")[0][0]
    do(path, "update audit_key set key = zeroblob(32) where pupil = ?", pupil)
    found = verify(path)
    assert {each.code for each in found.problems} == {audit_verify.KEY_ALTERED, audit_verify.KEY_GONE}
    assert found.grades == 10


def test_ink_that_was_changed_with_its_sum_is_named_by_its_row(path: Path) -> None:
    """The sum of a piece knows no order of dots, and no times; the list of a grade's ink does."""
    row, ended = do(path, "select id, ended from ink limit 1")[0]
    do(path, "update ink set ended = ? where id = ?", "inferred" if ended == "up" else "up", row)
    assert named(path) == [(audit_verify.INK_ALTERED, f"ink {row}")]
    do(path, "delete from ink where id = ?", row)
    assert {code for code, _ in named(path)} == {audit_verify.INK_GONE}


# -- the head


def test_a_head_that_was_written_down_is_found_again_with_what_came_after_it(path: Path) -> None:
    head = do(path, "select lower(hex(hash)) from audit where seq = 20")[0][0]
    found = verify(path, head=head)
    assert (found.holds, found.since_head) == (True, found.rows - 20)


def test_a_chain_that_was_cut_with_its_grades_fails_by_its_head_alone(path: Path) -> None:
    head = verify(path).head
    code, rev = do(path, "select grade_id, rev from audit order by seq desc limit 1")[0]
    do(path, "delete from audit where seq = (select max(seq) from audit)")
    do(path, "delete from grade where id = ? and rev = ?", code, rev)
    assert verify(path).holds
    assert named(path, head=head) == [(audit_verify.HEAD, f"audit {head}")]


# -- stores that are older, hurt, copied, joined


def test_an_older_store_is_taken_in_as_it_is(tmp_path: Path, path: Path) -> None:
    old = Database(sqlite3.connect(tmp_path / "old.db"))
    migrations.apply(old, stop_before="audited")
    old.conn.execute(f"attach '{path}' as other")
    old.conn.execute("insert into grade select * from other.grade")
    old.conn.commit()
    old.conn.execute("detach other")
    migrations.apply(old)
    old.conn.commit()
    old.conn.close()
    found = verify(tmp_path / "old.db")
    assert found.holds
    assert (found.by_kind, found.unlisted) == ({audit.ADOPTED: 20}, 4)


def test_a_backup_verifies_and_a_restore_goes_on_with_its_chain(path: Path, tmp_path: Path) -> None:
    Store(path).close()
    back_up(path, tmp_path / "copy.db")
    assert verify(tmp_path / "copy.db").head == verify(path).head
    restore(path, tmp_path / "copy.db")
    assert verify(path).holds


def test_grades_of_a_store_that_was_put_aside_are_taken_in_as_joined(path: Path) -> None:
    hurt(path, "truncated")
    Store(path, mend=True).close()
    join_aside(path)
    found = verify(path)
    assert found.holds
    assert set(found.by_kind) == {audit.JOINED}
    assert found.grades > 10


def test_db_check_says_that_grades_do_not_fit(path: Path) -> None:
    assert inspect(path, held_s=0).is_whole
    do(path, f"update grade set value = '9' where {ONE}")  # noqa: S608  the test's own words
    assert any("audit verify" in problem for problem in inspect(path, held_s=0).problems)


def test_a_store_that_cannot_be_read_is_told_and_is_no_traceback(path: Path) -> None:
    hurt(path, "no database")
    assert [code for code, _ in named(path)] == [audit_verify.UNREADABLE]


def test_everything_that_can_be_wrong_has_its_words() -> None:
    for language in LANGUAGES:
        assert set(audit_verify.CODES) <= set(words(language))


# -- the chain itself


def test_two_rows_are_never_the_same_bytes() -> None:
    one, other = audit.canonical(["a", "b", None, 1, 1.0]), audit.canonical(["a,b", None, 1, 1.0])
    assert (
        len({one, other, audit.canonical(["a", "b", "null", 1, 1.0]), audit.canonical(["a", "b", None, 1.0, 1])}) == 4
    )
    assert audit.canonical([b"a"]) is None


def test_no_commitment_can_be_guessed_from_its_grade(path: Path) -> None:
    """Two boxes that give the same grade commit to it otherwise: the key is the pupil's and random."""
    row = dict(zip(audit.COLUMNS, do(path, f"select {', '.join(audit.COLUMNS)} from grade limit 1")[0], strict=True))  # noqa: S608  the columns of audit
    made = []
    for _ in range(2):
        db = Database(memory=True)
        migrations.apply(db)
        audit.insert_grade(db, row, kind=audit.GRADE, now_ms=T0)
        made.append(db.conn.execute("select commitment from audit where kind = 'grade'").fetchone()[0])
        db.conn.close()
    assert made[0] != made[1]
