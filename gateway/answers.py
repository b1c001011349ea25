"""The answers of one lesson: which ink stands in which field, and which field must be read.

It lives in the loop's thread and is made again from the store at a restart, or when a stopped lesson gets late ink. A
stroke marks the fields that it may belong to; when such a field has been quiet for a while, all ink of its page is
assigned anew. A job is known by its field and the hash of its ink, so that the same ink is read once.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.audit_ink import digest_of
from gateway.strokes import Row
from recognition.evidence import Evidence, Written, evidence_of
from recognition.fields import Assignment, assign, field_of
from recognition.ink import Stroke, dot_sum
from recognition.pages import UNIT_MM, PageAddress
from recognition.sheets import Field, Sheet, SheetPage

Place: TypeAlias = tuple[int, str]
"""A seat and a field's id."""

_NEAR_MS: Final = 10_000
"""A gap so near in time to a field's ink may have taken some of it."""
_FORCE_MAX: Final = 852


class _Key(NamedTuple):
    """A stroke; by time, as it is ordered on its page."""

    down_ms: int
    pen: str
    page: PageAddress


class _Run(NamedTuple):
    """A piece: a run of one stroke's dots. It is known by these, not by the order in which it came."""

    since_ms: int
    dots: int
    total: int


@dataclass(slots=True)
class _PageInk:
    """All ink of one seat on one page of the sheet."""

    strokes: dict[_Key, Stroke] = field(default_factory=dict)
    runs: dict[_Key, dict[_Run, Stroke]] = field(default_factory=dict)
    """What each stroke is joined of."""
    doubted: set[_Key] = field(default_factory=set)
    """Strokes whose time is that of their arrival."""
    assigned: Assignment | None = None
    order: list[_Key] = field(default_factory=list)
    placed: dict[_Key, str] = field(default_factory=dict)
    """The field of each stroke, as the page was last assigned."""

    def take(self, key: _Key, run: _Run, stroke: Stroke, *, time_known: bool) -> bool:
        """Put a piece where it belongs in time. Returns whether it was new."""
        if not time_known:
            self.doubted.add(key)
        runs = self.runs.setdefault(key, {})
        if run in runs:
            return False
        runs[run] = stroke
        if len(runs) > 1:
            stroke = Stroke(np.vstack([runs[each].points for each in sorted(runs)]), key.down_ms)
        self.strokes[key] = stroke
        self.assigned = None
        return True

    def text(self, key: _Key) -> str:
        """A stroke by its content: the same however it was cut, and in whatever order its pieces came."""
        runs = self.runs[key]
        total = sum(run.total for run in runs) & 0xFFFFFFFF
        return f"{key.pen}|{tuple(key.page)}|{key.down_ms}|{sum(run.dots for run in runs)}|{total}"


@dataclass(slots=True)
class Marked:
    """A field that ink came to."""

    first_ms: int
    last_ms: int
    due_ms: int | None = None
    reading_of: str | None = None
    """Hash of the ink that is with the reader now."""
    late: bool = False
    """Its newest ink came long after it was written: nobody waited for its grade."""


@dataclass(frozen=True, slots=True)
class FieldInk:
    """The ink that belongs to a field."""

    strokes: tuple[Stroke, ...]
    digest: str
    """Hash of its strokes."""
    pen: str = ""
    """The pen of its first stroke."""
    shared: bool = False
    """Another field may claim some of it."""
    fits: bool = True
    """Whether the page's ink fits its sheet at all."""
    text: str = ""
    """What its hash is made of: its strokes by pen, page, pen-down, dots and sum."""
    variant: str = ""
    """The variant of the sheet on whose paper it stands; empty where that is none, or not one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of time in which ink of a seat may be missing."""

    from_ms: int
    to_ms: int
    page: PageAddress | None


