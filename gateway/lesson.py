"""The lesson desk: starts and stops lessons, and shares out committed ink among the works on them.

One lesson runs at a time. Its seats are frozen at the start; ink before the start is not part of it. At the stop every
answer of every seat has a grade: what has no ink is `blank` only where its pen was linked without a gap, or its memory
has been emptied since. A lesson that was stopped is opened again by whatever comes of it later (see `late`).
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlite_utils import Database

from gateway import decisions, keys, results
from gateway.answers import Answers, Place
from gateway.decisions import Decision
from gateway.errors import WrongUse
from gateway.figures import Figures
from gateway.journal import Batch
from gateway.keys import Change, Weighed
from gateway.late import Late
from gateway.pens import Bindings
from gateway.reading import Answer, ReaderProcess
from gateway.store import Store
from gateway.work import LessonRow, Made, Means, Work
from recognition.pages import PageAddress
from recognition.sheets import Sheet, load

_STOP_S: Final = 20.0
_ALL_OF_IT_MS: Final = 3_600_000
"""At a stop whatever would be due within the hour is due."""


class LessonDesk:
    """The lesson that runs, if one does, and stopped ones that are open again. Lives in the loop's thread."""

    def __init__(
        self,
        *,
        store: Store,
        reader: Callable[[Callable[[Answer], None]], ReaderProcess],
        installation: str,
        box: str,
        settle_ms: int,
        figures: Figures,
        now_ms: Callable[[], int],
        trusted: Callable[[], bool],
        told_ms: Callable[[int], int] = int,
        missing_since: Callable[[], Mapping[str, int]] = dict,
        stop_s: float = _STOP_S,
    ) -> None:
        """No lesson runs before `restore` or `start`.

        Args:
            store: The box's.
            reader: Makes the reader, given who takes its answers.
            installation: Part of every result's id.
            box: The box's id.
            settle_ms: Silence in a field before its ink is read.
            figures: Where durations go.
            now_ms: The box's time; it never jumps.
            trusted: Whether that is the true time.
            told_ms: A box's time as it truly was, as far as is known now.
            missing_since: Pens that have no link, and since when ink of them may be missing.
            stop_s: How long a stop waits for what is not read yet.
        """
        self._store, self._figures, self._now_ms, self._trusted = store, figures, now_ms, trusted
        self._installation, self._box, self._told_ms, self._stop_s = installation, box, told_ms, stop_s
        self.reader = reader(self._on_answer)
        self._means = Means(store, now_ms, missing_since, settle_ms, self.reader)
        self.late = Late(self._means)
        self.running: Work | None = None
        self.grades: dict[Place, dict[str, Any]] = {}
        """Newest grades of the lesson that runs, or of the one that ran last."""
        self.linked_pens: set[str] = set()
        """Pens whose ink flowed at some time in this lesson."""
        self._version: str | None = None
        self._stopping = False
        self._grading = asyncio.Lock()
        """Held while grades are written: none is on its way while a key changes."""
        self._quieter = asyncio.Event()
        """Set whenever jobs were given out or grades written: a stop waits for nothing being left."""

    @property
    def answers(self) -> Answers | None:
        """Those of the lesson that runs."""
        return self.running.answers if self.running is not None else None

    @property
    def is_quiet(self) -> bool:
        """Whether all ink that came, also late, has its grade."""
        return self.late.is_quiet and (self.running is None or self.running.is_quiet)

    @property
    def bindings(self) -> Bindings:
        """Who held which pen when."""
        return self._means.bindings

    async def restore(self) -> None:
        """After a start: go on with the lesson that ran, and with what came late of others."""
        await self.reload_bindings()
        self.late.restore()
        row = self._store.reader.execute("select * from lesson where stopped_ms is null").fetchone()
        if row is None:
            return
        sheet = self.late.sheet(row["sheet"], row["sheet_rev"])
        work = self._begin(LessonRow(row["id"], row["started_ms"], None), sheet, self.late.seats_of(row["id"]))
        work.take_up()
        work.stale |= work.answers.seats.keys()
        while work.stale:
            work.catch_up()

    async def reload_bindings(self) -> None:
        """The bindings changed."""
        self._means.bindings = await self._store.run(Bindings.load)

    async def start(self, text: str, *, back_ms: int = 0) -> dict[str, Any]:
        """Start a lesson with this sheet for everybody on the roster.

        With `back_ms` it began so long ago: ink kept since then, also on paper that no sheet knew, is part of it.
        """
        if self.running is not None:
            raise WrongUse(f"Lesson {self.running.row.id} runs; stop it first: `inkgate lesson stop`.")
        sheet, lesson, now_ms = keys.current(self._store.reader, load(text)), secrets.token_hex(6), self._now_ms()
        started_ms = now_ms - back_ms

        def begin(db: Database) -> dict[int, str]:
            seats = {
                int(r[0]): str(r[1]) for r in db.conn.execute("select seat, pseudonym from pupil where left_ms is null")
            }
            if not seats:
                raise WrongUse("The roster is empty: import it first with `inkgate roster import FILE`.")
            _insert_sheet(db, sheet, text, now_ms)
            db.conn.execute(
                "insert into lesson(id, sheet, sheet_rev, started_ms) values (?,?,?,?)",
                (lesson, sheet.id, sheet.revision, started_ms),
            )
            for seat, pupil in seats.items():
                db.conn.execute("insert into lesson_seat values (?,?,?)", (lesson, seat, pupil))
            return seats

        seats = await self._store.run(begin)
        work = self._begin(LessonRow(lesson, started_ms, None), sheet, seats)
        if back_ms:
            work.take_up()
            work.stale |= seats.keys()
        else:
            work.loaded |= seats.keys()
        return {"lesson": lesson, "sheet": sheet.id, "revision": sheet.revision, "seats": len(seats)}

    async def stop(self) -> dict[str, Any]:
        """Read what is not read, grade what has no ink, and end the lesson."""
        work = self.running
        if work is None or self._stopping:
            raise WrongUse("No lesson runs.")
        self._stopping = work.is_ending = True
        work.stale |= work.answers.seats.keys()
        try:
            while work.stale:
                work.catch_up()
            try:
                async with asyncio.timeout(self._stop_s):
                    while not work.is_quiet:
                        await self._quieter.wait()
                        self._quieter.clear()
            except TimeoutError:
                pass
            await self._end(work)
        finally:
            self._stopping = work.is_ending = False
        seconds = (self._told_ms(work.row.stopped_ms or 0) - self._told_ms(work.row.started_ms)) / 1000
        return {"lesson": work.row.id, "answers": len(work.grades), "seconds": max(0.0, round(seconds, 1))}

    def take(self, batch: Batch) -> None:
        """A beat was committed."""
        if self.running is not None:
            for piece in batch.closed:
                self.running.take(piece)
            for pen, loss in batch.losses:
                self.running.gaps_changed(pen, loss.from_ms, loss.to_ms)
            for gap in batch.healed:
                self.running.gaps_changed(gap.pen, gap.from_ms, gap.to_ms)
        self.late.take(batch)

    def ask(self, now_ms: int, writing: dict[str, PageAddress]) -> None:
        """Hand to the reader what is due; `writing` is the page of each pen's open stroke."""
        if self.reader.version is not None and self.reader.version != self._version:
            self._version = self.reader.version
            self.late.retry(self._version)
            if self.running is not None:
                self.running.retry()
        if self.running is not None:
            self.running.catch_up()
            bindings = self.bindings
            pages = {s: page for pen, page in writing.items() if (s := bindings.seat_of(pen, now_ms)) is not None}
            self.running.ask(now_ms + (_ALL_OF_IT_MS if self._stopping else 0), pages)
        self.late.ask()
        self._quieter.set()

    async def write(self) -> bool:
        """For the beat: write the grades that came since the last call, all in one transaction. Whether there were any.

        Where all that came late is done, the store is told.
        """
        written = await self._write(self._works())
        if self.late.wants_mark and self.running is None and not self._stopping:
            await self._store.run(self.late.write_mark)
            self.late.marked()
        return written

    async def rekey(self, change: Change) -> Weighed:
        """Put another key into force: in the store, with the grades that follow, and in every lesson that is open."""
        sheet, now_ms = change.sheet, self._now_ms()
        async with self._grading:
            context = self._context_of("", sheet.id, sheet.revision)
            weighed = await self._store.run(lambda db: keys.write(db, change, context=context, now_ms=now_ms))
            self.late.forget_sheet(sheet.id, sheet.revision)
            for work in self._works():
                if (work.answers.sheet.id, work.answers.sheet.revision) == (sheet.id, sheet.revision):
                    work.rekey(change.field)
        return weighed

    async def decide(self, lesson: str, work: Callable[[Database, results.Context], Decision]) -> Decision:
        """Let a person's decision be written or taken back, and show it in every lesson that is open."""
        row = self._store.reader.execute("select sheet, sheet_rev from lesson where id = ?", (lesson,)).fetchone()
        async with self._grading:
            context = self._context_of(lesson, row["sheet"], row["sheet_rev"])
            made = await self._store.run(lambda db: work(db, context))
            for open_work in (one for one in self._works() if one.row.id == lesson):
                open_work.decided(made.grades)
        return made

    def look_into(self, lesson: str) -> Work:
        """A lesson's ink, to be looked at: the work on the one that runs, else one that nothing is made of.

        KeyError where there is no such lesson.
        """
        if self.running is not None and self.running.row.id == lesson:
            return self.running
        return self.late.look_into(lesson)

    async def _write(self, works: list[Work], stop: LessonRow | None = None) -> bool:
        async with self._grading:
            return await self._write_now(works, stop)

    async def _write_now(self, works: list[Work], stop: LessonRow | None) -> bool:
        batches = [(work, work.to_write) for work in works if work.to_write]
        if not batches and stop is None:
            return False
        for work, batch in batches:
            work.to_write, work.writing = [], work.writing + len(batch)
        try:
            wrote = await self._store.run(self._written_by(batches, stop))
        except sqlite3.OperationalError:
            for work, batch in batches:
                work.to_write[:0] = batch
            raise
        finally:
            for work, batch in batches:
                work.writing -= len(batch)
        todo = [(work, made) for work, batch in batches for made in batch]
        for (work, made), stays in zip(todo, wrote, strict=True):
            self._written(work, made, stays)
        self._quieter.set()
        return bool(batches)

    def _written_by(
        self, batches: list[tuple[Work, list[Made]]], stop: LessonRow | None
    ) -> Callable[[Database], list[results.Graded | None]]:
        """What writes grades, and the end of a lesson with them, in one transaction; gives what stands of each."""
        todo = [(self._context(work), made.graded) for work, batch in batches for made in batch]
        now_ms = self._now_ms()

        def write(db: Database) -> list[results.Graded | None]:
            wrote = []
            for context, graded in todo:
                stays = decisions.kept(db, context, graded)
                if stays is not None:
                    results.write(db, context, stays, now_ms=now_ms)
                wrote.append(stays)
            if stop is not None:
                db.conn.execute("update lesson set stopped_ms = ? where id = ?", (stop.stopped_ms, stop.id))
            return wrote

        return write

    async def _end(self, work: Work) -> None:
        """Give every answer its grade and stop the lesson, in one transaction."""
        work.judge_rest()
        row = work.row._replace(stopped_ms=self._now_ms())
        await self._write([work], row)
        work.row = row
        work.linked_pens = set(self.linked_pens)
        self.running = None
        self.late.ended(work, work.answers.sheet.id, work.answers.sheet.revision)

    def _written(self, work: Work, made: Made, stays: results.Graded | None) -> None:
        if stays is not None:
            work.written(made.place, stays)
        if made.up_ms:
            self._figures.penup_to_grade.add(self._now_ms() - made.up_ms)

    def _works(self) -> list[Work]:
        running = [] if self.running is None else [self.running]
        return [*running, *self.late.open.values()]

    def _context(self, work: Work) -> results.Context:
        return self._context_of(work.row.id, work.answers.sheet.id, work.answers.sheet.revision)

    def _context_of(self, lesson: str, sheet: str, revision: int) -> results.Context:
        now_ms = self._now_ms()
        return results.Context(
            installation=self._installation,
            box=self._box,
            lesson=lesson,
            sheet=sheet,
            sheet_rev=revision,
            clock_trusted=self._trusted(),
            ahead_ms=self._told_ms(now_ms) - now_ms,
        )

    def _on_answer(self, answer: Answer) -> None:
        job = self._means.jobs.pop(answer.id, None)
        if job is not None:
            job.work.answered(job, answer)

    def _begin(self, row: LessonRow, sheet: Sheet, seats: dict[int, str]) -> Work:
        self.linked_pens.clear()
        self.running = Work(self._means, row, sheet, seats, linked_pens=self.linked_pens)
        self.grades = self.running.grades
        return self.running


def _insert_sheet(db: Database, sheet: Sheet, text: str, now_ms: int) -> None:
    before = db.conn.execute("select text from sheet where id = ? and rev = ?", (sheet.id, sheet.revision)).fetchone()
    if before is not None and before[0] != text:
        raise WrongUse(
            f"Sheet {sheet.id} revision {sheet.revision} was used before with another text: raise its revision."
        )
    db.conn.execute(
        "insert or ignore into sheet(id, rev, text, added_ms) values (?,?,?,?)",
        (sheet.id, sheet.revision, text, now_ms),
    )
