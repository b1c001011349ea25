"""The box's end: nothing but a receipt ends an envelope, whatever the broker says."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import outbox
from sync.broker import REASON_NOT_AUTHORIZED, REASON_TAKEN_OVER, Gone
from sync.messages import Receipt, number
from tests.sync.rig import TOPICS, Rig, rig_in, until
from tests.sync.samples import MADE_MS, result


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        yield rig


async def test_a_hundred_results_are_sealed_at_once_when_woken_and_fewer_after_300_ms(rig: Rig) -> None:
    await rig.run(100)
    rig.box.put(*(result(n) for n in range(130)))
    rig.publisher.wake()
    await rig.publisher.step()
    assert (rig.box.depth().fresh, rig.box.depth().waiting) == (30, 1)
    await rig.run(400)
    assert (rig.box.depth().fresh, rig.box.depth().waiting) == (0, 2)
    assert [number(payload).rows for payload in rig.offered()] == [100, 30]


async def test_results_are_sealed_while_no_broker_answers(rig: Rig) -> None:
    rig.hub.up = False
    rig.box.put(result(1))
    await rig.run(1_000)
    assert rig.box.depth().waiting == 1
    status = rig.publisher.status()
    assert (status.state, status.reason) == ("offline", "sync.broker_unreachable")


async def test_the_box_says_that_it_is_there_and_subscribes_before_it_offers(rig: Rig) -> None:
    rig.box.put(result(1))
    await rig.run(500)
    assert rig.hub.published[0] == (TOPICS.health, b'{"state":"online"}')
    assert rig.publisher.status().state == "online"


async def test_a_receipt_empties_the_outbox_and_tells_when_each_result_was_made(rig: Rig) -> None:
    rig.box.put(result(3), result(4))
    await rig.run(500)
    rig.say_ok(rig.offered()[0])
    await rig.run(100)
    assert rig.box.depth().results == 0
    assert rig.receipted == [MADE_MS + 3, MADE_MS + 4]
    status = rig.publisher.status()
    assert (status.receipts, status.receipted, status.offered, status.resent) == (1, 2, 2, 0)
    assert status.last_receipt_ms is not None


async def test_without_a_receipt_there_are_four_and_then_ever_rarer_probes(rig: Rig) -> None:
    rig.box.put(*(result(n) for n in range(1_000)))
    await rig.run(7_000)
    assert len(rig.offered()) == 4
    await rig.run(60_000, step_ms=500)
    assert len(rig.offered()) == 4 + 3
    assert rig.publisher.status().reason == "sync.no_receipt"
    assert rig.box.depth().results == 1_000


async def test_receipts_open_the_window_up_to_64(rig: Rig) -> None:
    rig.box.put(*(result(n) for n in range(2_000)))
    for _ in range(20):
        rig.publisher._sealed_ms -= 300
        await rig.publisher.step()
    seen = 0
    while seen < 20:
        offered = rig.offered()
        for payload in offered[seen:]:
            rig.say_ok(payload)
        seen = len(offered)
        await rig.run(100)
    assert rig.publisher.status().receipted == 2_000
    assert rig.publisher.status().window == 64
    assert rig.publisher.status().resent == 0


async def test_an_announcement_of_the_ledger_makes_the_box_offer_at_once(rig: Rig) -> None:
    rig.box.put(*(result(n) for n in range(250)))
    await rig.run(100_000, step_ms=500)
    before = len(rig.offered())
    rig.announce()
    await rig.run(100)
    assert len(rig.offered()) == before + 3


async def test_an_old_announcement_at_connect_offers_nothing_twice(rig: Rig) -> None:
    rig.announce()
    rig.box.put(*(result(n) for n in range(250)))
    await rig.run(3_000)
    assert len(rig.offered()) == 3


async def test_a_new_connection_offers_all_that_waits_in_order(rig: Rig) -> None:
    rig.box.put(*(result(n) for n in range(250)))
    await rig.run(500)
    first = rig.offered()
    rig.hub.cut("box-1")
    await rig.run(1_000)
    assert rig.offered() == first * 2
    assert rig.publisher.status().resent == 250
    assert rig.publisher.status().connections == 2


async def test_an_acknowledgement_of_the_broker_ends_nothing(rig: Rig) -> None:
    """Field case 26: a denied publish gets a plain yes under MQTT 3.1.1."""
    rig.hub.denied[TOPICS.up] = None
    rig.box.put(*(result(n) for n in range(500)))
    await rig.run(30_000, step_ms=500)
    assert rig.box.depth().results == 500
    assert rig.publisher.status().reason == "sync.no_receipt"
    sent = len(rig.offered())
    rig.hub.denied.clear()
    await rig.run(32_000, step_ms=500)
    assert len(rig.offered()) > sent


async def test_no_subscribers_is_no_refusal(rig: Rig) -> None:
    """Field case 26: reason 0x10."""
    rig.hub.denied[TOPICS.up] = 0x10
    rig.box.put(result(1))
    await rig.run(1_000)
    assert rig.box.states() == ["waiting"]


async def test_not_authorized_is_shown_kept_and_not_tried_every_second(rig: Rig) -> None:
    """Field case 26: reason 0x87."""
    rig.hub.denied[TOPICS.up] = REASON_NOT_AUTHORIZED
    rig.box.put(*(result(n) for n in range(1_000)))
    await rig.run(15_000)
    depth = rig.box.depth()
    assert depth.results == 1_000
    assert depth.reasons == {"sync.not_authorized": 4}
    assert rig.publisher.status().reason == "sync.not_authorized"
    assert len(rig.offered()) == 4
    rig.hub.denied.clear()
    assert await rig.publisher.retry_refused() == 4
    await rig.run(1_000)
    assert rig.box.depth().refused == 0
    assert len(rig.offered()) > 4


async def test_a_restart_after_a_new_enrolment_tries_again_what_was_not_authorized(rig: Rig) -> None:
    rig.hub.denied[TOPICS.up] = REASON_NOT_AUTHORIZED
    rig.box.put(result(1))
    await rig.run(1_000)
    assert rig.box.states() == ["refused"]
    rig.hub.denied.clear()
    rig.start_box()
    await rig.run(1_000)
    assert rig.box.states() == ["waiting"]


async def test_another_refusal_of_the_broker_leaves_the_envelope_waiting(rig: Rig) -> None:
    rig.hub.denied[TOPICS.up] = 0x97
    rig.box.put(result(1))
    await rig.run(1_000)
    assert rig.box.states() == ["waiting"]
    assert rig.publisher.status().reason == "sync.broker_refuses"


async def test_a_box_that_is_not_let_in_waits_a_minute(rig: Rig) -> None:
    rig.hub.let_in = False
    await rig.run(1_000)
    assert rig.publisher.status().reason == "sync.not_authorized"
    rig.hub.let_in = True
    await rig.run(50_000, step_ms=1_000)
    assert rig.publisher.status().state == "offline"
    await rig.run(15_000, step_ms=1_000)
    assert rig.publisher.status().state == "online"


async def test_a_broker_that_acknowledges_nothing_is_left_after_a_minute(rig: Rig) -> None:
    """Field case 27: a full window that never empties must not be the end."""
    rig.hub.acknowledges = False
    rig.box.put(*(result(n) for n in range(300)))
    for _ in range(40):
        await rig.run(500)
        rig.announce(retain=False)
    assert rig.publisher.status().connections == 1
    assert len(rig.offered()) == 64
    rig.hub.acknowledges = True
    await rig.run(62_000, step_ms=500)
    assert rig.publisher.status().connections == 2
    assert len(rig.offered()) > 64


async def test_taken_over_once_is_no_alarm_and_twice_in_a_minute_is_a_twin(rig: Rig) -> None:
    await rig.run(500)
    lost = Gone(REASON_TAKEN_OVER, "taken over")
    rig.hub._links["box-1"].lose(lost)
    await rig.run(2_000)
    assert (rig.publisher.status().state, rig.publisher.status().reason) == ("online", None)
    rig.hub._links["box-1"].lose(lost)
    await rig.run(30_000, step_ms=1_000)
    assert (rig.publisher.status().state, rig.publisher.status().reason) == ("offline", "identity.twin")


async def test_a_connection_that_never_holds_comes_back_ever_later(rig: Rig) -> None:
    """Field case 29, under a protocol that does not say who took over."""
    for _ in range(300):
        await rig.run(1_000, step_ms=500)
        rig.hub.cut("box-1")
    assert rig.publisher.status().connections < 20


@pytest.mark.parametrize("payload", [b"", b"null", b"\xff", b'{"v":2}', b'{"v":1,"ok":[["a",1]]}', b"[" * 5_000])
async def test_no_message_of_the_district_stops_the_box(rig: Rig, payload: bytes) -> None:
    rig.box.put(result(1))
    await rig.run(500)
    for topic in (TOPICS.down, TOPICS.ledger):
        rig.hub.say(topic, payload)
    await rig.run(100)
    assert rig.publisher.status().unreadable == 2
    rig.say_ok(rig.offered()[0])
    await rig.run(100)
    assert rig.box.depth().results == 0


async def test_a_refusal_of_the_district_is_logged_and_counted_without_the_payload(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.box.put(result(1))
    await rig.run(500)
    epoch = number(rig.offered()[0]).epoch.hex()
    rig.hub.say(TOPICS.down, Receipt(v=1, epoch=epoch, refused=((1, "no rows"),)).to_json())
    await rig.run(100)
    assert rig.publisher.status().refused == 1
    assert [record.levelname for record in caplog.records if "refused" in record.message] == ["ERROR"]
    assert "pseudonym" not in caplog.text


async def test_a_store_that_fails_stops_nothing_for_good(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.box.put(result(1))
    rig.box.broken = True
    task = asyncio.create_task(rig.publisher.run())
    await until(lambda: logging.ERROR in [record.levelno for record in caplog.records])
    rig.box.broken = False
    rig.now_ms += 6_000
    rig.publisher.wake()
    await until(lambda: bool(rig.offered()))
    await rig.publisher.close()
    await task


async def test_closing_says_that_the_box_is_away_and_leaves_the_outbox(rig: Rig) -> None:
    rig.box.put(result(1))
    task = asyncio.create_task(rig.publisher.run())
    while not rig.offered():
        rig.now_ms += 10
        rig.publisher.wake()
        await asyncio.sleep(0)
    await rig.publisher.close()
    await task
    assert rig.hub.published[-1] == (TOPICS.health, b'{"state":"offline"}')
    assert not rig.hub.connected("box-1")
    assert rig.box.depth().results == 1


async def test_what_the_last_beat_brought_is_offered_before_an_end_and_its_receipt_is_waited_for(rig: Rig) -> None:
    task = asyncio.create_task(rig.publisher.run())
    await until(lambda: rig.hub.connected("box-1"))
    rig.box.put(result(1))
    finishing = asyncio.create_task(rig.publisher.finish(30))
    await until(lambda: bool(rig.offered()))
    assert not finishing.done()
    rig.say_ok(rig.offered()[0])
    await finishing
    assert rig.box.depth().results == 0
    await rig.publisher.close()
    await task


async def test_an_end_waits_for_no_district_that_is_not_there(rig: Rig) -> None:
    rig.hub.up = False
    rig.box.put(result(1))
    task = asyncio.create_task(rig.publisher.run())
    await asyncio.sleep(0)
    await rig.publisher.finish(30)
    assert rig.box.depth().results == 1
    await rig.publisher.close()
    await task


async def test_an_end_does_not_wait_longer_than_it_may_for_a_receipt(rig: Rig) -> None:
    task = asyncio.create_task(rig.publisher.run())
    await until(lambda: rig.hub.connected("box-1"))
    rig.box.put(result(1))
    await rig.publisher.finish(0.05)
    assert rig.box.depth().results == 1
    await rig.publisher.close()
    await task


async def test_a_cancelled_publisher_lets_go_of_the_broker(rig: Rig) -> None:
    task = asyncio.create_task(rig.publisher.run())
    await until(lambda: rig.hub.connected("box-1"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not rig.hub.connected("box-1")
    await rig.publisher.close()


async def test_depth_and_publisher_agree_on_what_is_under_way(rig: Rig) -> None:
    rig.box.put(*(result(n) for n in range(250)))
    await rig.run(500)
    assert rig.publisher.status().under_way == 3 == outbox.depth(rig.box.db).waiting


async def test_after_a_line_that_broke_before_any_answer_one_envelope_asks_first(rig: Rig) -> None:
    """Mosquitto 2.0.11 closes right after its no, and the envelopes behind make the line forget it."""
    rig.hub.acknowledges = False
    rig.box.put(*(result(n) for n in range(400)))
    await rig.run(1_000)
    assert len(rig.offered()) == 4
    rig.hub.cut("box-1")
    rig.hub.acknowledges = True
    rig.hub.denied[TOPICS.up] = REASON_NOT_AUTHORIZED
    await rig.run(2_000)
    assert len(rig.offered()) == 5
    assert rig.box.depth().reasons == {"sync.not_authorized": 1}


async def test_what_the_district_refused_goes_again_by_hand_and_what_went_under_another_number_does_not(
    rig: Rig,
) -> None:
    rig.box.put(result(1))
    await rig.run(500)
    epoch = number(rig.offered()[0]).epoch.hex()
    rig.hub.say(TOPICS.down, Receipt(v=1, epoch=epoch, refused=((1, "unknown version 2"),)).to_json())
    await rig.run(100)
    assert rig.box.depth().refused_results == 1
    assert await rig.publisher.retry_refused() == 1
    await rig.run(500)
    assert rig.offered() == [rig.offered()[0]] * 2
    rig.hub.say(TOPICS.down, Receipt(v=1, epoch=epoch, refused=((1, "number_reused"),)).to_json())
    await rig.run(1_000)
    assert await rig.publisher.retry_refused() == 0
    assert (rig.box.depth().refused, rig.box.depth().results) == (0, 1)
