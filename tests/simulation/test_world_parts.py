"""What stands in for the world is as bad as the world, and no worse."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

import pytest

from sync.broker import Acknowledged, Delivery, Gone
from tests.simulation.air import Climate, Link
from tests.simulation.broker import VirtualBroker
from tests.simulation.drive import Died, Drive
from tests.simulation.history import BrokenPromise, History
from tests.simulation.loop import BASE_MS, SimulatedLoop
from tests.simulation.truth import Truth


def blank() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t(x)")
    image = connection.serialize()
    connection.close()
    return image


def rows(drive: Drive) -> list[int]:
    connection = drive.open(lambda: None)
    found = [row[0] for row in connection.execute("select x from t order by x")]
    connection.close()
    return found


class TestDrive:
    def test_a_commit_under_full_outlives_a_cut_and_an_open_transaction_does_not(self) -> None:
        drive = Drive(blank())
        connection = drive.open(lambda: None)
        connection.execute("pragma synchronous = full")
        connection.execute("insert into t values (1)")
        connection.execute("begin")
        connection.execute("insert into t values (2)")
        drive.cut()
        assert rows(drive) == [1]

    def test_a_commit_that_was_not_synced_is_gone_unless_the_disk_got_round_to_it(self) -> None:
        drive = Drive(blank())
        connection = drive.open(lambda: None)
        connection.execute("pragma synchronous = off")
        connection.execute("insert into t values (1)")
        drive.flush()
        connection.execute("insert into t values (2)")
        drive.cut()
        assert rows(drive) == [1]

    def test_a_process_dies_in_the_middle_of_its_transaction_and_does_nothing_more(self) -> None:
        drive = Drive(blank())
        deaths: list[str] = []

        def die() -> None:
            deaths.append("dead")
            drive.cut()

        connection = drive.open(die)
        connection.execute("begin")
        drive.die_at(2)
        connection.execute("insert into t values (1)")
        with pytest.raises(Died):
            connection.execute("insert into t values (2)")
        with pytest.raises(Died):
            connection.execute("commit")
        assert deaths == ["dead"]
        assert rows(drive) == []

    def test_a_full_disk_takes_nothing_and_can_still_be_read(self) -> None:
        drive = Drive(blank())
        connection = drive.open(lambda: None)
        drive.fill(is_full=True)
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("insert into t values (1)")
        assert raised.value.sqlite_errorcode == sqlite3.SQLITE_FULL
        assert connection.execute("select count(*) from t").fetchone() == (0,)
        drive.fill(is_full=False)
        connection.execute("insert into t values (1)")
        connection.close()
        assert rows(drive) == [1]

    def test_a_backup_that_is_put_back_is_what_was_there_then(self) -> None:
        drive = Drive(blank())
        connection = drive.open(lambda: None)
        connection.execute("insert into t values (1)")
        image = drive.image()
        connection.execute("insert into t values (2)")
        drive.cut()
        drive.restore(image)
        assert rows(drive) == [1]


class TestLoop:
    def test_waiting_takes_simulated_time_alone(self) -> None:
        loop = SimulatedLoop()
        loop.run_until_complete(asyncio.sleep(86_400))
        assert loop.time() == pytest.approx(86_400)
        assert loop.now_ms() == BASE_MS + 86_400_000
        loop.close()

    def test_an_executor_runs_in_the_loop_itself(self) -> None:
        loop = SimulatedLoop()
        loop.executor_delay_s = lambda: 2.0

        async def ask() -> int:
            return await asyncio.get_running_loop().run_in_executor(None, lambda: 7)

        assert loop.run_until_complete(ask()) == 7
        assert loop.time() == pytest.approx(2.0)
        loop.close()

    def test_tasks_that_wait_for_each_other_for_ever_are_an_error(self) -> None:
        loop = SimulatedLoop()
        never = loop.create_future()
        with pytest.raises(RuntimeError, match="nothing will ever happen"):
            loop.run_until_complete(never)
        never.cancel()
        loop.close()


class Air:
    """A link whose both ends a test holds."""

    def __init__(self, climate: Climate) -> None:
        self.loop = SimulatedLoop()
        self.truth = Truth()
        self.at_pen: list[bytes] = []
        self.ends: list[str] = []
        self.link = self.loop.run_until_complete(self._link(climate))

    async def _link(self, climate: Climate) -> Link:
        return Link(
            self.loop,
            Random(3),  # noqa: S311  the same air in every run
            History(self.loop.time),
            self.truth,
            name="link",
            number=1,
            climate=climate,
            is_calm=lambda: False,
            hear=self.at_pen.append,
            pen_lost=lambda _: self.ends.append("pen"),
            host_lost=lambda _, reason: self.ends.append(reason),
        )

    def arrived(self, seconds: float = 30.0) -> list[bytes]:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        return [arrival.data for arrival in self.link.take()]


MakeAir: TypeAlias = Callable[[Climate], Air]


@pytest.fixture
def air() -> Iterator[MakeAir]:
    made: list[Air] = []

    def make(climate: Climate) -> Air:
        made.append(Air(climate))
        return made[-1]

    yield make
    for each in made:
        each.loop.close()


class TestAir:
    def test_retransmissions_delay_and_keep_the_order(self, air: MakeAir) -> None:
        there = air(Climate(retransmitted=0.5, dropped=0.0))
        said = [bytes([n]) for n in range(200)]
        for each in said:
            there.link.say(each)
        assert there.arrived() == said

    def test_a_frame_longer_than_a_notification_comes_in_pieces(self, air: MakeAir) -> None:
        there = air(Climate(retransmitted=0.0, dropped=0.0))
        there.link.say(bytes(600))
        assert [len(piece) for piece in there.arrived()] == [244, 244, 112]

    def test_what_is_dropped_is_gone_in_the_truth(self, air: MakeAir) -> None:
        there = air(Climate(retransmitted=0.0, dropped=1.0))
        dot = there.truth.born("pen", 1, BASE_MS, "air", 0.0)
        there.link.say(b"dot", (dot.serial,), counted=True)
        assert there.arrived() == []
        assert dot.place == "gone"

    def test_both_sides_notice_a_silence_by_themselves_and_what_was_under_way_is_gone(self, air: MakeAir) -> None:
        there = air(Climate(retransmitted=0.0, dropped=0.0))
        dot = there.truth.born("pen", 1, BASE_MS, "air", 0.0)
        there.link.say(b"dot", (dot.serial,), counted=True)
        there.link.fall_silent()
        assert dot.place == "gone"
        assert there.arrived() == []
        assert sorted(there.ends) == ["pen", "pen.link_lost"]
        assert not there.link.is_open


class TestBroker:
    def test_what_nobody_acknowledged_comes_again_over_the_next_line(self) -> None:
        loop = SimulatedLoop()
        broker = VirtualBroker(loop, Random(5), History(loop.time))  # noqa: S311  the same broker in every run

        async def talk() -> None:
            there = await broker.connector("b", manual_ack=True, keep_session=True)(lambda: None)
            await there.subscribe("x/+")
            here = await broker.connector("a")(lambda: None)
            ticket = here.publish("x/1", b"hello")
            await asyncio.sleep(5)
            assert here.take() == [Acknowledged(ticket, 0)]
            (came,) = there.take()
            assert isinstance(came, Delivery)
            assert (came.topic, came.payload, came.retained) == ("x/1", b"hello", False)
            broker.cut("b")
            assert [type(event) for event in there.take()] == [Gone]
            again = await broker.connector("b", manual_ack=True, keep_session=True)(lambda: None)
            await asyncio.sleep(5)
            (same,) = again.take()
            assert isinstance(same, Delivery)
            assert same.payload == b"hello"

        loop.run_until_complete(talk())
        loop.close()

    def test_what_it_drops_it_acknowledges_all_the_same(self) -> None:
        loop = SimulatedLoop()
        broker = VirtualBroker(loop, Random(5), History(loop.time))  # noqa: S311  the same broker in every run
        broker.manners.drop = 1.0

        async def talk() -> None:
            there = await broker.connector("b")(lambda: None)
            await there.subscribe("x")
            here = await broker.connector("a")(lambda: None)
            here.publish("x", b"hello")
            await asyncio.sleep(5)
            assert [type(event) for event in here.take()] == [Acknowledged]
            assert there.take() == []

        loop.run_until_complete(talk())
        loop.close()


def test_a_history_says_what_broke_first_and_its_digest_tells_two_apart() -> None:
    one, other = History(lambda: 1.0), History(lambda: 1.0)
    one.note("pen 1", "writes")
    other.note("pen 2", "writes")
    assert one.digest != other.digest
    for words in ("a dot is gone", "another one"):
        with pytest.raises(BrokenPromise):
            one.breach(words)
    assert one.broken == "a dot is gone"
