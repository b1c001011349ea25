"""What a teacher decides is written, kept from the machine, and taken back word for word."""

import json
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from gateway import decisions, keys
from gateway.decisions import INK_AFTER, LONGEST_VALUE, UNDONE, NotDecided, Outdated, Said, judged, tidy
from gateway.results import Context, Graded
from recognition.grading import Grade
from recognition.sheets import Choice, Field, load, rekeyed
from sync import outbox
from tests.gateway.review_rig import TEACHER, Checked, checked_at
from tests.gateway.rig import DEMO, PAGE1, PAGE2, Q1, Q2, Q8, SHEET, mac, piece

SAME = ("state", "value", "points", "max_points", "confidence", "reader", "key", "ink", "decided_by", "coverage")


@pytest.fixture
async def checked(tmp_path: Path) -> AsyncIterator[Checked]:
    made = await checked_at(tmp_path)
    yield made
    made.held.store.close()


async def decide(checked: Checked, said: Said, *, group: int = 0) -> None:
    stack = await checked.stack()
    await checked.review.decide_group(None, stack.groups[group].id, said)


async def test_one_decision_marks_every_answer_of_a_group_and_says_who_decided(checked: Checked) -> None:
    await checked.write(1, 2, 3)
    assert await checked.groups() == [("q1", [1, 2, 3])]
    before = checked.held.store.submit(outbox.depth).result().results
    await decide(checked, Said(value="7"))
    assert {seat: checked.held.grades()[seat, "q1"] for seat in (1, 2, 3)} == dict.fromkeys((1, 2, 3), ("marked", "7"))
    for seat in (1, 2, 3):
        row = checked.rows(seat)[-1]
        assert (row["points"], row["decided_by"], row["why"]) == (1.0, TEACHER, "[]")
    assert checked.held.store.submit(outbox.depth).result().results == before + 3
    assert checked.news == 1
    assert (await checked.stack()).remain == checked.review.remaining() == 0
    assert checked.held.desk.grades[1, "q1"]["decided_by"] == TEACHER


@pytest.mark.parametrize(
    ("said", "value", "points"),
    [
        (Said(value="7"), "7", 1.0),
        (Said(value="１"), "1", 0.0),
        (Said(verdict="right"), "7", 1.0),
        (Said(verdict="wrong"), None, 0.0),
        (Said(verdict="wrong", value="7"), "7", 0.0),
        (Said(points=0.5), None, 0.5),
    ],
    ids=["the key", "another value", "right", "wrong, so the guess is none", "wrong all the same", "part points"],
)
async def test_what_is_said_gives_value_and_points(
    checked: Checked, said: Said, value: str | None, points: float
) -> None:
    await checked.write(1)
    await decide(checked, said)
    row = checked.rows(1)[-1]
    assert (row["state"], row["value"], row["points"]) == ("marked", value, points)


async def test_an_undo_says_again_what_stood_there_word_for_word(checked: Checked) -> None:
    await checked.write(1, 2)
    await checked.write(2, middle=Q2)
    before = {seat: checked.rows(seat)[-1] for seat in (1, 2)}
    shown = {place: dict(made) for place, made in checked.held.desk.grades.items()}
    stack = await checked.stack()
    await decide(checked, Said(value="1"))
    undone = await checked.review.undo(None)
    assert (len(undone.grades), undone.left) == (2, 0)
    for seat in (1, 2):
        rows = checked.rows(seat)
        assert [row["rev"] for row in rows] == [1, 2, 3]
        assert {name: rows[-1][name] for name in SAME} == {name: before[seat][name] for name in SAME}
        assert json.loads(rows[-1]["why"]) == [*json.loads(before[seat]["why"]), UNDONE]
    again = await checked.stack()
    assert [(g.guesses, g.inks) for g in again.groups] == [(g.guesses, g.inks) for g in stack.groups]
    for place, made in shown.items():
        now = checked.held.desk.grades[place]
        assert {k: v for k, v in now.items() if k != "reasons"} == {k: v for k, v in made.items() if k != "reasons"}


