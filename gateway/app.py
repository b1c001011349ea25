"""The gateway's heart: starts every part, beats, and ends them.

It beats some 30 times a second (see `beat`); after the commit the batch goes to the pages, to the lesson, and so to the
reader.
"""

import asyncio
import contextlib
import logging
import signal
import sqlite3
from typing import Final

from gateway import control, journal, views
from gateway.box import Box
from gateway.dashboard.access import Access
from gateway.dashboard.server import build_app
from gateway.dashboard.server import serve as serve_page
from gateway.identity import installation, page_key
from gateway.journal import Batch
from gateway.service import Service
from gateway.settings import Settings, service_manager
from gateway.store import Store
from gateway.watchdog import Manager, Watchdog

logger = logging.getLogger(__name__)

_LAST_RESULTS_S: Final = 2.0
"""So long may an end wait for the receipts of what the last beat brought."""


class App:
    """The running gateway: starts the parts, beats, ends them."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self._tasks: list[asyncio.Task[None]] = []
        told = service_manager()
        self._manager = Manager(told.address)
        self._watchdog = Watchdog(self._manager, box.store.run, limit_s=told.limit_s)

    async def run(self, end: asyncio.Event) -> None:
        """Start everything, beat until told to end, end everything."""
        trusted = self.box.clock.is_trusted()
        loop = asyncio.get_running_loop()
        self.box.store.on_replaced = lambda: asyncio.run_coroutine_threadsafe(self.box.store_replaced(), loop)
        recovered = await self.box.store.run(lambda db: journal.recover(db, trusted=trusted))
        if recovered:
            logger.info("%d strokes were open when the gateway last ended; they are ink now", recovered)
        await self.box.take_up()
        self.box.warn = lambda: views.for_pages(self.box)
        page = await serve_page(
            build_app(self.box.screen, self.box.feed, self._access(), self.box.review),
            self.box.settings.dashboard.host,
            self.box.settings.dashboard.port,
        )
        self.box.page_url = page.url
        server = await control.serve(self.box.settings.box.folder, Service(self.box).handlers())
        logger.info("the page is at %s", self.box.page_url)
        await self.box.linking.start()
        uplink = asyncio.create_task(self.box.uplink.run())
        self._tasks = [
            asyncio.create_task(self.box.desk.reader.run()),
            asyncio.create_task(self._beat_on()),
            asyncio.create_task(self._look_around()),
            asyncio.create_task(self._watchdog.keep()),
        ]
        self._manager.tell(READY=1, STATUS=f"The page is at {self.box.page_url}.")
        ending = asyncio.create_task(end.wait())
        try:
            done, _ = await asyncio.wait({ending, uplink, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ending}:
                task.result()
        finally:
            self._manager.tell(STOPPING=1)
            ending.cancel()
            server.close()
            await self._end()
            await self._hang_up(uplink)
            await page.close()

    def _access(self) -> Access:
        settings = self.box.settings
        key = page_key(settings.box.folder)
        return Access(self.box.pin, settings.dashboard.names, key=key, now_ms=self.box.now_ms)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.box.beat.rest()
        await self.box.linking.stop()
        now_ms = self.box.now_ms()
        self.box.linking.links.close_windows(now_ms)
        with contextlib.suppress(sqlite3.OperationalError):
            await self.beat(now_ms)
            await self.box.store.run(lambda db: self.box.linking.note_stopped(db, now_ms))
        self.box.alive.close()

    async def _hang_up(self, uplink: "asyncio.Task[None]") -> None:
        """The last beat may have made results: they go out if the district is there, or at the next start."""
        if not uplink.done():
            await self.box.uplink.finish(_LAST_RESULTS_S)
        uplink.cancel()
        await asyncio.gather(uplink, return_exceptions=True)

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
        links, figures = self.box.linking.links, self.box.figures
        self.box.linking.take(now_ms)
        self.box.drains.take(now_ms)
        figures.beats += 1
        figures.together.note(links.ready_count, now_ms)
        delays, links.delays = links.delays, []
        figures.air.extend(air for air, _ in delays)
        figures.batch.extend(wait for _, wait in delays)
        batch = await self.box.beat.once(now_ms)
        self.box.lives(now_ms)
        if batch is None:
            return
        self.box.desk.ask(self.box.now_ms(), {pen: i.open.page for pen, i in links.inks.items() if i.open is not None})
        await self._follow_up(batch)

    async def _follow_up(self, batch: Batch) -> None:
        """What a beat brings about in the store: claims of the link card, grades. Both are kept until they are in."""
        try:
            if await self.box.card.take(batch, self.box.linking.join_from_ms):
                await self.box.bindings_changed()
            if await self.box.desk.write():
                self.box.beat.durable = True
                self.box.uplink.wake()
        except sqlite3.OperationalError as error:
            self.box.beat.cannot_write(error)

    async def _look_around(self) -> None:
        """Twice a second: what need not be known at every beat."""
        kept = ""
        while True:
            try:
                self.box.uplink.look()
            except sqlite3.DatabaseError as error:
                self.box.store.doubt(error)
            await self.box.guard.look()
            if self.box.clock.has_news():
                with contextlib.suppress(sqlite3.OperationalError):
                    self.box.clock.kept(await self.box.store.run(self.box.clock.note))
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
    store = Store(settings.database, mend=True)
    try:
        installed = await store.run(installation)
        store.mark(installed)
        app = App(Box(settings, store, installed))
        await app.run(end)
    finally:
        await asyncio.to_thread(store.close)
