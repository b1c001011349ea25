"""Field case 20, and its kind: a key changes when answers have been graded, by the machine and by hand."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.strokes import LossSeen
from recognition.grading import MACHINE
from sync import outbox
from sync.district.sqlite_store import SqliteStore
from sync.district.store import Incoming
from tests.gateway.key_rig import (
    WHENS,
    When,
    begun,
    chosen,
    newest,
    rekeying,
    restarted,
    revisions,
    said,
    set_key,
    stopped,
    the_case,
    undo,
)
from tests.gateway.rig import PAGE1, PAGE2, Q1, Q8, T0, Class, class_at, mac


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Class]:
    room = class_at(tmp_path, seats=9)
    await begun(room)
    yield room
    await asyncio.to_thread(room.store.close)


@pytest.mark.parametrize("when", WHENS)
async def test_a_key_change_regrades_the_machine_s_grades_and_keeps_what_a_teacher_decided(
    room: Class, when: When
) -> None:
    await the_case(room)
    await when(room)
    before, fresh = newest(room), room.count("fresh")
    assert [(before[s]["state"], before[s]["points"]) for s in (3, 5, 9)] == [
        ("answered", 0),
        ("marked", 1),
        ("answered", 1),
    ]
    told = await set_key(room, "B", "C")
    after = newest(room)
    assert (after[3]["points"], after[3]["key"], after[3]["decided_by"]) == (1, "q8/v2", MACHINE)
    assert after[5] == before[5]
    assert after[9] == before[9], "unchanged, and not sent again"
    assert (told["version"], told["replaces"]) == (2, 1)
    assert [one["seat"] for one in told["changed"]] == [3]
    assert [(one["seat"], one["decided_by"]) for one in told["kept_by_hand"]] == [(5, "t-1")]
    assert room.count("fresh") == fresh + 1, "the district gets one new result"
    sent = json.loads(
        json.loads(room.store.reader.execute("select row from fresh order by seq desc").fetchone()[0])["body"]
    )
    assert (sent["id"], sent["rev"], sent["points"]) == (before[3]["id"], before[3]["rev"] + 1, 1)
    assert revisions(room) == {s: row["rev"] + (s == 3) for s, row in before.items()}, "old grades stay below it"

    told = await undo(room)
    again = newest(room)
    assert {s: said(row) for s, row in again.items()} == {s: said(row) for s, row in before.items()}
    assert (told["undoes"], told["version"], [one["seat"] for one in told["changed"]]) == (2, 1, [3])
    assert room.count("fresh") == fresh + 2, "and one more"


@pytest.mark.parametrize("when", WHENS)
async def test_nothing_that_comes_later_writes_an_unchanged_answer_again(room: Class, when: When) -> None:
    await the_case(room)
    await when(room)
    await set_key(room, "B", "C")
    await restarted(room)
    if room.desk.running is not None:
        await stopped(room)
    before = newest(room)
    for seat in (7, 9):  # both are looked at again, and on their other page something may be missing
        await room.beat(losses=[(mac(seat), LossSeen(T0 + 90, T0 + 95, 4, "counter_gap", PAGE1))])
    await room.settle()
    assert newest(room, "q1")[7]["state"] == "not_captured"
    assert before[9]["key"] == "q8/v1"
    assert newest(room) == before


async def test_two_changes_before_the_sync_end_at_the_last_and_nothing_is_doubled(room: Class, tmp_path: Path) -> None:
    await the_case(room)
    await set_key(room, "C")
    await set_key(room, "B", "C", "D")
    await undo(room)
    numbers = outbox.Numbers()
    await room.store.run(lambda db: outbox.seal_all(db, numbers, now_ms=room.clock.ms, rest=True))
    district = SqliteStore(tmp_path / "district.db", None)
    district.open()
    offers = await room.store.run(lambda db: outbox.offerable(db, after_id=0, limit=100))
    for _ in range(2):
        district.take([Incoming("box-1", offer.payload) for offer in offers])
    district.close()
    with sqlite3.connect(tmp_path / "district.db") as there:
        bodies = [json.loads(row[0]) for row in there.execute("select body from result")]
        doubles = there.execute("select count(*) from (select 1 from history group by id, rev having count(*) > 1)")
        assert doubles.fetchone() == (0,)
    there.close()
    mine = {row["id"]: (row["rev"], row["points"], row["key"]) for row in newest(room).values()}
    assert {b["id"]: (b["rev"], b["points"], b["key"]) for b in bodies} == mine
    assert {seat: row["points"] for seat, row in newest(room).items()} == {3: 1, 5: 1, 9: 0}


async def test_a_dry_run_says_the_same_and_changes_nothing(room: Class) -> None:
    await the_case(room)
    before, counts = newest(room), [room.count(t) for t in ("grade", "fresh", "key_change")]
    dry = await set_key(room, "B", "C", dry_run=True)
    assert newest(room) == before
    assert [room.count(t) for t in ("grade", "fresh", "key_change")] == counts
    wet = await set_key(room, "B", "C")
    assert {**dry, "dry_run": False} == wet
    dry = await undo(room, dry_run=True)
    assert newest(room)[3]["points"] == 1
    assert {**dry, "dry_run": False} == await undo(room)


async def test_every_sum_says_of_how_many_answers_it_is_one(room: Class) -> None:
    await the_case(room)
    await chosen(room, 7, "B", sure=False)
    (lesson,) = (await set_key(room, "B", "C"))["lessons"]
    assert lesson["before"] == {"points": 2.0, "max_points": 3.0, "decided": 3, "answers": 4, "coverage": 0.75}
    assert lesson["after"] == {"points": 3.0, "max_points": 3.0, "decided": 3, "answers": 4, "coverage": 0.75}
    assert (lesson["runs"], lesson["changed"], lesson["kept_by_hand"]) == (True, 1, 1)
    assert rekeying(room).show(lesson=None, field="q8")["total"] == lesson["after"]


async def test_what_the_machine_was_not_sure_of_is_not_decided_by_another_key(room: Class) -> None:
    await chosen(room, 1, "C", sure=False)
    await set_key(room, "C")
    assert (newest(room)[1]["state"], newest(room)[1]["key"]) == ("unsure", "q8/v1")


async def test_a_doubt_of_the_key_is_decided_by_a_key_that_decides_it(room: Class) -> None:
    room.reader.said["digit"] = "1,0"
    await room.write(1, PAGE1, Q1)
    await room.read()
    assert (newest(room, "q1")[1]["state"], room.why(1, "q1")) == ("unsure", ["form_unclear"])
    told = await rekeying(room).set(lesson=None, field="q1", values=["1"], options={"decimal_comma": "true"})
    assert [one["after"]["state"] for one in told["changed"]] == ["answered"]
    assert (newest(room, "q1")[1]["points"], room.why(1, "q1")) == (1, [])
    await undo(room)
    assert (newest(room, "q1")[1]["state"], room.why(1, "q1")) == ("unsure", ["form_unclear"])


async def test_part_points_are_given_as_the_key_says(room: Class) -> None:
    await the_case(room)
    await set_key(room, "B", "C", points=[1, 0.5])
    assert newest(room)[3]["points"] == 0.5
    shown = rekeying(room).show(lesson=None, field="q8")
    assert [(one["value"], one["points"]) for one in shown["answers"]] == [("B", 1.0), ("C", 0.5)]


async def test_an_undo_brings_back_the_name_of_the_key_that_each_answer_was_graded_by(room: Class) -> None:
    await the_case(room)
    await set_key(room, "B", "C")
    before = newest(room)
    assert (before[9]["key"], before[3]["key"]) == ("q8/v1", "q8/v2")
    await set_key(room, "D")
    assert {row["key"] for seat, row in newest(room).items() if seat != 5} == {"q8/v3"}
    await undo(room)
    assert {s: said(row) for s, row in newest(room).items()} == {s: said(row) for s, row in before.items()}


async def test_what_is_answered_after_a_change_goes_by_the_new_key_and_comes_back_with_it(room: Class) -> None:
    await set_key(room, "C")
    await chosen(room, 1, "C")
    assert (newest(room)[1]["points"], newest(room)[1]["key"]) == (1, "q8/v2")
    await undo(room)
    assert (newest(room)[1]["points"], newest(room)[1]["key"]) == (0, "q8/v1")


async def test_grades_that_wait_for_their_transaction_go_by_the_new_key_and_are_written_once(room: Class) -> None:
    room.reader.said["choice"] = "C"
    await room.write(1, PAGE2, Q8)
    room.clock.ms += 2_000
    room.desk.ask(room.clock.ms, {})
    room.reader.answer()
    await set_key(room, "C")
    assert newest(room) == {}
    await room.think()
    assert (newest(room)[1]["points"], newest(room)[1]["key"], room.count("grade")) == (1, "q8/v2", 1)


@pytest.mark.parametrize("first", ["grades", "key"])
async def test_a_change_while_grades_are_on_their_way_leaves_none_under_the_old_key(room: Class, first: str) -> None:
    room.reader.said["choice"] = "C"
    for seat in range(1, 10):
        await room.write(seat, PAGE2, Q8)
    room.clock.ms += 2_000
    for _ in range(9):
        room.desk.ask(room.clock.ms, {})
    room.reader.answer()
    order = [room.desk.write(), set_key(room, "C")]
    await asyncio.gather(*(order if first == "grades" else reversed(order)))
    await room.think()
    assert {row["points"] for row in newest(room).values()} == {1}
    assert room.desk.grades[4, "q8"]["points"] == 1


async def test_the_pages_show_the_new_points_at_once(room: Class) -> None:
    await the_case(room)
    await set_key(room, "B", "C")
    assert room.desk.grades[3, "q8"]["points"] == 1
    assert room.desk.answers is not None
    assert room.desk.answers.fields["q8"].keys == ("B", "C")


# -- any order of changes

_STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3, unique=True)),
        st.tuples(st.just("undo"), st.just([])),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(steps=_STEPS)
def test_any_changes_and_undos_leave_what_the_key_in_force_gives_and_each_undo_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[str]]]
) -> None:
    async def play() -> None:
        room = class_at(tmp_path_factory.mktemp("room"), seats=9)
        try:
            await begun(room)
            await the_case(room)
            states = [{seat: said(row) for seat, row in newest(room).items()}]
            right = [["B"]]
            for what, values in steps:
                if what == "set" and values != right[-1]:
                    await set_key(room, *values)
                    right.append(values)
                    states.append({seat: said(row) for seat, row in newest(room).items()})
                elif what == "undo" and len(right) > 1:
                    await undo(room)
                    right.pop()
                    states.pop()
                now = newest(room)
                assert {seat: said(row) for seat, row in now.items()} == states[-1]
                assert now[3]["points"] == ("C" in right[-1])
                assert now[9]["points"] == ("B" in right[-1])
                assert now[5]["points"] == 1
            sent = [json.loads(r[0]) for r in room.store.reader.execute("select row from fresh order by seq")]
            assert len({(row["id"], row["rev"]) for row in sent}) == len(sent)
            assert len(sent) == room.count("grade")
        finally:
            await asyncio.to_thread(room.store.close)

    asyncio.run(play())
