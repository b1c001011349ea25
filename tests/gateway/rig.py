"""A class without radio: a real store, a lesson desk over it, pens whose ink is put into beats by hand."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from sqlite_utils import Database

from gateway import journal, pens, roster
from gateway.clock import BoxClock
from gateway.figures import Figures
from gateway.healing import Drained
from gateway.journal import Batch
from gateway.lesson import LessonDesk
from gateway.roster import Pupil
from gateway.store import Store
from gateway.strokes import LossSeen, Piece
from recognition.pages import UNIT_MM, PageAddress
from recognition.sheets import bundled, load
from tests.fakes.desk_reader import DeskReader

T0 = 1_790_000_000_000
KEY = b"0123456789abcdef"
DEMO = bundled("demo")
SHEET = load(DEMO)
PAGE1, PAGE2 = PageAddress(3, 1013, 4100, 1), PageAddress(3, 1013, 4100, 2)
CARD = PageAddress(3, 1013, 4101, 1)
UNKNOWN_PAPER = PageAddress(3, 27, 603, 5)
Q1, Q2, Q8 = (148.0, 48.0), (148.0, 84.0), (113.0, 131.0)
"""Middles of fields q1 and q2 on page 1, and of option C of q8 on page 2, mm."""
FIELDS = [about.id for page in SHEET.pages for about in page.fields]


def mac(number: int) -> str:
    """The MAC of a pen."""
    return f"9C:7B:D2:00:00:{number:02X}"


class Clock:
    """Milliseconds, turned by hand."""

    def __init__(self, ms: int = T0) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


def piece(
    pen: str,
    page: PageAddress,
    middle: tuple[float, float],
    down_ms: int,
    *,
    dots: int = 8,
    number: int = 0,
    how: Literal["live", "memory"] = "live",
) -> Piece:
    """A small stroke around a point, mm."""
    made = Piece(pen, page, down_ms, down_ms, time_known=True, tip="pen", number=number, ended="up", how=how)
    for i in range(dots):
        x, y = middle[0] - 2 + 4 * i / max(1, dots - 1), middle[1] - 2 + 3 * (i % 3) / 2
        made.rows.append((round(x / UNIT_MM * 100), round(y / UNIT_MM * 100), 400, i * 10, 90, 90, 0))
    return made


class Class:
    """Pupils at seats 1 to n with pens 1 to n, and the desk."""

    def __init__(
        self,
        store: Store,
        *,
        seats: int = 3,
        settle_ms: int = 1000,
        stop_s: float = 20.0,
        by: BoxClock | None = None,
    ) -> None:
        """A class; `by` is the clock that tells what its times truly are."""
        self.store, self.clock, self.seq = store, Clock(T0 if by is None else by.now_ms()), 1
        self._by = by
        self.missing: dict[str, int] = {}
        self.readers: list[DeskReader] = []
        self._seats, self._settle_ms, self._stop_s = seats, settle_ms, stop_s
        self.desk = self.new_desk()

    def new_desk(self) -> LessonDesk:
        """As after a start of the gateway."""

        def reader(on_answer: Any) -> DeskReader:  # noqa: ANN401  LessonDesk's own callback
            self.readers.append(DeskReader(on_answer))
            return self.readers[-1]

        self.desk = LessonDesk(
            store=self.store,
            reader=reader,
            installation="00112233aabbccdd",
            box="box-1",
            settle_ms=self._settle_ms,
            figures=Figures(),
            now_ms=self.clock,
            trusted=(lambda: True) if self._by is None else self._by.is_trusted,
            told_ms=int if self._by is None else self._by.told_ms,
            missing_since=lambda: self.missing,
            stop_s=self._stop_s,
        )
        return self.desk

    @property
    def reader(self) -> DeskReader:
        """The reader of the newest desk."""
        return self.readers[-1]

    async def fill(self) -> None:
        """The roster, and every pen at its seat since a while."""
        now_ms = self.clock()

        def work(db: Database) -> None:
            pupils = [Pupil(seat, f"name {seat}", f"L{seat}") for seat in range(1, self._seats + 1)]
            roster.merge(db, pupils, key=KEY, now_ms=now_ms)
            for seat in range(1, self._seats + 1):
                pens.bind(db, pen=mac(seat), seat=seat, at_ms=now_ms - 60_000, how="card")

        await self.store.run(work)
        await self.desk.reload_bindings()

    async def start(self) -> None:
        """Roster, bindings, all pens linked, the demo's sheet."""
        await self.fill()
        await self.think()
        await self.desk.start(DEMO)
        self.desk.linked_pens |= {mac(seat) for seat in range(1, self._seats + 1)}

    async def commit(
        self,
        pieces: Iterable[Piece] = (),
        losses: Iterable[tuple[str, LossSeen]] = (),
        drained: Iterable[Drained] = (),
    ) -> Batch:
        """A beat that is committed, and nobody was told."""
        batch = Batch(self.seq, self.clock(), closed=list(pieces), losses=list(losses), drained=list(drained))
        entries, keep_from = journal.prepare(batch)
        batch.is_committed(await self.store.run(lambda db: journal.commit(db, batch, entries, keep_from, trusted=True)))
        self.seq += 1
        return batch

    async def beat(
        self,
        pieces: Iterable[Piece] = (),
        losses: Iterable[tuple[str, LossSeen]] = (),
        drained: Iterable[Drained] = (),
    ) -> None:
        """A beat: committed, then taken by the desk; what is due is asked and written."""
        self.desk.take(await self.commit(pieces, losses, drained))
        await self.think()

    async def drained(self, seat: int) -> None:
        """The memory of a pupil's pen is drained whole, by the link that it has now."""
        now_ms = self.clock()
        await self.beat(drained=[Drained(mac(seat), now_ms, now_ms, now_ms, 0, 0, 0, whole=True, why=None)])

    async def settle(self) -> int:
        """Go on until nothing moves any more, the reader answering. Returns how many jobs it had."""
        jobs = 0
        for _ in range(20):
            self.clock.ms += self._settle_ms
            await self.think()
            jobs += self.reader.answer()
            await self.think()
        return jobs

    async def think(self, writing: Mapping[str, PageAddress] | None = None) -> None:
        """What a beat does after its commit."""
        self.desk.ask(self.clock(), dict(writing or {}))
        await self.desk.write()

    async def write(self, seat: int, page: PageAddress, middle: tuple[float, float], *, dots: int = 8) -> None:
        """A pupil's stroke now, and time for it to be read."""
        self.clock.ms += 100
        await self.beat([piece(mac(seat), page, middle, self.clock.ms, dots=dots)])

    async def read(self) -> int:
        """Let fields settle and the reader answer. Returns how many jobs it had."""
        self.clock.ms += 2 * self._settle_ms
        await self.think()
        answered = self.reader.answer()
        await self.think()
        return answered

    def why(self, seat: int, name: str) -> list[str]:
        """The reasons of the newest stored grade."""
        query = (
            "select g.why from newest_grade g join lesson_seat s on s.lesson = g.lesson and s.pupil = g.pupil"
            " where s.seat = ? and g.field = ?"
        )
        reasons: list[str] = json.loads(self.store.reader.execute(query, (seat, name)).fetchone()[0])
        return reasons

    def grades(self) -> dict[tuple[int, str], tuple[str, str | None]]:
        """State and value by seat and field, as stored."""
        query = (
            "select s.seat, g.field, g.state, g.value from newest_grade g join lesson_seat s"
            " on s.lesson = g.lesson and s.pupil = g.pupil"
        )
        return {(r[0], r[1]): (r[2], r[3]) for r in self.store.reader.execute(query)}

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.store.reader.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608  our own names


def class_at(folder: Path, *, seats: int = 3, stop_s: float = 20.0) -> Class:
    """A class over a new store in this folder."""
    return Class(Store(folder / "gateway.db"), seats=seats, stop_s=stop_s)
