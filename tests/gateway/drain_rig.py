"""A box without processes, radio or waiting: its links, drains and beats over one SQLite file, and a clock of its own.

It dies whenever a test wants: what was committed is all that the next one knows.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlite_utils import Database

from devices.neo.session import NeoSession
from devices.pen import Pen
from gateway import journal
from gateway.alive import Seen
from gateway.beat import Beat
from gateway.drain import Drains
from gateway.journal import Batch
from gateway.linking import Linking
from gateway.links import Change
from gateway.schema import migrations
from gateway.settings import RadioSettings, Settings
from tests.fakes.memory_pen import MemoryLink, MemoryPen

T = TypeVar("T")
T0 = 1_790_000_000_000
BEAT_MS = 33
SUPERVISION_MS = 4_000
"""So long after the box a pen notices, at the latest."""


class Killed(Exception):
    """The box dies here."""


class StillBox:
    """One box, many lives."""

    def __init__(self, *, lesson: bool = True) -> None:
        self.ms = T0
        self.db = _new()
        self.seen: Seen | None = None
        self.full = False
        """The disk takes nothing."""
        self.allowed = True
        self.batches: list[Batch] = []
        self.kill_at: Callable[[str], bool] = lambda _: False
        """Asked at every named step; where it says so the box dies."""
        self.lesson_from_ms = T0 if lesson else 2**60
        self.pens: dict[str, MemoryPen] = {}
        self._known: dict[str, tuple[MemoryLink, int]] = {}
        self.start()

    def now_ms(self) -> int:
        """As every clock here."""
        return self.ms

    def pause(self, ms: int) -> None:
        """Time passes; pens notice, at the latest, some seconds after the box what both will have noticed."""
        self.ms += ms
        for mac, (link, at_ms) in list(self._known.items()):
            if self.ms >= at_ms + SUPERVISION_MS:
                self.pens[mac].notices(link)
                del self._known[mac]

    def pen(self, mac: str, **more: Any) -> MemoryPen:  # noqa: ANN401  MemoryPen's
        """A pen that this box may link."""
        return self.pens.setdefault(mac, MemoryPen(mac, self.now_ms, **more))

    def start(self) -> None:
        """A box comes to life over what is in the store."""
        settings = Settings(radio=RadioSettings(adapters=()))
        self.linking = Linking(settings, self.now_ms)
        self.links = self.linking.links
        self.drains = Drains(self.links, allowed=lambda: self.allowed)
        self.beat = Beat(
            self.links, self._run, trusted=lambda: True, write=self.linking.write, committed=self._committed
        )
        with self.db.atomic():
            journal.recover(self.db, trusted=True)
        with self.db.atomic():
            self.linking.open_windows(self.db, min(self.lesson_from_ms, self.ms), self.seen)
            self.beat.seq = journal.next_seq(self.db)

    def die(self) -> None:
        """Killed: no link lives on for the box, and pens notice by and by."""
        for live in self.links.live.values():
            self._gone(live.pen.transport)  # type: ignore[arg-type]  # only such links are here
        self.start()

    def image(self) -> bytes:
        """The store as a disk image of now holds it."""
        return bytes(self.db.conn.serialize())

    def put_back(self, image: bytes) -> None:
        """The store is that of the image; the file beside it is not."""
        self.db.conn.deserialize(image)

    def link(self, pen: MemoryPen) -> MemoryLink:
        """A link stands; the handshake is for beats to come."""
        self.links.lost(pen.mac, "again", self.ms)
        link = pen.connect()
        self._known.pop(pen.mac, None)
        session = NeoSession()
        session.start(now_ms=self.ms)
        self.links.add(pen.mac, Pen(link, session), "AA", self.ms)
        return link

    def lost(self, pen: MemoryPen) -> None:
        """The box sees a link end."""
        live = self.links.live.get(pen.mac)
        if live is not None:
            self._gone(live.pen.transport)  # type: ignore[arg-type]  # as above
            live.pen.transport.is_open = False  # type: ignore[misc]  # as above
            self.links.lost(pen.mac, "link.lost", self.ms)

    def _gone(self, link: MemoryLink) -> None:
        link.air = False
        if link.pen.link is link:
            self._known[link.pen.mac] = (link, self.ms)

    async def beats(self, count: int = 1) -> None:
        """So many beats."""
        for _ in range(count):
            self.pause(BEAT_MS)
            self.links.take(self.ms)
            self._step("taken")
            self.drains.take(self.ms)
            self._step("asked")
            await self.beat.once(self.ms)
            self.seen = Seen(self.beat.seq - 1, self.ms, self.beat.pending_ms)
            for live in self.links.live.values():
                if live.flushing is not None:
                    await live.flushing

    async def settle(self, most: int = 400) -> None:
        """Beats until every pen that is linked is drained."""
        for _ in range(most):
            await self.beats()
            if self.drains.is_idle and self.links.ready_count == len(self.links.live):
                await self.beats(2)
                return
        raise AssertionError("the drains do not end")

    async def stop(self) -> None:
        """A clean end, by a box that knows which links are over: what is missing becomes rows."""
        self.full = False
        for live in list(self.links.live.values()):
            if not live.pen.transport.air:  # type: ignore[attr-defined]  # only such links are here
                self.lost(self.pens[live.heard_as])
        await self.beats(2)
        await self.links.hang_up(self.now_ms)
        self.links.close_windows(self.ms)
        await self.beats(2)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What is committed."""
        return [tuple(row) for row in self.db.conn.execute(query, values)]

    async def _run(self, work: Callable[[Database], T], /) -> T:
        if self.full:
            raise sqlite3.OperationalError("disk full")
        self._step("before_commit")
        with self.db.atomic():
            out = work(self.db)
        self._step("after_commit")
        return out

    def _step(self, name: str) -> None:
        if self.kill_at(name):
            raise Killed(name)

    def _committed(self, batch: Batch, changes: Sequence[Change], now_ms: int) -> None:
        del changes, now_ms
        self.drains.committed([*batch.closed, *batch.again])
        self.batches.append(batch)


