"""A pupil who is deleted on request is gone, byte for byte; the chain verifies, and says that somebody was deleted."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from gateway import audit_verify, roster
from gateway.audit_erasure import forget, forget_again
from gateway.audit_verify import verify
from gateway.backup import join_aside
from gateway.cli import program
from gateway.errors import WrongUse
from gateway.roster import Pupil, pseudonym
from gateway.store import Store, check
from sync.messages import Result
from tests.gateway.audit_rig import ReadClass, a_lesson
from tests.gateway.rig import KEY, T0, mac

GONE, STAYS = pseudonym("L1", KEY), pseudonym("L2", KEY)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(a_lesson(tmp_path_factory.mktemp("lesson")))


@pytest.fixture
def path(lesson: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(lesson, tmp_path / "gateway.db"))


def do(path: Path, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(query, values).fetchall()


def forgotten(path: Path, pupil: str = GONE) -> Any:  # noqa: ANN401  Erased
    store = Store(path)
    done = store.submit(lambda db: forget(db, pupil, now_ms=T0 + 10**7)).result()
    store.close()
    return done


def test_the_chain_verifies_and_says_how_many_grades_of_deleted_pupils_there_were(path: Path) -> None:
    done = forgotten(path)
    found = verify(path)
    assert found.holds
    assert (done.grades, found.erased, found.deletions, found.grades) == (10, 10, 1, 10)


def test_nothing_in_the_file_names_the_pupil_any_more_and_the_other_one_has_everything(path: Path) -> None:
    before = do(path, "select * from grade where pupil = ? order by id", STAYS)
    digests = [row[0] for row in do(path, "select ink from grade where pupil = ? and ink <> ''", GONE)]
    assert GONE.encode() in path.read_bytes(), "or this test finds nothing"
    done = forgotten(path)
    assert done.ink > 0
    log = path.with_name("gateway.db-wal")
    content = path.read_bytes() + (log.read_bytes() if log.exists() else b"")
    for canary in (GONE, "name 1", *digests):
        assert canary.encode() not in content, "deleted bytes are written over"
    assert do(path, "select * from grade where pupil = ? order by id", STAYS) == before
    assert do(path, "select distinct pen from ink") == [(mac(2),)]
    assert check(path) == []


def test_what_the_chain_keeps_of_a_deleted_pupil_names_no_grade(path: Path) -> None:
    codes = {row[0] for row in do(path, "select id from grade where pupil = ?", GONE)}
    forgotten(path)
    rows = do(path, "select kind, grade_id, rev, erased_by from audit where erased_by is not null")
    assert {row[1:3] for row in rows} == {(None, None)}
    assert sorted({row[0] for row in rows}) == ["grade", "key"]
    assert not codes & {row[0] for row in do(path, "select grade_id from audit")}


def test_the_district_gets_a_revision_of_each_answer_that_says_nothing(path: Path) -> None:
    sent = {row[0] for row in do(path, "select id from grade where pupil = ?", GONE)}
    assert forgotten(path).results == len(sent) == 10
    for code in sent:
        ((rev, body),) = do(path, "select rev, body from result where id = ?", code)
        result = Result.from_body(body)
        assert (rev, result.rev, result.pupil, result.value, result.points, result.ink) == (2, 2, "", None, None, "")
    fresh = [json.loads(row[0]) for row in do(path, "select row from fresh")]
    assert [row["rev"] for row in fresh if row["id"] in sent] == [2] * 10


def test_nothing_can_be_passed_off_as_deleted_later(path: Path) -> None:
    forgotten(path)
    (seq,) = do(path, "select seq from audit where kind = 'erased'")[0]
    code, rev, row = do(path, "select grade_id, rev, seq from audit where grade_id is not null limit 1")[0]
    do(path, "delete from grade where id = ? and rev = ?", code, rev)
    do(path, "update audit set grade_id = null, rev = null, erased_by = ? where seq = ?", seq, row)
    assert [(each.code, each.row) for each in verify(path).problems] == [(audit_verify.ERASURE, f"audit {seq}")]


async def test_a_box_goes_on_after_a_deletion(tmp_path: Path) -> None:
    path = await a_lesson(tmp_path)
    await asyncio.to_thread(forgotten, path)
    room = ReadClass(tmp_path)
    await room.desk.restore()
    await room.settle()
    assert room.count("grade") == 10, "nobody grades a pupil again who is not there"
    await asyncio.to_thread(room.store.close)
    assert verify(path).holds


def test_a_store_that_is_joined_later_does_not_bring_the_pupil_back(path: Path) -> None:
    Store(path).close()
    whole = path.read_bytes()
    forgotten(path)
    aside = path.with_name("gateway.db.before-20260101T000000Z")
    aside.write_bytes(whole)
    join_aside(path, [aside.name])
    assert do(path, "select count(*) from grade where pupil = ?", GONE) == [(0,)]
    assert do(path, "select count(*) from pupil where pseudonym = ?", GONE) == [(0,)]
    found = verify(path)
    assert (found.holds, found.deletions) == (True, 2)


def test_who_is_on_the_roster_again_stays(path: Path) -> None:
    forgotten(path)
    store = Store(path)

    def again(db: Database) -> int:
        roster.merge(db, [Pupil(1, "name 1", "L1")], key=KEY, now_ms=T0 + 2 * 10**7)
        return forget_again(db, now_ms=T0 + 3 * 10**7)

    assert store.submit(again).result() == 0
    store.close()
    assert do(path, "select count(*) from pupil where pseudonym = ?", GONE) == [(1,)]


def test_forget_asks_for_yes_knows_seats_and_tells_what_holds_the_pupil_still(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*more: str) -> tuple[int, str, str]:
        code = program(["--set", f"box.folder={path.parent}", "--set", "box.language=en", "pupil", "forget", *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    assert call("1")[0] == WrongUse.exit_code
    assert verify(path).deletions == 0
    assert call("9", "--yes")[0] == WrongUse.exit_code
    store = Store(path)
    assert call("1", "--yes")[0] == 75, "while a gateway runs"
    store.close()
    code, out, _ = call("1", "--yes", "--json")
    said = json.loads(out)
    assert (code, said["schema"], said["grades"]) == (0, "inkgate.forgotten/1", 10)
    code, out, _ = call(STAYS, "--yes")
    assert (code, "Backups" in out) == (0, True)
    assert verify(path).deletions == 2
