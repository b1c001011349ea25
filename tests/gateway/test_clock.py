"""Field case 13: the box wakes up in another year, and its clock jumps in the middle of a lesson."""

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from gateway import clock
from gateway.clock import BoxClock, offsets
from gateway.schema import migrations
from gateway.store import Store
from tests.gateway.rig import PAGE1, Q1, Q2, Class

Y2014 = 1_404_345_600_000
NOW = 1_790_000_000_000
MINUTE = 60_000


class World:
    """A machine whose wall can be set, and which can be booted."""

    def __init__(self, wall_ms: int, *, synced: bool) -> None:
        self.boots, self._wall_ms, self._up_ms, self.synced = 1, wall_ms, 20_000, synced

    def wall_ms(self) -> int:
        return self._wall_ms

    def monotonic_ms(self) -> int:
        return self._up_ms

    def boot_id(self) -> str:
        return f"boot-{self.boots}"

    def is_trusted(self) -> bool:
        return self.synced

    def wait(self, ms: int) -> None:
        """Time goes by."""
        self._wall_ms += ms
        self._up_ms += ms

    def set(self, wall_ms: int) -> None:
        """A time service sets the wall."""
        self._wall_ms, self.synced = wall_ms, True

    def boot(self, wall_ms: int, *, synced: bool = False) -> None:
        self.boots += 1
        self._wall_ms, self._up_ms, self.synced = wall_ms, 15_000, synced


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database(tmp_path / "box.db")
    migrations.apply(db)
    yield db
    db.conn.close()


def started(db: Database, world: World) -> BoxClock:
    """As at a start of the gateway."""
    box = BoxClock(world)
    with db.atomic():
        box.anchor(db)
    return box


def noted(db: Database, box: BoxClock) -> None:
    """As twice a second."""
    if box.has_news():
        with db.atomic():
            box.kept(box.note(db))


def lesson(db: Database, started_ms: int, stopped_ms: int | None = None) -> None:
    with db.atomic():
        db.conn.execute("insert or replace into lesson values ('l1', 's', 1, ?, ?)", (started_ms, stopped_ms))


def test_on_a_box_whose_clock_is_right_the_box_s_time_is_the_wall(db: Database) -> None:
    world = World(NOW, synced=True)
    box = started(db, world)
    for _ in range(50):
        world.wait(1_234)
        noted(db, box)
    assert box.now_ms() == world.wall_ms() == box.told_ms(box.now_ms())
    assert box.is_trusted()
    assert len(offsets(db)) == 1


def test_a_box_that_wakes_up_in_2014_has_a_lesson_of_the_right_length_and_tells_its_true_time_later(
    db: Database,
) -> None:
    world = World(Y2014, synced=False)
    box = started(db, world)
    begun = box.now_ms()
    lesson(db, begun)
    assert not box.is_trusted()
    world.wait(20 * MINUTE)
    world.set(NOW)
    noted(db, box)
    ended = box.now_ms()
    assert ended - begun == 20 * MINUTE
    assert not box.is_trusted(), "its rows are not of the true time, though that is known now"
    assert box.is_set()
    assert box.told_ms(ended) == NOW
    assert box.told_ms(begun) == NOW - 20 * MINUTE
    rows = offsets(db)
    assert [row.synced for row in rows] == [False, True]
    assert rows[0].ahead_ms == 0, "no row was rewritten"


def test_a_wall_that_steps_back_in_mid_stroke_moves_nothing(db: Database) -> None:
    world = World(NOW, synced=True)
    box = started(db, world)
    lesson(db, box.now_ms())
    times = []
    for step in (0, 0, -37_000, 0, 90_000, 0):
        world.wait(33)
        world.set(world.wall_ms() + step)
        noted(db, box)
        times.append(box.now_ms())
    assert [b - a for a, b in pairwise(times)] == [33] * 5
    assert box.told_ms(times[-1]) == world.wall_ms()
    assert [row.ahead_ms for row in offsets(db)] == [0, -37_000, 53_000]


def test_a_gateway_that_is_started_again_in_the_lesson_goes_on_in_the_same_time(db: Database) -> None:
    world = World(Y2014, synced=False)
    box = started(db, world)
    begun = box.now_ms()
    lesson(db, begun)
    world.wait(5 * MINUTE)
    world.set(NOW)
    world.wait(5 * MINUTE)
    again = started(db, world)
    assert again.now_ms() - begun == 10 * MINUTE
    assert again.told_ms(begun) == NOW - 5 * MINUTE


def test_a_start_without_a_lesson_takes_the_true_time_and_the_old_rows_stay_explained(db: Database) -> None:
    world = World(Y2014, synced=False)
    box = started(db, world)
    begun = box.now_ms()
    lesson(db, begun, begun + 20 * MINUTE)
    world.wait(30 * MINUTE)
    world.set(NOW)
    noted(db, box)
    again = started(db, world)
    assert again.now_ms() == NOW
    assert again.is_trusted()
    assert again.told_ms(begun) == NOW - 30 * MINUTE
    assert again.told_ms(NOW) == NOW


