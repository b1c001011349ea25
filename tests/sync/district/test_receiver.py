"""The receiver stores, then receipts, then acknowledges; and waits for whatever is away."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.district.mark import Mark, write_mark
from sync.district.receiver import ANNOUNCE_AGAIN_MS
from sync.district.sqlite_store import SqliteStore
from sync.messages import Announcement, Receipt, pack
from sync.topics import BoxTopics
from tests.sync.rig import DISTRICT, TOPICS, Rig, rig_in, until
from tests.sync.samples import result

EPOCH = b"epoch-01"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        yield rig


def _envelope(number: int, eseq: int = 1) -> bytes:
    return pack(EPOCH, eseq, [result(number).to_row().to_json()])


def _receipts(rig: Rig) -> list[Receipt]:
    return [Receipt.from_json(payload) for topic, payload in rig.hub.published if topic.endswith("/down")]


async def test_the_district_announces_its_generations_when_it_comes(rig: Rig) -> None:
    receiver = rig.start_district()
    await receiver.step()
    topic, payload = rig.hub.published[-1]
    assert topic == "inkgate/v1/d1/ledger"
    assert [position for _, position in Announcement.from_json(payload).generations] == [0]


async def test_an_announcement_that_a_broker_swallowed_is_made_again(rig: Rig) -> None:
    receiver = rig.start_district()
    await receiver.step()
    rig.now_ms += ANNOUNCE_AGAIN_MS - 1
    await receiver.step()
    assert [topic for topic, _ in rig.hub.published].count("inkgate/v1/d1/ledger") == 1
    rig.now_ms += 1
    await receiver.step()
    assert [topic for topic, _ in rig.hub.published].count("inkgate/v1/d1/ledger") == 2


async def test_each_box_gets_its_receipt_on_its_own_topic_and_only_then_the_broker(rig: Rig) -> None:
    receiver = rig.start_district()
    await receiver.step()
    other = BoxTopics("d1", "s2", "box-2")
    rig.hub.say(TOPICS.up, _envelope(1))
    rig.hub.say(other.up, _envelope(2))
    assert len(rig.hub._sessions[DISTRICT].waiting) == 2
    await receiver.step()
    assert [topic for topic, _ in rig.hub.published if topic.endswith("/down")] == [TOPICS.down, other.down]
    assert [receipt.ok for receipt in _receipts(rig)] == [((1, 1),)] * 2
    assert rig.hub._sessions[DISTRICT].waiting == {}


async def test_messages_of_nobody_are_acknowledged_and_ignored(rig: Rig) -> None:
    receiver = rig.start_district()
    await receiver.step()
    rig.hub.say("inkgate/v1/d1/School/Box/up", _envelope(1))
    await receiver.step()
    assert receiver.counts.ignored == 1
    assert rig.hub._sessions[DISTRICT].waiting == {}
    assert _receipts(rig) == []


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x02" * 40, b'{"v":1}', _envelope(1)[:-4]])
async def test_no_message_of_a_box_stops_the_district(rig: Rig, payload: bytes) -> None:
    receiver = rig.start_district()
    await receiver.step()
    rig.hub.say(TOPICS.up, payload)
    rig.hub.say(TOPICS.up, _envelope(1, eseq=2))
    await receiver.step()
    assert (receiver.counts.quarantined, receiver.counts.rows) == (1, 1)
    assert sum(len(receipt.refused) for receipt in _receipts(rig)) == 1
    assert rig.hub._sessions[DISTRICT].waiting == {}


async def test_a_store_that_is_away_means_no_receipt_no_acknowledgement_and_no_end(rig: Rig) -> None:
    """Field case 28: the database is away for 60 s."""
    receiver = rig.start_district()
    await receiver.step()
    breaker = sqlite3.connect(rig.folder / "district.db", isolation_level=None)
    breaker.execute("create trigger full before insert on result begin select raise(abort, 'full'); end")
    rig.hub.say(TOPICS.up, _envelope(1))
    for _ in range(60):
        await receiver.step()
        rig.now_ms += 1_000
    assert _receipts(rig) == []
    assert len(rig.hub._sessions[DISTRICT].waiting) == 1
    breaker.execute("drop trigger full")
    breaker.close()
    for _ in range(20):
        await receiver.step()
        rig.now_ms += 1_000
    assert [receipt.ok for receipt in _receipts(rig)] == [((1, 1),)]
    assert rig.hub._sessions[DISTRICT].waiting == {}


async def test_killed_after_the_commit_and_before_the_receipt_the_row_is_there_once(rig: Rig) -> None:
    """Field case 28: the same message comes again, and is receipted out of the ledger."""
    receiver = rig.start_district()
    await receiver.step()
    rig.hub.say(TOPICS.up, _envelope(1))
    rig.hub._links[DISTRICT].over = True  # it commits, and what it says then reaches nobody
    await receiver.step()
    assert _receipts(rig) == []
    await rig.kill_district()
    again = rig.start_district()
    await again.step()
    await again.step()
    assert [receipt.ok for receipt in _receipts(rig)] == [((1, 1),)]
    assert (again.counts.rows, again.counts.repeats) == (0, 1)
    assert rig.in_district() == {result(1).id: 1}


async def test_a_repeat_is_no_warning_and_a_conflict_is_one(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    receiver = rig.start_district()
    await receiver.step()
    for _ in range(3):
        rig.hub.say(TOPICS.up, _envelope(1))
        await receiver.step()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert len(_receipts(rig)) == 3
    other = pack(EPOCH, 2, [result(1, value="other").to_row().to_json()])
    rig.hub.say(TOPICS.up, other)
    await receiver.step()
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["WARNING"]
    assert _receipts(rig)[-1].conflict == ((result(1).id, 1),)


async def test_half_of_what_waits_is_receipted_while_the_rest_is_still_to_be_stored(rig: Rig) -> None:
    """So that a box sends on while the other half is stored; the receipts of all are out when the step ends."""
    receiver = rig.start_district()
    await receiver.step()
    for eseq in range(1, 65):
        rig.hub.say(TOPICS.up, _envelope(eseq, eseq=eseq))
    await receiver.step()
    assert [receipt.ok for receipt in _receipts(rig)] == [((1, 32),), ((33, 48),), ((49, 64),)]
    assert rig.hub._sessions[DISTRICT].waiting == {}


async def test_a_generation_that_another_receiver_began_is_announced_with_the_next_batch(rig: Rig) -> None:
    receiver = rig.start_district()
    await receiver.step()
    rig.hub.say(TOPICS.up, _envelope(1))
    await receiver.step()
    write_mark(rig.folder / "other.state", Mark((_receipts(rig)[-1].generation,), 99))
    other = SqliteStore(rig.folder / "district.db", rig.folder / "other.state")
    generations = other.open().generations
    other.close()
    assert [position for _, position in generations] == [0, 1]
    rig.hub.say(TOPICS.up, _envelope(2, eseq=2))
    await receiver.step()
    told = [Announcement.from_json(payload) for topic, payload in rig.hub.published if topic.endswith("/ledger")]
    assert told[-1].generations == generations
    assert _receipts(rig)[-1].generation == generations[-1][0]


async def test_a_receiver_that_comes_back_to_the_broker_announces_what_others_began_meanwhile(rig: Rig) -> None:
    receiver = rig.start_district()
    await receiver.step()
    write_mark(rig.folder / "other.state", Mark(("unknown",), 0))
    other = SqliteStore(rig.folder / "district.db", rig.folder / "other.state")
    generations = other.open().generations
    other.close()
    rig.hub.cut(DISTRICT)
    for _ in range(20):
        await receiver.step()
        rig.now_ms += 1_000
    topic, payload = rig.hub.published[-1]
    assert (topic, Announcement.from_json(payload).generations) == ("inkgate/v1/d1/ledger", generations)


async def test_a_receiver_waits_for_a_broker_that_is_away(rig: Rig) -> None:
    rig.hub.up = False
    receiver = rig.start_district()
    for _ in range(10):
        assert await receiver.step() <= 15.0
        rig.now_ms += 1_000
    rig.hub.up = True
    rig.now_ms += 16_000
    await receiver.step()
    assert receiver.counts.connections == 1


async def test_run_goes_on_until_it_is_closed(rig: Rig) -> None:
    receiver = rig.start_district()
    task = asyncio.create_task(receiver.run())
    await until(lambda: rig.hub.connected(DISTRICT))
    rig.hub.say(TOPICS.up, _envelope(1))
    await until(lambda: bool(_receipts(rig)))
    await receiver.close()
    await task
    rig.receiver = None
    assert not rig.hub.connected(DISTRICT)
    await receiver.close()
