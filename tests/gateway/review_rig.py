"""A class whose reader is never sure, and the stack of what it leaves to the teacher."""

from pathlib import Path
from typing import Any

from gateway.dashboard.check import CheckView
from gateway.decisions_desk import ReviewDesk
from tests.gateway.rig import PAGE1, Q1, Class, class_at

TEACHER = "teacher-0123456789ab"


class Checked:
    """The class and the desk on which its answers are checked."""

    def __init__(self, held: Class, *, consent: bool = False) -> None:
        self.held, self.consent = held, consent
        self.news = 0
        self.review = self.new_review()

    def new_review(self) -> ReviewDesk:
        """As after a start of the gateway."""
        self.review = ReviewDesk(
            self.held.desk,
            self.held.store,
            who=lambda: TEACHER,
            now_ms=self.held.clock,
            consent=self.consent,
            language="en",
            decided=self._decided,
        )
        return self.review

    def _decided(self) -> None:
        self.news += 1

    async def write(self, *seats: int, middle: tuple[float, float] = Q1, sure: bool = False) -> None:
        """These pupils answer question 1 of page 1, and the reader says what it says."""
        self.held.reader.sure = sure
        for seat in seats:
            await self.held.write(seat, PAGE1, middle)
        await self.held.settle()

    async def groups(self) -> list[tuple[str, list[int]]]:
        """Field and seats of every group."""
        return [(g.field.field, [ink.seat for ink in g.inks]) for g in (await self.stack()).groups]

    async def stack(self) -> CheckView:
        """The stack."""
        return await self.review.stack()

    def rows(self, seat: int, field: str = "q1") -> list[dict[str, Any]]:
        """Every revision of an answer, the oldest first."""
        query = (
            "select g.* from grade g join lesson_seat s on s.lesson = g.lesson and s.pupil = g.pupil"
            " where s.seat = ? and g.field = ? order by g.rev"
        )
        return [dict(row) for row in self.held.store.reader.execute(query, (seat, field))]


async def checked_at(folder: Path, *, seats: int = 3, consent: bool = False) -> Checked:
    """A class over a new store, with its lesson begun."""
    held = class_at(folder, seats=seats)
    await held.start()
    return Checked(held, consent=consent)
