"""The stack of answers that nobody has decided, similar ones together, and the teacher's decisions on it.

The page and the command line come here alike. A decision names the ink that was looked at: where the answer has other
ink by now nothing is decided, and the teacher looks again. What is skipped goes to the end of the stack until the
gateway starts anew; it is kept nowhere else.
"""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from gateway import decisions, labels, results
from gateway.answers import Place
from gateway.dashboard.check import CheckView, DecisionView, Done, GroupView, Guess, InkView, Order
from gateway.decisions import Decision, Member, NotDecided, Outdated, Said
from gateway.lesson import LessonDesk
from gateway.results import Context
from gateway.screen import printed
from gateway.store import Store
from gateway.work import Work
from recognition.grading import key_parts
from recognition.ink import Stroke
from recognition.likeness import Doubtful, clusters
from recognition.scoring import score
from recognition.sheets import Field

_GUESSES: Final = 2
_APART_UNITS: Final = 20
"""Points nearer than this, in hundredths of a mm, are one to the eye."""
_OPEN: Final = (
    "select g.pupil, g.field, g.ink, g.value, g.reader, g.why, g.key, s.seat from grade g join lesson_seat s"
    " on s.lesson = g.lesson and s.pupil = g.pupil where g.lesson = ? and g.state = 'unsure'"
    " and not exists (select 1 from grade n where n.id = g.id and n.rev > g.rev) order by s.seat"
)
_COUNT: Final = (
    "select count(*) from grade g where g.lesson = ? and g.state = 'unsure'"
    " and not exists (select 1 from grade n where n.id = g.id and n.rev > g.rev)"
)


class _Open(NamedTuple):
    """One answer of the stack."""

    place: Place
    ink: str
    key: str
    about: Doubtful
    strokes: tuple[Stroke, ...]


@dataclass(slots=True)
class _Looked:
    """The ink of a stopped lesson, as it was read for the stack."""

    work: Work
    absent: frozenset[tuple[Place, str]] = frozenset()
    """Ink that a new look did not find either."""