async def test_each_decision_is_taken_back_once_the_newest_first(checked: Checked) -> None:
    await checked.write(1)
    await checked.write(2, middle=Q2)
    await decide(checked, Said(value="7"))
    await decide(checked, Said(value="3"))
    assert (await checked.stack()).remain == 0
    assert (await checked.review.undo(None)).field == "q2"
    assert (await checked.review.undo(None)).field == "q1"
    assert (await checked.stack()).remain == 2
    with pytest.raises(NotDecided, match="no decision"):
        await checked.review.undo(None)
    assert len(checked.rows(1)) == len(checked.rows(2, "q2")) == 3


async def test_an_undo_in_another_lesson_touches_none(checked: Checked) -> None:
    await checked.write(1)
    await decide(checked, Said(value="7"))
    with pytest.raises(NotDecided, match="no such lesson"):
        await checked.review.undo("another")
    assert checked.held.grades()[1, "q1"] == ("marked", "7")


async def test_the_machine_never_overwrites_what_a_person_decided_of_the_same_ink(checked: Checked) -> None:
    await checked.write(1)
    await decide(checked, Said(value="1"))
    desk = checked.held.new_desk()
    checked.held.reader.version = "fake/2"
    await desk.restore()
    work = desk.running
    assert work is not None
    work.judge((1, "q1"), None)
    await checked.held.settle()
    assert [row["decided_by"] for row in checked.rows(1)] == ["machine", TEACHER]
    assert desk.grades[1, "q1"]["state"] == "marked"


async def test_a_grade_that_was_on_its_way_when_the_person_decided_is_not_written(checked: Checked) -> None:
    await checked.write(1)
    work = checked.held.desk.running
    assert work is not None
    checked.held.reader.sure = True
    work.judge((1, "q1"), None)
    await decide(checked, Said(value="1"))
    await checked.held.think()
    assert checked.held.grades()[1, "q1"] == ("marked", "1")
    assert work.grades[1, "q1"]["state"] == "marked"
    assert work.is_quiet


async def test_ink_after_the_decision_makes_it_a_question_again_and_never_a_grade(checked: Checked) -> None:
    await checked.write(1)
    await decide(checked, Said(value="1"))
    await checked.write(1, sure=True)
    row = checked.rows(1)[-1]
    assert (row["state"], row["decided_by"], row["value"]) == ("unsure", "machine", "7")
    assert json.loads(row["why"])[0] == INK_AFTER
    await checked.write(1, sure=True)
    assert checked.held.grades()[1, "q1"] == ("unsure", "7"), "a later reading that is sure changes nothing"
    assert await checked.groups() == [("q1", [1])]
    undone = await checked.review.undo(None)
    assert (len(undone.grades), undone.left) == (0, 1)
    await decide(checked, Said(value="7"))
    assert checked.held.grades()[1, "q1"] == ("marked", "7")


async def test_another_key_changes_neither_a_decision_nor_a_question_after_it(checked: Checked) -> None:
    await checked.write(1, 2)
    await decide(checked, Said(value="1"))
    await checked.write(2, sure=True)
    sheet = load(DEMO)
    field = rekeyed(sheet.field("q1"), {"keys": ["1"]}, version=2)
    await checked.held.desk.rekey(keys.Change(sheet, field, None, TEACHER))
    assert checked.held.grades()[1, "q1"] == ("marked", "1")
    assert checked.rows(1)[-1]["points"] == 0.0
    assert checked.held.grades()[2, "q1"] == ("unsure", "7")


async def test_a_key_that_comes_late_does_not_decide_what_a_person_must_look_at_again(checked: Checked) -> None:
    work = checked.held.desk.running
    assert work is not None
    keyed = work.answers.fields["q1"]
    await checked.write(1, 2)
    stack = await checked.stack()
    (one,) = [ink for ink in stack.groups[0].inks if ink.seat == 1]
    await checked.review.decide(stack.lesson, "q1", {1: one.ink}, Said(value="1"))
    work.answers.fields["q1"] = replace(keyed, keys=())
    await checked.write(1, 2, sure=True)
    await checked.held.desk.rekey(keys.Change(load(DEMO), rekeyed(keyed, {"keys": ["7"]}, version=2), None, TEACHER))
    assert [checked.held.grades()[seat, "q1"][0] for seat in (1, 2)] == ["unsure", "answered"]


