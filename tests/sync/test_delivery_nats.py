"""End to end over a real broker, with a real receiver process's worth of restarts. Bounded to half a minute each."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sync.district.receiver import Receiver
from sync.mqtt import box_endpoint, connector, district_endpoint
from sync.publisher import Publisher
from tests.sync.delivering import balanced, publishing, receiving
from tests.sync.nats_server import NatsServer
from tests.sync.rig import TOPICS, until
from tests.sync.samples import Box, box_at, result

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path / "broker")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_at(tmp_path / "box.db") as box:
        yield box


def _district(server: NatsServer, folder: Path) -> AbstractAsyncContextManager[Receiver]:
    return receiving(connector(district_endpoint(server.address, "3.1.1", "d1")), folder)


def _publishing(server: NatsServer, box: Box) -> AbstractAsyncContextManager[Publisher]:
    return publishing(connector(box_endpoint(server.address, "3.1.1", TOPICS)), box)


async def test_five_hundred_results_arrive_once(server: NatsServer, box: Box, tmp_path: Path) -> None:
    async with _district(server, tmp_path) as receiver, _publishing(server, box) as publisher:
        await until(lambda: receiver.counts.connections == 1 and publisher.status().state == "online", pause_s=0.01)
        for start in range(0, 500, 50):
            box.put(*(result(n) for n in range(start, start + 50)))
            publisher.wake()
            await asyncio.sleep(0)
        await until(lambda: box.depth().results == 0, pause_s=0.01)
        assert publisher.status().receipted == 500
    balanced(box, tmp_path)


async def test_the_district_comes_back_in_the_middle(server: NatsServer, box: Box, tmp_path: Path) -> None:
    async with _publishing(server, box) as publisher:
        async with _district(server, tmp_path) as first:
            box.put(*(result(n) for n in range(200)))
            await until(lambda: first.counts.rows >= 100, pause_s=0.01)
        box.put(*(result(n) for n in range(100, 500)))
        await until(lambda: box.depth().fresh == 0, pause_s=0.01)
        async with _district(server, tmp_path):
            await until(lambda: box.depth().results == 0, pause_s=0.01)
        assert publisher.status().connections == 1
    balanced(box, tmp_path)


async def test_the_broker_is_killed_and_forgets_everything_in_the_middle(
    server: NatsServer, box: Box, tmp_path: Path
) -> None:
    """Field case 27, over a real broker."""
    async with _publishing(server, box) as publisher:
        box.put(*(result(n) for n in range(500)))
        await until(lambda: publisher.status().offered >= 400, pause_s=0.01)
        server.kill(wipe=True)
        await until(lambda: publisher.status().state == "offline", pause_s=0.01)
        server.start()
        async with _district(server, tmp_path):
            await until(lambda: box.depth().results == 0, pause_s=0.01)
        assert publisher.status().resent >= 400
    balanced(box, tmp_path)
