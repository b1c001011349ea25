"""A beat holds ink that is nowhere else: who is cancelled while it is under way does not stop it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from devices.events import Dot, PageChanged, PenDown, PenUp
from gateway.beat import Beat
from gateway.links import Links
from gateway.store import migrate
from gateway.strokes import PenInk
from tests.gateway.rig import T0, mac

T = TypeVar("T")


class SlowStore:
    """A writer that takes its work and is slow to do it; as the store, it drops work whose asker was cancelled."""

    def __init__(self, path: Path) -> None:
        self.db = Database(path)
        migrate(self.db)
        self.may_write = asyncio.Event()

    async def run(self, work: Callable[[Database], T], /) -> T:
        await self.may_write.wait()
        with self.db.atomic():
            return work(self.db)


async def test_a_beat_whose_caller_is_cancelled_is_committed_all_the_same_and_the_next_one_waits_for_it(
    tmp_path: Path,
) -> None:
    store = SlowStore(tmp_path / "box.db")
    links = Links(piece_dots=400)
    shown: list[int] = []
    beat = Beat(
        links,
        store.run,
        trusted=lambda: True,
        write=lambda _db, _changes: None,
        committed=lambda batch, _changes, _now_ms: shown.append(batch.seq),
    )
    ink = links.inks[mac(1)] = PenInk(mac(1))
    for event in (PenDown(T0, "pen", 0), PageChanged(3, 27, 603, 1), Dot(T0, 10, 10, 200, 90, 90, 0), PenUp(T0 + 9, 1)):
        ink.feed(T0, event)
    cancelled = asyncio.create_task(beat.once(T0 + 30))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert cancelled.cancelled()
    next_one = asyncio.create_task(beat.once(T0 + 60))
    store.may_write.set()
    assert await next_one is not None
    assert store.db.conn.execute("select count(*) from ink").fetchone() == (1,)
    assert (shown, beat.seq) == ([1], 2)
    store.db.conn.close()