class ReviewDesk:
    """Lives in the loop's thread."""

    def __init__(
        self,
        desk: LessonDesk,
        store: Store,
        *,
        who: Callable[[], str],
        now_ms: Callable[[], int],
        consent: bool,
        language: str,
        writing: Callable[[Callable[[], Awaitable[Done]]], Awaitable[Done]] = lambda work: work(),
        decided: Callable[[], object] = lambda: None,
    ) -> None:
        """Over the lessons of a box.

        Args:
            desk: The lessons.
            store: The box's.
            who: Gives the teacher's pseudonym.
            now_ms: The box's time.
            consent: Whether ink may be kept with its label.
            language: Of what is refused.
            writing: Does what the page asks for, or refuses it while nothing can be written.
            decided: Called when there are new results.
        """
        self._desk, self._store, self._who, self._now_ms = desk, store, who, now_ms
        self._consent, self._language = consent, language
        self._writing, self._decided = writing, decided
        self._looked: _Looked | None = None
        self._skipped: dict[tuple[str, Place, str], int] = {}
        self._skips = 0
        self._counted: tuple[tuple[str | None, int], int] = ((None, 0), 0)

    @property
    def lesson(self) -> str | None:
        """The lesson that runs, else the one that ran last."""
        if self._desk.running is not None:
            return self._desk.running.row.id
        row = self._store.reader.execute("select id from lesson order by started_ms desc limit 1").fetchone()
        return None if row is None else str(row[0])

    def remaining(self) -> int:
        """How many answers of that lesson nobody has decided; costs nothing where nothing was graded since."""
        if self._desk.running is not None:
            return sum(shown["state"] == decisions.UNSURE for shown in self._desk.running.grades.values())
        try:
            newest = self._store.reader.execute("select coalesce(max(rowid), 0) from grade").fetchone()[0]
            mark = (self.lesson, newest)
            if mark != self._counted[0]:
                self._counted = (mark, self._store.reader.execute(_COUNT, (mark[0],)).fetchone()[0])
        except sqlite3.DatabaseError as error:
            self._store.doubt(error)
        return self._counted[1]

    async def stack(self, lesson: str | None = None) -> CheckView:
        """The groups of a lesson, the next one first.

        Raises:
            NotDecided: There is no such lesson.
        """
        code = lesson or self.lesson
        if code is None:
            return CheckView(lesson="", remain=0, groups=[], undo=None)
        work = self._work(code)
        answers = await self._open(code, work)
        groups = await asyncio.to_thread(clusters, [one.about for one in answers])
        views = [self._group(work, [answers[k] for k in group]) for group in groups]
        places = {name: k for k, name in enumerate(work.answers.fields)}
        order = sorted(
            zip(groups, views, strict=True),
            key=lambda pair: (
                self._skips_of(code, [answers[k] for k in pair[0]]),
                places[pair[1].field.field],
                answers[pair[0][0]].about.value or "",
                -len(pair[0]),
            ),
        )
        ordered = [view for _, view in order]
        return CheckView(lesson=code, remain=len(answers), groups=ordered, undo=self._undoable(code))

    async def take(self, order: Order) -> Done:
        """What the page asks for."""
        if order.do == "skip":
            self.skip(order.lesson, order.field, order.inks)
            return Done(answers=len(order.inks))
        return await self._writing(lambda: self._take(order))

    async def _take(self, order: Order) -> Done:
        if order.do == "undo":
            undone = await self.undo(order.lesson)
            return Done(answers=len(undone.grades), left=undone.left)
        said = Said(value=order.value, verdict=order.verdict)
        made = await self.decide(order.lesson, order.field, order.inks, said)
        return Done(answers=len(made.grades))

    async def decide(
        self, lesson: str, field: str, inks: Mapping[int, str], said: Said, *, only_unsure: bool = True
    ) -> Decision:
        """Decide answers of one field: all of them or none.

        Args:
            lesson: Of which lesson.
            field: Its id.
            inks: By seat, the hash of the ink that was looked at; empty for an answer on paper only.
            said: What is said of them.
            only_unsure: Refuse what is decided already.

        Raises:
            NotDecided: It cannot be said so.
            Outdated: An answer has changed since it was looked at.
        """
        work = self._work(lesson)
        about = work.answers.fields.get(field)
        if about is None:
            raise self._refusal("review.no_field", field=field)
        if not inks or not inks.keys() <= work.answers.seats.keys():
            raise self._refusal("review.no_seat")
        found = await self._strokes(work, [((seat, field), ink) for seat, ink in inks.items()]) if self._consent else {}
        members = [
            Member(work.answers.seats[seat], ink, _packed(found.get((seat, field), ()))) for seat, ink in inks.items()
        ]
        who, now_ms, consent = self._who(), self._now_ms(), self._consent
        return await self._written(
            lesson,
            lambda db, context: decisions.decide(
                *(db, context, about, members, said),
                who=who,
                now_ms=now_ms,
                consent=consent,
                only_unsure=only_unsure,
            ),
        )

    async def decide_group(self, lesson: str | None, name: str, said: Said) -> Decision:
        """Decide a group by its name, or one answer in whatever state as FIELD@SEAT.

        Raises:
            NotDecided: It cannot be said so, or there is none of this name now.
        """
        code = self._named_lesson(lesson)
        field, at, seat = name.partition("@")
        if at:
            number = int(seat) if seat.isdecimal() else 0
            ink = self._ink_of(code, field, number)
            return await self.decide(code, field, {number: ink}, said, only_unsure=False)
        group = await self._find(code, name)
        return await self.decide(code, group.field.field, {ink.seat: ink.ink for ink in group.inks}, said)

    async def undo(self, lesson: str | None) -> Decision:
        """Take back the newest decision of a lesson.

        Raises:
            NotDecided: There is none.
        """
        code, now_ms = self._named_lesson(lesson), self._now_ms()
        return await self._written(code, lambda db, context: decisions.undo(db, context, now_ms=now_ms))

    def skip(self, lesson: str, field: str, inks: Mapping[int, str]) -> None:
        """Put answers at the end of the stack."""
        self._skips += 1
        for seat, ink in inks.items():
            self._skipped[lesson, (seat, field), ink] = self._skips

    async def skip_group(self, lesson: str | None, name: str | None) -> GroupView:
        """Put a group, or the first one, at the end of the stack.

        Raises:
            NotDecided: There is none.
        """
        code = self._named_lesson(lesson)
        group = await self._find(code, name)
        self.skip(code, group.field.field, {ink.seat: ink.ink for ink in group.inks})
        return group

    async def _written(self, lesson: str, work: Callable[[Database, Context], Decision]) -> Decision:
        try:
            made = await self._desk.decide(lesson, work)
        except NotDecided as error:
            raise error.in_language(self._language) from None
        self._decided()
        return made

    async def _find(self, lesson: str, name: str | None) -> GroupView:
        stack = await self.stack(lesson)
        found = next((group for group in stack.groups if name is None or group.id == name), None)
        if found is None:
            raise self._refusal("review.no_group" if name else "review.nothing_open", name=name or "")
        return found

    def _work(self, lesson: str) -> Work:
        """The work whose ink is shown: what the stack has read of a stopped lesson stays for the next look."""
        running = self._desk.running
        if running is not None and running.row.id == lesson:
            return running
        if self._looked is None or self._looked.work.row.id != lesson:
            try:
                self._looked = _Looked(self._desk.look_into(lesson))
            except KeyError:
                raise self._refusal("review.no_lesson", lesson=lesson) from None
        return self._looked.work

    async def _open(self, lesson: str, work: Work) -> list[_Open]:
        """The answers that nobody has decided. Of the lesson that runs, not those that are still being written."""
        rows = self._store.reader.execute(_OPEN, (lesson,)).fetchall()
        rows = [row for row in rows if row["field"] in work.answers.fields]
        found = await self._strokes(work, [((row["seat"], row["field"]), row["ink"]) for row in rows])
        answers = []
        for row in rows:
            place = (row["seat"], row["field"])
            if place in found or work is not self._desk.running:
                strokes = found.get(place, ())
                about = self._doubtful(lesson, row, strokes)
                answers.append(_Open(place, row["ink"], row["key"], about, strokes))
        return answers

    def _doubtful(self, lesson: str, row: sqlite3.Row, strokes: tuple[Stroke, ...]) -> Doubtful:
        said = results.reading_of(self._store.reader, lesson, row["field"], row["pupil"], row["ink"])
        goes_by = next((answer for answer in said if answer.reader == row["reader"]), None)
        return Doubtful(
            field=f"{row['field']} {row['key']}",  # of one variant of the sheet: what it is worth is the same
            value=row["value"],
            alternatives=goes_by.alternatives if goes_by is not None else (),
            reasons=tuple(reason for reason in json.loads(row["why"]) if reason != results.RAISED),
            strokes=tuple(stroke.points for stroke in strokes),
        )

    async def _strokes(self, work: Work, wanted: Sequence[tuple[Place, str]]) -> dict[Place, tuple[Stroke, ...]]:
        """The ink of answers where it is just the ink that is wanted. Beats go on meanwhile."""
        found = await self._look(work, wanted)
        missing = frozenset((place, ink) for place, ink in wanted if ink and place not in found)
        looked = self._looked
        if work is self._desk.running or looked is None or not missing or missing <= looked.absent:
            return found
        # Late ink came since the lesson was looked into: once more, from the store.
        again = self._looked = _Looked(self._desk.look_into(work.row.id), missing)
        return found | await self._look(again.work, sorted(missing))

    async def _look(self, work: Work, wanted: Iterable[tuple[Place, str]]) -> dict[Place, tuple[Stroke, ...]]:
        found = {}
        runs = work is self._desk.running
        for place, digest in wanted:
            if not runs and place[0] not in work.loaded:
                work.load(place[0])
                await asyncio.sleep(0)
            if runs and not work.answers.is_assigned(place):
                continue
            ink = work.answers.ink(place)
            if ink.strokes and ink.digest == digest:
                found[place] = ink.strokes
        return found

    def _group(self, work: Work, members: Sequence[_Open]) -> GroupView:
        about = work.answers.fields[members[0].place[1]]
        name = ";".join(f"{one.place}{one.ink}" for one in members)
        return GroupView(
            id=f"{about.id}-{hashlib.sha256(name.encode()).hexdigest()[:4]}",
            field=printed(about),
            prompt=about.prompt,
            kind=about.kind,
            key=about.keys[0] if about.keys else None,
            max_points=about.points,
            guesses=_guesses(about, members),
            reasons=list(dict.fromkeys(reason for one in members for reason in one.about.reasons)),
            inks=[InkView(one.place[0], one.ink, [_line(s.points) for s in one.strokes]) for one in members],
        )

    def _skips_of(self, lesson: str, members: Sequence[_Open]) -> int:
        """When a group was skipped; 0 where some of it was not."""
        return min(self._skipped.get((lesson, one.place, one.ink), 0) for one in members)

    def _undoable(self, lesson: str) -> DecisionView | None:
        row = decisions.newest(self._store.reader, lesson)
        if row is None:
            return None
        return DecisionView(
            label=str(row["field"]).lstrip("q"),
            kind=row["kind"],
            value=row["value"],
            points=row["points"],
            answers=row["answers"],
        )

    def _ink_of(self, lesson: str, field: str, seat: int) -> str:
        row = self._store.reader.execute(
            "select g.ink from grade g join lesson_seat s on s.lesson = g.lesson and s.pupil = g.pupil"
            " where g.lesson = ? and g.field = ? and s.seat = ? order by g.rev desc limit 1",
            (lesson, field, seat),
        ).fetchone()
        if row is None:
            raise self._refusal("review.no_grade")
        return str(row[0])

    def _named_lesson(self, lesson: str | None) -> str:
        code = lesson or self.lesson
        if code is None:
            raise self._refusal("review.no_lesson", lesson="")
        if self._store.reader.execute("select 1 from lesson where id = ?", (code,)).fetchone() is None:
            raise self._refusal("review.no_lesson", lesson=code)
        return code

    def _refusal(self, said: str, **params: Any) -> NotDecided:  # noqa: ANN401  numbers of the sentence
        kind = Outdated if said == "review.no_group" else NotDecided
        return kind(said, language=self._language, **params)


def _guesses(field: Field, members: Sequence[_Open]) -> list[Guess]:
    """The values that the readings name, the likelier first."""
    named: dict[str, float] = {}
    for one in members:
        if one.about.value is not None:
            named[one.about.value] = 1.0
        for value, confidence in one.about.alternatives:
            named[value] = max(named.get(value, 0.0), confidence)
    likely = sorted(named, key=lambda value: -named[value])[:_GUESSES]
    variant = key_parts(members[0].key)[1]
    return [Guess(value, score(field, value, variant=variant).points) for value in likely]


def _line(points: NDArray[np.float32]) -> list[int]:
    """A stroke as x, y, x, y, ... in hundredths of a mm, without points that the eye cannot tell apart."""
    xy = np.rint(points[:, :2] * 100).astype(int).tolist()
    kept = [xy[0]]
    for x, y in xy[1:-1]:
        if abs(x - kept[-1][0]) + abs(y - kept[-1][1]) >= _APART_UNITS:
            kept.append([x, y])
    if len(xy) > 1:
        kept.append(xy[-1])
    return [number for point in kept for number in point]


def _packed(strokes: tuple[Stroke, ...]) -> bytes | None:
    return labels.packed([stroke.points for stroke in strokes]) if strokes else None