async def test_late_ink_into_a_stopped_lesson_asks_about_a_decided_answer_anew(checked: Checked) -> None:
    await checked.write(1)
    await decide(checked, Said(value="7"))
    at_ms = checked.held.clock.ms
    checked.held.clock.ms += 10_000
    await checked.held.desk.stop()
    checked.held.clock.ms += 60_000
    late = piece(mac(1), PAGE1, Q1, at_ms, how="memory")
    await checked.held.beat([late])
    await checked.held.settle()
    row = checked.rows(1)[-1]
    assert row["state"] == "unsure"
    assert INK_AFTER in json.loads(row["why"])


async def test_a_decision_is_all_or_none_where_one_answer_has_changed(checked: Checked) -> None:
    await checked.write(1, 2)
    group = (await checked.stack()).groups[0]
    inks = {ink.seat: ink.ink for ink in group.inks}
    await checked.write(2)
    lesson = (await checked.stack()).lesson
    with pytest.raises(Outdated):
        await checked.review.decide(lesson, "q1", inks, Said(value="7"))
    assert [checked.held.grades()[seat, "q1"][0] for seat in (1, 2)] == ["unsure", "unsure"]
    assert checked.held.count("decision") == checked.held.count("decision_member") == checked.held.count("label") == 0


async def test_an_answer_that_is_decided_is_not_decided_again_by_a_page_that_is_late(checked: Checked) -> None:
    await checked.write(1)
    stack = await checked.stack()
    inks = {ink.seat: ink.ink for ink in stack.groups[0].inks}
    await checked.review.decide(stack.lesson, "q1", inks, Said(value="7"))
    with pytest.raises(Outdated):
        await checked.review.decide(stack.lesson, "q1", inks, Said(value="1"))
    assert checked.held.grades()[1, "q1"] == ("marked", "7")


async def test_one_answer_by_its_seat_may_be_decided_in_any_state(checked: Checked) -> None:
    await checked.write(1, sure=True)
    assert checked.held.grades()[1, "q1"] == ("answered", "7")
    await checked.review.decide_group(None, "q1@1", Said(value="1"))
    assert checked.held.grades()[1, "q1"] == ("marked", "1")
    await checked.review.undo(None)
    assert checked.held.grades()[1, "q1"] == ("answered", "7")


async def test_an_answer_without_ink_is_marked_on_paper_only(checked: Checked) -> None:
    await checked.held.desk.stop()
    assert checked.held.grades()[2, "q1"] == ("blank", None)
    await checked.review.decide_group(None, "q1@2", Said(value="7"))
    assert checked.held.grades()[2, "q1"] == ("marked_on_paper_only", "7")
    assert checked.held.count("label") == 0
    await checked.review.undo(None)
    assert checked.held.grades()[2, "q1"] == ("blank", None)


@pytest.mark.parametrize(
    ("name", "said", "sentence"),
    [
        ("q1@9", Said(value="7"), "no grade"),
        ("q1@x", Said(value="7"), "no grade"),
        ("q99@1", Said(value="7"), "no grade"),
        ("q1-ffff", Said(value="7"), "No group"),
        ("q1@1", Said(), "Say what stands"),
        ("q1@1", Said(points=1.5), "0 to 1 points"),
        ("q1@1", Said(points=-1), "0 to 1 points"),
        ("q1@1", Said(value="  "), "1 to 64"),
        ("q1@1", Said(value="7" * 65), "1 to 64"),
    ],
)
async def test_a_decision_that_makes_no_sense_is_told_and_changes_nothing(
    checked: Checked, name: str, said: Said, sentence: str
) -> None:
    await checked.write(1)
    with pytest.raises(NotDecided, match=sentence):
        await checked.review.decide_group(None, name, said)
    assert len(checked.rows(1)) == 1
    assert checked.held.count("decision") == checked.held.count("decision_member") == 0


