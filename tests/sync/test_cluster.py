"""Three nats-servers as one broker (sync.md 4): one killed under load, even with its disk wiped, costs nothing."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from sync.errors import BrokerUnreachable, NotAuthorized
from sync.mqtt import MqttBroker, box_endpoint, connect, connector, district_endpoint
from sync.publisher import Publisher
from tests.sync.delivering import balanced, empty, proven, publishing, receiving
from tests.sync.deployed import Cluster
from tests.sync.rig import TOPICS, until
from tests.sync.samples import Box, box_at, result

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(700)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path / "cluster")
    cluster.start()
    yield cluster
    cluster.kill()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_at(tmp_path / "box.db") as box:
        yield box


async def ready(cluster: Cluster) -> None:
    """Wait until every node lets a client in: its part of the cluster has found a leader."""
    for port in cluster.mqtt:
        endpoint = box_endpoint(f"127.0.0.1:{port}", "3.1.1", TOPICS, client_id="asking")
        async with asyncio.timeout(60):
            while True:
                try:
                    broker = await connect(endpoint, lambda: None)
                    await broker.subscribe(TOPICS.down)
                except (BrokerUnreachable, NotAuthorized):
                    await asyncio.sleep(0.2)
                else:
                    await broker.close()
                    break


async def load(box: Box, publisher: Publisher, rounds: range) -> None:
    """Results, faster than they are delivered one by one; every fiftieth is a new revision."""
    for turn in rounds:
        box.put(*(result(n) for n in range(turn * 50, turn * 50 + 50)), result(turn, value=f"again {turn}"))
        publisher.wake()
        await asyncio.sleep(0.02)


async def test_each_node_is_killed_in_turn_under_load_and_nothing_is_lost_or_doubled(
    cluster: Cluster, box: Box, tmp_path: Path
) -> None:
    await ready(cluster)
    to_box = connector(box_endpoint(cluster.address, "3.1.1", TOPICS))
    to_district = connector(district_endpoint(cluster.address, "3.1.1", "d1"))
    async with receiving(to_district, tmp_path) as receiver, publishing(to_box, box) as publisher:
        await until(lambda: receiver.counts.connections > 0, pause_s=0.05)
        for node in range(3):
            loading = asyncio.create_task(load(box, publisher, range(node * 60, node * 60 + 60)))
            await until(lambda: receiver.counts.rows > 0, pause_s=0.01)
            cluster.kill(node)
            if node == 2:  # a node that comes back empty must catch up before another one may go
                cluster.wipe(node)
            await loading
            await settled(box)
            cluster.start(node)
            await ready(cluster)
        await settled(box)
        await patiently(lambda: proven(box))
        made = len(box.revisions())
    balanced(box, tmp_path)
    assert made == 3 * 60 * 50


async def settled(box: Box) -> None:
    """The outbox is empty again, with two nodes of three."""
    await patiently(lambda: empty(box))


async def patiently(wait: Callable[[], Awaitable[None]]) -> None:
    """A node that came back may deliver nothing by an old subscription: the box notices after two minutes."""
    for _ in range(5):
        with contextlib.suppress(TimeoutError):
            await wait()
            return
    await wait()


async def test_a_box_that_knows_all_three_goes_to_the_next_when_its_own_is_away(cluster: Cluster, box: Box) -> None:
    await ready(cluster)
    async with publishing(connector(box_endpoint(cluster.address, "3.1.1", TOPICS)), box) as publisher:
        await until(lambda: publisher.status().state == "online", pause_s=0.02)
        broker = publisher._link.broker if publisher._link is not None else None
        assert isinstance(broker, MqttBroker)
        port = broker._client.socket().getpeername()[1]  # type: ignore[union-attr]  # it is connected: a real socket
        cluster.kill(cluster.mqtt.index(port))
        # The two that are left may have to elect a leader first, and a box that came too early waits for its next try.
        await until(
            lambda: publisher.status().connections >= 2 and publisher.status().state == "online",
            pause_s=0.02,
            limit_s=120,
        )
