"""The composition root: makes every part of the gateway, beats its heart, and ends it.

The beat, some 30 times a second: take what arrived since the last one, write it in one transaction, and only after the
commit hand the same batch on: to the pages, to the lesson, and so to the reader. When nothing can be made durable the
batch waits and is tried again; nothing is shown or read meanwhile.
"""

import asyncio
import contextlib
import logging
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlite_utils import Database

from devices.errors import DeviceError
from gateway import clock, control, journal, pens
from gateway.card import CardWatch
from gateway.dashboard.access import Access, new_pin
from gateway.dashboard.feed import Feed
from gateway.dashboard.server import build_app
from gateway.dashboard.server import serve as serve_page
from gateway.figures import Figures
from gateway.identity import installation, secret
from gateway.journal import Batch
from gateway.lesson import LessonDesk
from gateway.linking import Linking
from gateway.links import Change
from gateway.reading import ReaderProcess
from gateway.screen import Screen
from gateway.service import Service
from gateway.settings import Settings
from gateway.store import Store
from gateway.uplink import Uplink
from gateway.views import Views

logger = logging.getLogger(__name__)

_READER: Final = (sys.executable, "-m", "gateway", "read")


class App:
    """The running gateway."""

    def __init__(self, settings: Settings, store: Store, installed: str) -> None:
        self.settings, self.store = settings, store
        self.now_ms: Callable[[], int] = clock.now_ms
        self.figures = Figures()
        self.linking = Linking(settings, self.now_ms)
        self.card = CardWatch(store, self.now_ms)
        self.desk = LessonDesk(
            store=store,
            reader=lambda on_answer: ReaderProcess(_READER, on_answer),
            installation=installed,
            box=settings.box.id,
            settle_ms=settings.reading.settle_ms,
            figures=self.figures,
            now_ms=self.now_ms,
            trusted=clock.is_trusted,
        )
        self.uplink = Uplink(settings, store, self.figures, self.now_ms)
        self.views = Views(self)
        self.screen = Screen(
            self.desk, pen_of=self.views.pen_of, radio_of=self.views.radio_of, box=self.views.box_for_pages
        )
        self.feed = Feed(self.now_ms)
        self.pin = secret(settings.dashboard.pin_file, "the page's PIN") or new_pin()
        self.page_url = ""
        self.durable = True
        self.seq = 1
        self._unwritten: list[Batch] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, end: asyncio.Event) -> None:
        """Start everything, beat until told to end, end everything."""
        trusted = clock.is_trusted()
        recovered = await self.store.run(lambda db: journal.recover(db, trusted=trusted))
        if recovered:
            logger.info("%d strokes were open when the gateway last ended; they are ink now", recovered)
        self.seq = await self.store.run(journal.next_seq)
        await self._begin()
        page = await serve_page(
            build_app(self.screen, self.feed, Access(self.pin, self.settings.dashboard.names)),
            self.settings.dashboard.host,
            self.settings.dashboard.port,
        )
        self.page_url = page.url
        server = await control.serve(self.settings.box.folder, Service(self).handlers())
        logger.info("the page is at %s", self.page_url)
        await self.linking.start()
        self._tasks = [
            asyncio.create_task(self.desk.reader.run()),
            asyncio.create_task(self.uplink.run()),
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

    async def _begin(self) -> None:
        """Bindings, roster, the lesson that ran, the pens that are ours."""
        await self.desk.restore()
        await self.reload_names()
        self.linking.adopted = {r[0] for r in self.store.reader.execute("select mac from pen where adopted_ms > 0")}
        answers = self.desk.answers
        lesson_from_ms = self.now_ms() if answers is None else answers.started_ms
        await self.store.run(lambda db: self.linking.open_windows(db, lesson_from_ms))
        await self.store.run(self.linking.read_window)
        if answers is not None:
            self.views.show_stored(answers)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.linking.stop()
        now_ms = self.now_ms()
        self.linking.links.close_windows(now_ms)
        with contextlib.suppress(sqlite3.OperationalError):
            await self.beat(now_ms)
            await self.store.run(lambda db: self.linking.note_stopped(db, now_ms))

    async def _beat_on(self) -> None:
        loop = asyncio.get_running_loop()
        period_s = 1 / self.settings.ink.beat_hz
        at = loop.time()
        while True:
            at += period_s
            delay_s = at - loop.time()
            if delay_s < -period_s:
                at = loop.time()
                self.figures.late_beats += 1
            await asyncio.sleep(max(0.0, delay_s))
            await self.beat(self.now_ms())

    async def beat(self, now_ms: int) -> None:
        """One beat."""
        links = self.linking.links
        self.linking.take(now_ms)
        self.figures.beats += 1
        self.figures.together.note(links.ready_count, now_ms)
        batch = self._collect(now_ms)
        changes = links.changes
        if not batch.is_empty or changes:
            entries, keep_from = journal.prepare(batch)
            trusted = clock.is_trusted()

            def work(db: Database) -> None:
                journal.commit(db, batch, entries, keep_from, trusted=trusted)
                self.linking.write(db, changes)

            try:
                await self.store.run(work)
            except sqlite3.OperationalError as error:
                self._keep(batch, error)
                return
            links.changes = links.changes[len(changes) :]
            self.durable = True
            await self._committed(batch, changes, now_ms)
            self.seq += 1
        self.desk.ask(self.now_ms(), {pen: i.open.page for pen, i in links.inks.items() if i.open is not None})
        if await self.desk.write():
            self.uplink.wake()

    def _collect(self, now_ms: int) -> Batch:
        links = self.linking.links
        batch = Batch(self.seq, now_ms)
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

    def _keep(self, batch: Batch, error: sqlite3.OperationalError) -> None:
        """Nothing could be made durable: the batch is tried again with the next beat."""
        if self.durable:
            logger.error("the store cannot be written (%s); ink waits in memory", error)
        self.durable = False
        for piece in batch.open:
            piece.journaled = 0
        self._unwritten.append(batch)

    async def _committed(self, batch: Batch, changes: Sequence[Change], now_ms: int) -> None:
        done_ms = self.now_ms()
        self.figures.commit.add(done_ms - now_ms)
        chunks = self.screen.committed(batch)
        self.feed.publish(batch.seq, chunks)
        self.figures.dot_to_screen.extend(done_ms - chunk.at_ms for chunk in chunks if chunk.dots)
        self.figures.air.extend(now_ms - chunk.at_ms for chunk in chunks if chunk.dots)
        if await self.card.take(batch, self.linking.join_from_ms):
            await self.bindings_changed()
        self.desk.linked_pens |= {change.mac for change in changes if change.kind == "link_up"}
        self.desk.take(batch)

    async def _look_around(self) -> None:
        """Twice a second: what need not be known at every beat."""
        while True:
            self.uplink.look()
            await asyncio.sleep(0.5)

    def publisher_view(self) -> dict[str, Any]:
        """How the way to the district does."""
        return self.uplink.view()

    def pens_view(self) -> dict[str, Any]:
        """Every pen, and the join window."""
        return self.views.pens()

    async def join(self, minutes: float) -> dict[str, Any]:
        """Open the join window for so long; 0 closes it."""
        said = self.linking.join(minutes)
        await self.store.run(self.linking.write_window)
        return said

    async def bindings_changed(self) -> None:
        """Who holds which pen has changed."""
        await self.desk.reload_bindings()
        self.linking.adopted = set(
            await self.store.run(lambda db: [r[0] for r in db.conn.execute("select mac from pen where adopted_ms > 0")])
        )
        self.views.seats_by_pen = await self.store.run(pens.current)

    def lesson_began(self) -> None:
        """Another lesson: the pages begin anew."""
        self.screen.begin()
        self.desk.linked_pens = {live.state.mac for live in self.linking.links.live.values() if live.state is not None}
        self.feed.restart()

    async def reload_names(self) -> None:
        """The roster changed."""
        rows = await self.store.run(
            lambda db: db.conn.execute("select seat, name from pupil where left_ms is null").fetchall()
        )
        self.screen.names = dict(rows)
        self.views.seats_by_pen = await self.store.run(pens.current)

    def identify(self, pen: str) -> dict[str, Any]:
        """Make a pen show itself."""
        return self.linking.identify(pen)

    async def let_go(self, pen: str) -> None:
        """Hang up on a pen that is forgotten."""
        with contextlib.suppress(DeviceError):
            await self.linking.let_go(pen)

    def status(self) -> dict[str, Any]:
        """How the gateway does."""
        return self.views.status()

    def disk_free_percent(self) -> int:
        """How much of the store's disk is free."""
        usage = shutil.disk_usage(self.settings.box.folder)
        return round(100 * usage.free / usage.total)


async def serve(settings: Settings) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    store = Store(settings.database)
    try:
        app = App(settings, store, await store.run(installation))
        await app.run(end)
    finally:
        await asyncio.to_thread(store.close)
