"""Jobs by field, ink and reader: what was read is not read again, what no reader survived goes to a person."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from gateway.reading import FAILED, Answer
from recognition.ink import unpack
from tests.gateway.rig import PAGE1, PAGE2, Q1, Q8, Class, class_at, mac, piece


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Class]:
    room = class_at(tmp_path)
    yield room
    await asyncio.to_thread(room.store.close)


def fail(room: Class) -> None:
    """The reader did not survive what it has."""
    for job in room.reader.open:
        room.reader.tell(Answer(job.id, None, 0.0, False, (), (FAILED,), room.reader.version or ""))
    room.reader.open = []


async def asked(room: Class) -> None:
    room.clock.ms += 2_000
    await room.think()


async def restarted(room: Class, version: str | None) -> None:
    room.new_desk()
    room.reader.version = version
    await room.desk.restore()


async def test_a_reading_that_is_stored_is_used_and_not_made_again(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await room.write(1, PAGE1, Q1)
    await room.store.run(  # the ink as it is now was read before, and the grade of it was lost with an older disk
        lambda db: db.conn.execute(
            "insert into reading(lesson, field, pupil, ink, reader, value, confidence, accepted, more, at_ms)"
            " select lesson, field, pupil, ?, reader, '5', confidence, accepted, more, at_ms from reading",
            (digest(room),),
        )
    )
    await restarted(room, "fake/1")
    assert await room.settle() == 0
    assert room.grades()[1, "q1"] == ("answered", "5")


async def test_a_reading_of_another_reader_is_not_this_one_s(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await room.write(1, PAGE1, Q1)
    await restarted(room, "fake/2")
    assert await room.settle() == 1
    rows = room.store.reader.execute("select reader from reading order by id").fetchall()
    assert [row[0] for row in rows] == ["fake/1", "fake/2"]


async def test_a_new_reader_does_not_read_again_what_has_its_grade(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.read()
    await restarted(room, "fake/2")
    assert await room.settle() == 0
    assert room.count("grade") == 1


async def test_jobs_wait_until_the_reader_has_said_which_one_it_is(room: Class) -> None:
    await room.start()
    room.reader.version = None
    await room.write(1, PAGE1, Q1)
    await asked(room)
    assert not room.reader.asked
    assert room.count("ink") == 1
    room.reader.version = "fake/1"
    assert await room.settle() == 1
    assert room.grades()[1, "q1"] == ("answered", "7")


async def test_a_job_that_no_reader_survives_is_unsure_and_kept_as_an_oddity_without_its_pupil(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await asked(room)
    fail(room)
    await room.think()
    assert room.grades()[1, "q1"] == ("unsure", None)
    assert FAILED in room.why(1, "q1")
    (row,) = room.store.reader.execute("select pen, kind, payload from oddity").fetchall()
    assert tuple(row)[:2] == (mac(1), FAILED)
    head, _, packed = bytes(row["payload"]).partition(b"\n")
    said = json.loads(head)
    assert (said["kind"], said["field"], said["reader"]) == ("digit", "q1", "fake/1")
    assert len(unpack(packed)[0]) == 8
    pupil = room.store.reader.execute("select pupil from lesson_seat where seat = 1").fetchone()[0]
    assert pupil.encode() not in row["payload"]


async def test_the_oddity_of_a_job_is_bounded_and_can_be_unpacked(room: Class) -> None:
    await room.start()
    drawn = Random(1)  # noqa: S311  ink, no secret
    for n in range(30):
        made = piece(mac(1), PAGE1, Q1, room.clock.ms + 100 * n, dots=90)
        made.rows = [(x + drawn.randrange(90), y + drawn.randrange(90), *rest) for x, y, *rest in made.rows]  # type: ignore[misc]  # as long as before
        await room.beat([made])
    room.clock.ms += 3_000
    await asked(room)
    fail(room)
    await room.think()
    (payload,) = room.store.reader.execute("select payload from oddity").fetchone()
    assert len(payload) <= 1_024
    assert 0 < len(unpack(bytes(payload).partition(b"\n")[2])) < 30


@pytest.mark.parametrize("stopped", [False, True])
async def test_it_is_tried_again_by_another_reader_and_by_no_other_way(room: Class, *, stopped: bool) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await room.write(2, PAGE2, Q8)
    await asked(room)
    fail(room)
    await room.think()
    if stopped:
        await room.desk.stop()
        await room.settle()
    await restarted(room, "fake/1")
    assert await room.settle() == 0, "the same reader would die of it again"
    await restarted(room, None)
    await room.think()
    room.reader.version = "fake/2"
    assert await room.settle() == 2
    assert room.grades()[1, "q1"] == ("answered", "7")
    await restarted(room, "fake/3")
    assert await room.settle() == 0
    assert room.desk.late.is_idle


async def test_a_reader_that_is_away_holds_neither_ink_nor_beat(room: Class) -> None:
    await room.start()
    await room.write(1, PAGE1, Q1)
    await asked(room)
    for seat in (1, 2, 3):
        await room.write(seat, PAGE2, Q8)
    given = []
    for _ in range(2):
        await asked(room)
        given.append(len(room.reader.open))
    assert room.count("ink") == 4
    assert room.grades() == {}
    assert given == [3, 4], "two pages a beat: a class that lifts its pens together holds up no ink"


def digest(room: Class) -> str:
    answers = room.desk.answers
    assert answers is not None
    return answers.ink((1, "q1")).digest
