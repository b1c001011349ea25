"""Field case 22 on a box: what stops, what goes on, what comes back; nothing is lost."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway import keeping
from gateway.clock import now_ms
from gateway.errors import TryLater
from gateway.settings import DiskSettings
from gateway.views import for_pages
from sync import outbox
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO, PAGE1, Q1, Q2, mac
from tests.gateway.small_disk import fill_up, small_disk
from tests.gateway.stores import put_results
from tests.sync.samples import result

MB = 1 << 20


class Room:
    """Free space as the test says."""

    def __init__(self) -> None:
        self.mb = 1_000.0

    def __call__(self, folder: Path) -> int:
        del folder
        return round(self.mb * MB)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path, disk=DiskSettings(low_mb=100, reserve_mb=1))
    house.box.guard.disk._free = Room()
    yield house
    await house.close()


async def with_room(house: House, mb: float) -> None:
    house.box.guard.disk._free = room = Room()
    room.mb = mb
    await house.box.guard.look()
    await house.beat()


async def lesson(house: House) -> None:
    await house.fill()
    for seat in (1, 2):
        await house.link(mac(seat))
    await house.ask("lesson_start", text=DEMO)


def is_durable(house: House) -> bool:
    return house.box.beat.durable


def codes(house: House) -> list[str]:
    return [said.code for said in for_pages(house.box)]


async def test_low_stops_drains_and_says_so_and_ink_goes_on(house: House) -> None:
    await lesson(house)
    assert house.box.guard.allows()
    await with_room(house, 50)
    assert not house.box.guard.allows()
    assert codes(house) == ["disk.low"]
    house.links[mac(1)].stroke(now_ms(), PAGE1, Q1, Q1)
    await house.beat()
    assert house.rows("select count(*) from ink") == [(1,)]
    await with_room(house, 1_000)
    assert house.box.guard.allows()
    assert codes(house) == []


async def test_full_hangs_up_so_that_pens_keep_their_ink_and_all_comes_back(house: House) -> None:
    await lesson(house)
    first, second = house.links[mac(1)], house.links[mac(2)]
    first.down(now_ms(), PAGE1)
    first.dot(*Q1)
    await house.beat()
    await with_room(house, 0.1)
    assert (first.is_open, second.is_open) == (False, False)
    assert not house.box.linking.wanted(mac(1))
    assert house.box.seats.radio_of(mac(1)).code == "radio.disk_full"
    assert codes(house) == ["disk.full"]
    assert not house.box.screen.status().durable
    assert house.rows("select pen, dots, ended from ink") == [(mac(1), 1, "interrupted")], "what was here is kept"
    assert house.rows("select pen from loss where cause = 'disk_full'") == [(mac(1),)], "it was writing"
    assert house.rows("select distinct reason from link") == [("disk.full",)]

    await with_room(house, 1_000)
    assert house.box.linking.wanted(mac(1))
    assert codes(house) == []
    again = await house.link(mac(1))
    again.stroke(now_ms(), PAGE1, Q2, Q2)
    await house.beat()
    assert house.rows("select count(*) from ink") == [(2,)]
    assert house.box.screen.status().durable


async def test_while_it_is_full_commands_that_write_are_75_and_others_are_not(house: House) -> None:
    await lesson(house)
    await with_room(house, 0.1)
    for do, request in (
        ("pens_join", {"minutes": 5}),
        ("pens_bind", {"pairs": [[mac(1), 2]]}),
        ("pens_forget", {"pen": mac(1)}),
        ("roster_import", {"content": ""}),
        ("lesson_start", {"text": DEMO}),
    ):
        with pytest.raises(TryLater, match="disk is full") as raised:
            await house.ask(do, **request)
        assert raised.value.exit_code == 75
    assert (await house.ask("status"))["disk"] == "full"
    await house.ask("pens_list")
    await with_room(house, 1_000)
    await house.ask("pens_join", minutes=5)


async def test_a_store_that_another_holds_makes_a_command_75(house: House) -> None:
    with closing(sqlite3.connect(house.settings.database, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(TryLater, match="locked"):
            await house.ask("pens_bind", pairs=[[mac(1), 2]])
        other.execute("rollback")
    await house.ask("pens_bind", pairs=[[mac(1), 2]])


async def test_a_store_that_another_holds_keeps_ink_waiting_says_so_once_and_loses_nothing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await lesson(house)
    with closing(sqlite3.connect(house.settings.database, isolation_level=None)) as other:
        other.execute("begin immediate")
        for number in range(3):
            house.links[mac(1)].stroke(now_ms() + number * 10, PAGE1, Q1, Q1)
            await house.beat()
        assert codes(house) == []
        assert not house.box.screen.status().durable
        other.execute("rollback")
    await house.beat()
    assert house.rows("select count(*) from ink") == [(3,)]
    assert [r.getMessage() for r in caplog.records if "cannot be written" in r.getMessage()] == [
        "the store cannot be written (database is locked); what came since waits in memory"
    ]


# -- what is kept, and for how long


def envelopes(house: House) -> list[tuple[object, ...]]:
    return house.rows("select state, count(*) from envelope group by 1 order by 1")


async def test_old_receipted_envelopes_go_and_leave_a_row_and_their_results_stay(house: House) -> None:
    await house.store.run(put_results)
    assert envelopes(house) == [("receipted", 1), ("waiting", 1)]

    def prune(db: Database) -> int:
        return keeping.prune(db, now_ms=now_ms() + 31 * 86_400_000, keep_days=30, low=False)

    await house.store.run(prune)
    assert envelopes(house) == [("waiting", 1)]
    assert house.rows("select what, rows, why from pruned") == [("envelope", 1, "sync.keep_days")]
    assert house.rows("select count(*) from result") == [(7,)]
    assert await house.store.run(prune) == 0


async def test_on_a_low_disk_the_oldest_receipted_go_first_and_waiting_ones_never(house: House) -> None:
    def many(db: Database) -> None:
        numbers = outbox.Numbers()
        for number in range(keeping.PRUNED_AT_ONCE + 50):
            outbox.put(db, result(number))
            outbox.seal(db, numbers, now_ms=now_ms() - 1_000_000 + number)
        db.conn.execute("update envelope set state = 'receipted' where id > 10")
        db.conn.execute("update envelope set state = 'refused', why = 'x' where id <= 3")

    await house.store.run(many)
    await house.box.guard.look()
    assert ("receipted", keeping.PRUNED_AT_ONCE + 40) in envelopes(house)
    await with_room(house, 50)
    left = house.rows("select min(id) from envelope where state = 'receipted'")
    assert left == [(10 + keeping.PRUNED_AT_ONCE + 1,)]
    await with_room(house, 50)
    assert envelopes(house) == [("refused", 3), ("waiting", 7)]
    assert [row[0] for row in house.rows("select why from pruned")] == ["disk.low", "disk.low"]


# -- a damaged store while a lesson runs


async def test_a_store_that_breaks_in_mid_lesson_costs_no_dot_and_is_said_on_every_page(house: House) -> None:
    await lesson(house)
    pen = house.links[mac(1)]
    pen.down(now_ms(), PAGE1)
    pen.dot(*Q1)
    await house.beat()
    path = house.settings.database
    await _break(house)
    pen.dot(*Q2)
    await house.beat()
    await house.box.store_replaced()
    pen.dot(*Q2)
    await house.beat()
    assert house.rows("select count(*) from journal") != [(0,)]
    pen.up()
    await house.beat()
    assert house.rows("select pen, dots, ended from ink") == [(mac(1), 3, "up")]
    assert codes(house) == ["store.damaged"]
    assert (await house.ask("status"))["store"]["damaged"].startswith(path.name)
    house.links[mac(2)].stroke(now_ms(), PAGE1, Q2, Q2)
    await house.beat()
    assert house.rows("select count(*) from ink") == [(2,)]
    assert house.box.desk.answers is not None


async def _break(house: House) -> None:
    """Zeros over a page of the file, and nothing of it in the writer's memory."""
    path = house.settings.database
    await house.store.run(lambda db: db.conn.execute("select 1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma wal_checkpoint(truncate)")
        root = other.execute("select rootpage from sqlite_master where name = 'journal'").fetchone()[0]
        other.execute("insert into box values ('other', 'x')")  # whoever else wrote: the writer must read anew
        other.execute("pragma wal_checkpoint(truncate)")
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    with path.open("r+b") as file:
        file.write(content)


# -- a real small disk


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", 12) as folder:
        yield folder


@pytest.mark.slow
async def test_on_a_real_disk_filled_to_the_last_byte_nothing_acknowledged_is_lost(small: Path) -> None:
    house = House(small / "box", disk=DiskSettings(low_mb=4, reserve_mb=2))
    guard = house.box.guard
    await lesson(house)
    await guard.look()
    hog = fill_up(small, leave_bytes=600_000)
    dots = 0
    while is_durable(house):
        assert dots < 1_000_000
        house.links[mac(1)].stroke(now_ms() + dots, PAGE1, *[Q1] * 50)
        dots += 50
        await house.beat()
    assert house.store.filled_up, "there was no room for a transaction"
    assert house.rows("select sum(dots) < ? from ink", dots) == [(1,)]
    await guard.look()
    assert guard.disk.level == "full"
    await house.beat()
    await house.beat()
    assert is_durable(house), "what came before is written out of the reserve"
    assert house.rows("select sum(dots) from ink") == [(dots,)]
    await house.store.run(lambda db: outbox.put(db, result(1)))
    await house.store.run(lambda db: outbox.seal(db, outbox.Numbers(), now_ms=now_ms()))
    assert house.rows("select state from envelope") == [("waiting",)], "results go out from the reserve"
    hog.unlink()
    await guard.look()
    assert house.box.linking.wanted(mac(1))
    again = await house.link(mac(1))
    again.stroke(now_ms() + 10_000, PAGE1, Q1, Q1)
    await house.beat()
    assert house.rows("select sum(dots) from ink") == [(dots + 2,)]
    assert house.rows("pragma integrity_check") == [("ok",)]
    await house.close()
