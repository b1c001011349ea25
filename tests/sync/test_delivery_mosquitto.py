"""Field cases 26 to 28 end to end over mosquitto, under both protocols: its disk wiped, its queue too short, its no."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sync import outbox
from sync.broker import REASON_NOT_AUTHORIZED, Acknowledged, Connect, Delivery, Gone
from sync.messages import Receipt, Result, Row, pack
from sync.mqtt import box_endpoint, connector, district_endpoint
from sync.topics import BoxTopics
from tests.contracts.broker_contract import Client
from tests.sync import mosquitto
from tests.sync.delivering import balanced, empty, proven, publishing, receiving, store_in
from tests.sync.line import Line
from tests.sync.rig import TOPICS, until
from tests.sync.samples import MADE_MS, Box, box_at, result

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.timeout(120),
    pytest.mark.skipif(mosquitto.find() is None, reason="mosquitto is missing: apt-get install mosquitto"),
]

DENIED = BoxTopics("d1", "s1", "denied")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[mosquitto.Mosquitto]:
    folder = tmp_path / "broker"
    kept = f"persistence true\npersistence_location {folder}/\nmax_queued_messages 100\n"
    server = mosquitto.Mosquitto(folder, more=kept)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["3.1.1", "5"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def line(server: mosquitto.Mosquitto) -> AsyncIterator[Line]:
    line = Line(server.port)
    await line.open()
    yield line
    await line.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_at(tmp_path / "box.db") as box:
        yield box


def to_box(address: str, protocol: str, topics: BoxTopics = TOPICS) -> Connect:
    return connector(box_endpoint(address, protocol, topics))


def to_district(server: mosquitto.Mosquitto, protocol: str) -> Connect:
    return connector(district_endpoint(server.address, protocol, "d1"))


def put_sealed(box: Box, results: list[Result], *, rows: int) -> None:
    """Results, `rows` to an envelope; the last few are left to the publisher, who then sees the others, too."""
    box.put(*results[:-rows])
    numbers = outbox.Numbers()
    with box.db.atomic():
        while outbox.seal(box.db, numbers, now_ms=MADE_MS, limit=rows):
            pass
    box.put(*results[-rows:])


async def test_the_broker_is_killed_and_forgets_everything_while_results_come(
    server: mosquitto.Mosquitto, box: Box, tmp_path: Path, protocol: str
) -> None:
    async with (
        receiving(to_district(server, protocol), tmp_path, shared=protocol == "5"),
        publishing(to_box(server.address, protocol), box) as publisher,
    ):
        for kill in range(4):
            await until(lambda: publisher.status().connections == kill + 1, pause_s=0.01)  # noqa: B023  awaited in this turn
            for number in range(kill * 300, kill * 300 + 300, 50):
                box.put(*(result(n) for n in range(number, number + 50)), result(number, value=f"again {kill}"))
                publisher.wake()
                await asyncio.sleep(0.02)
            server.kill(wipe=kill % 2 == 0)
            await until(lambda: publisher.status().state == "offline", pause_s=0.01)
            server.start()
        await empty(box)
        await proven(box)
    balanced(box, tmp_path)


async def test_what_the_broker_took_dropped_above_its_limit_and_lost_with_its_disk_costs_nothing(
    server: mosquitto.Mosquitto, line: Line, box: Box, tmp_path: Path, protocol: str
) -> None:
    """Field case 27."""
    async with publishing(to_box(line.address, protocol), box) as publisher:
        async with receiving(to_district(server, protocol), tmp_path):
            put_sealed(box, [result(n) for n in range(1_000, 1_064)], rows=1)
            publisher.wake()
            await empty(box)
        put_sealed(box, [result(n) for n in range(500)], rows=8)
        before = publisher.status()
        publisher.wake()
        await until(lambda: publisher.status().offered - before.offered >= 500, pause_s=0.01)
        for cut in range(1, 3):
            line.cut()
            await until(lambda: publisher.status().connections == before.connections + cut, pause_s=0.01)  # noqa: B023  awaited in this turn
        server.kill(wipe=True)
        server.start()
        async with receiving(to_district(server, protocol), tmp_path):
            await empty(box)
            await proven(box)
        status = publisher.status()
        assert status.receipted - before.receipted == 500
        assert status.resent - before.resent >= 400
    balanced(box, tmp_path)


async def test_a_line_cut_at_exactly_the_in_flight_limit_goes_on(
    server: mosquitto.Mosquitto, line: Line, box: Box, tmp_path: Path, protocol: str
) -> None:
    """Field case 27."""
    async with (
        receiving(to_district(server, protocol), tmp_path) as receiver,
        publishing(to_box(line.address, protocol), box) as publisher,
    ):
        put_sealed(box, [result(n) for n in range(1_000, 1_064)], rows=1)
        await empty(box)
        assert publisher.status().window == 64
        line.deaf = True
        put_sealed(box, [result(n) for n in range(200)], rows=1)
        await until(lambda: publisher.status().under_way == 64, pause_s=0.01)
        await until(lambda: receiver.counts.envelopes > 64, pause_s=0.01)
        line.cut()
        line.deaf = False
        await empty(box)
        assert publisher.status().resent >= 64
    balanced(box, tmp_path)


async def test_a_plain_yes_that_delivers_nothing_ends_nothing(server: mosquitto.Mosquitto, box: Box) -> None:
    """Field case 26, under 3.1.1: the access list says no, the broker says yes."""
    box.put(*(result(n) for n in range(250)))
    async with publishing(to_box(server.address, "3.1.1", DENIED), box, DENIED) as publisher:
        await until(lambda: publisher.status().offered >= 250, pause_s=0.01)
        assert publisher.status().refused == 0
        assert box.depth().waiting_results == 250


async def test_reason_0x87_is_refused_kept_told_and_retried_by_hand_alone(
    server: mosquitto.Mosquitto, box: Box, tmp_path: Path
) -> None:
    """Field case 26, under 5."""
    box.put(*(result(n) for n in range(50)))
    async with publishing(to_box(server.address, "5", DENIED), box, DENIED) as publisher:
        await until(lambda: publisher.status().reason == "sync.not_authorized", pause_s=0.01)
        offered = publisher.status().offered
        assert box.depth().results == 50
        assert box.depth().reasons == {"sync.not_authorized": 1}
        access = server.folder / "access"
        access.write_text(access.read_text(encoding="utf-8") + "topic readwrite inkgate/v1/d1/s1/denied/#\n", "utf-8")
        server.reload()
        await allowed(server)
        async with receiving(to_district(server, "5"), tmp_path):
            assert publisher.status().offered == offered
            await publisher.retry_refused()
            await empty(box)


async def test_no_subscribers_is_no_refusal(server: mosquitto.Mosquitto, box: Box, tmp_path: Path) -> None:
    """Field case 26, reason 0x10: nobody listens yet."""
    box.put(*(result(n) for n in range(50)))
    async with publishing(to_box(server.address, "5"), box) as publisher:
        await until(lambda: publisher.status().offered >= 50 and not publisher.status().refused, pause_s=0.01)
        assert box.depth().waiting_results == 50
        async with receiving(to_district(server, "5"), tmp_path):
            await empty(box)
    balanced(box, tmp_path)


async def test_the_same_message_three_times_is_one_row_and_three_receipts_and_no_error(
    server: mosquitto.Mosquitto, tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Field case 28."""
    client = await Client.of(to_box(server.address, protocol))
    await client.broker.subscribe(TOPICS.down)
    one = pack(b"epoch-01", 1, [result(1).to_row().to_json()])
    other = pack(b"epoch-02", 1, [result(1, value="another").to_row().to_json()])
    async with receiving(to_district(server, protocol), tmp_path) as receiver:
        await until(lambda: receiver.counts.connections == 1, pause_s=0.01)
        for number in range(1, 4):
            client.broker.publish(TOPICS.up, one)
            await until(lambda: receiver.counts.messages == number, pause_s=0.01)  # noqa: B023  awaited in this turn
        await client.until(lambda: len(_receipts(client)) == 3)
        assert [(r.ok, r.conflict) for r in _receipts(client)] == [(((1, 1),), ())] * 3
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
        client.broker.publish(TOPICS.up, other)
        await client.until(lambda: len(_receipts(client)) == 4)
        told = _receipts(client)[3]
        assert told.conflict == ((result(1).id, 1),)
        came = result(1, value="another").to_row().digest
        assert told.digests == ((result(1).to_row().digest.hex(), came.hex()),)
        client.broker.publish(TOPICS.up, pack(b"epoch-01", 1, [Row(id="x", rev=1, day="d", body="{}").to_json()]))
        await client.until(lambda: len(_receipts(client)) == 5)
        assert _receipts(client)[4].refused == ((1, "number_reused"),)
    await client.broker.close()
    store = store_in(tmp_path)
    store.open()
    counts = store.counts()
    assert (counts.results, counts.repeats, counts.conflicts, counts.unsettled, counts.doubled) == (1, 2, 1, 1, 0)
    store.close()


async def allowed(server: mosquitto.Mosquitto) -> None:
    """Wait until the broker has read its access list again: it lets the box say something on another of its topics."""
    reason = REASON_NOT_AUTHORIZED
    while reason == REASON_NOT_AUTHORIZED:
        client = await Client.of(connector(box_endpoint(server.address, "5", DENIED, client_id="asking")))
        client.broker.publish(DENIED.ink, b"x")
        await client.until(lambda: bool(client.of_kind(Acknowledged) or client.of_kind(Gone)))  # noqa: B023  awaited in this turn
        reason = client.of_kind(Acknowledged)[-1].reason if client.of_kind(Acknowledged) else reason
        await client.broker.close()


def _receipts(client: Client) -> list[Receipt]:
    return [Receipt.from_json(one.payload) for one in client.of_kind(Delivery) if one.topic == TOPICS.down]
