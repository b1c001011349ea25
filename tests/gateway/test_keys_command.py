"""`inkgate key`: what it prints, in words and as one document, against a running gateway."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway import control, results
from gateway.clock import now_ms
from gateway.reading import Answer
from recognition.grading import by_teacher, grade
from recognition.readers.reading import Reading
from recognition.sheets import load
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO
from tests.gateway.shell import Shell


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.fill(3)
    server = await control.serve(tmp_path, house.handlers)
    yield house
    server.close()
    await house.close()


@pytest.fixture
def shell(house: House, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(house, capsys, words=["key"])


async def answered(house: House, *values: str) -> str:
    """A lesson that runs, with q4 (37, 2 points) answered from seat 1 on, the last by a teacher."""
    lesson: str = (await house.ask("lesson_start", text=DEMO))["lesson"]
    field = load(DEMO).field("q4")
    context = results.Context("00112233aabbccdd", "box-1", lesson, "maths-2-demo", 1, clock_trusted=True)

    def write(db: Database) -> None:
        for seat, value in enumerate(values, 1):
            reading = Reading(value=value, confidence=1.0, accepted=True)
            made = grade(
                field, reading, handed_out=True, pen_seen=True, losses_touch=False, has_ink=True, reader="fake/1"
            )
            if seat == len(values):
                made = by_teacher(made, points=1, who="t-1")
            pupil = db.conn.execute("select pupil from lesson_seat where seat = ?", (seat,)).fetchone()[0]
            answer = Answer(seat, value, 1.0, True, (), (), "fake/1")
            results.write(db, context, results.Graded("q4", pupil, f"{seat:032x}", made, answer), now_ms=now_ms())

    await house.store.run(write)
    return lesson


@pytest.mark.slow
async def test_a_key_is_shown_changed_and_brought_back(house: House, shell: Shell) -> None:
    lesson = await answered(house, "37", "38", "39")
    shown = await shell.document("inkgate.key/1", "show", "q4")
    assert shown == await shell.document("inkgate.key/1", "show", lesson, "q4")
    assert shown == await shell.document("inkgate.key/1", "show", "--running", "q4")
    assert (shown["version"], shown["answers"]) == (1, [{"value": "37", "points": 2.0, "variant": None}])
    assert shown["total"] == {"points": 3.0, "max_points": 6.0, "decided": 3, "answers": 3, "coverage": 1.0}

    words = ("set", "q4", "37", "38", "--points", "2", "--points", "1")
    dry = await shell.document("inkgate.key_change/1", *words, "--dry-run")
    wet = await shell.document("inkgate.key_change/1", *words)
    assert {**dry, "dry_run": False} == wet
    assert [(one["seat"], one["before"]["points"], one["after"]["points"]) for one in wet["changed"]] == [(2, 0, 1)]
    assert [(one["seat"], one["points"]) for one in wet["kept_by_hand"]] == [(3, 1)]
    assert wet["unchanged"] == 1
    ((version, undoes, who),) = house.rows("select version, undoes, who from key_change")
    assert (version, undoes, who[:8]) == (2, None, "teacher-")

    back = await shell.document("inkgate.key_change/1", "undo", "q4")
    assert (back["undoes"], back["version"], [one["seat"] for one in back["changed"]]) == (2, 1, [2])
    again = await shell.document("inkgate.key/1", "show", "q4")
    assert again["total"] == shown["total"]
    assert len(again["versions"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["version 2 of the key is in force instead of version 1", "1 answer is graded anew", "1 answer was"]),
        ("zh-CN", ["答案第 2 版已生效，取代第 1 版", "1 个答案重新评分", "1 个答案由人评定"]),
    ],
)
async def test_a_change_names_in_words_who_is_affected_and_never_a_name(
    house: House, capsys: pytest.CaptureFixture[str], language: str, told: list[str]
) -> None:
    shell = Shell(house, capsys, words=["key"], language=language)
    await answered(house, "37", "38", "39")
    assert "q4" in (await shell.call("show", "q4"))[1]
    code, out, err = await shell.call("set", "q4", "37", "38", "--option", "tolerance=0.5")
    assert (code, err) == (0, "")
    assert all(words in out for words in told)
    assert "name 2" not in out
    assert house.rows("select pseudonym from pupil where seat = 2")[0][0] in out
    code, out, _ = await shell.call("show", "q4")
    assert "tolerance = 0.5" in out
    assert (await shell.call("set", "q4", "37", "38"))[0] == 0
    code, out, _ = await shell.call("undo")
    assert code == 0
    assert house.rows("select count(*) from key_change") == [(2,)]
    assert "cli.key" not in out, "a person reads a sentence, not a code"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "q44"), 2, "q4 is near"),
        (("show", "a", "b", "c"), 2, "Give a lesson and a field"),
        (("show", "--running", "a", "q4"), 2, "Give a lesson and a field"),
        (("show", "nonesuch", "q4"), 2, "no lesson nonesuch"),
        (("set", "q4"), 2, "Missing argument"),
        (("set", "q4", "x"), 3, "a number has a digit"),
        (("set", "q4", "37", "--option", "tolerence=1"), 2, "tolerance is near"),
        (("set", "q4", "37", "--option", "tolerance=1", "--option", "exact_form"), 3, "contradict"),
        (("set", "q4", "37", "--points", "1"), 3, "no answer has all"),
        (("undo",), 2, "No change of a key"),
        (("undo", "q4"), 2, "No change of a key of field q4"),
    ],
)
async def test_what_cannot_be_done_is_said_with_its_exit_code(
    house: House, shell: Shell, words: tuple[str, ...], code: int, said: str
) -> None:
    await answered(house, "37")
    found, out, err = await shell.call(*words)
    assert (found, out) == (code, "")
    assert said in err
    assert house.rows("select count(*) from key_change") == [(0,)]


async def test_without_a_lesson_that_runs_one_must_be_named(house: House, shell: Shell) -> None:
    del house
    code, _, err = await shell.call("show", "q4")
    assert (code, "No lesson runs" in err) == (2, True)
