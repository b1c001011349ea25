"""The beat, some 30 times a second: one batch, one commit, one fan-out.

Take what arrived since the last beat, write it in one transaction, and only after the commit hand the same batch on.
When nothing can be made durable the batch waits and is tried again; nothing is shown, read or released meanwhile.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence

from sqlite_utils import Database

from gateway import journal
from gateway.journal import Batch, Committed
from gateway.links import Change, Links
from sync.publisher import Run

logger = logging.getLogger(__name__)


class Beat:
    """What every beat does. `once` is called by one task; it lives in the loop's thread."""

    def __init__(
        self,
        links: Links,
        run: Run,
        *,
        trusted: Callable[[], bool],
        write: Callable[[Database, Sequence[Change]], None],
        committed: Callable[[Batch, Sequence[Change], int], None],
    ) -> None:
        """Nothing beats by itself.

        Args:
            links: Where ink, gaps and news of links come from.
            run: The one writer of the store.
            trusted: Whether the box's clock is.
            write: Writes news of links, inside the beat's transaction.
            committed: Hands the batch on; called after the commit alone, with the beat's own time in ms.
        """
        self._links, self._run, self._trusted = links, run, trusted
        self._write, self._committed = write, committed
        self._unwritten: list[Batch] = []
        self.durable = True
        """Whether the last beat could be made durable."""
        self.seq = 1
        """The number of the next beat."""
        self.pending_ms = 0
        """Since when something waits that the store did not take; 0 where nothing does."""
        self._under_way: asyncio.Task[Batch | None] | None = None

    async def once(self, now_ms: int) -> Batch | None:
        """One beat over what the links hold. Returns what is durable now; None where the store takes nothing.

        Whoever is cancelled here does not stop the beat, which holds ink that is nowhere else: the next waits for it.
        """
        await self.rest()
        self._under_way = asyncio.create_task(self._once(now_ms))
        return await asyncio.shield(self._under_way)

    async def rest(self) -> None:
        """Wait until no beat is under way: what the links take meanwhile would be shown before it is written."""
        if self._under_way is not None and not self._under_way.done():
            await asyncio.shield(self._under_way)

    async def _once(self, now_ms: int) -> Batch | None:
        links = self._links
        batch = self._collect(now_ms)
        changes = list(links.changes)  # a link may go while the writer writes; its news is for the next beat
        if batch.is_empty and not changes:
            return batch
        entries, keep_from = journal.prepare(batch)
        trusted = self._trusted()

        def work(db: Database) -> Committed:
            found = journal.commit(db, batch, entries, keep_from, trusted=trusted)
            self._write(db, changes)
            return found

        try:
            found = await self._run(work)
        except sqlite3.OperationalError as error:
            self._keep(batch)
            self.pending_ms = self.pending_ms or now_ms
            self.cannot_write(error)
            return None
        batch.is_committed(found)
        links.changes = links.changes[len(changes) :]
        self.durable, self.pending_ms = True, 0
        self._committed(batch, changes, now_ms)
        self.seq += 1
        return batch

    def cannot_write(self, error: sqlite3.OperationalError) -> None:
        """The store does not take what it is given: said once."""
        if self.durable:
            logger.error("the store cannot be written (%s); what came since waits in memory", error)
        self.durable = False

    def _collect(self, now_ms: int) -> Batch:
        links = self._links
        batch = Batch(self.seq, now_ms)
        for late in self._unwritten:
            batch.closed += late.closed
            batch.losses += late.losses
            batch.oddities += late.oddities
            batch.drained += late.drained
        self._unwritten.clear()
        for ink in links.inks.values():
            if ink.closed:
                batch.closed += ink.closed
                ink.closed = []
            if ink.open is not None:
                batch.open.append(ink.open)
        batch.losses += links.losses()
        batch.oddities += links.oddities()
        batch.closed += links.from_memory
        batch.drained += links.drained
        links.from_memory, links.drained = [], []
        return batch

    def _keep(self, batch: Batch) -> None:
        """Nothing could be made durable: the batch is tried again with the next beat."""
        for piece in batch.open:
            piece.journaled = 0
        self._unwritten.append(batch)
