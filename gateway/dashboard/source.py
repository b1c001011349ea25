"""What the pages show, and the protocol by which the gateway tells it.

The server asks in the loop's thread and expects answers from memory, within a millisecond or two. Sentences never
cross: what needs words is a `Said`, a catalogue code with its numbers. Names are given to the teacher's role alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from recognition.evidence import Evidence

AnswerState: TypeAlias = Literal[
    "not_handed_out",
    "no_pen",
    "not_captured",
    "blank",
    "answered",
    "unsure",
    "marked",
    "marked_on_paper_only",
]
LinkWord: TypeAlias = Literal["live", "connecting", "down"]

LiveDot: TypeAlias = tuple[int, int, int, int]
"""x and y in hundredths of a millimetre on the sheet's page, force 0..255, ms since the dot before; 0 for the first."""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in mm on the sheet's page."""

OK: Final = "ok"
"""The code of a seat whose ink flows."""


@dataclass(frozen=True, slots=True)
class Said:
    """A catalogue code and its numbers, as `radio.full` with {used: 5, places: 5}. Never a name of a child."""

    code: str
    params: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveChunk:
    """Dots of one stroke that one commit made durable."""

    seat: int
    page: int
    """Index of the sheet's page, from 0."""
    at_ms: int
    """When the first of these dots was made, ms UTC by the box's clock."""
    dots: Sequence[LiveDot]
    first: bool = False
    """These are the first dots of their stroke."""
    ended: bool = False
    """The stroke ends with them. A chunk that is `first` and `ended` is a whole stroke."""


@dataclass(frozen=True, slots=True)
class StrokeView:
    """A stroke as far as it is committed."""

    seat: int
    page: int
    at_ms: int
    """When its first dot was made."""
    dots: Sequence[LiveDot]
    ended: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatView:
    """One seat of the class."""

    seat: int
    name: str = ""
    """What the roster calls the pupil; empty where there is none."""
    pen: str | None = None
    """The end of the pen's address, as printed on it: "4F:21"."""
    link: LinkWord = "down"
    why: Said = Said("pen.not_bound")
    """Why nothing comes, or `ok`."""
    adapter: str | None = None
    signal_dbm: int | None = None
    battery_percent: int | None = None
    charging: bool = False
    fields: int = 0
    """How many answers the sheet asks for."""
    answered: int = 0
    unsure: int = 0
    blank: int = 0
    not_captured: int = 0
    missing: Sequence[str] = ()
    """Labels of the questions in whose ink there may be a hole, in printed order."""
    in_pen: int | None = None
    """Strokes that are known to lie in the pen's own memory; None where nobody knows."""
    ink_at_ms: int | None = None
    """When the last ink of this lesson was made; None for none yet."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One answer that was given, and by how many."""

    value: str
    count: int
    right: bool | None
    """None where the sheet has no key, or it must not be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView:
    """One question over the whole class; everything that it counts adds up to the class size."""

    field: str
    prompt: Mapping[str, str]
    """By language; "" stands for any language."""
    kind: str
    key: str | None
    bars: Sequence[Bar]
    unsure: int = 0
    nothing_yet: int = 0
    not_captured: int = 0
    no_pen: int = 0
    on_paper: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """What became of one answer of one pupil."""

    field: str
    state: AnswerState
    value: str | None = None
    confidence: float | None = None
    """0..1; None where nothing was read."""
    alternatives: Sequence[tuple[str, float]] = ()
    points: float | None = None
    max_points: float | None = None
    reasons: Sequence[str] = ()
    """Codes of the reader and of grading: `two_marks`, `ink_missing`, ..."""
    decided_by: str = ""
    """`machine`, or the role that decided."""
    evidence: Evidence | None = None
    """How the pupil worked on it; None where there is no ink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PupilView:
    """One pupil's answers; the ink comes by the live feed."""

    seat: int
    name: str
    fields: Sequence[FieldView]


@dataclass(frozen=True, slots=True)
class FieldBox:
    """Where an answer field is printed."""

    field: str
    label: str
    """What the sheet prints for it, short: "3"."""
    box_mm: Box
    marks: Sequence[tuple[str, Box]] = ()
    """Printed tick boxes of a choice: value and place."""


@dataclass(frozen=True, slots=True)
class SheetPage:
    """One printed page."""

    width_mm: float
    height_mm: float
    boxes: Sequence[FieldBox]


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonView:
    """The lesson whose ink is shown."""

    id: str
    title: Mapping[str, str]
    """By language; "" stands for any language."""
    started_ms: int
    stopped_ms: int | None = None
    pages: Sequence[SheetPage]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """How the box does."""

    lesson: LessonView | None
    join_until_ms: int | None = None
    """Until when the join window is open; None if it is closed."""
    clock_set: bool = True
    durable: bool = True
    """Whether ink can be made durable now."""
    pens_linked: int = 0
    results_waiting: int = 0
    """Answers whose ink is not read yet."""
    unsure: int = 0
    """Answers that nobody has decided, of the lesson that runs or ran last."""
    outbox_depth: int = 0
    """Results that the district has not receipted."""
    outbox_oldest_s: int | None = None
    disk_free_percent: int | None = None
    pens_with_memory: int = 0
    """Pens that hold ink which is not here yet."""
    strokes_in_pens: int = 0
    """How many strokes those hold, as far as is known."""
    warnings: Sequence[Said] = ()


class DashboardSource(Protocol):
    """Everything that the pages are told, over the running gateway."""

    def seats(self) -> Sequence[SeatView]:
        """Every seat of the class, once, by number."""
        ...

    def questions(self) -> Sequence[QuestionView]:
        """Every question of the lesson's sheet, in printed order; empty without a lesson."""
        ...

    def pupil(self, seat: int) -> PupilView | None:
        """One pupil's answers; None for a seat that is not there."""
        ...

    def snapshot(self) -> tuple[int, Sequence[StrokeView]]:
        """The committed sequence number, and all ink of the lesson up to it, in the order of writing."""
        ...

    def status(self) -> StatusView:
        """How the box does."""
        ...
