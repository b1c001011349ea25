"""A box and a district over real sockets, and the books of both ends compared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sync import sums
from sync.broker import Backoff, Connect
from sync.district.proof import judge
from sync.district.receiver import Receiver
from sync.district.sqlite_store import SqliteStore
from sync.publisher import Publisher
from sync.topics import BoxTopics
from tests.sync.rig import TOPICS, until
from tests.sync.samples import Box

DAY = "2026-09-21"


def store_in(folder: Path) -> SqliteStore:
    """The district's store of a test, with its mark."""
    return SqliteStore(folder / "district.db", folder / "district.state")


@asynccontextmanager
async def receiving(connect: Connect, folder: Path, *, shared: bool = False) -> AsyncIterator[Receiver]:
    """A receiver process's worth."""
    receiver = Receiver(connect, store_in(folder), "d1", shared=shared, backoff=Backoff(most_s=1.0))
    task = asyncio.create_task(receiver.run())
    try:
        yield receiver
    finally:
        await receiver.close()
        await task


@asynccontextmanager
async def publishing(connect: Connect, box: Box, topics: BoxTopics = TOPICS) -> AsyncIterator[Publisher]:
    """A publisher's."""
    publisher = Publisher(connect, box.run, topics, backoff=Backoff(most_s=1.0))
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        await publisher.close()
        await task


async def empty(box: Box) -> None:
    """Wait until the district has receipted everything."""
    await until(lambda: not box.depth().results, pause_s=0.02)


async def proven(box: Box) -> None:
    """Wait until the box, by itself, knows that both ends are equal."""

    def equal() -> bool:
        known = sums.known(box.db)
        return known is not None and all(one.verdict == "equal" for one in judge(sums.sums_of(box.db), known.proof, []))

    await until(equal, pause_s=0.05)


def balanced(box: Box, folder: Path) -> None:
    """Every result is in the district once, at its newest revision, and its envelope is receipted."""
    store = SqliteStore(folder / "district.db", None)
    store.open()
    counts, there = store.counts(), store.rows_of("box-1", DAY)
    store.close()
    assert (counts.doubled, counts.conflicts, counts.quarantined) == (0, 0, 0)
    assert {code: rev for code, (rev, _) in there.items()} == box.revisions()
    assert set(box.states()) <= {"receipted"}