class Answers:
    """A lesson's ink by seat and field."""

    def __init__(self, *, lesson: str, sheet: Sheet, started_ms: int, seats: dict[int, str], settle_ms: int) -> None:
        self.lesson, self.sheet, self.started_ms, self.seats = lesson, sheet, started_ms, seats
        self._settle_ms = settle_ms
        self.fields: dict[str, Field] = {f.id: f for page in sheet.pages for f in page.fields}
        self.marked: dict[Place, Marked] = {}
        self.gaps: dict[int, list[Gap]] = {}
        self.unknown_paper: Counter[PageAddress] = Counter()
        """Pieces on pages that the sheet does not know: kept as ink, in no answer."""
        self._pages: dict[tuple[int, int], _PageInk] = {}

    def add(
        self,
        seat: int,
        page: PageAddress,
        pen: str,
        down_ms: int,
        rows: NDArray[np.int64] | Iterable[Row],
        *,
        late_ms: int | None = None,
        time_known: bool = True,
    ) -> bool:
        """Take a piece that is committed; the same again changes nothing.

        Args:
            seat: Where the pen was.
            page: The paper's address.
            pen: Its MAC.
            down_ms: When the stroke began.
            rows: The dots, as `Row`.
            late_ms: When it came, where that is long after it was written: its fields settle from then on.
            time_known: Whether it began then by the pen's own clock; else that is when it came.

        Returns:
            Whether it is ink of this lesson that was not known.
        """
        placed = self.sheet.place(page)
        if placed is None:
            self.unknown_paper[page] += 1
        if placed is None or seat not in self.seats:
            return False
        sheet_page, affine = placed
        array = rows if isinstance(rows, np.ndarray) else np.array(list(rows), np.int64)
        stroke = Stroke(to_mm(array, affine, down_ms - self.started_ms), down_ms)
        ink = self._pages.setdefault((seat, sheet_page.number), _PageInk())
        run = _Run(int(array[0, 3]), len(array), dot_sum(array))
        if not ink.take(_Key(down_ms, pen, page), run, stroke, time_known=time_known):
            return False
        up_ms = down_ms + int(array[-1, 3])
        due_ms = (up_ms if late_ms is None else max(up_ms, late_ms)) + self._settle_ms
        for name in field_of(stroke, sheet_page):
            self._mark(seat, name, down_ms, up_ms, due_ms)
            self.marked[seat, name].late = late_ms is not None
        return True

    def set_gaps(self, seat: int, gaps: Iterable[Gap], now_ms: int) -> None:
        """Where ink of a seat may be missing, as it is known now; fields for which that changed are judged again."""
        names = [name for where, name in self.marked if where == seat]
        before = {name: self.is_touched(seat, name) for name in names}
        self.gaps[seat] = [gap for gap in gaps if gap.to_ms >= self.started_ms]
        for name in names:
            mark = self.marked[seat, name]
            if mark.due_ms is None and self.is_touched(seat, name) != before[name]:
                mark.due_ms = now_ms

    def is_touched(self, seat: int, name: str) -> bool:
        """Whether a gap may have taken ink of this field."""
        mark = self.marked.get((seat, name))
        page_of_field = self.sheet.page_of(name)
        for gap in self.gaps.get(seat, ()):
            placed = self.sheet.place(gap.page) if gap.page is not None else None
            if gap.page is not None and (placed is None or placed[0] is not page_of_field):
                continue
            if mark is None or (gap.from_ms < mark.last_ms + _NEAR_MS and gap.to_ms > mark.first_ms - _NEAR_MS):
                return True
        return False

    def is_page_untouched(self, seat: int, name: str) -> bool:
        """Whether the page of a field has no ink of this seat at all, while another page of the sheet has."""
        return (seat, self.sheet.page_of(name).number) not in self._pages and self.has_ink(seat)

    def due(self, now_ms: int, writing: dict[int, PageAddress]) -> list[Place]:
        """Fields to read now; not those on whose page their seat has an open stroke."""
        out = []
        for place, mark in self.marked.items():
            if mark.due_ms is None or mark.due_ms > now_ms or mark.reading_of is not None:
                continue
            page = writing.get(place[0])
            if page is not None and (placed := self.sheet.place(page)) and placed[0] is self.sheet.page_of(place[1]):
                continue
            out.append(place)
        return out

    def has_ink(self, seat: int) -> bool:
        """Whether there is any ink of this seat."""
        return any(where == seat for where, _ in self._pages)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is due and nothing is with the reader."""
        return all(mark.due_ms is None and mark.reading_of is None for mark in self.marked.values())

    def ink(self, place: Place) -> FieldInk:
        """The ink of a field, by all that is known of its page now."""
        seat, name = place
        page = self.sheet.page_of(name)
        held = self._pages.get((seat, page.number))
        if held is None:
            return FieldInk((), "")
        assigned = self._assigned(seat, held, page)
        keys = [held.order[k] for k in assigned.fields.get(name, ())]
        text = ";".join(held.text(key) for key in keys)
        strokes = tuple(held.strokes[key] for key in keys)
        pen = keys[0].pen if keys else ""
        variants = {self.sheet.variant_of(key.page) for key in keys}
        return FieldInk(
            strokes,
            digest_of(text),
            pen,
            shared=name in assigned.offered_to,
            fits=assigned.fits,
            text=text,
            variant=variants.pop() if len(variants) == 1 else "",
        )

    def all_ink(self, place: Place) -> FieldInk:
        """All ink of the field's page as if it were the field's: for whoever took in what belongs to it alone."""
        held = self._pages.get((place[0], self.sheet.page_of(place[1]).number))
        if held is None:
            return FieldInk((), "")
        keys = sorted(held.strokes)
        text = ";".join(held.text(key) for key in keys)
        return FieldInk(tuple(held.strokes[key] for key in keys), digest_of(text), keys[0].pen, text=text)

    def evidence(self, seat: int) -> dict[str, Evidence]:
        """How a seat worked on its fields, by the ink that is given to them by now."""
        written = []
        for page in self.sheet.pages:
            held = self._pages.get((seat, page.number), _PageInk())
            for key, name in held.placed.items():
                up_ms = self.started_ms + round(float(held.strokes[key].points[-1, 2]))
                known = key not in held.doubted
                written.append(Written(field=name, down_ms=key.down_ms, up_ms=up_ms, time_known=known))
        return evidence_of(written, [(gap.from_ms, gap.to_ms) for gap in self.gaps.get(seat, ())])

    def is_assigned(self, place: Place) -> bool:
        """Whether the ink of a field's page stands in its fields as it is now; else `ink` costs some milliseconds."""
        held = self._pages.get((place[0], self.sheet.page_of(place[1]).number))
        return held is None or held.assigned is not None

    def request(self, place: Place, ink: FieldInk) -> dict[str, Any]:
        """The reader's job for a field, as `inkgate read` takes it."""
        about = self.fields[place[1]]
        request: dict[str, Any] = {
            "kind": about.kind,
            "strokes": [s.points.astype(float).round(3).tolist() for s in ink.strokes],
            "box": list(about.box_mm),
            "max_digits": about.max_digits,
            "several": about.several,
        }
        if about.redo_box_mm is not None:
            request["redo_box"] = list(about.redo_box_mm)
        if about.choices:
            request["choices"] = [
                {"value": c.value, "box": None if c.box_mm is None else list(c.box_mm)} for c in about.choices
            ]
        return request

    def _assigned(self, seat: int, held: _PageInk, page: SheetPage) -> Assignment:
        if held.assigned is None:
            held.order = sorted(held.strokes)
            held.assigned = assign([held.strokes[key] for key in held.order], page)
            held.placed = {held.order[k]: name for name, members in held.assigned.fields.items() for k in members}
            for name, members in held.assigned.fields.items():
                if (seat, name) not in self.marked:
                    times = [held.order[k].down_ms for k in members]
                    self._mark(seat, name, min(times), max(times), max(times) + self._settle_ms)
        return held.assigned

    def _mark(self, seat: int, name: str, first_ms: int, last_ms: int, due_ms: int) -> None:
        mark = self.marked.setdefault((seat, name), Marked(first_ms, last_ms))
        mark.first_ms, mark.last_ms = min(mark.first_ms, first_ms), max(mark.last_ms, last_ms)
        mark.due_ms = due_ms


def to_mm(rows: NDArray[np.int64], affine: NDArray[np.float64], base_ms: int) -> NDArray[np.float32]:
    """Rows in hundredths of a unit -> (n, 4): x mm, y mm on the sheet's page, ms since the start, force 0..1."""
    xy = rows[:, :2] * (UNIT_MM / 100)
    out = np.empty((len(rows), 4), np.float32)
    out[:, :2] = xy @ affine[:, :2].T + affine[:, 2]
    out[:, 2] = rows[:, 3] + base_ms
    out[:, 3] = np.clip(rows[:, 2] / _FORCE_MAX, 0, 1)
    return out