def test_two_boots_in_2014_do_not_share_their_times(db: Database) -> None:
    world = World(Y2014, synced=False)
    ended = started(db, world).now_ms() + 20 * MINUTE
    lesson(db, Y2014, ended)
    world.boot(Y2014)
    box = started(db, world)
    assert box.now_ms() > ended
    assert not box.is_trusted()


def test_a_boot_in_mid_lesson_never_goes_back(db: Database) -> None:
    world = World(NOW, synced=True)
    lesson(db, started(db, world).now_ms())
    world.boot(NOW - 37_000, synced=True)
    box = started(db, world)
    assert box.now_ms() > NOW
    assert box.told_ms(box.now_ms()) == world.wall_ms()


@given(
    st.lists(st.tuples(st.sampled_from(["wait", "set", "start", "boot"]), st.integers(-(10**11), 10**11)), max_size=12)
)
def test_whatever_the_wall_does_time_goes_on_in_a_lesson_and_every_time_can_be_told(
    steps: list[tuple[str, int]],
) -> None:
    db = Database(memory=True)
    migrations.apply(db)
    world = World(NOW, synced=False)
    box = started(db, world)
    begun = last = box.now_ms()
    lesson(db, begun)
    for what, ms in steps:
        world.wait(1)
        if what == "wait":
            world.wait(abs(ms) % MINUTE)
        elif what == "set":
            world.set(max(0, NOW + ms))
        elif what == "start":
            box = started(db, world)
        else:
            world.boot(max(0, NOW + ms))
            with db.atomic():
                db.conn.execute("insert or replace into box(k, v) values ('beat', ?)", (f"1 {last}",))
            box = started(db, world)
        noted(db, box)
        assert box.now_ms() > last
        last = box.now_ms()
        if world.synced:
            assert abs(box.told_ms(last) - world.wall_ms()) <= clock.STEP_MS
    db.conn.close()


def test_a_wall_that_creeps_away_in_small_sets_is_told_as_truly_as_one_that_was_set_once(db: Database) -> None:
    world = World(NOW, synced=False)
    box = started(db, world)
    world.wait(737)
    world.set(NOW)
    noted(db, box)
    world.wait(1)
    world.set(NOW - 264)
    noted(db, box)
    assert abs(box.told_ms(box.now_ms()) - world.wall_ms()) <= clock.STEP_MS


def test_a_row_that_could_not_be_written_is_written_later(db: Database) -> None:
    world = World(Y2014, synced=False)
    box = started(db, world)
    world.set(NOW)

    def and_fail() -> None:
        with db.atomic():
            box.note(db)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        and_fail()
    noted(db, box)
    assert [row.synced for row in offsets(db)] == [False, True]


def test_this_machine_has_a_boot_and_a_clock_that_goes_on() -> None:
    box = BoxClock()
    before = box.now_ms()
    assert abs(before - time.time() * 1000) < clock.STEP_MS
    assert clock.boot_id()
    assert box.now_ms() >= before


async def test_a_lesson_over_both_jumps_has_its_ink_in_order_its_length_and_every_answer(tmp_path: Path) -> None:
    """The whole of the case: 2014 at the boot, set in mid-lesson, and 37 s back in mid-stroke."""
    store = Store(tmp_path / "gateway.db")
    world = World(Y2014, synced=False)
    box = BoxClock(world)
    await store.run(box.anchor)
    room = Class(store, by=box)
    await room.start()
    for step in (None, NOW, NOW - 37_000):
        world.wait(MINUTE)
        if step is not None:
            world.set(step)
        await store.run(lambda db: box.kept(box.note(db)))
        room.clock.ms = box.now_ms()
        await room.write(1, PAGE1, Q1 if step is None else Q2)
        world.wait(5_000)
        room.clock.ms = box.now_ms()
        await room.read()
    world.wait(17 * MINUTE)
    room.clock.ms = box.now_ms()
    said = await room.desk.stop()
    assert abs(said["seconds"] - 20 * 60 - 15) <= 1
    times = [row[0] for row in store.reader.execute("select down_ms from ink order by id")]
    assert times == sorted(times)
    assert {state for (seat, _), (state, _) in room.grades().items() if seat == 1} == {"answered", "blank"}
    row = store.reader.execute("select started_ms, stopped_ms from lesson").fetchone()
    assert row["stopped_ms"] - row["started_ms"] > 0
    body = store.reader.execute("select body from result order by rowid desc limit 1").fetchone()[0]
    assert f'"at_ms":{box.told_ms(row["stopped_ms"])}' in body
    await asyncio.to_thread(store.close)
