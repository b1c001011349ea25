"""Stopped lessons whose ink goes on coming: out of a pen's memory, or from a reader that was away.

A piece, a loss or a healed gap that belongs to a stopped lesson, by its time and by who held the pen then, opens that
lesson again: its seats are read from the store, graded anew where something changed, and let go when all is quiet. Few
are open at once; the others wait by name. What of the store has been looked at is kept as one row of `box`, a mark that
moves only when nothing is open or waits: after a crash everything behind it is looked at again, which changes nothing
that is graded already.
"""

import json
from collections.abc import Iterable
from typing import Final

from sqlite_utils import Database

from gateway import keys
from gateway.journal import Batch, Healed
from gateway.reading import FAILED
from gateway.strokes import LossSeen
from gateway.work import LessonRow, Means, Work
from recognition.pages import PageAddress
from recognition.sheets import Sheet, load

OPEN_AT_ONCE: Final = 4
_LINGER_MS: Final = 3_000
"""So long a lesson stays open when it is quiet: a drain comes in many beats."""
_SHEETS_KEPT: Final = 16
_MARK: Final = "late"
_TABLES: Final = ("ink", "loss", "drain")


class Late:
    """The stopped lessons, and those of them that are open. Lives in the loop's thread."""

    def __init__(self, means: Means, *, open_at_once: int = OPEN_AT_ONCE) -> None:
        self._means, self._open_at_once = means, open_at_once
        self._stopped: dict[str, tuple[LessonRow, str, int]] = {}
        self._newest_ms = 0
        self._sheets: dict[tuple[str, int], Sheet] = {}
        self._seats: dict[str, set[int]] = {}
        """Seats of lessons that wait to be opened."""
        self._quiet_ms: dict[str, int] = {}
        self.open: dict[str, Work] = {}
        self._is_marked = False

    @property
    def is_idle(self) -> bool:
        """Whether no stopped lesson has anything left to do."""
        return not self.open and not self._seats

    @property
    def is_quiet(self) -> bool:
        """Whether every stopped lesson has its grades; some may still be open, for what may follow."""
        return not self._seats and all(work.is_quiet for work in self.open.values())

    @property
    def wants_mark(self) -> bool:
        """Whether the store's mark lags behind what was done. It stands still while a lesson runs."""
        return self.is_idle and not self._is_marked

    def sheet(self, name: str, rev: int) -> Sheet:
        """A sheet that some lesson used, under the keys that are in force."""
        if (name, rev) not in self._sheets:
            found = self._means.store.reader.execute("select text from sheet where id = ? and rev = ?", (name, rev))
            while len(self._sheets) >= _SHEETS_KEPT:
                del self._sheets[next(iter(self._sheets))]
            self._sheets[name, rev] = keys.current(self._means.store.reader, load(found.fetchone()[0]))
        return self._sheets[name, rev]

    def forget_sheet(self, name: str, rev: int) -> None:
        """A key of this sheet has changed: whoever asks for it next gets it from the store."""
        self._sheets.pop((name, rev), None)

    def seats_of(self, lesson: str) -> dict[int, str]:
        """Pupil by seat, as they were at a lesson's start."""
        rows = self._means.store.reader.execute("select seat, pupil from lesson_seat where lesson = ?", (lesson,))
        return {row[0]: row[1] for row in rows}

    def restore(self) -> None:
        """After a start: which lessons are stopped, and what came since the mark."""
        for row in self._means.store.reader.execute("select * from lesson where stopped_ms is not null"):
            self._add(LessonRow(row["id"], row["started_ms"], row["stopped_ms"]), row["sheet"], row["sheet_rev"])
        found = self._means.store.reader.execute("select v from box where k = ?", (_MARK,)).fetchone()
        if found is None:
            return  # a new store, or one of a program that knew no late ink: what it has graded stays
        mark = json.loads(found[0])
        for row in self._means.store.reader.execute(
            "select l.id lesson, i.* from ink i join lesson l on i.down_ms >= l.started_ms and i.down_ms < l.stopped_ms"
            " where i.id > ?",
            (mark["ink"],),
        ):
            page = PageAddress(row["section"], row["owner"], row["note"], row["page"])
            self._ink(row["lesson"], row["pen"], page, row["down_ms"])
        for row in self._means.store.reader.execute(
            "select l.id lesson, x.* from loss x join lesson l on x.to_ms >= l.started_ms and x.from_ms < l.stopped_ms"
            " where x.id > ? or x.healed_by > ?",
            (mark["loss"], mark["drain"]),
        ):
            self._gap(row["lesson"], row["pen"], row["from_ms"], row["to_ms"])

    def ended(self, work: Work, sheet: str, rev: int) -> None:
        """A lesson was stopped: what is not quiet yet goes on here."""
        self._add(work.row, sheet, rev)
        self.open[work.row.id] = work
        self._quiet_ms[work.row.id] = self._means.now_ms()

    def take(self, batch: Batch) -> None:
        """A beat was committed."""
        for piece in batch.closed:
            if piece.down_ms < self._newest_ms:
                for lesson, (row, _, _) in self._stopped.items():
                    if row.holds(piece.down_ms) and not (lesson in self.open and self.open[lesson].take(piece)):
                        self._ink(lesson, piece.pen, piece.page, piece.down_ms)
        self._gaps((pen, loss) for pen, loss in batch.losses)
        self._gaps((gap.pen, gap) for gap in batch.healed)

    def ask(self) -> None:
        """Go on with what is open: bring seats up to date, give out jobs, let go what is quiet."""
        now_ms = self._means.now_ms()
        while self._seats and len(self.open) < self._open_at_once:
            lesson = next(iter(self._seats))
            self.open[lesson] = self._opened(lesson)
            self.open[lesson].stale |= self._seats.pop(lesson)
        self._is_marked = self._is_marked and not self.open
        for lesson, work in list(self.open.items()):
            work.catch_up()
            work.ask(now_ms, {})
            if not work.is_quiet:
                self._quiet_ms[lesson] = now_ms
            elif now_ms - self._quiet_ms.setdefault(lesson, now_ms) >= _LINGER_MS:
                del self.open[lesson], self._quiet_ms[lesson]

    def retry(self, version: str) -> None:
        """There is another reader: lessons with answers that one before did not survive are opened."""
        for work in self.open.values():
            work.retry()
        rows = self._means.store.reader.execute("select payload from oddity where kind = ?", (FAILED,)).fetchall()
        for (payload,) in rows:
            head = json.loads(bytes(payload).partition(b"\n")[0])
            if head["reader"] != version and head["lesson"] in self._stopped:
                self._retry(head["lesson"], head["field"])

    def write_mark(self, db: Database) -> None:
        """All that the store holds now has been looked at: only the beat's task knows that, between two beats."""
        newest = {t: db.conn.execute(f"select coalesce(max(id), 0) from {t}").fetchone()[0] for t in _TABLES}  # noqa: S608  names of the constant above
        db.conn.execute("insert or replace into box(k, v) values (?, ?)", (_MARK, json.dumps(newest)))

    def marked(self) -> None:
        """What `write_mark` wrote is committed."""
        self._is_marked = True

    def _add(self, row: LessonRow, sheet: str, rev: int) -> None:
        self._stopped[row.id] = (row, sheet, rev)
        self._newest_ms = max(self._newest_ms, row.stopped_ms or 0)

    def _gaps(self, gaps: Iterable[tuple[str, LossSeen | Healed]]) -> None:
        for pen, gap in gaps:
            if gap.from_ms < self._newest_ms:
                for lesson, (row, _, _) in self._stopped.items():
                    if row.meets(gap.from_ms, gap.to_ms):
                        self._gap(lesson, pen, gap.from_ms, gap.to_ms)

    def _gap(self, lesson: str, pen: str, from_ms: int, to_ms: int) -> None:
        if lesson in self.open:
            self.open[lesson].gaps_changed(pen, from_ms, to_ms)
            return
        row = self._stopped[lesson][0]
        until_ms = to_ms if row.stopped_ms is None else min(to_ms, row.stopped_ms)
        for seat in self._means.bindings.seats_of(pen, max(from_ms, row.started_ms), until_ms):
            self._want(lesson, seat)

    def _ink(self, lesson: str, pen: str, page: PageAddress, down_ms: int) -> None:
        _, name, rev = self._stopped[lesson]
        seat = self._means.bindings.seat_of(pen, down_ms)
        if seat is not None and self.sheet(name, rev).place(page) is not None:
            self._want(lesson, seat)

    def _want(self, lesson: str, seat: int) -> None:
        if lesson in self.open:
            self.open[lesson].stale |= {seat} & self.open[lesson].answers.seats.keys()
        else:
            self._seats.setdefault(lesson, set()).add(seat)

    def look_into(self, lesson: str) -> Work:
        """A stopped lesson without its ink and grades, which is not open by this. KeyError where it is not stopped."""
        row, name, rev = self._stopped[lesson]
        return Work(self._means, row, self.sheet(name, rev), self.seats_of(lesson))

    def _opened(self, lesson: str) -> Work:
        work = self.look_into(lesson)
        work.take_up()
        self._seats[lesson] &= work.answers.seats.keys()
        return work

    def _retry(self, lesson: str, field: str) -> None:
        """The seats whose newest grade of a field still says that no reader survived it."""
        newest: dict[str, tuple[int, str]] = {}
        query = (
            "select s.seat, g.pupil, g.why from grade g join lesson_seat s on s.lesson = g.lesson and s.pupil = g.pupil"
            " where g.lesson = ? and g.field = ? order by g.rev"
        )
        for seat, pupil, why in self._means.store.reader.execute(query, (lesson, field)):
            newest[pupil] = (seat, why)
        for seat, why in newest.values():
            if FAILED in json.loads(why):
                self._want(lesson, seat)
