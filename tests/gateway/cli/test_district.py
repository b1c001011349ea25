"""`district run`: waits for its broker, receives, and ends with 0 when it is told to."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.mqtt import box_endpoint, connector
from sync.publisher import Publisher
from tests.sync.nats_server import NatsServer
from tests.sync.rig import TOPICS, until
from tests.sync.samples import box_at, result

pytestmark = pytest.mark.slow

_COMMAND = (sys.executable, "-m", "gateway", "district", "run")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path / "broker")
    yield server
    server.kill()


def _start(log: Path, options: list[str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen([*_COMMAND, *options], stderr=out)


async def test_it_waits_for_its_broker_receives_and_ends_with_0(server: NatsServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = ["--db", str(tmp_path / "d.db"), "--broker", server.address, "--district", "d1"]
    child = _start(log, options)
    try:
        await until(lambda: "Waiting: no broker" in log.read_text(encoding="utf-8"), pause_s=0.02)
        server.start()
        with box_at(tmp_path / "box.db") as box:
            box.put(*(result(n) for n in range(150)))
            publisher = Publisher(connector(box_endpoint(server.address, "3.1.1", TOPICS)), box.run, TOPICS)
            task = asyncio.create_task(publisher.run())
            await until(lambda: box.depth().results == 0, pause_s=0.02)
            await publisher.close()
            await task
        child.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.wait, 20) == 0
    finally:
        child.kill()
        child.wait()
    district = sqlite3.connect(tmp_path / "d.db")
    assert district.execute("select count(*) from result").fetchone() == (150,)
    district.close()
    assert (tmp_path / "d.db.state").exists()
    words = log.read_text(encoding="utf-8")
    assert "pseudonym" not in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--broker", "nowhere"], "HOST:PORT"), (["--district", "Class 3b"], "district id")],
)
def test_a_bad_setting_ends_with_78_and_says_what_is_allowed(tmp_path: Path, options: list[str], word: str) -> None:
    done = subprocess.run(
        [*_COMMAND, "--db", str(tmp_path / "d.db"), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 78
    assert word in done.stderr
    assert "Traceback" not in done.stderr
