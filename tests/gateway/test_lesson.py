"""The lesson: from committed ink to grades, over a real store and a reader that answers when it is let."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import pens
from gateway.errors import WrongUse
from gateway.strokes import LossSeen
from recognition.errors import SheetError
from tests.gateway.rig import DEMO, FIELDS, PAGE1, PAGE2, Q1, Q2, Q8, T0, UNKNOWN_PAPER, Class, class_at, mac, piece


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Class]:
    room = class_at(tmp_path)
    yield room
    await asyncio.to_thread(room.store.close)


async def test_ink_is_read_when_its_field_is_quiet_and_graded_once(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    assert not room.reader.asked
    assert await room.read() == 1
    assert room.grades() == {(1, "q1"): ("answered", "7")}
    assert await room.read() == 0
    assert room.count("grade") == room.count("fresh") == room.count("reading") == 1


async def test_more_ink_in_a_field_makes_a_new_revision(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await room.write(1, PAGE1, Q1)
    room.reader.said["digit"] = "3"
    await room.read()
    rows = room.store.reader.execute("select rev, value, points from grade order by rev").fetchall()
    assert [tuple(row) for row in rows] == [(1, "7", 1.0), (2, "3", 0.0)]


async def test_an_answer_to_ink_that_has_grown_meanwhile_is_not_a_grade_and_the_whole_is_read(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    room.clock.ms += 2_000
    await room.think()
    room.clock.ms += 100
    await room.beat([piece(mac(1), PAGE1, Q1, room.clock.ms)])
    room.reader.answer()
    await room.think()
    assert room.grades() == {}
    assert await room.read() == 1
    assert len(room.reader.asked[-1].request["strokes"]) == 2
    assert room.grades() == {(1, "q1"): ("answered", "7")}


async def test_a_field_is_not_read_while_its_pen_writes_on_its_page(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    room.clock.ms += 5_000
    await room.think({mac(1): PAGE1})
    assert not room.reader.asked
    await room.think({mac(1): PAGE2})
    assert len(room.reader.asked) == 1


async def test_ink_on_unknown_paper_is_kept_and_answers_nothing(room: Class) -> None:
    await room.start()
    await room.write(1, UNKNOWN_PAPER, Q1)
    assert await room.read() == 0
    assert room.count("ink") == 1
    assert room.grades() == {}


async def test_ink_from_before_the_start_or_of_a_pen_without_a_seat_is_not_in_the_lesson(room: Class) -> None:
    await room.start()
    await room.beat([piece(mac(1), PAGE1, Q1, T0 - 1), piece(mac(99), PAGE1, Q1, T0 + 1)])
    assert await room.read() == 0
    assert room.count("ink") == 2


async def test_a_pen_bound_anew_at_ten_does_not_move_the_ink_of_one_minute_before(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    ten_ms = room.clock.ms + 60_000
    await room.store.run(lambda db: pens.bind(db, pen=mac(1), seat=2, at_ms=ten_ms, how="hand"))
    await room.desk.reload_bindings()
    room.clock.ms = ten_ms
    await room.write(1, PAGE1, Q2)
    await room.read()
    await room.read()
    assert set(room.grades()) == {(1, "q1"), (2, "q2")}
    room.new_desk()
    await room.desk.restore()
    assert await room.read() == 0, "after a restart the same ink is at the same seats"


async def test_two_pens_at_one_seat_one_after_the_other_write_one_answer_sheet(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    at_ms = room.clock.ms + 1_000
    await room.store.run(lambda db: pens.bind(db, pen=mac(9), seat=1, at_ms=at_ms, how="hand"))
    await room.desk.reload_bindings()
    room.clock.ms = at_ms
    await room.write(9, PAGE1, Q1)
    await room.read()
    assert len(room.reader.asked[-1].request["strokes"]) == 2


async def test_what_the_reader_is_not_sure_of_is_unsure_and_nothing_is_counted_as_wrong(room: Class) -> None:
    await room.start()
    room.reader.sure = False
    await room.write(1, PAGE1, Q1)
    await room.read()
    assert room.grades() == {(1, "q1"): ("unsure", "7")}
    assert room.desk.grades[1, "q1"]["alternatives"] == [("1", 0.02)]


# -- the eight states


async def test_empty_is_not_unread(room: Class) -> None:
    await room.start()
    room.desk.linked_pens.discard(mac(3))
    await room.write(1, PAGE1, Q1)
    await room.read()
    room.clock.ms += 60_000
    link_down = LossSeen(room.clock.ms - 240_000, room.clock.ms - 1_000, None, "link_lost", None)
    await room.beat(losses=[(mac(2), link_down)])
    await room.desk.stop()
    grades = room.grades()
    assert grades[1, "q1"] == ("answered", "7")
    assert {state for (seat, name), (state, _) in grades.items() if seat == 1 and name != "q1"} == {"blank"}
    assert {state for (seat, _), (state, _) in grades.items() if seat == 2} == {"not_captured"}
    assert {state for (seat, _), (state, _) in grades.items() if seat == 3} == {"no_pen"}
    assert len(grades) == 3 * len(FIELDS), "every answer of every seat has a state"


async def test_a_loss_on_one_page_leaves_the_other_page_blank(room: Class) -> None:
    await room.start()
    await room.beat(losses=[(mac(1), LossSeen(T0 + 10, T0 + 20, 4, "counter_gap", PAGE2))])
    await room.desk.stop()
    of_one = {name: state for (seat, name), (state, _) in room.grades().items() if seat == 1}
    assert {of_one[f"q{n}"] for n in range(1, 6)} == {"blank"}
    assert {of_one[f"q{n}"] for n in range(6, 11)} == {"not_captured"}


async def test_ink_beside_a_loss_is_unsure_with_a_word_that_some_is_missing_whatever_the_reader_says(
    room: Class,
) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    assert room.grades()[1, "q1"][0] == "answered"
    await room.beat(losses=[(mac(1), LossSeen(T0 + 90, T0 + 95, 4, "counter_gap", PAGE1))])
    await room.think()
    assert room.grades()[1, "q1"][0] == "unsure"
    assert "ink_missing" in room.desk.grades[1, "q1"]["reasons"]
    assert len(room.reader.asked) == 1, "the same ink is not read again"


async def test_a_pen_that_is_away_at_the_stop_leaves_nothing_blank(room: Class) -> None:
    await room.start()
    room.missing = {mac(2): T0 + 30_000}
    room.clock.ms = T0 + 60_000
    await room.desk.stop()
    assert {s for (seat, _), (s, _) in room.grades().items() if seat == 2} == {"not_captured"}
    assert {s for (seat, _), (s, _) in room.grades().items() if seat == 1} == {"blank"}


async def test_a_gap_of_a_pen_that_was_changed_for_a_spare_one_is_still_of_its_seat(room: Class) -> None:
    await room.start()
    at_ms = T0 + 60_000
    await room.store.run(lambda db: pens.bind(db, pen=mac(9), seat=1, at_ms=at_ms, how="hand"))
    await room.desk.reload_bindings()
    room.clock.ms = T0 + 120_000
    await room.beat(losses=[(mac(1), LossSeen(T0 + 30_000, T0 + 120_000, None, "link_lost", None))])
    await room.desk.stop()
    assert {s for (seat, _), (s, _) in room.grades().items() if seat == 1} == {"not_captured"}


# -- start and stop


async def test_a_lesson_is_not_started_twice(room: Class) -> None:
    await room.start()
    with pytest.raises(WrongUse, match="stop it first"):
        await room.desk.start(DEMO)
    assert room.count("lesson") == 1


async def test_a_lesson_needs_somebody_on_the_roster(room: Class) -> None:
    with pytest.raises(WrongUse, match="roster import"):
        await room.desk.start(DEMO)
    assert room.count("lesson") == room.count("sheet") == 0
    assert room.desk.answers is None


async def test_the_same_revision_of_a_sheet_with_another_text_is_refused(room: Class) -> None:
    await room.start()
    await room.desk.stop()
    with pytest.raises(WrongUse, match="raise its revision"):
        await room.desk.start(DEMO.replace('keys = ["37"]', 'keys = ["38"]'))
    await room.desk.start(DEMO)
    assert room.count("sheet") == 1


async def test_a_sheet_with_faults_starts_nothing(room: Class) -> None:
    await room.fill()
    with pytest.raises(SheetError):
        await room.desk.start(DEMO.replace('kind = "digit"', 'kind = "digits"', 1))
    assert room.count("lesson") == 0


async def test_there_is_nothing_to_stop_without_a_lesson(room: Class) -> None:
    with pytest.raises(WrongUse, match="No lesson"):
        await room.desk.stop()


async def _stopped(room: Class) -> None:
    """Stop, while beats go on and the reader answers."""
    stopping = asyncio.create_task(room.desk.stop())
    while not stopping.done():
        await room.think()
        room.reader.answer()
        await asyncio.sleep(0)
    await stopping


async def test_a_stop_reads_what_is_not_read_yet(room: Class) -> None:
    await room.start()
    for seat in (1, 2, 3):
        await room.write(seat, PAGE1, Q1)
        await room.write(seat, PAGE2, Q8)
    room.reader.said["choice"] = "C"
    await _stopped(room)
    grades = room.grades()
    assert [grades[seat, "q1"] for seat in (1, 2, 3)] == [("answered", "7")] * 3
    assert [grades[seat, "q8"] for seat in (1, 2, 3)] == [("answered", "C")] * 3
    revs = room.store.reader.execute("select max(rev) from grade").fetchone()[0]
    assert revs == 1, "a grade that is being written when the lesson stops is not judged a second time"


async def test_a_reader_that_hangs_does_not_hold_the_stop_and_its_ink_is_unsure(tmp_path: Path) -> None:
    room = class_at(tmp_path, stop_s=0.05)
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await room.write(1, PAGE1, Q1)
    await room.write(2, PAGE1, Q2)
    room.clock.ms += 2_000
    await room.think()
    await room.desk.stop()
    assert room.grades()[2, "q2"] == ("unsure", None)
    assert room.grades()[1, "q1"] == ("unsure", None), "the grade of less ink does not stand for all of it"
    await asyncio.to_thread(room.store.close)


async def test_an_answer_that_comes_after_the_stop_is_a_new_revision_of_that_lesson_alone(tmp_path: Path) -> None:
    room = class_at(tmp_path, stop_s=0.05)
    await room.start()
    await room.write(1, PAGE1, Q1)
    room.clock.ms += 2_000
    await room.think()
    first = (await room.desk.stop())["lesson"]
    assert room.grades()[1, "q1"] == ("unsure", None)
    await room.desk.start(DEMO)
    room.reader.answer()
    assert await room.desk.write()
    rows = room.store.reader.execute("select lesson, rev, state from grade where field = 'q1' and rev > 1").fetchall()
    assert [tuple(row) for row in rows] == [(first, 2, "answered")]
    await asyncio.to_thread(room.store.close)


async def test_a_lesson_is_not_stopped_twice_at_once(tmp_path: Path) -> None:
    room = class_at(tmp_path, stop_s=0.05)
    await room.start()
    await room.write(1, PAGE1, Q1)
    room.clock.ms += 2_000
    await room.think()
    stopping = asyncio.create_task(room.desk.stop())
    await asyncio.sleep(0)
    with pytest.raises(WrongUse, match="No lesson"):
        await room.desk.stop()
    await stopping
    await asyncio.to_thread(room.store.close)


# -- restart


async def test_a_restart_in_mid_lesson_reads_again_only_what_its_grade_does_not_know(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.write(2, PAGE2, Q8)
    await room.read()
    before = room.grades()
    await room.write(3, PAGE1, Q2)
    shown = dict(room.desk.grades)
    room.new_desk()
    await room.desk.restore()
    assert {k: (v["state"], v["value"]) for k, v in room.desk.grades.items()} == {
        k: (v["state"], v["value"]) for k, v in shown.items()
    }
    assert await room.read() == 1
    assert room.reader.asked[0].request["kind"] == "digit"
    assert room.grades() == before | {(3, "q2"): ("answered", "7")}
    assert room.count("grade") == 3, "nothing is written a second time"
    room.desk.linked_pens |= {mac(seat) for seat in (1, 2, 3)}
    await room.desk.stop()
    assert len(room.grades()) == 3 * len(FIELDS)


async def test_a_loss_that_its_grade_does_not_know_is_seen_after_a_restart(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await room.commit(losses=[(mac(1), LossSeen(T0 + 90, T0 + 95, 4, "counter_gap", PAGE1))])
    room.new_desk()
    await room.desk.restore()
    await room.read()
    assert room.grades()[1, "q1"][0] == "unsure"


async def test_a_restart_without_a_lesson_has_none(room: Class) -> None:
    await room.fill()
    room.new_desk()
    await room.desk.restore()
    assert room.desk.answers is None
    assert not await room.desk.write()


async def test_grades_that_could_not_be_written_are_written_later(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    room.clock.ms += 2_000
    await room.think()
    room.reader.answer()

    other = sqlite3.connect(room.store.path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(sqlite3.OperationalError):
        await room.desk.write()
    assert room.desk.grades == {}
    other.close()
    assert await room.desk.write()
    assert room.grades() == {(1, "q1"): ("answered", "7")}
    assert room.count("grade") == room.count("fresh") == 1


async def test_ink_on_paper_that_no_sheet_knew_is_joined_when_the_lesson_is_started_anew_with_its_sheet(
    tmp_path: Path,
) -> None:
    house = class_at(tmp_path)
    await house.start()
    await house.write(1, UNKNOWN_PAPER, Q1)
    answers = house.desk.answers
    assert answers is not None
    assert answers.unknown_paper[UNKNOWN_PAPER] == 1
    await house.desk.stop()
    text = DEMO.replace("revision = 1", "revision = 2")
    text += "\n[[placing]]\naddress = [3, 27, 603, 5]\npage = 1\n"
    house.clock.ms += 60_000
    await house.desk.start(text, back_ms=120_000)
    house.desk.linked_pens |= {mac(1)}
    assert await house.read() == 1
    assert house.desk.grades[1, "q1"]["state"] == "answered"
    house.store.close()
