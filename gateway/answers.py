"""The answers of the running lesson: which ink stands in which field, what must be read, what is graded.

It lives in the loop's thread and is made again from the store at a restart: ink since the lesson's start, newest
grades. A field is read when no ink came for a while and no stroke is open on its page; a job is known by its field and
the hash of its ink, so that the same ink is read once.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from recognition.fields import field_of
from recognition.sheets import Field, Sheet

from gateway.strokes import Row
from recognition.ink import Stroke
from recognition.pages import UNIT_MM, PageAddress

Place: TypeAlias = tuple[int, str]
"""A seat and a field's id."""

_NEAR_MS: Final = 10_000
"""A gap so near in time to a field's ink may have taken some of it."""


@dataclass(slots=True)
class FieldInk:
    """The ink of one seat in one field, and how far it is read."""

    strokes: dict[tuple[str, PageAddress, int], Stroke] = field(default_factory=dict)
    sums: dict[tuple[str, PageAddress, int, int], int] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0
    due_ms: int | None = None
    reading_of: str | None = None
    """Hash of the ink that is with the reader now."""
    up_ms: int = 0
    """When its last stroke ended, for the figure pen-up to grade."""

    @property
    def digest(self) -> str:
        """Hash of the ink; empty for none."""
        if not self.sums:
            return ""
        text = ";".join(f"{pen}|{tuple(page)}|{ms}|{n}|{s}" for (pen, page, ms, n), s in sorted(self.sums.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of time in which ink of a seat may be missing."""

    from_ms: int
    to_ms: int
    page: PageAddress | None


class Answers:
    """The running lesson's ink by seat and field."""

    def __init__(self, *, lesson: str, sheet: Sheet, started_ms: int, seats: dict[int, str], settle_ms: int) -> None:
        self.lesson, self.sheet, self.started_ms, self.seats = lesson, sheet, started_ms, seats
        self._settle_ms = settle_ms
        self.fields: dict[str, Field] = {f.id: f for page in sheet.pages for f in page.fields}
        self.ink: dict[Place, FieldInk] = {}
        self.gaps: dict[int, list[Gap]] = {}
        self.outside = 0
        """Strokes on the sheet in no field: notes."""

    def add(self, seat: int, page: PageAddress, pen: str, down_ms: int, number: int, rows: Iterable[Row]) -> list[str]:
        """Take a piece that is committed. Returns the fields that it touches."""
        placed = self.sheet.place(page)
        if placed is None or seat not in self.seats:
            return []
        sheet_page, affine = placed
        array = np.array(list(rows), np.int64)
        stroke = Stroke(_to_mm(array, affine, down_ms - self.started_ms), down_ms)
        touched = list(field_of(stroke, sheet_page))
        self.outside += not touched
        up_ms = down_ms + int(array[-1, 3])
        total = int((array[:, 0] * 31 + array[:, 1] * 17 + array[:, 2]).sum() & 0xFFFFFFFF)
        for name in touched:
            ink = self.ink.setdefault((seat, name), FieldInk(first_ms=down_ms))
            key = (pen, page, down_ms)
            before = ink.strokes.get(key)
            ink.strokes[key] = stroke if before is None else _joined(before, stroke)
            ink.sums[(*key, number)] = total
            ink.last_ms = ink.up_ms = max(ink.last_ms, up_ms)
            ink.first_ms = min(ink.first_ms, down_ms)
            ink.due_ms = up_ms + self._settle_ms
        return touched

    def add_gap(self, seat: int, gap: Gap, now_ms: int) -> None:
        """Note a gap; fields that it touches and that have ink are graded again."""
        if gap.to_ms < self.started_ms or seat not in self.seats:
            return
        self.gaps.setdefault(seat, []).append(gap)
        for (where, name), ink in self.ink.items():
            if where == seat and self.is_touched(seat, name) and ink.due_ms is None:
                ink.due_ms = now_ms

    def is_touched(self, seat: int, name: str) -> bool:
        """Whether a gap may have taken ink of this field."""
        ink = self.ink.get((seat, name))
        page_of_field = self.sheet.page_of(name)
        for gap in self.gaps.get(seat, ()):
            placed = self.sheet.place(gap.page) if gap.page is not None else None
            if gap.page is not None and (placed is None or placed[0] is not page_of_field):
                continue
            if ink is None or (gap.from_ms < ink.last_ms + _NEAR_MS and gap.to_ms > ink.first_ms - _NEAR_MS):
                return True
        return False

    def due(self, now_ms: int, writing: dict[int, PageAddress]) -> list[Place]:
        """Fields to read now; not those on whose page their seat has an open stroke."""
        out = []
        for place, ink in self.ink.items():
            if ink.due_ms is None or ink.due_ms > now_ms or ink.reading_of is not None:
                continue
            page = writing.get(place[0])
            if page is not None and (placed := self.sheet.place(page)) and placed[0] is self.sheet.page_of(place[1]):
                continue
            out.append(place)
        return out

    def request(self, place: Place) -> dict[str, Any]:
        """The reader's job for a field, as `inkgate read` takes it."""
        about = self.fields[place[1]]
        strokes = sorted(self.ink[place].strokes.values(), key=lambda s: s.pen_down_ms)
        request: dict[str, Any] = {
            "kind": about.kind,
            "strokes": [s.points.astype(float).round(3).tolist() for s in strokes],
            "box": list(about.box_mm),
        }
        if about.choices:
            request["choices"] = [[c.value, list(c.box_mm)] for c in about.choices]
        return request


def _to_mm(rows: NDArray[np.int64], affine: NDArray[np.float64], base_ms: int) -> NDArray[np.float32]:
    """Rows in hundredths of a unit -> (n, 4): x mm, y mm on the sheet's page, ms since the start, force 0..1."""
    xy = rows[:, :2] * (UNIT_MM / 100)
    out = np.empty((len(rows), 4), np.float32)
    out[:, :2] = xy @ affine[:, :2].T + affine[:, 2]
    out[:, 2] = rows[:, 3] + base_ms
    out[:, 3] = np.clip(rows[:, 2] / 852, 0, 1)
    return out


def _joined(first: Stroke, second: Stroke) -> Stroke:
    return Stroke(np.vstack([first.points, second.points]), first.pen_down_ms)
