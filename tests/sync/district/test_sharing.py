"""`district run` on PostgreSQL: killed with 9 and started again on nats; two that share the load on mosquitto."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from sync.district.postgres_store import PostgresStore
from sync.mqtt import box_endpoint, connector
from sync.publisher import Publisher
from tests.sync import mosquitto
from tests.sync.delivering import publishing
from tests.sync.mosquitto import Mosquitto
from tests.sync.nats_server import NatsServer
from tests.sync.rig import TOPICS, until
from tests.sync.samples import Box, box_at, result

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


class Receivers:
    """`district run` processes of one district."""

    def __init__(self, folder: Path, url: str, broker: str, protocol: str) -> None:
        self._folder, self._options = folder, ["--db", url, "--broker", broker, "--protocol", protocol]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "gateway", "district", "run", *self._options, "--district", "d1"]
        command += ["--receiver", name, "--state", str(self._folder / f"{name}.state")]
        with (self._folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, stderr=log)

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def said(self, name: str) -> str:
        path = self._folder / f"{name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_at(tmp_path / "box.db") as box:
        yield box


@asynccontextmanager
async def _receiving(folder: Path, url: str, broker: str, protocol: str) -> AsyncIterator[Receivers]:
    receivers = Receivers(folder, url, broker, protocol)
    try:
        yield receivers
    finally:
        for name in list(receivers.running):
            receivers.kill(name)


def _publishing(broker: str, protocol: str, box: Box) -> AbstractAsyncContextManager[Publisher]:
    return publishing(connector(box_endpoint(broker, protocol, TOPICS)), box)


def _holds(url: str, box: Box) -> None:
    store = PostgresStore(url, None)
    store.open()
    counts = store.counts()
    there = store.rows_of(TOPICS.box, "2026-09-21")
    store.close()
    assert (counts.doubled, counts.conflicts, counts.quarantined) == (0, 0, 0)
    assert {code: rev for code, (rev, _) in there.items()} == box.revisions()


async def test_one_receiver_on_nats_killed_with_9_goes_on_where_it_was(url: str, box: Box, tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "broker")
    server.start()
    try:
        async with (
            _receiving(tmp_path, url, server.address, "3.1.1") as receivers,
            _publishing(server.address, "3.1.1", box) as publisher,
        ):
            receivers.start("1")
            box.put(*(result(n) for n in range(2_000)))
            await until(lambda: publisher.status().receipted > 0, pause_s=0.005)
            receivers.kill("1")
            box.put(*(result(n) for n in range(1_000, 3_000)))
            receivers.start("1")
            await until(lambda: box.depth().results == 0, pause_s=0.02)
        _holds(url, box)
    finally:
        server.kill()


@pytest.mark.full
@pytest.mark.skipif(mosquitto.find() is None, reason="mosquitto is not installed")
async def test_of_two_receivers_on_mosquitto_one_is_killed_with_unacknowledged_messages_and_the_other_gets_them(
    url: str, box: Box, tmp_path: Path
) -> None:
    """Mosquitto 2.0.11 forgets what the dead one held, whatever MQTT 5 advises: the box offers it again after 8 s."""
    server = Mosquitto(tmp_path)
    server.start()
    try:
        async with (
            _receiving(tmp_path, url, server.address, "5") as receivers,
            _publishing(server.address, "5", box) as publisher,
        ):
            for name in ("1", "2"):
                receivers.start(name)
            for name in ("1", "2"):
                await until(lambda name=name: "Connected to the broker" in receivers.said(name), pause_s=0.02)  # type: ignore[misc]  # mypy cannot read a default of a lambda
            box.put(*(result(n) for n in range(2_000)))
            await until(lambda: box.depth().results == 0, pause_s=0.02)
            async with await psycopg.AsyncConnection.connect(url) as other:
                await other.execute("lock table ledger in access exclusive mode")
                box.put(*(result(n) for n in range(2_000, 8_000)))
                offered = publisher.status().offered
                await until(lambda: publisher.status().offered >= offered + 4_000, pause_s=0.005)
                receivers.kill("1")
            await until(lambda: box.depth().results == 0, pause_s=0.02)
        _holds(url, box)
    finally:
        server.kill()
    assert "pseudonym" not in receivers.said("1") + receivers.said("2")