async def test_a_value_on_which_the_key_does_not_say_needs_a_word_from_the_teacher(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path)
    await checked.write(1)
    work = checked.held.desk.running
    assert work is not None
    work.answers.fields["q1"] = Field(id="q1", kind="digit", page=1, box_mm=(140, 40, 156, 56), points=1)
    with pytest.raises(NotDecided, match="say right or wrong") as refused:
        await decide(checked, Said(value="7"))
    assert (refused.value.said, refused.value.params) == ("review.needs_verdict", {"value": "7"})
    await decide(checked, Said(value="7", verdict="right"))
    assert checked.rows(1)[-1]["points"] == 1.0
    checked.held.store.close()


def _grade(**more: Any) -> Grade:  # noqa: ANN401  a grade's own fields
    plain: dict[str, Any] = {"state": "unsure", "value": "7", "points": 0.0, "max_points": 2.0, "confidence": 0.5}
    plain |= {"reader": "r", "key": "q1/v1", "decided_by": "machine", "coverage": 1.0, "reasons": ("low_confidence",)}
    return Grade(**{**plain, **more})


@given(value=st.text(max_size=70), points=st.floats(0, 2))
def test_whatever_is_typed_is_a_mark_or_a_sentence(value: str, points: float) -> None:
    field = SHEET.field("q4")
    said = Said(value=value, points=points)
    if not 1 <= len(unicodedata.normalize("NFKC", value).strip()) <= LONGEST_VALUE:
        with pytest.raises(NotDecided, match="1 to 64"):
            judged(field, _grade(), said, who=TEACHER, has_ink=True)
        return
    made = judged(field, _grade(), said, who=TEACHER, has_ink=True)
    assert (made.state, made.points, made.decided_by, made.reasons) == ("marked", points, TEACHER, ())
    assert made.value is not None
    assert tidy(field, made.value) == made.value


@pytest.mark.parametrize(
    ("several", "typed", "value"),
    [(False, "b", "B"), (False, "Ｃ", "C"), (True, "c、a", "A,C"), (True, "A, A", "A"), (True, "d,b", "B,D")],
)
def test_options_are_named_as_the_sheet_names_them(several: bool, typed: str, value: str) -> None:  # noqa: FBT001  a row of the table
    choices = tuple(Choice(letter) for letter in "ABCD")
    field = Field(id="q", kind="choice", page=1, box_mm=(0, 0, 9, 9), choices=choices, several=several)
    assert tidy(field, typed) == value
    with pytest.raises(NotDecided, match="A, B, C, D"):
        tidy(field, "E")


async def test_ink_elsewhere_on_the_page_leaves_a_decision_alone(checked: Checked) -> None:
    await checked.write(1)
    await decide(checked, Said(value="7"))
    await checked.write(1, middle=Q2)
    await checked.held.write(1, PAGE2, Q8)
    await checked.held.settle()
    assert checked.held.grades()[1, "q1"] == ("marked", "7")
    assert len(checked.rows(1)) == 2


async def test_a_decision_on_a_revision_that_the_outbox_raised_is_taken_back_all_the_same(checked: Checked) -> None:
    await checked.write(1)
    await decide(checked, Said(value="1"))

    def raise_it(db: Database) -> None:
        code = db.conn.execute("select id from grade limit 1").fetchone()[0]
        outbox._raise_above(db, code, 9)

    checked.held.store.submit(raise_it).result()
    assert len((await checked.review.undo(None)).grades) == 1
    assert checked.held.grades()[1, "q1"] == ("unsure", "7")


def test_a_refusal_is_said_in_the_language_of_the_box() -> None:
    refused = Outdated("review.changed").in_language("zh-CN")
    assert isinstance(refused, Outdated)
    assert "请再看一下" in str(refused)
    assert decisions.NotDecided("review.points_range", most="2").in_language("en").params == {"most": "2"}


def test_only_a_machines_grade_is_weighed_against_a_decision(checked: Checked) -> None:
    context = Context("00112233aabbccdd", "box-1", "none", "s", 1, clock_trusted=True)
    graded = Graded("q1", "pupil", "ink", _grade(decided_by=TEACHER), None)
    assert checked.held.store.submit(lambda db: decisions.kept(db, context, graded)).result() is graded
