"""A grade is made again bit for bit, also after the reader was upgraded; what cannot be, is said in words."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import audit_models, results
from gateway.audit_models import SHIPPED, content_hash, keep, known
from gateway.audit_replay import replay
from gateway.cli import program
from gateway.errors import BadSetting, FoundProblems, Missing, WrongUse
from gateway.keys import grade_of
from gateway.store import Store
from recognition.grading import by_teacher
from tests.fakes.small_model import train
from tests.gateway.audit_rig import ReadClass, a_lesson, settings_of

pytestmark = pytest.mark.slow
A_DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models that were trained differently."""
    folder = tmp_path_factory.mktemp("models")
    return train(folder / "one"), train(folder / "other", steps=8)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory, models: tuple[Path, Path]) -> Path:
    """A box with a lesson that the first of them read."""
    return asyncio.run(a_lesson(tmp_path_factory.mktemp("lesson"), source=models[0])).parent


@pytest.fixture
def box(lesson: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lesson, tmp_path / "box"))


def do(box: Path, query: str, *values: object) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(box / "gateway.db")) as connection, connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values).fetchall()]


def codes(box: Path, where: str = "ink <> ''") -> list[str]:
    return [row["id"] for row in do(box, f"select distinct id from grade where {where} order by id")]  # noqa: S608  the test's own words


def call(capsys: pytest.CaptureFixture[str], box: Path, *more: str) -> tuple[int, str, str]:
    code = program(["--set", f"box.folder={box}", "--set", "box.language=en", *more])
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_after_an_upgrade_old_grades_come_out_the_same_by_the_old_model_and_new_ones_by_the_new(
    tmp_path: Path,
) -> None:
    """The shipped reader, then a second, smaller model that is trained here and switched to."""
    small = train(tmp_path / "small")
    await a_lesson(tmp_path / "box")
    old = {code: do(tmp_path / "box", "select * from grade where id = ?", code) for code in codes(tmp_path / "box")}
    room = ReadClass(tmp_path / "box", source=small)
    room.clock.ms += A_DAY_MS
    await room.desk.restore()
    await room.desk.start((await room.store.run(lambda db: db.conn.execute("select text from sheet").fetchone()))[0])
    await room.digit(1, "q1", 57)
    await room.desk.stop()
    await asyncio.to_thread(room.store.close)
    settings = settings_of(tmp_path / "box", models=str(small))
    new = [code for code in codes(tmp_path / "box") if code not in old]
    assert (len(old), len(new)) == (4, 1)
    readers = set()
    for code in (*old, *new):
        done = replay(settings, code)
        assert done.differences == ()
        assert done.models == content_hash(SHIPPED if code in old else small)
        readers.add(done.row["reader"])
    assert len(readers) == 2
    assert all(do(tmp_path / "box", "select * from grade where id = ?", code) == rows for code, rows in old.items())


def test_another_model_would_have_said_something_else(box: Path, models: tuple[Path, Path]) -> None:
    """So a replay that comes out the same says something: it ran the model that the row names."""
    first = {code: replay(settings_of(box), code).now["confidence"] for code in codes(box)}
    kept = next((box / "models").iterdir())
    shutil.rmtree(kept)
    with pytest.raises(Missing, match="no model here is that one"):
        replay(settings_of(box, models=str(models[1])), next(iter(first)))


def test_ink_that_came_to_the_field_later_is_no_part_of_an_old_grade(tmp_path: Path, models: tuple[Path, Path]) -> None:
    async def write() -> None:
        room = ReadClass(tmp_path, source=models[0])
        await room.start()
        await room.digit(1, "q1", 3)
        await room.digit(1, "q1", 44)
        await room.desk.stop()
        await asyncio.to_thread(room.store.close)

    asyncio.run(write())
    (code,) = codes(tmp_path)
    revs = [row["rev"] for row in do(tmp_path, "select rev from grade where id = ? order by rev", code)]
    assert len(revs) == 2
    done = [replay(settings_of(tmp_path), code, rev=rev) for rev in revs]
    assert [each.differences for each in done] == [(), ()]
    assert done[0].strokes < done[1].strokes
    assert replay(settings_of(tmp_path), code).row["rev"] == revs[-1]


def test_an_adopted_grade_has_no_list_and_its_ink_is_found_all_the_same(box: Path) -> None:
    do(box, "delete from graded_ink")
    assert [replay(settings_of(box), code).differences for code in codes(box)] == [()] * 4


def test_grades_without_ink_follow_from_what_was_captured(box: Path) -> None:
    done = replay(settings_of(box), codes(box, "state = 'blank'")[0])
    assert (done.differences, done.strokes, done.models) == ((), 0, "")


@pytest.mark.parametrize(("column", "value"), [("value", "'9'"), ("points", "0.5"), ("confidence", "0.1")])
def test_an_altered_grade_comes_out_otherwise_and_the_column_is_named(
    box: Path, capsys: pytest.CaptureFixture[str], column: str, value: str
) -> None:
    code = codes(box)[0]
    do(box, f"update grade set {column} = {value} where id = ?", code)  # noqa: S608  the test's own words
    assert [each.column for each in replay(settings_of(box), code).differences] == [column]
    assert call(capsys, box, "audit", "replay", code, "--json")[0] == 3


