"""End to end over a broker that does its worst: every result once, at its newest revision, and the outbox empty."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.hub import Faults
from tests.sync.rig import TOPICS, Rig, rig_in
from tests.sync.samples import result

HOUR_MS = 3_600_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        yield rig


async def test_five_hundred_results_arrive_once_and_their_receipts_empty_the_outbox(rig: Rig) -> None:
    rig.start_district()
    await rig.run(200)
    rig.box.put(*(result(n) for n in range(500)))
    await rig.drain(10_000)
    assert rig.in_district() == rig.box.revisions()
    assert len(rig.box.revisions()) == 500
    assert len(rig.receipted) == 500
    assert set(rig.box.states()) == {"receipted"}
    assert rig.publisher.status().resent == 0


async def test_a_broker_that_took_everything_and_lost_it_costs_nothing(rig: Rig) -> None:
    """Field case 27: district off, everything acknowledged, broker killed and wiped, district on."""
    rig.box.put(*(result(n) for n in range(500)))
    for _ in range(10):
        await rig.run(1_000)
        rig.announce(retain=False)
    assert rig.publisher.status().offered >= 500
    rig.hub.crash(wipe=True)
    await rig.run(1_000)
    rig.hub.up = True
    rig.start_district()
    await rig.drain(HOUR_MS)
    assert rig.in_district() == rig.box.revisions()
    status = rig.publisher.status()
    assert (status.receipted, rig.box.depth().results) == (500, 0)
    assert status.resent >= 400


async def test_a_line_cut_at_exactly_the_full_window_goes_on(rig: Rig) -> None:
    """Field case 27."""
    rig.box.put(*(result(n) for n in range(7_000)))
    rig.hub.acknowledges = False
    for _ in range(20):
        await rig.run(400)
        rig.announce(retain=False)
    assert len(rig.offered()) == 64
    rig.hub.cut("box-1")
    rig.hub.acknowledges = True
    rig.start_district()
    await rig.drain(HOUR_MS)
    assert rig.in_district() == rig.box.revisions()


@pytest.mark.parametrize("seed", range(4))
async def test_loss_doubles_disorder_and_deaths_leave_every_result_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  the same deaths for the same seed
    with rig_in(tmp_path, seed=seed) as rig:
        rig.hub.faults = Faults(drop=0.2, double=0.3, reorder=0.3)
        rig.start_district()
        for _ in range(25):
            rig.box.put(*(result(chance.randrange(60)) for _ in range(chance.randrange(1, 8))))
            await rig.run(chance.randrange(100, 1_500))
            match chance.randrange(7):
                case 0:
                    rig.hub.cut("box-1")
                case 1:
                    rig.hub.crash(wipe=chance.random() < 0.5)
                    await rig.run(300)
                    rig.hub.up = True
                case 2:
                    await rig.kill_district()
                    await rig.run(300)
                    rig.start_district()
                case 3:
                    rig.hub.cut("box-1")
                    rig.start_box()
                case 4:
                    rig.hub.say(TOPICS.up, chance.randbytes(40))
                case _:
                    pass
        rig.hub.faults = Faults()
        await rig.drain(HOUR_MS)
        assert rig.box.depth().results == 0
        assert rig.in_district() == rig.box.revisions()


async def test_a_restored_district_gets_back_what_it_lost(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(*(result(n) for n in range(30)))
    await rig.drain(10_000)
    await rig.kill_district()
    backup = (rig.folder / "district.db").read_bytes()
    rig.start_district()
    for number in range(30, 60):
        rig.box.put(result(number))
        await rig.run(400)
    await rig.drain(10_000)
    await rig.kill_district()
    for name in ("district.db-wal", "district.db-shm"):
        (rig.folder / name).unlink(missing_ok=True)
    (rig.folder / "district.db").write_bytes(backup)
    assert len(rig.in_district()) == 30
    rig.start_district()
    await rig.run(1_000)
    await rig.drain(HOUR_MS)
    assert rig.in_district() == rig.box.revisions()


async def test_a_restored_box_sends_its_own_content_above_the_districts(rig: Rig) -> None:
    """Field case 28, other content: the district's first row stays until a higher revision settles it."""
    rig.start_district()
    rig.box.put(result(1, value="before the restore"))
    await rig.drain(10_000)
    rig.box.db.conn.execute("delete from result")
    rig.box.db.conn.execute("delete from envelope")
    rig.box.db.conn.commit()
    rig.start_box()
    rig.box.put(result(1, value="after"))
    await rig.run(3_000)
    await rig.drain(10_000)
    assert rig.box.revisions() == {result(1).id: 2} == rig.in_district()
    assert rig.publisher.status().raised == 1


async def test_a_receiver_that_dies_between_taking_and_committing_gets_it_again_and_stores_it_once(rig: Rig) -> None:
    """Field case 28."""
    receiver = rig.start_district()
    await rig.run(200)
    rig.box.put(*(result(n) for n in range(150)))
    rig.publisher.wake()
    await rig.publisher.step()
    assert receiver._link is not None
    await receiver._hear(receiver._link)
    assert receiver._pending, "received"
    await rig.kill_district()
    assert rig.in_district() == {}, "not committed"
    rig.start_district()
    await rig.drain(10_000)
    assert rig.in_district() == rig.box.revisions()
    assert rig.publisher.status().refused == 0
