"""Every part of a running gateway, made once, and the errands that touch more than one of them."""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sqlite_utils import Database

from devices.errors import DeviceError
from gateway import audit_models, journal, pens
from gateway.alive import Alive, Seen
from gateway.beat import Beat
from gateway.captures import Captures
from gateway.card import CardWatch
from gateway.clock import BoxClock
from gateway.dashboard.access import new_pin
from gateway.dashboard.feed import Feed
from gateway.dashboard.source import Said
from gateway.decisions_desk import ReviewDesk
from gateway.drain import Drains
from gateway.figures import Figures
from gateway.guard import Guard
from gateway.identity import pseudonym_key, secret, teacher_name
from gateway.journal import Batch
from gateway.lesson import LessonDesk
from gateway.linking import Linking
from gateway.links import Change
from gateway.reading import ReaderProcess, command_of
from gateway.screen import Screen
from gateway.seats import Seats
from gateway.settings import Settings
from gateway.store import Store
from gateway.strokes import Piece
from gateway.uplink import Uplink
from recognition.ink import unpack
from recognition.pages import PageAddress


class Box:
    """The parts. Lives in the loop's thread."""

    def __init__(self, settings: Settings, store: Store, installed: str) -> None:
        self.settings, self.store = settings, store
        audit_models.chosen(settings)
        self.clock = BoxClock()
        store.submit(self.clock.anchor).result()
        self.now_ms: Callable[[], int] = self.clock.now_ms
        self.figures = Figures()
        self.linking = Linking(settings, self.now_ms)
        self.captures = Captures(
            self.now_ms,
            family=lambda mac: self.linking.radios.family(mac).name,
            linked=lambda: {live.heard_as: live.pen for live in self.linking.links.live.values()},
        )
        self.linking.wrap = self.captures.wrap
        self.card = CardWatch(store, self.now_ms)
        self.desk = LessonDesk(
            store=store,
            reader=lambda on_answer: ReaderProcess(self._reader_command, on_answer),
            installation=installed,
            box=settings.box.id,
            settle_ms=settings.reading.settle_ms,
            figures=self.figures,
            now_ms=self.now_ms,
            trusted=self.clock.is_trusted,
            told_ms=self.clock.told_ms,
            missing_since=lambda: self.linking.links.windows,
        )
        self.uplink = Uplink(settings, store, self.figures, self.now_ms, self.clock.told_ms)
        self.guard = Guard(settings, store, self.linking, self.now_ms)
        self.review = ReviewDesk(
            self.desk,
            store,
            who=lambda: teacher_name(pseudonym_key(settings.box.folder)),
            now_ms=self.now_ms,
            consent=settings.review.keep_labels,
            language=settings.box.language,
            writing=self.guard.writing,
            decided=self.uplink.wake,
        )
        self.drains = Drains(self.linking.links, allowed=self.guard.allows)
        self.alive = Alive(settings.database.with_suffix(".alive"))
        self.seats = Seats(self.linking)
        self.screen = Screen(
            self.desk,
            pen_of=self.seats.pen_of,
            radio_of=self.seats.radio_of,
            box=self._for_pages,
            in_pen=self.drains.strokes_in,
        )
        self.feed = Feed(self.now_ms)
        self.pin = secret(settings.dashboard.pin_file, "the page's PIN") or new_pin()
        self.page_url = ""
        self.warn: Callable[[], Sequence[Said]] = tuple
        """What the pages should be warned of."""
        self.beat = Beat(
            self.linking.links,
            store.run,
            trusted=self.clock.is_trusted,
            write=self.linking.write,
            committed=self._committed,
        )

    async def take_up(self) -> None:
        """After a start: bindings, roster, the lesson that ran, the pens that are ours, gaps since then."""
        await self.guard.take_up()
        self.beat.seq = await self.store.run(self._open_windows)
        await self.desk.restore()
        await self.roster_changed()
        await self.bindings_changed()
        await self.store.run(self.linking.read_window)
        await self.store.run(self.linking.read_memory)
        if self.desk.answers is not None:
            self._show_stored()

    def _open_windows(self, db: Database) -> int:
        """The gaps since the box before this one; gives the number of the first beat."""
        row = db.conn.execute("select min(started_ms) from lesson where stopped_ms is null").fetchone()
        self.linking.open_windows(db, row[0] or self.now_ms(), self.alive.before)
        return journal.next_seq(db)

    def _reader_command(self) -> Sequence[str]:
        """The reader, with models that are kept for as long as there are grades by them."""
        return command_of(audit_models.keep(self.settings.box.folder, audit_models.chosen(self.settings)))

    async def store_replaced(self) -> None:
        """A new store has taken the place of a damaged one: open strokes go into its journal from their start."""
        for ink in self.linking.links.inks.values():
            if ink.open is not None:
                ink.open.journaled = ink.open.first_seq = 0
        self.linking.links.gaps.is_changed = True
        await self.guard.take_up()

    async def bindings_changed(self) -> None:
        """Who holds which pen has changed."""
        await self.desk.reload_bindings()
        rows = await self.store.run(
            lambda db: db.conn.execute("select mac from pen where adopted_ms is not null").fetchall()
        )
        self.linking.adopted = {row[0] for row in rows}
        self.seats.by_pen = await self.store.run(pens.current)
        if self.desk.answers is not None:
            self.linking.links.expect(self.seats.by_pen, self.now_ms())
        if self.linking.join_from_ms is not None:
            await self.card.settle_again(self.linking.join_from_ms)

    async def roster_changed(self) -> None:
        """Who sits where has changed."""
        rows = await self.store.run(
            lambda db: db.conn.execute("select seat, name from pupil where left_ms is null").fetchall()
        )
        self.screen.names = dict(rows)

    def lesson_began(self) -> None:
        """Another lesson: the pages begin anew."""
        self.screen.begin()
        self.linking.links.expect(self.seats.by_pen, self.now_ms())
        self.desk.linked_pens |= {live.state.mac for live in self.linking.links.live.values() if live.state is not None}
        self._show_stored()
        self.feed.restart()

    async def join(self, minutes: float) -> dict[str, Any]:
        """Open the join window for so long; 0 closes it."""
        said = self.linking.join(minutes)
        await self.store.run(self.linking.write_window)
        return said

    async def let_go(self, pen: str) -> None:
        """Hang up on a pen that is forgotten."""
        with contextlib.suppress(DeviceError):
            await self.linking.let_go(pen)

    def lives(self, now_ms: int) -> None:
        """After a beat: note how far the box has come, for the one that is started after it."""
        self.alive.note(Seen(self.beat.seq - 1, now_ms, self.beat.pending_ms))

    def disk_free_percent(self) -> int:
        """How much of the store's disk is free."""
        usage = shutil.disk_usage(self.settings.box.folder)
        return round(100 * usage.free / usage.total)

    def _committed(self, batch: Batch, changes: Sequence[Change], now_ms: int) -> None:
        """The fan-out of a beat: pages and lesson."""
        done_ms = self.now_ms()
        self.figures.commit.add(done_ms - now_ms)
        self.drains.committed([*batch.closed, *batch.again])
        chunks = self.screen.committed(batch)
        self.feed.publish(batch.seq, chunks)
        if not any(piece.how == "memory" for piece in batch.closed):  # that ink is late, and not by our doing
            self.figures.dot_to_screen.extend(done_ms - chunk.at_ms for chunk in chunks if chunk.dots)
        self.desk.linked_pens |= {change.mac for change in changes if change.kind == "link_up"}
        self.desk.take(batch)

    def _for_pages(self) -> dict[str, Any]:
        """What the pages' status says of the box."""
        join_s = self.linking.join_left_s()
        return {
            "join_until_ms": self.now_ms() + round(join_s * 1000) if join_s else None,
            "clock_set": self.clock.is_set(),
            "durable": self.beat.durable and self.guard.disk.takes_ink,
            "pens_linked": self.linking.links.ready_count,
            "unsure": self.review.remaining(),
            "outbox_depth": self.uplink.depth,
            "outbox_oldest_s": self.uplink.oldest_s,
            "disk_free_percent": self.disk_free_percent(),
            "pens_with_memory": self.drains.pens_with_memory,
            "strokes_in_pens": self.drains.strokes_in_pens,
            "warnings": self.warn(),
        }

    def _show_stored(self) -> None:
        """The lesson's ink out of the store onto the pages."""
        answers = self.desk.answers
        if answers is None:
            return
        query = "select * from ink where down_ms >= ? order by down_ms, piece"
        for row in self.store.reader.execute(query, (answers.started_ms,)):
            seat = self.desk.bindings.seat_of(row["pen"], row["down_ms"])
            if seat is None or seat not in answers.seats:
                continue
            page = PageAddress(row["section"], row["owner"], row["note"], row["page"])
            piece = Piece(row["pen"], page, row["down_ms"], row["pen_ms"], bool(row["time_known"]), row["tip"])
            piece.rows = [tuple(r) for r in np.vstack(unpack(row["packed"])).tolist()]
            self.screen.take_stored(answers, seat, piece)
