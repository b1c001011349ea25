"""A box, a broker in memory and a district on one clock that only the test moves."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.broker import Backoff
from sync.district.receiver import Receiver
from sync.district.sqlite_store import SqliteStore
from sync.messages import HEALTH_OFFLINE, Announcement, Receipt, number
from sync.outbox import Numbers
from sync.publisher import Publisher
from sync.topics import BoxTopics
from tests.fakes.hub import Hub
from tests.sync.samples import MADE_MS, Box

TOPICS = BoxTopics("d1", "s1", "box-1")
DISTRICT = "d1-district-1"


class Rig:
    """Everything, stepped by hand."""

    def __init__(self, folder: Path, *, seed: int = 0) -> None:
        self.folder = folder
        self.now_ms = 0
        self.hub = Hub(seed)
        self.box = Box(folder / "box.db")
        self.receipted: list[int] = []
        self.publisher = self.start_box()
        self.receiver: Receiver | None = None

    def start_box(self) -> Publisher:
        """A (new) start of the box: another epoch, the same disk."""
        self.publisher = Publisher(
            self.hub.connector("box-1", will=(TOPICS.health, HEALTH_OFFLINE)),
            self.box.run,
            TOPICS,
            numbers=Numbers(),
            now_ms=lambda: MADE_MS + self.now_ms,
            tick_ms=lambda: self.now_ms,
            backoff=Backoff(chance=lambda: 0.5),
            on_receipted=self.receipted.extend,
        )
        return self.publisher

    def start_district(self) -> Receiver:
        """A (new) start of the district on the same database."""
        self.receiver = Receiver(
            self.hub.connector(DISTRICT, manual_ack=True, keep_session=True),
            SqliteStore(self.folder / "district.db", self.folder / "district.state"),
            "d1",
            tick_ms=lambda: self.now_ms,
            backoff=Backoff(chance=lambda: 0.5),
        )
        return self.receiver

    async def kill_district(self) -> None:
        """The district's process dies between any two steps."""
        if self.receiver is not None:
            self.hub.cut(DISTRICT)
            receiver, self.receiver = self.receiver, None
            await receiver._drop()
            await receiver._shut_store()
            receiver._thread.shutdown()

    async def run(self, span_ms: int, *, step_ms: int = 100) -> None:
        """Let everybody work for so long."""
        end_ms = self.now_ms + span_ms
        while self.now_ms < end_ms:
            await self.publisher.step()
            if self.receiver is not None:
                await self.receiver.step()
            self.now_ms += step_ms

    async def drain(self, limit_ms: int) -> None:
        """Run until the outbox is empty; the limit is of the rig's own clock."""
        end_ms = self.now_ms + limit_ms
        while self.box.depth().results and self.now_ms < end_ms:
            await self.run(100)

    def say_ok(self, payload: bytes) -> None:
        """A receipt as a district would say it."""
        told = number(payload)
        receipt = Receipt(v=1, epoch=told.epoch.hex(), ok=((told.eseq, told.eseq),), generation="g1", pos=1)
        self.hub.say(TOPICS.down, receipt.to_json())

    def announce(self, *, retain: bool = True) -> None:
        """As a district that has just come."""
        self.hub.say(TOPICS.ledger, Announcement(generations=(("g1", 0),)).to_json(), retain=retain)

    def offered(self) -> list[bytes]:
        """Every envelope that the box offered, each time."""
        return [payload for topic, payload in self.hub.published if topic == TOPICS.up]

    def in_district(self) -> dict[str, int]:
        """The newest revision of each result there, read with the store's own door."""
        store = SqliteStore(self.folder / "district.db", None)
        store.open()
        counts = store.counts()
        assert counts.doubled == 0
        assert counts.results == sum(1 for _ in store.digests())
        found = {code: rev for day in ("2026-09-21",) for code, (rev, _) in store.rows_of(TOPICS.box, day).items()}
        store.close()
        return found


async def until(done: Callable[[], bool], *, pause_s: float = 0.0, limit_s: float = 30.0) -> None:
    """Let other tasks work until it is so; fails after half a minute, or the limit."""
    async with asyncio.timeout(limit_s):
        while not done():  # noqa: ASYNC110  what is waited for has no event: a table, a log, a process
            await asyncio.sleep(pause_s)


@contextmanager
def rig_in(folder: Path, *, seed: int = 0) -> Iterator[Rig]:
    """A rig that leaves nothing open."""
    rig = Rig(folder, seed=seed)
    try:
        yield rig
    finally:
        if rig.receiver is not None:
            rig.receiver._thread.submit(rig.receiver._store.close).result()
            rig.receiver._thread.shutdown()
        rig.box.close()
