"""What a page is told, made from what the gateway tells. Pure: no clock, no I/O.

Everything that counts pupils adds up to the class size. A tile's state is one word; its order of rank is the order in
which a teacher would want to know.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.dashboard.source import (
    AnswerState,
    Bar,
    LessonView,
    QuestionView,
    Said,
    SeatView,
    StatusView,
)

TileState: TypeAlias = Literal["down", "connecting", "gap", "waiting", "writing", "paused", "still", "ask", "done"]
"""`down`: no link, and not everything is answered; `gap`: ink is missing; `waiting`: not started; `still`: no ink for
two minutes and not done; `ask`: done, and something is unsure."""

WRITING_MS: Final = 3_000
STILL_MS: Final = 120_000

_COUNTED: Final[tuple[TileState, ...]] = (
    "writing",
    "paused",
    "still",
    "waiting",
    "done",
    "ask",
    "gap",
    "connecting",
    "down",
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A seat as the pages draw it."""

    seat: int
    name: str
    state: TileState
    why: Said
    link: str
    pen: str | None
    adapter: str | None
    signal_dbm: int | None
    battery: int | None
    charging: bool
    fields: int
    answered: int
    unsure: int
    blank: int
    not_captured: int
    missing: Sequence[str]
    in_pen: int | None


@dataclass(frozen=True, slots=True)
class SeatsMessage:
    """All tiles, and how many are in each state; the counts add up to the class size."""

    tiles: list[Tile]
    counts: dict[str, int]
    t: str = "seats"


@dataclass(frozen=True, slots=True)
class QuestionsMessage:
    """All questions."""

    class_size: int
    questions: Sequence[QuestionView]
    t: str = "questions"


@dataclass(frozen=True, slots=True)
class BoxMessage:
    """How the box does, without what changes with every tick of a clock."""

    lesson: LessonView | None
    class_size: int
    pens_linked: int
    results_waiting: int
    unsure: int
    outbox_depth: int
    outbox_oldest_min: int | None
    pens_with_memory: int
    strokes_in_pens: int
    join_until_ms: int | None
    durable: bool
    warnings: list[Said]
    t: str = "box"


def tile_state(seat: SeatView, now_ms: int) -> TileState:
    """The one word of a seat."""
    done = seat.fields > 0 and seat.answered + seat.unsure >= seat.fields
    if seat.link != "live" and not done:
        return seat.link
    quiet_ms = None if seat.ink_at_ms is None else now_ms - seat.ink_at_ms
    if quiet_ms is not None and quiet_ms < WRITING_MS and seat.link == "live":
        return "writing"
    if seat.not_captured or seat.missing:
        return "gap"
    if done:
        return "ask" if seat.unsure else "done"
    return _unfinished(quiet_ms)


def _unfinished(quiet_ms: int | None) -> TileState:
    if quiet_ms is None:
        return "waiting"
    return "still" if quiet_ms >= STILL_MS else "paused"


def seats_message(seats: Sequence[SeatView], now_ms: int) -> SeatsMessage:
    """All seats for the wall and the pens page."""
    tiles = [_tile(seat, now_ms) for seat in seats]
    found = Counter(tile.state for tile in tiles)
    return SeatsMessage(tiles, {state: found[state] for state in _COUNTED})


def box_message(status: StatusView, class_size: int) -> BoxMessage:
    """The box's state with its warnings; the box's own facts come first."""
    warnings = []
    if not status.durable:
        warnings.append(Said("store.not_durable"))
    if not status.clock_set:
        warnings.append(Said("clock.not_set"))
    oldest = status.outbox_oldest_s
    return BoxMessage(
        lesson=status.lesson,
        class_size=class_size,
        pens_linked=status.pens_linked,
        results_waiting=status.results_waiting,
        unsure=status.unsure,
        outbox_depth=status.outbox_depth,
        outbox_oldest_min=None if oldest is None else oldest // 60,
        pens_with_memory=status.pens_with_memory,
        strokes_in_pens=status.strokes_in_pens,
        join_until_ms=status.join_until_ms,
        durable=status.durable,
        warnings=[*warnings, *status.warnings],
    )


def question(
    *,
    field: str,
    prompt: Mapping[str, str],
    kind: str,
    key: str | None,
    right: Iterable[str],
    answers: Sequence[tuple[AnswerState, str | None]],
) -> QuestionView:
    """One question from every pupil's state and value: the given answers by number, the rest each under its own name.

    Args:
        field: The field's id.
        prompt: By language.
        kind: What is written there.
        key: The right answer in words; None where there is none or it must not be shown.
        right: All values that count as right.
        answers: One for each pupil of the class.
    """
    given = Counter(value or "" for state, value in answers if state in ("answered", "marked"))
    states = Counter(state for state, _ in answers)
    good = set(right)
    bars = [
        Bar(value, count, None if key is None else value in good)
        for value, count in sorted(given.items(), key=lambda item: (-item[1], item[0]))
    ]
    return QuestionView(
        field=field,
        prompt=prompt,
        kind=kind,
        key=key,
        bars=bars,
        unsure=states["unsure"],
        nothing_yet=states["blank"] + states["not_handed_out"],
        not_captured=states["not_captured"],
        no_pen=states["no_pen"],
        on_paper=states["marked_on_paper_only"],
    )


def counted(view: QuestionView) -> int:
    """How many pupils a question accounts for: the class size, or something is wrong."""
    given = sum(bar.count for bar in view.bars)
    return given + view.unsure + view.nothing_yet + view.not_captured + view.no_pen + view.on_paper


def _tile(seat: SeatView, now_ms: int) -> Tile:
    return Tile(
        seat=seat.seat,
        name=seat.name,
        state=tile_state(seat, now_ms),
        why=seat.why,
        link=seat.link,
        pen=seat.pen,
        adapter=seat.adapter,
        signal_dbm=seat.signal_dbm,
        battery=seat.battery_percent,
        charging=seat.charging,
        fields=seat.fields,
        answered=seat.answered,
        unsure=seat.unsure,
        blank=seat.blank,
        not_captured=seat.not_captured,
        missing=seat.missing,
        in_pen=seat.in_pen,
    )
