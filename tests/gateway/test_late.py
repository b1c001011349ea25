"""Late ink and healed gaps: of the lesson that runs, and of lessons that were stopped long before."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import pens
from gateway.gaps import Part
from gateway.late import OPEN_AT_ONCE
from gateway.strokes import LossSeen
from tests.gateway.rig import DEMO, FIELDS, PAGE1, PAGE2, Q1, Q2, Q8, T0, UNKNOWN_PAPER, Class, class_at, mac, piece


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Class]:
    room = class_at(tmp_path)
    yield room
    await asyncio.to_thread(room.store.close)


def states(room: Class, seat: int) -> set[str]:
    return {state for (where, _), (state, _) in room.grades().items() if where == seat}


def away(from_ms: int, to_ms: int, *parts: Part, seat: int = 1) -> tuple[str, LossSeen]:
    """A gap that a drain can heal, all but its parts."""
    return mac(seat), LossSeen(from_ms, to_ms, None, "link_lost", None, parts)


async def a_lesson_with_a_pen_away(room: Class) -> None:
    """Pen 1 wrote q1, went, and is away at the stop; an hour later it is linked again, its memory full."""
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    room.missing = {mac(1): T0 + 30_000}
    room.clock.ms = T0 + 600_000
    await room.desk.stop()
    await room.settle()
    room.clock.ms += 3_600_000
    room.missing = {}
    await room.beat(losses=[away(T0 + 30_000, room.clock.ms)])
    await room.settle()


# -- stopped lessons


async def test_blank_is_said_only_after_the_pens_memory_is_emptied(room: Class) -> None:
    """Field case 21."""
    await a_lesson_with_a_pen_away(room)
    assert states(room, 1) == {"answered", "not_captured"}
    assert states(room, 2) == {"blank"}
    rows = room.count("grade")
    await room.drained(1)
    await room.settle()
    assert states(room, 1) == {"answered", "blank"}
    assert room.count("grade") == rows + len(FIELDS) - 1, "nothing else has changed"
    assert room.count("result") == 3 * len(FIELDS)
    assert room.count("fresh") == room.count("grade")


async def test_late_ink_of_a_stopped_lesson_is_read_and_graded_with_a_new_revision(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    quiet = [room.desk.is_quiet]
    await room.beat([piece(mac(1), PAGE1, Q2, T0 + 60_000, how="memory")])
    quiet.append(room.desk.is_quiet)
    await room.drained(1)
    assert await room.settle() == 1, "only what came late is read"
    assert [*quiet, room.desk.is_quiet] == [True, False, True]
    assert room.grades()[1, "q2"] == ("answered", "7")
    assert room.grades()[1, "q1"] == ("answered", "7")
    assert room.grades()[1, "q3"] == ("blank", None)
    revs = room.store.reader.execute("select max(rev) from grade where field = 'q1'").fetchone()[0]
    assert revs == 1


async def test_what_stays_lost_of_a_gap_keeps_its_fields_in_doubt(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    room.clock.ms = T0 + 60_000
    await room.beat(losses=[away(T0 + 150, room.clock.ms, Part(T0 + 150, T0 + 6_150, T0 + 2_000))])
    await room.settle()
    assert room.grades()[1, "q1"][0] == "unsure"
    assert room.why(1, "q1") == ["ink_missing"]
    await room.desk.stop()
    assert states(room, 1) == {"unsure", "not_captured"}
    await room.beat([piece(mac(1), PAGE1, Q2, T0 + 30_000, how="memory")])
    await room.drained(1)
    await room.settle()
    assert room.grades()[1, "q2"] == ("answered", "7"), "far from what stays lost"
    assert room.grades()[1, "q1"][0] == "unsure", "beside it"
    assert room.grades()[1, "q3"][0] == "not_captured", "all of its ink may have been in it"


async def test_a_quiet_lesson_is_let_go(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    idle = [room.desk.late.is_idle]
    await room.beat([piece(mac(1), PAGE1, Q2, T0 + 60_000, how="memory")])
    idle.append(room.desk.late.is_idle)
    await room.settle()
    idle.append(room.desk.late.is_idle)
    assert idle == [True, False, True]
    assert not room.desk.late.open


async def test_a_stopped_lesson_is_graded_while_the_next_one_runs(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    await room.desk.start(DEMO)
    room.desk.linked_pens |= {mac(seat) for seat in (1, 2, 3)}
    await room.write(2, PAGE2, Q8)
    await room.beat([piece(mac(1), PAGE1, Q2, T0 + 60_000, how="memory")])
    await room.settle()
    rows = room.store.reader.execute("select lesson, field from newest_grade where state in ('answered', 'unsure')")
    assert len({row[0] for row in rows}) == 2
    assert set(room.desk.grades) == {(2, "q8")}, "the running lesson has no ink of the other"


async def test_ink_that_belongs_to_no_answer_of_a_stopped_lesson_opens_nothing(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    await room.store.run(lambda db: pens.bind(db, pen=mac(9), seat=1, at_ms=room.clock.ms, how="hand"))
    await room.desk.reload_bindings()
    await room.beat(
        [
            piece(mac(1), UNKNOWN_PAPER, Q2, T0 + 60_000, how="memory"),
            piece(mac(1), PAGE1, Q2, T0 - 1, how="memory"),
            piece(mac(9), PAGE1, Q2, T0 + 60_000, how="memory"),
        ]
    )
    assert room.desk.late.is_idle
    assert room.count("ink") == 4, "it is kept all the same"


async def test_late_ink_is_credited_to_the_seat_that_held_the_pen_then(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    await room.store.run(lambda db: pens.bind(db, pen=mac(1), seat=3, at_ms=room.clock.ms, how="hand"))
    await room.desk.reload_bindings()
    await room.beat([piece(mac(1), PAGE1, Q2, T0 + 60_000, how="memory")])
    await room.drained(1)
    await room.settle()
    assert room.grades()[1, "q2"][0] == "answered"
    assert states(room, 3) == {"blank"}


async def test_a_pen_that_was_never_linked_in_its_lesson_and_wrote_there_was_seen(room: Class) -> None:
    await room.start()
    room.desk.linked_pens.discard(mac(1))
    room.missing = {mac(1): T0}
    room.clock.ms = T0 + 600_000
    await room.desk.stop()
    assert states(room, 1) == {"no_pen"}
    await room.settle()
    room.missing = {}
    await room.beat(losses=[away(T0, room.clock.ms)])
    await room.beat([piece(mac(1), PAGE1, Q1, T0 + 60_000, how="memory")])
    await room.drained(1)
    await room.settle()
    assert room.grades()[1, "q1"] == ("answered", "7")
    assert states(room, 1) == {"answered", "blank"}


async def test_many_lessons_are_opened_a_few_at_a_time(room: Class) -> None:
    starts = []
    await room.fill()
    for _ in range(OPEN_AT_ONCE + 3):
        room.clock.ms += 60_000
        starts.append(room.clock.ms)
        await room.desk.start(DEMO)
        room.desk.linked_pens |= {mac(seat) for seat in (1, 2, 3)}
        room.clock.ms += 600_000
        await room.desk.stop()
        await room.settle()
    await room.beat([piece(mac(1), PAGE1, Q1, at + 5_000, how="memory") for at in starts])
    most = 0
    while not room.desk.late.is_idle:
        most = max(most, len(room.desk.late.open))
        room.clock.ms += 500
        await room.think()
        room.reader.answer()
    assert most == OPEN_AT_ONCE
    rows = room.store.reader.execute("select count(*) from newest_grade where state = 'answered'").fetchone()
    assert rows[0] == len(starts)


async def test_ink_that_comes_while_the_lesson_is_being_stopped_is_graded(room: Class) -> None:
    await room.start()
    room.clock.ms += 60_000
    stopping = asyncio.create_task(room.desk.stop())
    await asyncio.sleep(0)
    await room.beat([piece(mac(1), PAGE1, Q1, room.clock.ms - 500)])
    await stopping
    await room.settle()
    assert room.grades()[1, "q1"] == ("answered", "7")
    assert states(room, 1) == {"answered", "blank"}


# -- restarts


@pytest.mark.parametrize("dies", ["before it is told", "before it is read", "before it is written"])
async def test_late_ink_that_was_committed_is_graded_after_a_restart(room: Class, dies: str) -> None:
    await a_lesson_with_a_pen_away(room)
    batch = await room.commit([piece(mac(1), PAGE1, Q2, T0 + 60_000, how="memory")])
    if dies != "before it is told":
        room.desk.take(batch)
        room.clock.ms += 2_000
        await room.think()
        room.clock.ms += 2_000
        await room.think()
        assert len(room.reader.open) == 1
    if dies == "before it is written":
        room.reader.answer()
    room.new_desk()
    await room.desk.restore()
    assert await room.settle() == 1
    assert room.grades()[1, "q2"][0] == "unsure", "its gap is still open"
    await room.drained(1)
    assert await room.settle() == 0, "what was read of just this ink is known"
    assert room.grades()[1, "q2"] == ("answered", "7")


async def test_a_gap_that_was_healed_before_a_crash_is_seen_after_it(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    now_ms = room.clock()
    await room.drained(1)  # nobody thinks any more
    room.new_desk()
    await room.desk.restore()
    await room.settle()
    assert now_ms <= room.clock()
    assert states(room, 1) == {"answered", "blank"}


async def test_nothing_is_opened_again_for_what_is_done(room: Class) -> None:
    await a_lesson_with_a_pen_away(room)
    await room.beat([piece(mac(1), PAGE1, Q2, T0 + 60_000, how="memory")])
    await room.drained(1)
    await room.settle()
    rows = room.count("grade")
    room.new_desk()
    await room.desk.restore()
    assert room.desk.late.is_idle
    assert await room.settle() == 0
    assert room.count("grade") == rows


async def test_an_answer_that_a_stop_did_not_wait_for_comes_after_a_restart(tmp_path: Path) -> None:
    room = class_at(tmp_path, stop_s=0.05)
    await room.start()
    await room.write(1, PAGE1, Q1)
    room.clock.ms += 2_000
    await room.think()
    await room.desk.stop()
    assert room.grades()[1, "q1"] == ("unsure", None)
    room.new_desk()
    await room.desk.restore()
    await room.settle()
    assert room.grades()[1, "q1"] == ("answered", "7")
    await asyncio.to_thread(room.store.close)


# -- the running lesson


async def test_memory_strokes_of_the_running_lesson_are_read_like_any_ink(room: Class) -> None:
    await room.start()
    room.clock.ms += 60_000
    await room.beat([piece(mac(1), PAGE1, Q1, T0 + 1_000, how="memory")])
    assert await room.settle() == 1
    assert room.grades() == {(1, "q1"): ("answered", "7")}
    assert room.desk._figures.penup_to_grade.summary()["n"] == 0, "nobody waited for it since it was written"


async def test_a_healed_gap_of_the_running_lesson_turns_its_fields_back(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await room.beat(losses=[away(T0 + 150, T0 + 20_000)])
    await room.think()
    assert room.grades()[1, "q1"][0] == "unsure"
    room.clock.ms = T0 + 21_000
    await room.drained(1)
    assert await room.settle() == 0, "the same ink is not read again"
    assert room.grades()[1, "q1"] == ("answered", "7")
    assert room.why(1, "q1") == []


async def test_ink_has_the_same_hash_in_whatever_order_it_came(room: Class) -> None:
    await room.start()
    room.clock.ms += 60_000
    at = room.clock.ms
    late = [piece(mac(1), PAGE1, Q1, T0 + 2_000 + 300 * n, how="memory") for n in range(3)]
    await room.beat([piece(mac(1), PAGE1, Q1, at)])
    await room.beat([late[2], late[0]])
    await room.beat([late[1], late[0]])
    await room.settle()
    assert [s[0][2] for s in room.reader.asked[-1].request["strokes"]] == [2_000, 2_300, 2_600, 60_000]
    rows = room.count("grade")
    room.new_desk()
    await room.desk.restore()
    assert await room.settle() == 0
    assert room.count("grade") == rows


async def test_a_doubt_is_told_of_an_answer_that_was_in_doubt_already(room: Class) -> None:
    await room.start()
    room.reader.sure = False
    await room.write(1, PAGE1, Q1)
    await room.read()
    assert room.why(1, "q1") == []
    await room.beat(losses=[away(T0 + 150, T0 + 20_000)])
    await room.think()
    assert room.why(1, "q1") == ["ink_missing"]
