"""A district's database dies, is locked, full or slow: no receipt, no acknowledgement; and it comes back by itself."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from gateway.bench.postgres import PostgresServer
from sync.broker import Backoff
from sync.district.postgres_store import PostgresStore
from sync.district.receiver import Receiver
from sync.district.sqlite_store import SqliteStore
from sync.district.store import DistrictStore
from sync.messages import Receipt, pack
from tests.fakes.hub import Hub
from tests.sync.rig import DISTRICT, TOPICS, until
from tests.sync.samples import result

pytestmark = pytest.mark.slow


class District:
    """A receiver at a broker in memory, with a box that speaks by hand."""

    def __init__(self, store: DistrictStore) -> None:
        self.hub = Hub(0)
        self.hub.connector(TOPICS.box)
        self.receiver = Receiver(
            self.hub.connector(DISTRICT, manual_ack=True, keep_session=True),
            store,
            "d1",
            backoff=Backoff(first_s=0.02, most_s=0.1),
        )

    def say(self, eseq: int, rows: int = 10) -> None:
        """One envelope; the same number is the same envelope."""
        lines = [result(10_000 * eseq + n).to_row().to_json() for n in range(rows)]
        self.hub.say(TOPICS.up, pack(b"epoch-01", eseq, lines))

    def receipted(self) -> set[int]:
        """What was told to be stored."""
        told = [Receipt.from_json(payload) for topic, payload in self.hub.published if topic == TOPICS.down]
        return {eseq for receipt in told for low, high in receipt.ok for eseq in range(low, high + 1)}

    def unacknowledged(self) -> int:
        """What the broker still holds for the receiver."""
        return len(self.hub._sessions[DISTRICT].waiting)


@asynccontextmanager
async def serving(store: DistrictStore) -> AsyncIterator[District]:
    district = District(store)
    task = asyncio.create_task(district.receiver.run())
    try:
        await until(lambda: district.hub.connected(DISTRICT), pause_s=0.01)
        district.say(1)
        await until(lambda: district.receipted() == {1}, pause_s=0.01)
        yield district
    finally:
        await district.receiver.close()
        await task


async def _stays_unanswered(district: District, eseq: int, caplog: pytest.LogCaptureFixture) -> None:
    """It was tried, and there is neither receipt nor acknowledgement."""
    await until(lambda: any("Waiting" in record.message for record in caplog.records), pause_s=0.01)
    assert district.receipted() == set(range(1, eseq))
    assert district.unacknowledged() == 1


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteStore:
    return SqliteStore(
        tmp_path / "district.db",
        tmp_path / "state",
        connect=lambda path: sqlite3.connect(path, isolation_level=None, timeout=0.05, check_same_thread=False),
    )


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The folder's server, whose process a test may kill or starve."""
    yield postgres
    if postgres.process is None:
        postgres.start()


async def test_a_database_file_locked_by_another_program_is_waited_for(
    sqlite: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(sqlite) as district:
        with closing(sqlite3.connect(tmp_path / "district.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            district.say(2)
            await _stays_unanswered(district, 2, caplog)
            other.execute("rollback")
        await until(lambda: district.receipted() == {1, 2} and district.unacknowledged() == 0, pause_s=0.01)
    assert district.receiver.counts.rows == 20


async def test_postgres_killed_with_9_is_waited_for_and_each_result_is_there_once(
    server: PostgresServer, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(PostgresStore(url, tmp_path / "state")) as district:
        await asyncio.to_thread(server.kill)
        district.say(2)
        await _stays_unanswered(district, 2, caplog)
        await asyncio.to_thread(server.start)
        await until(lambda: district.receipted() == {1, 2} and district.unacknowledged() == 0, pause_s=0.01)
    _holds(url, 20)


async def test_postgres_killed_with_9_again_and_again_in_the_middle_of_a_flood(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    async with serving(PostgresStore(url, tmp_path / "state")) as district:
        for kill in range(2):
            for eseq in range(2 + 60 * kill, 62 + 60 * kill):
                district.say(eseq, rows=50)
            before = len(district.receipted())
            await until(lambda before=before: len(district.receipted()) > before, pause_s=0.001)  # type: ignore[misc]  # mypy cannot read a default of a lambda
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await until(lambda: len(district.receipted()) == 121 and district.unacknowledged() == 0, pause_s=0.01)
    _holds(url, 10 + 120 * 50)


async def test_a_table_that_another_session_locks_is_waited_for(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(PostgresStore(f"{url}?options=-c%20lock_timeout%3D50ms", tmp_path / "state")) as district:
        async with await psycopg.AsyncConnection.connect(url) as other:
            await other.execute("lock table result in access exclusive mode")
            district.say(2)
            await _stays_unanswered(district, 2, caplog)
        await until(lambda: district.receipted() == {1, 2} and district.unacknowledged() == 0, pause_s=0.01)
    _holds(url, 20)


async def test_a_server_that_is_too_slow_is_waited_for(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(PostgresStore(f"{url}?options=-c%20statement_timeout%3D250ms", tmp_path / "state")) as district:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "create function linger() returns trigger language plpgsql as"
                " $$ begin perform pg_sleep(0.4); return new; end $$"
            )
            other.execute("create trigger slow before insert on result for each row execute function linger()")
            district.say(2)
            await _stays_unanswered(district, 2, caplog)
            other.execute("drop trigger slow on result")
        await until(lambda: district.receipted() == {1, 2} and district.unacknowledged() == 0, pause_s=0.01)
    _holds(url, 20)


async def test_a_server_whose_disk_takes_no_more_is_waited_for(
    server: PostgresServer, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No file of the server may grow beyond what its log needs: what a full disk does to the table alone."""
    server.stop()
    with _limited_files(16 << 20):
        server.start()
    async with serving(PostgresStore(url, tmp_path / "state")) as district:
        eseq = 1
        while not any("Waiting" in record.message for record in caplog.records):
            eseq += 1
            district.say(eseq, rows=5_000)
            await until(lambda: eseq in district.receipted() or bool(caplog.records), pause_s=0.01)  # noqa: B023  asked before the next turn
        await _stays_unanswered(district, eseq, caplog)
        assert any("could not extend file" in record.message for record in caplog.records)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await until(lambda: district.receipted() == set(range(1, eseq + 1)), pause_s=0.01)
    _holds(url, 10 + 5_000 * (eseq - 1))


@contextmanager
def _limited_files(size: int) -> Iterator[None]:
    """Who is started meanwhile makes no larger file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _holds(url: str, results: int) -> None:
    store = PostgresStore(url, None)
    store.open()
    counts = store.counts()
    store.close()
    assert (counts.results, counts.doubled, counts.conflicts, counts.quarantined) == (results, 0, 0, 0)
