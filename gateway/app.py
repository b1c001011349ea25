"""The gateway's heart: starts every part, beats, and ends them.

The beat, some 30 times a second: take what arrived since the last one, write it in one transaction, and only after the
commit hand the same batch on: to the pages, to the lesson, and so to the reader. When nothing can be made durable the
batch waits and is tried again; nothing is shown or read meanwhile.
"""

import asyncio
import contextlib
import logging
import signal
import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database

from gateway import clock, control, journal
from gateway.box import Box
from gateway.dashboard.access import Access
from gateway.dashboard.server import build_app
from gateway.dashboard.server import serve as serve_page
from gateway.identity import installation, page_key
from gateway.journal import Batch
from gateway.links import Change
from gateway.service import Service
from gateway.settings import Settings
from gateway.store import Store

logger = logging.getLogger(__name__)


class App:
    """The running gateway: starts the parts, beats, ends them."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self._unwritten: list[Batch] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, end: asyncio.Event) -> None:
        """Start everything, beat until told to end, end everything."""
        trusted = clock.is_trusted()
        recovered = await self.box.store.run(lambda db: journal.recover(db, trusted=trusted))
        if recovered:
            logger.info("%d strokes were open when the gateway last ended; they are ink now", recovered)
        self.box.seq = await self.box.store.run(journal.next_seq)
        await self.box.take_up()
        page = await serve_page(
            build_app(self.box.screen, self.box.feed, self._access()),
            self.box.settings.dashboard.host,
            self.box.settings.dashboard.port,
        )
        self.box.page_url = page.url
        server = await control.serve(self.box.settings.box.folder, Service(self.box).handlers())
        logger.info("the page is at %s", self.box.page_url)
        await self.box.linking.start()
        self._tasks = [
            asyncio.create_task(self.box.desk.reader.run()),
            asyncio.create_task(self.box.uplink.run()),
            asyncio.create_task(self._beat_on()),
            asyncio.create_task(self._look_around()),
        ]
        ending = asyncio.create_task(end.wait())
        try:
            done, _ = await asyncio.wait({ending, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ending}:
                task.result()
        finally:
            ending.cancel()
            server.close()
            await self._end()
            await page.close()

    def _access(self) -> Access:
        settings = self.box.settings
        return Access(self.box.pin, settings.dashboard.names, key=page_key(settings.box.folder))

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.box.linking.stop()
        now_ms = self.box.now_ms()
        self.box.linking.links.close_windows(now_ms)
        with contextlib.suppress(sqlite3.OperationalError):
            await self.beat(now_ms)
            await self.box.store.run(lambda db: self.box.linking.note_stopped(db, now_ms))

    async def _beat_on(self) -> None:
        loop = asyncio.get_running_loop()
        period_s = 1 / self.box.settings.ink.beat_hz
        at = loop.time()
        while True:
            at += period_s
            delay_s = at - loop.time()
            if delay_s < -period_s:
                at = loop.time()
                self.box.figures.late_beats += 1
            await asyncio.sleep(max(0.0, delay_s))
            await self.beat(self.box.now_ms())

    async def beat(self, now_ms: int) -> None:
        """One beat."""
        links = self.box.linking.links
        self.box.linking.take(now_ms)
        self.box.figures.beats += 1
        self.box.figures.together.note(links.ready_count, now_ms)
        delays, links.delays = links.delays, []
        self.box.figures.air.extend(air for air, _ in delays)
        self.box.figures.batch.extend(wait for _, wait in delays)
        batch = self._collect(now_ms)
        changes = list(links.changes)  # a link may go while the writer writes; its news is for the next beat
        if not batch.is_empty or changes:
            entries, keep_from = journal.prepare(batch)
            trusted = clock.is_trusted()

            def work(db: Database) -> None:
                journal.commit(db, batch, entries, keep_from, trusted=trusted)
                self.box.linking.write(db, changes)

            try:
                await self.box.store.run(work)
            except sqlite3.OperationalError as error:
                self._keep(batch)
                self._cannot_write(error)
                return
            links.changes = links.changes[len(changes) :]
            self.box.durable = True
            self._committed(batch, changes, now_ms)
            self.box.seq += 1
        self.box.desk.ask(self.box.now_ms(), {pen: i.open.page for pen, i in links.inks.items() if i.open is not None})
        await self._follow_up(batch)

    async def _follow_up(self, batch: Batch) -> None:
        """What a beat brings about in the store: claims of the link card, grades. Both are kept until they are in."""
        try:
            if await self.box.card.take(batch, self.box.linking.join_from_ms):
                await self.box.bindings_changed()
            if await self.box.desk.write():
                self.box.durable = True
                self.box.uplink.wake()
        except sqlite3.OperationalError as error:
            self._cannot_write(error)

    def _collect(self, now_ms: int) -> Batch:
        links = self.box.linking.links
        batch = Batch(self.box.seq, now_ms)
        for late in self._unwritten:
            batch.closed += late.closed
            batch.losses += late.losses
            batch.oddities += late.oddities
        self._unwritten.clear()
        for ink in links.inks.values():
            if ink.closed:
                batch.closed += ink.closed
                ink.closed = []
            if ink.open is not None:
                batch.open.append(ink.open)
        batch.losses += links.losses()
        batch.oddities += links.oddities()
        return batch

    def _cannot_write(self, error: sqlite3.OperationalError) -> None:
        if self.box.durable:
            logger.error("the store cannot be written (%s); what came since waits in memory", error)
        self.box.durable = False

    def _keep(self, batch: Batch) -> None:
        """Nothing could be made durable: the batch is tried again with the next beat."""
        for piece in batch.open:
            piece.journaled = 0
        self._unwritten.append(batch)

    def _committed(self, batch: Batch, changes: Sequence[Change], now_ms: int) -> None:
        done_ms = self.box.now_ms()
        self.box.figures.commit.add(done_ms - now_ms)
        chunks = self.box.screen.committed(batch)
        self.box.feed.publish(batch.seq, chunks)
        self.box.figures.dot_to_screen.extend(done_ms - chunk.at_ms for chunk in chunks if chunk.dots)
        self.box.desk.linked_pens |= {change.mac for change in changes if change.kind == "link_up"}
        self.box.desk.take(batch)

    async def _look_around(self) -> None:
        """Twice a second: what need not be known at every beat."""
        kept = ""
        while True:
            self.box.uplink.look()
            learnt = repr(self.box.linking.radios.memory)
            if learnt != kept:
                with contextlib.suppress(sqlite3.OperationalError):
                    await self.box.store.run(self.box.linking.write_memory)
                    kept = learnt
            await asyncio.sleep(0.5)


async def serve(settings: Settings) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    store = Store(settings.database)
    try:
        app = App(Box(settings, store, await store.run(installation)))
        await app.run(end)
    finally:
        await asyncio.to_thread(store.close)
