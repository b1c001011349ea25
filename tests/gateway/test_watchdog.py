"""Field case 25, as far as the gateway itself decides it: the word that keeps it alive is tied to the writer."""

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway.settings import service_manager
from gateway.store import Store
from gateway.watchdog import Manager, Watchdog

LIMIT_S = 0.3


class FakeManager:
    """A service manager's socket, and what came in."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0)

    def told(self) -> list[str]:
        """All words since the last call."""
        words = []
        with suppress(BlockingIOError):
            while True:
                words += self._socket.recv(4_096).decode().splitlines()
        return words

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[FakeManager]:
    fake = FakeManager(str(tmp_path / "notify"))
    yield fake
    fake.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "gateway.db")
    yield store
    store.close()


def watchdog(tmp_path: Path, store: Store) -> Watchdog:
    return Watchdog(Manager(str(tmp_path / "notify")), store.run, limit_s=LIMIT_S)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  a socket and a thread say it, no event of the loop
            await asyncio.sleep(0.02)


async def test_an_idle_night_is_alive(tmp_path: Path, store: Store, manager: FakeManager) -> None:
    task = asyncio.create_task(watchdog(tmp_path, store).keep())
    words: list[str] = []

    def some() -> bool:
        words.extend(manager.told())
        return words.count("WATCHDOG=1") >= 5

    await until(some)
    assert set(words) == {"WATCHDOG=1"}
    task.cancel()


async def test_a_writer_that_is_stuck_gets_no_word_though_the_loop_turns_and_gets_it_when_it_goes_on(
    tmp_path: Path, store: Store, manager: FakeManager
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def stuck(db: Database) -> None:
        del db
        entered.set()
        go_on.wait(60)

    store.submit(stuck)
    assert entered.wait(20)
    task = asyncio.create_task(watchdog(tmp_path, store).keep())
    turns, began = 0, time.monotonic()
    while time.monotonic() < began + 3 * LIMIT_S:
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5
    assert manager.told() == []
    go_on.set()
    await until(lambda: "WATCHDOG=1" in manager.told())
    task.cancel()


async def test_a_store_that_another_holds_gets_no_word(tmp_path: Path, store: Store, manager: FakeManager) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("begin immediate")
        await watchdog(tmp_path, store)._once()
        assert manager.told() == []
        other.execute("rollback")
    await watchdog(tmp_path, store)._once()
    assert manager.told() == ["WATCHDOG=1"]


async def test_one_late_tick_is_told_and_the_word_comes_all_the_same(
    tmp_path: Path, store: Store, manager: FakeManager
) -> None:
    watched = watchdog(tmp_path, store)
    task = asyncio.create_task(watched.keep())
    await until(lambda: "WATCHDOG=1" in manager.told())
    time.sleep(1.5)  # noqa: ASYNC251  the loop is held up: that is the case
    words: list[str] = []

    def both() -> bool:
        words.extend(manager.told())
        return "WATCHDOG=1" in words and any(word.startswith("STATUS=The loop was held up") for word in words)

    await until(both)
    assert watched.late_ticks == 1
    task.cancel()


async def test_without_a_manager_nothing_is_told_and_nothing_runs(tmp_path: Path, store: Store) -> None:
    Manager("").tell(READY=1)
    Manager(str(tmp_path / "nobody")).tell(READY=1)
    task = asyncio.create_task(Watchdog(Manager(""), store.run, limit_s=0).keep())
    await asyncio.sleep(0)
    assert not task.done(), "a task of the gateway that ends would end the gateway"
    task.cancel()


def test_an_abstract_address_is_understood() -> None:
    fake = FakeManager("@inkgate-test-notify")
    Manager("@inkgate-test-notify").tell(READY=1, STATUS="up")
    assert fake.told() == ["READY=1", "STATUS=up"]
    fake.close()


def test_the_environment_says_who_listens_and_how_long() -> None:
    told = service_manager({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000"})
    assert (told.address, told.limit_s) == ("/run/x", 30.0)
    assert service_manager({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).limit_s == 0, "meant for another process"
    assert service_manager({}).address == ""