def test_a_person_s_points_are_the_person_s_and_the_reading_under_them_is_made_again(box: Path) -> None:
    (row,) = do(box, "select * from grade where id = ?", codes(box)[0])
    context = results.Context("00112233aabbccdd", "box-1", row["lesson"], "demo", 1, clock_trusted=True)
    made = by_teacher(grade_of(row), points=1.0, who="t-1", value="8")
    store = Store(box / "gateway.db")
    graded = results.Graded(row["field"], row["pupil"], row["ink"], made, None)
    assert store.submit(lambda db: results.write(db, context, graded, now_ms=row["at_ms"] + 1)).result() == 2
    store.close()
    done = replay(settings_of(box), row["id"])
    assert (done.by_person, done.row["decided_by"], done.differences) == (True, "t-1", ())
    assert done.now["value"] == row["value"]


def test_ink_that_is_gone_is_said(box: Path) -> None:
    (row,) = do(box, "select g.id, l.strokes from grade g join graded_ink l using (ink) order by g.id limit 1")
    down_ms = row["strokes"].split("|")[2]
    do(box, "delete from ink where down_ms = ?", down_ms)
    with pytest.raises(FoundProblems, match="its ink"):
        replay(settings_of(box), row["id"])


def test_a_key_that_the_store_has_not_is_said(box: Path) -> None:
    do(box, "update grade set key = 'q1/v9' where field = 'q1'")
    with pytest.raises(FoundProblems, match="q1/v9"):
        replay(settings_of(box), codes(box, "field = 'q1' and ink <> ''")[0])


def test_other_rules_are_said_and_nothing_is_compared(box: Path) -> None:
    do(box, "update grade set reader = 'rules-0' || substr(reader, instr(reader, '+')) where ink <> ''")
    with pytest.raises(Missing, match="Its model is kept here, but this program's rules are"):
        replay(settings_of(box), codes(box)[0])


def test_a_grade_is_named_by_its_beginning_where_that_names_one_alone(box: Path) -> None:
    code = codes(box)[0]
    assert replay(settings_of(box), code[:12]).row["id"] == code
    for wrong in ("", "zz"):
        with pytest.raises(WrongUse):
            replay(settings_of(box), wrong)
    with pytest.raises(WrongUse, match="no revision 5"):
        replay(settings_of(box), code, rev=5)


def test_the_commands_tell_people_and_programs(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, box, "audit", "verify", "--json")
    said = json.loads(out)
    assert (code, said["schema"], said["grades"], said["problems"]) == (0, "inkgate.audit/1", 20, [])
    code, out, _ = call(capsys, box, "audit", "verify", "--head", said["head"])
    assert (code, said["head"] in out, "The chain holds" in out) == (0, True, True)
    grade = codes(box)[0]
    code, out, _ = call(capsys, box, "audit", "replay", grade)
    assert (code, "the same bit for bit" in out) == (0, True)
    done = json.loads(call(capsys, box, "audit", "replay", grade, "--json")[1])
    assert (done["schema"], done["same"], done["differences"]) == ("inkgate.replay/1", True, [])
    do(box, "update grade set value = '9' where id = ?", grade)
    code, out, _ = call(capsys, box, "audit", "verify")
    assert (code, f"grade {grade} rev 1 is not what was committed" in out) == (3, True)
    assert call(capsys, box / "nothing", "audit", "verify")[0] == 69


# -- the models that are kept


def test_models_are_kept_once_under_their_hash_and_an_upgrade_takes_none_away(
    tmp_path: Path, models: tuple[Path, Path]
) -> None:
    first = keep(tmp_path, models[0])
    assert first == tmp_path / "models" / content_hash(models[0])
    assert keep(tmp_path, models[0]) == first
    second = keep(tmp_path, models[1])
    assert {each.folder for each in known(tmp_path)} == {first, second}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {first.name, second.name}


def test_a_kept_model_that_was_hurt_is_not_used_and_is_copied_anew(tmp_path: Path, models: tuple[Path, Path]) -> None:
    folder = keep(tmp_path, models[0])
    net = folder / "characters.onnx"
    net.write_bytes(net.read_bytes()[:-1] + b"\0")
    assert known(tmp_path) == []
    assert keep(tmp_path, models[0]) == folder
    assert [each.sha256 for each in known(tmp_path)] == [folder.name]


def test_without_room_for_a_copy_the_reader_runs_from_where_its_models_are(
    tmp_path: Path, models: tuple[Path, Path]
) -> None:
    (tmp_path / "models").write_text("no folder")
    assert keep(tmp_path, models[0]) == models[0]


def test_a_setting_that_names_no_models_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"reading\.models"):
        audit_models.chosen(settings_of(tmp_path, models=str(tmp_path)))
