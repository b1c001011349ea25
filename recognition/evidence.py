"""What the ink tells about how a page was worked on: first touch, time on a question, pauses, revisits, order.

Plain facts with their method and their error, and no more: nothing here, and no schema anywhere, speaks of mood, stress
or attention. The method:

| fact | how it is found |
|---|---|
| first touch | the pen-down of the field's first stroke |
| visit | strokes in one field, one after another, with none in another field between; ink of no field ends no visit |
| time on the question | the sum of its visits, each from first pen-down to last pen-up; thinking before it is not |
| pause | no ink for `PAUSE_MS` or longer inside a visit |
| revisits | visits after the first |
| order | the place of its first touch among all fields that were touched, from 1 |

Every time has an error: what the pen's clock may be off, and more where ink may be missing. A gap before the first
touch may hide an earlier one, so the first touch is a span. A gap inside or beside a visit may have been writing, so
the time on the question has a least and a most. With a gap, revisits and pauses are "at least".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

PAUSE_MS: Final = 3_000
"""Silence from here on is a pause; shorter ones are the way of writing."""
CLOCK_ERROR_MS: Final = 50
"""A pen's clock against the box's, between two settings of it, and the end of a stroke as the pen tells it."""
ARRIVAL_ERROR_MS: Final = 400
"""Where a stroke has the time of its arrival only, because the pen's own was not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One stroke, and where it stands."""

    field: str | None
    """None for ink that belongs to no field."""
    down_ms: int
    up_ms: int
    time_known: bool = True
    """False where the pen's time was not known and the arrival was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one field. All times are ms UTC by the box's clock, all spans ms."""

    first_touch_ms: int
    first_touch_least_ms: int
    """The earliest that the first touch can have been: with a gap before it, the gap's beginning."""
    first_touch_error_ms: int
    """Beyond that span, how far either end may be off."""
    on_question_ms: int
    on_question_most_ms: int
    """If everything that may be missing was writing in this field."""
    on_question_error_ms: int
    pauses: int
    longest_pause_ms: int
    revisits: int
    order: int
    complete: bool
    """False where ink may be missing: pauses, revisits and order are then the least or the likeliest."""


def evidence_of(strokes: Iterable[Written], gaps: Sequence[tuple[int, int]] = ()) -> dict[str, Evidence]:
    """The facts of each field that has ink.

    Args:
        strokes: All strokes of one pupil on one sheet, in any order.
        gaps: Spans (from_ms, to_ms) in which ink of the pupil may be missing.

    Returns:
        By field, in the order of their first touch.
    """
    placed = sorted((s for s in strokes if s.field is not None), key=lambda s: (s.down_ms, s.up_ms, s.field or ""))
    visits: dict[str, list[list[Written]]] = {}
    for name, run in groupby(placed, key=lambda s: s.field):
        if name is not None:
            visits.setdefault(name, []).append(list(run))
    return {name: _of_field(its, order, gaps) for order, (name, its) in enumerate(visits.items(), 1)}


def _of_field(visits: Sequence[Sequence[Written]], order: int, gaps: Sequence[tuple[int, int]]) -> Evidence:
    first = visits[0][0]
    spans = [(visit[0].down_ms, max(s.up_ms for s in visit)) for visit in visits]
    silences = [silence for visit in visits for silence in _silences(visit) if silence >= PAUSE_MS]
    errors = [_error_ms(visit[0]) + _error_ms(visit[-1]) for visit in visits]
    on_question = sum(end - begin for begin, end in spans)
    missing = sum(_outside(gap, spans) for gap in gaps)
    before = [begin for begin, _ in gaps if begin < first.down_ms]
    return Evidence(
        first_touch_ms=first.down_ms,
        first_touch_least_ms=min([first.down_ms, *before]),
        first_touch_error_ms=_error_ms(first),
        on_question_ms=on_question,
        on_question_most_ms=on_question + missing,
        on_question_error_ms=sum(errors),
        pauses=len(silences),
        longest_pause_ms=max(silences, default=0),
        revisits=len(visits) - 1,
        order=order,
        complete=not gaps,
    )


def _silences(visit: Sequence[Written]) -> list[int]:
    """Between a stroke's end and the next one's beginning."""
    return [after.down_ms - before.up_ms for before, after in pairwise(visit)]


def _outside(gap: tuple[int, int], spans: Sequence[tuple[int, int]]) -> int:
    """How much of a gap is not counted as time on the question already."""
    begin, end = gap
    inside = sum(max(0, min(end, to) - max(begin, since)) for since, to in spans)
    return max(0, end - begin - inside)


def _error_ms(stroke: Written) -> int:
    return CLOCK_ERROR_MS if stroke.time_known else ARRIVAL_ERROR_MS
