"""The running lesson: takes committed ink, asks the reader, writes grades; starts and stops.

One lesson runs at a time. Its seats are frozen at the start; ink before the start is not part of it. At the stop every
answer of every seat has a grade: what has no ink is `blank` only where the pen was linked without a gap.
"""

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlite_utils import Database

from gateway import results
from gateway.answers import Answers, Gap, Place
from gateway.errors import WrongUse
from gateway.figures import Figures
from gateway.journal import Batch
from gateway.pens import Bindings
from gateway.reading import Answer, Job, ReaderProcess
from gateway.store import Store
from recognition.grading import Grade, grade
from recognition.ink import unpack
from recognition.pages import PageAddress
from recognition.readers.reading import Reading
from recognition.sheets import Sheet, load

_STOP_S: Final = 20.0


@dataclass(slots=True)
class _UnderWay:
    place: Place
    ink: str
    up_ms: int


class LessonDesk:
    """The lesson that runs, if one does. Lives in the loop's thread."""

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
        missing_since: Callable[[], Mapping[str, int]] = dict,
        stop_s: float = _STOP_S,
    ) -> None:
        self._store, self._figures, self._now_ms, self._trusted = store, figures, now_ms, trusted
        self._installation, self._box, self._settle_ms = installation, box, settle_ms
        self._missing_since, self._stop_s = missing_since, stop_s
        self.reader = reader(self._on_answer)
        self.answers: Answers | None = None
        self.grades: dict[Place, dict[str, Any]] = {}
        self.bindings = Bindings(())
        self.linked_pens: set[str] = set()
        """Pens whose ink flowed at some time in this lesson."""
        self._graded_ink: dict[Place, str] = {}
        """Hash of the ink that each grade knows."""
        self._readings: dict[Place, tuple[str, Answer]] = {}
        self._jobs: dict[int, _UnderWay] = {}
        self._next_job = 0
        self._to_write: list[tuple[Place, results.Graded, int]] = []
        self._is_writing = False
        self._stopping = False
        self._quieter = asyncio.Event()
        """Set whenever jobs were given out or grades written: a stop waits for nothing being left."""

    async def restore(self) -> None:
        """After a start: go on with the lesson that ran."""
        await self.reload_bindings()
        row = self._store.reader.execute("select * from lesson where stopped_ms is null").fetchone()
        if row is None:
            return
        text = self._store.reader.execute(
            "select text from sheet where id = ? and rev = ?", (row["sheet"], row["sheet_rev"])
        ).fetchone()[0]
        seats = dict(
            self._store.reader.execute("select seat, pupil from lesson_seat where lesson = ?", (row["id"],)).fetchall()
        )
        self._begin(row["id"], load(text), row["started_ms"], seats)
        self._read_back()

    async def reload_bindings(self) -> None:
        """The bindings changed."""
        self.bindings = await self._store.run(Bindings.load)

    async def start(self, text: str, *, back_ms: int = 0) -> dict[str, Any]:
        """Start a lesson with this sheet for everybody on the roster.

        With `back_ms` it began so long ago: ink kept since then, also on paper that no sheet knew, is part of it.
        """
        if self.answers is not None:
            raise WrongUse(f"Lesson {self.answers.lesson} runs; stop it first: `inkgate lesson stop`.")
        sheet, lesson, now_ms = load(text), secrets.token_hex(6), self._now_ms()
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
        self._begin(lesson, sheet, started_ms, seats)
        if back_ms:
            self._read_back()
        return {"lesson": lesson, "sheet": sheet.id, "revision": sheet.revision, "seats": len(seats)}

    async def stop(self) -> dict[str, Any]:
        """Read what is not read, grade what has no ink, and end the lesson."""
        answers = self.answers
        if answers is None:
            raise WrongUse("No lesson runs.")
        self._stopping = True
        self._add_open_gaps(answers)
        try:
            async with asyncio.timeout(self._stop_s):
                while self._jobs or self._to_write or self._is_writing or not answers.is_quiet:
                    await self._quieter.wait()
                    self._quieter.clear()
        except TimeoutError:
            pass
        finally:
            self._stopping = False
        now_ms = self._now_ms()
        for seat in answers.seats:
            for name in answers.fields:
                ink = answers.ink((seat, name)).digest
                if self._graded_ink.get((seat, name)) != ink:
                    of, answer = self._readings.get((seat, name), ("", None))
                    self._judge((seat, name), answer if of == ink else None, now_ms)
        await self.write()
        lesson = answers.lesson
        await self._store.run(
            lambda db: db.conn.execute("update lesson set stopped_ms = ? where id = ?", (now_ms, lesson))
        )
        self.answers = None
        return {"lesson": lesson, "answers": len(self.grades)}

    def take(self, batch: Batch) -> None:
        """A beat was committed."""
        answers = self.answers
        if answers is None:
            return
        for piece in batch.closed:
            seat = self.bindings.seat_of(piece.pen, piece.down_ms)
            if seat is not None and piece.down_ms >= answers.started_ms:
                answers.add(seat, piece.page, piece.pen, piece.down_ms, piece.number, piece.rows)
        for pen, loss in batch.losses:
            self._add_gap(answers, pen, Gap(loss.from_ms, loss.to_ms, loss.page))

    def ask(self, now_ms: int, writing: dict[str, PageAddress]) -> None:
        """Hand to the reader what is due; `writing` is the page of each pen's open stroke."""
        answers = self.answers
        if answers is None:
            return
        pages = {s: page for pen, page in writing.items() if (s := self.bindings.seat_of(pen, now_ms)) is not None}
        horizon_ms = now_ms + (3_600_000 if self._stopping else 0)
        for place in answers.due(horizon_ms, pages):
            mark, ink = answers.marked[place], answers.ink(place)
            mark.due_ms = None
            known = self._readings.get(place)
            if not ink.strokes:
                continue
            if known is not None and known[0] == ink.digest:
                self._judge(place, known[1], now_ms)
                continue
            self._next_job += 1
            mark.reading_of = ink.digest
            self._jobs[self._next_job] = _UnderWay(place, ink.digest, mark.last_ms)
            self.reader.ask(Job(self._next_job, answers.request(place, ink)))
        self._quieter.set()

    async def write(self) -> bool:
        """Write the grades that came since the last call, all in one transaction. Returns whether there were any."""
        if not self._to_write:
            return False
        batch, self._to_write = self._to_write, []
        answers, now_ms = self.answers, self._now_ms()
        if answers is None:
            return False
        context = self._context(answers)
        self._is_writing = True
        try:
            await self._store.run(
                lambda db: [results.write(db, context, graded, now_ms=now_ms) for _, graded, _ in batch]
            )
        except sqlite3.OperationalError:
            self._to_write[:0] = batch
            raise
        finally:
            self._is_writing = False
        for place, graded, up_ms in batch:
            self.grades[place], self._graded_ink[place] = _shown(graded.grade), graded.ink
            if up_ms:
                self._figures.penup_to_grade.add(self._now_ms() - up_ms)
        self._quieter.set()
        return True

    def _context(self, answers: Answers) -> results.Context:
        return results.Context(
            installation=self._installation,
            box=self._box,
            lesson=answers.lesson,
            sheet=answers.sheet.id,
            sheet_rev=answers.sheet.revision,
            clock_trusted=self._trusted(),
        )

    def _on_answer(self, answer: Answer) -> None:
        job = self._jobs.pop(answer.id, None)
        answers = self.answers
        if job is None or answers is None or job.place not in answers.marked:
            return
        mark = answers.marked[job.place]
        mark.reading_of = None
        if answers.ink(job.place).digest == job.ink:
            self._readings[job.place] = (job.ink, answer)
            self._judge(job.place, answer, self._now_ms(), job.up_ms)
        elif mark.due_ms is None:
            mark.due_ms = self._now_ms()

    def _judge(self, place: Place, answer: Answer | None, now_ms: int, up_ms: int = 0) -> None:
        answers = self.answers
        if answers is None:
            return
        seat, name = place
        ink = answers.ink(place)
        pens = self.bindings.pens_of(seat, answers.started_ms, now_ms)
        made = grade(
            answers.fields[name],
            _reading(answer, shared=ink.shared),
            reader=answer.reader if answer is not None else "none",
            handed_out=True,
            pen_seen=any(pen in self.linked_pens for pen, _, _ in pens),
            losses_touch=answers.is_touched(seat, name),
            has_ink=bool(ink.strokes),
            fits=ink.fits,
        )
        self._to_write.append((place, results.Graded(name, answers.seats[seat], ink.digest, made, answer), up_ms))

    def _begin(self, lesson: str, sheet: Sheet, started_ms: int, seats: dict[int, str]) -> None:
        self.answers = Answers(
            lesson=lesson, sheet=sheet, started_ms=started_ms, seats=seats, settle_ms=self._settle_ms
        )
        self.linked_pens.clear()
        self.grades.clear()
        self._graded_ink.clear()
        self._readings.clear()
        self._jobs.clear()
        self._to_write.clear()

    def _add_gap(self, answers: Answers, pen: str, gap: Gap) -> None:
        """A gap is of every seat that held the pen in it: the pen may be another's by now."""
        now_ms = self._now_ms()
        for seat in answers.seats:
            for held, from_ms, to_ms in self.bindings.pens_of(seat, gap.from_ms - 1, gap.to_ms + 1):
                if held == pen:
                    answers.add_gap(seat, Gap(max(gap.from_ms, from_ms), min(gap.to_ms, to_ms), gap.page), now_ms)

    def _add_open_gaps(self, answers: Answers) -> None:
        """Pens that have no link now: what they may have written is not here, and will not come in time."""
        now_ms = self._now_ms()
        for pen, from_ms in self._missing_since().items():
            self._add_gap(answers, pen, Gap(min(from_ms, now_ms), now_ms, None))

    def _read_back(self) -> None:
        """The ink of the running lesson out of the store; what its grade does not know yet is due at once."""
        answers = self.answers
        if answers is None:
            return
        coverage = {}
        seat_of = {pupil: seat for seat, pupil in answers.seats.items()}
        for row in self._store.reader.execute("select * from newest_grade where lesson = ?", (answers.lesson,)):
            place = (seat_of[row["pupil"]], row["field"])
            self._graded_ink[place], coverage[place] = row["ink"], row["coverage"]
            self.grades[place] = {k: row[k] for k in ("state", "value", "points", "max_points", "confidence")}
            self.grades[place] |= {"reasons": json.loads(row["why"]), "alternatives": []}
        query = "select * from ink where down_ms >= ? order by id"
        for row in self._store.reader.execute(query, (answers.started_ms,)):
            seat = self.bindings.seat_of(row["pen"], row["down_ms"])
            page = PageAddress(row["section"], row["owner"], row["note"], row["page"])
            if seat is not None:
                rows = [tuple(r) for r in np.vstack(unpack(row["packed"])).tolist()]
                answers.add(seat, page, row["pen"], row["down_ms"], row["piece"], rows)
        for row in self._store.reader.execute("select * from loss where to_ms >= ?", (answers.started_ms,)):
            page_known = row["section"] is not None
            where = PageAddress(row["section"], row["owner"], row["note"], row["page"]) if page_known else None
            self._add_gap(answers, row["pen"], Gap(row["from_ms"], row["to_ms"], where))
        for place, mark in list(answers.marked.items()):
            known = self._graded_ink.get(place) == answers.ink(place).digest
            known = known and not (coverage[place] and answers.is_touched(*place))
            mark.due_ms = None if known else self._now_ms()
        for row in self._store.reader.execute(
            "select distinct pen from link where to_ms is null or to_ms >= ?", (answers.started_ms,)
        ):
            self.linked_pens.add(row["pen"])


def _reading(answer: Answer | None, *, shared: bool) -> Reading | None:
    """What was read; ink that another field may claim makes it a question."""
    if answer is None:
        return None
    return Reading(
        value=answer.value,
        confidence=answer.confidence,
        accepted=answer.accepted and not shared,
        alternatives=answer.alternatives,
        reasons=(*answer.reasons, "shared_ink") if shared else answer.reasons,
    )


def _shown(made: Grade) -> dict[str, Any]:
    return {
        "state": made.state,
        "value": made.value,
        "points": made.points,
        "max_points": made.max_points,
        "confidence": made.confidence,
        "reasons": list(made.reasons),
        "alternatives": list(made.alternatives),
    }


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
