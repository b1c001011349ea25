"""The paho door over MQTT 5, against mosquitto. Without mosquitto: skipped, with the line that cures it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.broker import REASON_NOT_AUTHORIZED, Acknowledged
from sync.district.receiver import Receiver
from sync.district.sqlite_store import SqliteStore
from sync.mqtt import box_endpoint, connector, district_endpoint
from sync.publisher import Publisher
from sync.topics import BoxTopics
from tests.contracts.broker_contract import BrokerContract, Client
from tests.sync import mosquitto
from tests.sync.rig import TOPICS, until
from tests.sync.samples import box_at, result
from tests.sync.test_mqtt_nats import PahoMaker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.skipif(mosquitto.find() is None, reason="mosquitto is missing: apt-get install mosquitto"),
]

DENIED = BoxTopics("d1", "s1", "denied")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mosquitto.Mosquitto]:
    server = mosquitto.Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=[False, True], ids=["3.1.1", "5"])
def maker(server: mosquitto.Mosquitto, request: pytest.FixtureRequest) -> PahoMaker:
    return PahoMaker(server.port, five=request.param)


class TestPahoOverMosquitto(BrokerContract):
    """The contract, under both protocols."""


async def test_a_denied_publish_is_told_as_not_authorized(server: mosquitto.Mosquitto) -> None:
    client = await Client.of(connector(box_endpoint(server.address, "5", DENIED)))
    client.broker.publish(DENIED.up, b"x")
    await client.until(lambda: bool(client.of_kind(Acknowledged)))
    assert client.of_kind(Acknowledged)[-1].reason == REASON_NOT_AUTHORIZED
    await client.broker.close()


async def test_a_box_without_permission_keeps_its_results_and_says_so(
    server: mosquitto.Mosquitto, tmp_path: Path
) -> None:
    """Field case 26, over a real broker."""
    with box_at(tmp_path / "box.db") as box:
        box.put(*(result(n) for n in range(300)))
        publisher = Publisher(connector(box_endpoint(server.address, "5", DENIED)), box.run, DENIED)
        task = asyncio.create_task(publisher.run())
        await until(lambda: publisher.status().reason == "sync.not_authorized", pause_s=0.01)
        await publisher.close()
        await task
        assert box.depth().results == 300
        assert "sync.not_authorized" in box.depth().reasons


async def test_two_receivers_share_the_boxes_and_every_result_is_there_once(
    server: mosquitto.Mosquitto, tmp_path: Path
) -> None:
    receivers = []
    for name in ("1", "2"):
        connect = connector(district_endpoint(server.address, "5", "d1", receiver=name))
        store = SqliteStore(tmp_path / "district.db", tmp_path / "district.state")
        receivers.append(Receiver(connect, store, "d1", shared=True))
    with box_at(tmp_path / "box.db") as box:
        publisher = Publisher(connector(box_endpoint(server.address, "5", TOPICS)), box.run, TOPICS)
        tasks = [asyncio.create_task(one.run()) for one in receivers]
        tasks.append(asyncio.create_task(publisher.run()))
        await until(lambda: all(one.counts.connections for one in receivers), pause_s=0.01)
        for number in range(0, 2_000, 100):
            box.put(*(result(n) for n in range(number, number + 100)))
        publisher.wake()
        await until(lambda: box.depth().results == 0, pause_s=0.02)
        await publisher.close()
        await asyncio.gather(*(one.close() for one in receivers))
        await asyncio.gather(*tasks)
        assert all(one.counts.rows for one in receivers)
        store = SqliteStore(tmp_path / "district.db", None)
        store.open()
        assert (store.counts().results, store.counts().doubled) == (2_000, 0)
        store.close()