def _new() -> Database:
    db = Database(sqlite3.connect(":memory:"))
    migrations.apply(db)
    return db


def missing(boxes: Sequence[StillBox], pen: MemoryPen, *, slack_ms: int = 50) -> list[str]:
    """What the books of one pen do not explain, over the stores of all boxes that had it. Boxes are stopped."""
    stored: dict[tuple[tuple[int, ...], int], list[int]] = {}
    spans: list[tuple[int, int]] = []
    for box in boxes:
        query = "select section, owner, note, page, pen_ms, dots, sum from ink where pen = ?"
        for *page, pen_ms, dots, total in box.rows(query, pen.mac):
            known = stored.setdefault((tuple(page), pen_ms), [0, 0])
            known[0] += dots
            known[1] = (known[1] + total) & 0xFFFFFFFF
        spans += box.rows("select from_ms, to_ms from loss where pen = ? and healed_by is null", pen.mac)
    kept = {(tuple(each.page), each.stroke.down_ms) for each in pen.memory.kept}
    found = []
    for line in pen.truth:
        key, count = (tuple(line["page"]), line["down_ms"]), line["dots"]
        dots, total = stored.pop(key, [0, 0])
        lost = count - dots
        if lost < 0 or (lost == 0 and total != line["sum"]):
            found.append(f"{line}: {dots} stored")
        elif lost and not (line["how"] == "memory" and not dots and key in kept):
            up_ms, down_ms = line["ended_ms"], line["began_ms"]
            lost_from_ms = up_ms - (up_ms - down_ms) * (lost - 1) // max(1, count - 1)
            if not any(a - slack_ms <= lost_from_ms and b + slack_ms >= up_ms for a, b in _joined(spans)):
                found.append(f"{line}: {lost} dots are nowhere; losses {spans}")
    return found + [f"never written: {key}" for key in stored]


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in sorted(spans):
        if out and a <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], b))
        else:
            out.append((a, b))
    return out
