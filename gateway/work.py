"""The work on one lesson's answers: takes its ink and gaps, gives out jobs, judges what comes back.

The lesson may run, or it is stopped and late ink or a healed gap has opened it again; both go the same way. Everything
here can be made again from the store: a seat that is *stale* is brought up to date from what is committed, its ink if
it was not taken yet, and its gaps. Grades are gathered in `to_write` for whoever owns the transaction.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway import keys, results
from gateway.answers import Answers, Gap, Place
from gateway.failed import failed_job
from gateway.pens import Bindings
from gateway.reading import FAILED, Answer, Job, ReaderProcess
from gateway.store import Store
from gateway.strokes import Piece
from recognition.grading import Grade, grade, regrade
from recognition.ink import unpack
from recognition.pages import PageAddress
from recognition.sheets import Field, Sheet

_FOREVER_MS: Final = 2**62
_PAGES_A_BEAT: Final = 2
"""Pages whose ink is given to fields anew in one beat, some 5 ms each."""
_NOT_READ: Final = "not_read"


class LessonRow(NamedTuple):
    """One lesson, as its row says."""

    id: str
    started_ms: int
    stopped_ms: int | None

    def holds(self, at_ms: int) -> bool:
        """Whether ink that was begun then is its."""
        return self.started_ms <= at_ms and (self.stopped_ms is None or at_ms < self.stopped_ms)

    def meets(self, from_ms: int, to_ms: int) -> bool:
        """Whether a span touches it."""
        return to_ms >= self.started_ms and (self.stopped_ms is None or from_ms < self.stopped_ms)


@dataclass(slots=True)
class UnderWay:
    """A job that the reader has."""

    work: "Work"
    place: Place
    ink: str
    up_ms: int
    """When the pen left the field; 0 where nobody waits for the grade."""


@dataclass(slots=True)
class Means:
    """What the work on any lesson needs of the gateway."""

    store: Store
    now_ms: Callable[[], int]
    missing_since: Callable[[], Mapping[str, int]]
    """Pens that have no link now, and since when their ink is missing."""
    settle_ms: int
    reader: ReaderProcess
    bindings: Bindings = field(default_factory=lambda: Bindings(()))
    jobs: dict[int, UnderWay] = field(default_factory=dict)
    last_job: int = 0

    def ask(self, job: UnderWay, request: dict[str, Any]) -> None:
        """Give a job to the reader."""
        self.last_job += 1
        self.jobs[self.last_job] = job
        self.reader.ask(Job(self.last_job, request))


class _Known(NamedTuple):
    """The newest grade of an answer, and the ink that it was made of."""

    ink: str
    grade: Grade


class Made(NamedTuple):
    """A grade that waits for its transaction."""

    place: Place
    graded: results.Graded
    up_ms: int


class Work:
    """One lesson's answers, jobs and grades. Lives in the loop's thread."""

    def __init__(
        self, means: Means, row: LessonRow, sheet: Sheet, seats: dict[int, str], *, linked_pens: set[str] | None = None
    ) -> None:
        """Nothing is read yet: `take_up` for a lesson that has grades.

        Args:
            means: What it needs.
            row: The lesson.
            sheet: Its sheet.
            seats: Pupil by seat, as they were at its start.
            linked_pens: Pens whose ink flowed at some time in it; whoever knows of links goes on filling it.
        """
        self._means, self.row, self._seat_of = means, row, {pupil: seat for seat, pupil in seats.items()}
        self.answers = Answers(
            lesson=row.id, sheet=sheet, started_ms=row.started_ms, seats=seats, settle_ms=means.settle_ms
        )
        self.linked_pens: set[str] = set() if linked_pens is None else linked_pens
        self.grades: dict[Place, dict[str, Any]] = {}
        """The newest grade of each answer, as it is shown."""
        self.to_write: list[Made] = []
        self.writing = 0
        """Grades that are in a transaction now."""
        self.stale: set[int] = set()
        """Seats of which the store knows more than we do."""
        self.loaded: set[int] = set()
        """Seats whose ink is here."""
        self.is_ending = False
        """The lesson is being stopped: what is not here by now counts as missing."""
        self._known: dict[Place, _Known] = {}
        self._readings: dict[Place, tuple[str, Answer]] = {}

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.stale or self.to_write or self.writing) and self.answers.is_quiet

    @property
    def runs(self) -> bool:
        """Whether the lesson was not stopped yet."""
        return self.row.stopped_ms is None

    def take_up(self) -> None:
        """Read the lesson's grades and links from the store."""
        self._take_grades()
        query = "select distinct pen from link where from_ms < ? and (to_ms is null or to_ms >= ?)"
        self.linked_pens.update(
            row["pen"] for row in self._means.store.reader.execute(query, (self._until_ms, self._from_ms))
        )

    def _take_grades(self) -> None:
        """The newest grades as the store has them; what is known already stays as it is shown."""
        for row in self._means.store.reader.execute(
            "select * from grade where lesson = ? order by rev", (self.row.id,)
        ):
            place, known = (self._seat_of[row["pupil"]], row["field"]), _Known(row["ink"], keys.grade_of(dict(row)))
            if place not in self._known or self._known[place].grade != known.grade:
                self.grades[place] = _shown(known.grade)
            self._known[place] = known

    def rekey(self, field: Field) -> None:
        """A field goes by another key, and the store has its grades: so do those that wait to be written."""
        self.answers.fields[field.id] = field
        self._take_grades()
        self.to_write = [
            made if made.place[1] != field.id else made._replace(graded=self._rekeyed(made, field))
            for made in self.to_write
        ]

    def _rekeyed(self, made: Made, field: Field) -> results.Graded:
        graded = made.graded
        return replace(graded, grade=self._settled(made.place, graded.ink, regrade(graded.grade, field)))

    def _settled(self, place: Place, ink: str, made: Grade) -> Grade:
        """A grade that says what the stored one of this ink says goes by that one's version of the key."""
        known = self._known.get(place)
        return made if known is None or known.ink != ink else keys.settled(made, known.grade)

    def take(self, piece: Piece) -> bool:
        """Take a piece that is committed, if it is ink of this lesson. Returns whether it was."""
        seat = self._means.bindings.seat_of(piece.pen, piece.down_ms)
        if seat is None or not self.row.holds(piece.down_ms):
            return False
        if seat in self.answers.seats and seat not in self.loaded:
            if self.answers.sheet.place(piece.page) is not None:
                self.stale.add(seat)  # the store gives it, with all the rest
            return True
        late_ms = None if self.runs and piece.how == "live" else self._means.now_ms()
        is_new = self.answers.add(
            seat, piece.page, piece.pen, piece.down_ms, piece.rows, late_ms=late_ms, time_known=piece.time_known
        )
        if is_new and not self.runs:
            self.stale.add(seat)
        return True

    def gaps_changed(self, pen: str, from_ms: int, to_ms: int) -> None:
        """Ink of a pen in this span is missing, or is no longer."""
        if self.row.meets(from_ms, to_ms):
            held = self._means.bindings.seats_of(pen, max(from_ms, self._from_ms), min(to_ms, self._until_ms))
            self.stale |= held & self.answers.seats.keys()

    def catch_up(self) -> bool:
        """Bring stale seats up to date; of those whose ink is not here, one. Returns whether that was needed."""
        ready = self.stale & self.loaded
        for seat in ready:
            self._look_again(seat)
        self.stale -= ready
        if not self.stale:
            return False
        seat = min(self.stale)
        self.load(seat)
        self._look_again(seat)
        self.stale.discard(seat)
        return True

    def ask(self, horizon_ms: int, writing: dict[int, PageAddress]) -> None:
        """Give out what is due by then; `writing` is the page of each seat's open stroke.

        A class that lifts its pens together would hold up ink: what needs many pages waits for the next beats.
        """
        means, answers, anew = self._means, self.answers, 0
        for place in answers.due(horizon_ms, writing):
            if not answers.is_assigned(place):
                anew += 1
                if anew > _PAGES_A_BEAT:
                    continue
            mark, ink = answers.marked[place], answers.ink(place)
            if not ink.strokes:
                mark.due_ms = None
                continue
            said = self._said(place, ink.digest)
            if said is None and means.reader.version is None:
                continue  # no reader has said yet which one it is: the job stays due
            mark.due_ms = None
            up_ms = 0 if mark.late else mark.last_ms
            if said is not None:
                self.judge(place, said)
                continue
            mark.reading_of = ink.digest
            means.ask(UnderWay(self, place, ink.digest, up_ms), answers.request(place, ink))

    def answered(self, job: UnderWay, answer: Answer) -> None:
        """The reader said something."""
        mark = self.answers.marked[job.place]
        mark.reading_of = None
        if self.answers.ink(job.place).digest == job.ink:
            self._readings[job.place] = (job.ink, answer)
            self.judge(job.place, answer, job.up_ms)
        elif mark.due_ms is None:
            mark.due_ms = self._means.now_ms()

    def judge_rest(self) -> None:
        """At the stop: every answer that has no grade of just this ink gets one, read or not."""
        for place in self._places(self.answers.seats):
            ink = self.answers.ink(place).digest
            known = self._known.get(place)
            if known is None or known.ink != ink:
                of, answer = self._readings.get(place, ("", None))
                self.judge(place, answer if of == ink else None)

    def judge(self, place: Place, answer: Answer | None, up_ms: int = 0) -> None:
        """Make a grade of a reading and of what was captured."""
        answers, (seat, name) = self.answers, place
        ink = answers.ink(place)
        made = grade(
            answers.fields[name],
            None if answer is None else answer.to_reading(shared=ink.shared),
            reader=answer.reader if answer is not None else "none",
            handed_out=True,
            pen_seen=self._is_pen_seen(seat),
            losses_touch=answers.is_touched(seat, name),
            has_ink=bool(ink.strokes),
            fits=ink.fits,
            variant=ink.variant,
            page_untouched=not ink.strokes and answers.is_page_untouched(seat, name),
        )
        made = self._settled(place, ink.digest, made)
        failed = None
        if answer is not None and FAILED in answer.reasons:
            failed = failed_job(
                ink,
                lesson=self.row.id,
                field=name,
                kind=answers.fields[name].kind,
                reader=answer.reader,
                at_ms=self._means.now_ms(),
            )
        graded = results.Graded(name, answers.seats[seat], ink.digest, made, answer, failed, ink.text)
        self.to_write.append(Made(place, graded, up_ms))

    def written(self, place: Place, graded: results.Graded) -> None:
        """A grade is in the store."""
        self.grades[place] = _shown(graded.grade)
        self._known[place] = _Known(graded.ink, graded.grade)

    def decided(self, grades: Iterable[results.Graded]) -> None:
        """A person decided, or took that back; it is in the store."""
        for graded in grades:
            self.written((self._seat_of[graded.pupil], graded.field), graded)

    def retry(self) -> None:
        """There is another reader: what the one before did not survive is tried again."""
        for place, mark in self.answers.marked.items():
            if mark.due_ms is None and place in self._known and FAILED in self._known[place].grade.reasons:
                mark.due_ms = self._means.now_ms()

    @property
    def _from_ms(self) -> int:
        return self.row.started_ms

    @property
    def _until_ms(self) -> int:
        return _FOREVER_MS if self.row.stopped_ms is None else self.row.stopped_ms

    def _places(self, seats: Mapping[int, str] | set[int]) -> list[Place]:
        return [(seat, name) for seat in seats for name in self.answers.fields]

    def load(self, seat: int) -> None:
        """The ink of a seat out of the store; what its grade does not know is due at once."""
        means = self._means
        query = "select * from ink where pen = ? and down_ms >= ? and down_ms < ? order by id"
        for pen, from_ms, to_ms in means.bindings.pens_of(seat, self._from_ms, self._until_ms):
            for row in means.store.reader.execute(query, (pen, from_ms, to_ms)):
                if means.bindings.seat_of(pen, row["down_ms"]) == seat:
                    page = PageAddress(row["section"], row["owner"], row["note"], row["page"])
                    rows: NDArray[np.int64] = np.vstack(unpack(row["packed"]))
                    known = bool(row["time_known"])
                    self.answers.add(seat, page, pen, row["down_ms"], rows, late_ms=0, time_known=known)
        self.loaded.add(seat)
        for place in self._places({seat}):
            self.answers.ink(place)  # gives every stroke its field
        for place, mark in self.answers.marked.items():
            if place[0] == seat:
                mark.due_ms = means.now_ms()

    def _look_again(self, seat: int) -> None:
        """Gaps as they are in the store now, and what they change."""
        now_ms = self._means.now_ms()
        self.answers.set_gaps(seat, self._gaps(seat), now_ms)
        for place in self._places({seat}):
            mark = self.answers.marked.get(place)
            if mark is not None and mark.due_ms is not None and mark.due_ms <= now_ms and self._is_graded(place):
                mark.due_ms = None
            if not self.runs and not self.answers.ink(place).strokes:
                self.judge(place, None)

    def _gaps(self, seat: int) -> list[Gap]:
        """Where ink of a seat may be missing: losses that nothing has healed, and pens that are away."""
        gaps, now_ms = [], self._means.now_ms()
        missing = self._means.missing_since() if self.is_ending or not self.runs else {}
        for pen, from_ms, to_ms in self._means.bindings.pens_of(seat, self._from_ms, self._until_ms):
            query = "select * from unhealed where pen = ? and to_ms >= ? and from_ms <= ?"
            for row in self._means.store.reader.execute(query, (pen, from_ms, to_ms)):
                page = None
                if row["section"] is not None:
                    page = PageAddress(row["section"], row["owner"], row["note"], row["page"])
                gaps.append(Gap(max(from_ms, row["from_ms"]), min(to_ms, row["to_ms"]), page))
            if pen in missing and missing[pen] < to_ms:
                gaps.append(Gap(max(from_ms, missing[pen]), max(from_ms, min(to_ms, now_ms)), None))
        return gaps

    def _is_graded(self, place: Place) -> bool:
        """Whether the newest grade of a field knows its ink, its gaps, and what a reader says of it."""
        known = self._known.get(place)
        if known is None or known.ink != self.answers.ink(place).digest:
            return False
        if bool(known.grade.coverage) == self.answers.is_touched(*place) or _NOT_READ in known.grade.reasons:
            return False
        return FAILED not in known.grade.reasons or known.grade.reader == self._means.reader.version

    def _said(self, place: Place, ink: str) -> Answer | None:
        """What was read of just this ink before: by this reader, or by the one that its grade goes by."""
        of, answer = self._readings.get(place, ("", None))
        if answer is None or of != ink:
            seat, name = place
            known, version = self._known.get(place), self._means.reader.version
            goes_by = known.grade.reader if known is not None and known.ink == ink else version
            found = results.reading_of(self._means.store.reader, self.row.id, name, self.answers.seats[seat], ink)
            answer = next((a for a in found if a.reader in {version, goes_by}), None)
        if answer is None or (FAILED in answer.reasons and answer.reader != self._means.reader.version):
            return None
        self._readings[place] = (ink, answer)
        return answer

    def _is_pen_seen(self, seat: int) -> bool:
        if self.answers.has_ink(seat):
            return True
        until_ms = self._means.now_ms() if self.runs else self._until_ms
        held = self._means.bindings.pens_of(seat, self._from_ms, until_ms)
        return any(pen in self.linked_pens for pen, _, _ in held)


def _shown(made: Grade) -> dict[str, Any]:
    return {
        "state": made.state,
        "value": made.value,
        "points": made.points,
        "max_points": made.max_points,
        "confidence": made.confidence,
        "reasons": list(made.reasons),
        "alternatives": list(made.alternatives),
        "decided_by": made.decided_by,
    }
