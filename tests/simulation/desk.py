"""Readings made up out of the ink: one answer for every pen, page and quarter of a minute.

What an answer says follows from the rows of the store alone, so a start after a crash comes to the same answers, and
late ink and losses make newer revisions of them. Written with the product's own `results.write`.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

from sqlite_utils import Database

from gateway import results
from gateway.journal import Batch
from recognition.grading import Grade
from tests.simulation.loop import BASE_MS

_SPAN_MS: Final = 15_000
_CONTEXT: Final = results.Context("0011223344556677", "box-1", "lesson-1", "maths", 1, clock_trusted=True)

Place = tuple[str, int, int]
"""Pen, page, and which quarter of a minute."""


class Desk:
    """What the lesson makes of committed ink."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._marked: dict[Place, None] = {}
        self._known: dict[Place, None] = {}

    @property
    def has_work(self) -> bool:
        """Whether answers must be graded (again)."""
        return bool(self._marked)

    def restore(self, db: Database) -> None:
        """After a start: every answer is looked at again."""
        query = "select pen, page, down_ms from ink order by id"
        for pen, page, down_ms in db.conn.execute(query).fetchall():
            self._mark(pen, page, down_ms)

    def take(self, batch: Batch) -> None:
        """A committed batch: its pieces belong to answers, its losses too."""
        for piece in batch.closed:
            self._mark(piece.pen, piece.page.page, piece.down_ms)
        spans = [(pen, loss.from_ms, loss.to_ms) for pen, loss in batch.losses] + list(batch.healed)
        for pen, from_ms, to_ms in spans:
            for place in self._known:
                if place[0] == pen and _from_ms(place) <= to_ms and from_ms < _from_ms(place) + _SPAN_MS:
                    self._marked[place] = None

    def begin(self) -> list[Place]:
        """What is to be graded now."""
        return list(self._marked)

    def write(self, db: Database, places: Iterable[Place]) -> int:
        """Grade these; returns how many answers say something new."""
        return sum(bool(results.write(db, _CONTEXT, _graded(db, each), now_ms=self._now_ms())) for each in places)

    def done(self, places: Iterable[Place]) -> None:
        """These grades are committed."""
        for place in places:
            self._marked.pop(place, None)

    def _mark(self, pen: str, page: int, down_ms: int) -> None:
        place = (pen, page, (down_ms - BASE_MS) // _SPAN_MS)
        self._marked[place] = self._known[place] = None


def _from_ms(place: Place) -> int:
    return BASE_MS + place[2] * _SPAN_MS


def _graded(db: Database, place: Place) -> results.Graded:
    pen, page, span = place
    from_ms = _from_ms(place)
    found = db.conn.execute(
        "select down_ms, piece, dots, sum from ink where pen = ? and page = ? and down_ms >= ? and down_ms < ?"
        " order by down_ms, sum, piece",
        (pen, page, from_ms, from_ms + _SPAN_MS),
    ).fetchall()
    missing = db.conn.execute(
        "select count(*) from unhealed where pen = ? and from_ms < ? and to_ms >= ?", (pen, from_ms + _SPAN_MS, from_ms)
    ).fetchone()[0]
    ink = hashlib.sha256(repr(found).encode()).hexdigest()[:32]
    return results.Graded(
        f"q{page}-{span}",
        f"pupil{pen[-2:].lower()}",
        ink,
        Grade(
            state="unsure" if missing else "answered",
            value=str(sum(row[2] for row in found)),
            points=0.0,
            max_points=1.0,
            confidence=0.9,
            reader="made-up/1",
            key="",
            decided_by="machine",
            coverage=0.0 if missing else 1.0,
        ),
        None,
    )
