"""A class whose option question is graded by the machine and by hand, and whose key then changes (field case 20)."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from gateway import keys, results
from gateway.rekeying import Rekeying
from recognition.grading import by_teacher
from tests.gateway.rig import DEMO, PAGE2, Q8, T0, Class, mac

When: TypeAlias = Callable[[Class], Awaitable[None]]

SHEET: Final = DEMO.replace('keys = ["C"]', 'keys = ["B"]')
"""The demo's sheet; the right option of q8 is B."""


async def begun(room: Class, text: str = SHEET) -> None:
    await room.fill()
    await room.think()
    await room.desk.start(text)
    room.desk.linked_pens |= {mac(seat) for seat in range(1, 10)}
    rows = [(mac(seat), "AA", T0 - 60_000) for seat in range(1, 10)]
    await room.store.run(lambda db: db.conn.executemany("insert into link(pen, adapter, from_ms) values (?,?,?)", rows))


def rekeying(room: Class) -> Rekeying:
    return Rekeying(room.store, room.desk, who=lambda: "t-2")


async def chosen(room: Class, seat: int, value: str, *, sure: bool = True) -> None:
    """A pupil marks an option of q8, and it is read."""
    room.reader.said["choice"], room.reader.sure = value, sure
    await room.write(seat, PAGE2, Q8)
    await room.read()


async def decided(room: Class, seat: int, points: float) -> None:
    """A teacher decides q8."""
    row = newest(room)[seat]
    made = by_teacher(keys.grade_of(row), points=points, who="t-1")
    context = results.Context("00112233aabbccdd", "box-1", row["lesson"], "maths-2-demo", 1, clock_trusted=True)
    graded = results.Graded("q8", row["pupil"], row["ink"], made, None)
    await room.store.run(lambda db: results.write(db, context, graded, now_ms=room.clock.ms))


async def the_case(room: Class) -> None:
    """Pupil 3 chose C, pupil 5 was unsure and the teacher said 1, pupil 9 chose B."""
    await chosen(room, 3, "C")
    await chosen(room, 5, "D", sure=False)
    await chosen(room, 9, "B")
    await decided(room, 5, 1)


def newest(room: Class, field: str = "q8") -> dict[int, dict[str, Any]]:
    """The newest grade of each seat, whole."""
    rows = room.store.reader.execute(
        "select s.seat, g.* from newest_grade g join lesson_seat s on s.lesson = g.lesson and s.pupil = g.pupil"
        " where g.field = ?",
        (field,),
    )
    return {row["seat"]: dict(row) for row in rows}


def said(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a grade says: all but when and under which revision."""
    return tuple(value for name, value in row.items() if name not in ("rev", "at_ms", "clock"))


def revisions(room: Class) -> dict[int, int]:
    return {seat: row["rev"] for seat, row in newest(room).items()}


async def restarted(room: Class) -> None:
    room.new_desk()
    await room.desk.restore()
    await room.settle()


async def as_is(room: Class) -> None:
    del room


async def stopped(room: Class) -> None:
    await room.desk.stop()
    await room.settle()


async def stopped_and_restarted(room: Class) -> None:
    await stopped(room)
    await restarted(room)


WHENS: Final[list[When]] = [as_is, restarted, stopped, stopped_and_restarted]


async def set_key(room: Class, *values: str, lesson: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  set's own
    if lesson is None and room.desk.running is None:
        lesson = str(room.store.reader.execute("select id from lesson").fetchone()[0])
    return await rekeying(room).set(lesson=lesson, field="q8", values=values, **more)


async def undo(room: Class, **more: Any) -> dict[str, Any]:  # noqa: ANN401  undo's own
    lesson = str(room.store.reader.execute("select id from lesson").fetchone()[0])
    return await rekeying(room).undo(lesson=lesson, field=None, **more)
