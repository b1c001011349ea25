"""Dots to strokes by page address. Pure: events of one pen in, pieces, losses and oddities out.

A stroke is one piece, closed when the pen lifts; a long one is cut every so many dots; a page change in mid-stroke ends
the stroke on one page and begins one on the next, with the same pen-down time. Nothing is filtered: a dot is ink.
The pen's clock is set by the box at each link, so its times are the box's; where they differ by more than
`CLOCK_TOLERANCE_MS` from the arrival the arrival is taken and `time_known` is false. A stroke out of memory keeps the
pen's time, unless that time is from before the pen's clock was set. Each stroke says its page after the pen-down; where
that may be among lost events the stroke stands on the page before, and the gap is of no known page.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from devices import events as pen_events
from devices.events import CLOCK_NEVER_SET_MS
from gateway.gaps import Part
from recognition.pages import PageAddress

CLOCK_TOLERANCE_MS: Final = 2_000
_FAR_MS: Final = 86_400_000
_WHOLE_STROKE: Final = 4
"""Pen-down, page, a dot, pen-up: so many events lost between two strokes may have been one on any page."""
_LARGEST_MS: Final = 2**62
"""What the store holds of a pen time that no calendar knows."""

Row: TypeAlias = tuple[int, int, int, int, int, int, int]
"""x and y in hundredths of a unit, force, ms since pen-down, tilt x, tilt y, twist."""

Ended: TypeAlias = Literal["up", "cut", "page", "inferred", "interrupted"]
"""`cut`: more pieces follow; `page`: the stroke went on on another page; `inferred`: the pen-up never came;
`interrupted`: the link went."""


@dataclass(slots=True)
class Piece:
    """A run of dots of one stroke on one page."""

    pen: str
    page: PageAddress
    down_ms: int
    pen_ms: int
    time_known: bool
    tip: str
    number: int = 0
    rows: list[Row] = field(default_factory=list)
    ended: Ended = "inferred"
    journaled: int = 0
    """How many of its rows are in the journal."""
    first_seq: int = 0
    """The beat that first wrote rows of it to the journal; 0 for none."""
    shown: int = 0
    """How many of its rows the live feed has had."""
    how: Literal["live", "memory"] = "live"
    """Whether it came as it was written, or later out of the pen's memory."""
    twin: int = 0
    """Out of memory: how many pieces of the same page, pen time, dots and sum came before it in the same transfer."""

    @property
    def up_ms(self) -> int:
        """When its last dot was made."""
        return self.down_ms + (self.rows[-1][3] if self.rows else 0)


class LossSeen(NamedTuple):
    """Ink that was made and did not come."""

    from_ms: int
    to_ms: int
    events: int | None
    """How many events, where the pen counts; None where nobody can know."""
    cause: Literal["counter_gap", "link_lost", "memory_unread", "frame_damaged", "disk_full"]
    page: PageAddress | None
    parts: tuple[Part, ...] | None = None
    """What stays lost of it when the pen's memory is drained whole; None where no drain heals it."""


class OddityRow(NamedTuple):
    """Something received and not understood."""

    at_ms: int
    kind: str
    command: int | None
    payload: bytes


class PenInk:
    """What one pen writes, however often its link breaks."""

    def __init__(self, pen: str, *, piece_dots: int = 400) -> None:
        self.pen = pen
        self._piece_dots = piece_dots
        self.open: Piece | None = None
        self.closed: list[Piece] = []
        self.losses: list[LossSeen] = []
        self.oddities: list[OddityRow] = []
        self.last_ms = 0
        """When the last event of this pen was made, by the box's clock."""
        self._down: pen_events.PenDown | None = None
        self._pieces: dict[PageAddress, int] = {}
        """The next piece's number by page; strokes that claim one millisecond share their numbers."""
        self._numbered_ms = -1
        self._offset_ms = 0
        self._time_known = True
        self._page: PageAddress | None = None
        self._page_told = False
        """Whether the stroke that is written said on which page it is."""
        self._lost = 0
        self._lost_from_ms = 0

    def feed(self, at_ms: int, event: pen_events.PenEvent) -> None:
        """Take one event that arrived at `at_ms`."""
        kind = type(event)
        if kind is pen_events.Dot:
            self._dot(at_ms, event)  # type: ignore[arg-type]  # narrowed by its type; a match costs the hot path 1 µs
        elif isinstance(event, pen_events.PenDown):
            self._end("inferred")
            self._begin(at_ms, event, page_sure=True)
            self._page_told = False
        elif isinstance(event, pen_events.PageChanged):
            self._turn(PageAddress(*event))
        elif isinstance(event, pen_events.PenUp):
            up_ms = event.time_ms + self._offset_ms
            if abs(up_ms - at_ms) > _FAR_MS:
                up_ms = at_ms
            self._settle_loss(up_ms, page_sure=self._page_told)
            self.last_ms = max(self.last_ms, up_ms)
            self._end("up")
            self._lift()
        elif isinstance(event, pen_events.Lost):
            if not self._lost:
                self._lost_from_ms = self.last_ms or at_ms
            self._lost += event.events
        elif isinstance(event, pen_events.StrokeBroken):
            self._end("interrupted" if event.reason == "link_lost" else "inferred")
            self._lift()
        elif isinstance(event, pen_events.Oddity):
            self.oddities.append(OddityRow(at_ms, event.kind, event.command, event.payload))

    def link_went(self, at_ms: int) -> None:
        """The link is gone: an open stroke ends here, and a count that was short is short for good."""
        self._settle_loss(at_ms, page_sure=self._page_told)
        self._end("interrupted")
        self._lift()

    def _lift(self) -> None:
        self._down, self._page_told = None, False

    def _begin(self, at_ms: int, down: pen_events.PenDown, *, page_sure: bool) -> None:
        off_ms = at_ms - down.time_ms
        known = down.time_ms >= CLOCK_NEVER_SET_MS and abs(off_ms) <= CLOCK_TOLERANCE_MS
        if not known:
            kind = "clock_never_set" if down.time_ms < CLOCK_NEVER_SET_MS else "clock_jumped"
            self.oddities.append(OddityRow(at_ms, kind, None, b""))
        self._offset_ms = 0 if known else off_ms
        self._time_known = known
        start_ms = down.time_ms + self._offset_ms
        self.last_ms = max(self.last_ms, start_ms)
        self._down = down
        if start_ms != self._numbered_ms:
            self._numbered_ms = start_ms
            self._pieces.clear()
        self._settle_loss(start_ms, page_sure=page_sure and self._lost < _WHOLE_STROKE)

    def _turn(self, page: PageAddress) -> None:
        if self.open is not None and self.open.page != page:
            self._end("page")
        self._page, self._page_told = page, True

    def _dot(self, at_ms: int, dot: pen_events.Dot) -> None:
        piece = self.open
        if piece is None:
            piece = self._open_piece(at_ms, dot)
            if piece is None:
                return
        since_ms = dot.time_ms + self._offset_ms - piece.down_ms
        if not -_FAR_MS < since_ms < _FAR_MS:
            since_ms = at_ms - piece.down_ms  # no stroke is that long: the pen's clock jumped in the middle of it
        made_ms = piece.down_ms + since_ms
        if self._lost:
            self._settle_loss(made_ms, page_sure=self._page_told)
        self.last_ms = made_ms
        piece.rows.append((dot[1], dot[2], dot[3], since_ms, dot[4], dot[5], dot[6]))
        if len(piece.rows) >= self._piece_dots:
            self._end("cut")

    def _open_piece(self, at_ms: int, dot: pen_events.Dot) -> Piece | None:
        if self._page is None:
            self.oddities.append(OddityRow(at_ms, "dot_without_page", None, repr(tuple(dot)).encode()))
            return None
        if self._down is None:
            self._begin(at_ms, pen_events.PenDown(dot.time_ms, "pen", 0xFF000000), page_sure=self._page_told)
        down = self._down
        if down is None:
            return None
        number = self._pieces.get(self._page, 0)
        self._pieces[self._page] = number + 1
        start_ms = down.time_ms + self._offset_ms
        pen_ms = min(down.time_ms, _LARGEST_MS)
        self.open = Piece(self.pen, self._page, start_ms, pen_ms, self._time_known, down.tip, number)
        return self.open

    def _settle_loss(self, to_ms: int, *, page_sure: bool) -> None:
        if self._lost:
            page = self._page if page_sure else None
            self.losses.append(LossSeen(min(self._lost_from_ms, to_ms), to_ms, self._lost, "counter_gap", page))
            self._lost = 0

    def _end(self, how: Ended) -> None:
        if self.open is not None:
            self.open.ended = how
            self.closed.append(self.open)
            self.open = None


class PenClock(NamedTuple):
    """A pen's clock as it was at a hello that showed it wrong, before it was set."""

    at_ms: int
    """The box's time of that hello."""
    pen_ms: int

    def is_right(self, pen_ms: int) -> bool:
        """Whether a pen time was surely told after the clock was set."""
        return pen_ms > max(self.at_ms, self.pen_ms)


class OutOfMemory:
    """Strokes of one pen's memory to pieces: over one link, by one drain."""

    def __init__(self, pen: str, *, piece_dots: int, wrong: PenClock | None) -> None:
        """Nothing is read yet.

        Args:
            pen: Whose memory.
            piece_dots: Where a long stroke is cut.
            wrong: The pen's clock where a hello showed it wrong: times from before are not known.
        """
        self._pen, self._piece_dots, self._wrong = pen, piece_dots, wrong
        self._transfer = -1
        self._twins: Counter[tuple[object, ...]] = Counter()
        self._numbers: Counter[tuple[PageAddress, int]] = Counter()

    def pieces(self, stroke: pen_events.OfflineStroke, *, transfer: int, at_ms: int) -> list[Piece]:
        """The pieces of a stroke that came at `at_ms`; `transfer` tells repetitions of a page apart."""
        if transfer != self._transfer:
            self._transfer = transfer
            self._twins.clear()
            self._numbers.clear()
        down_ms, known = self._down(stroke.down_ms, at_ms)
        page, pen_ms = PageAddress(*stroke.page), min(stroke.down_ms, _LARGEST_MS)
        rows: list[Row] = [
            (dot[1], dot[2], dot[3], _since(dot.time_ms - stroke.down_ms), dot[4], dot[5], dot[6])
            for dot in stroke.dots
        ]
        made: list[Piece] = []
        for at in range(0, len(rows), self._piece_dots):
            part = rows[at : at + self._piece_dots]
            number = self._numbers[page, down_ms]
            self._numbers[page, down_ms] += 1
            piece = Piece(self._pen, page, down_ms, pen_ms, known, stroke.tip, number, part, how="memory")
            piece.ended = "cut" if at + self._piece_dots < len(rows) else "up"
            key = (page, pen_ms, len(part), sum(31 * row[0] + 17 * row[1] + row[2] for row in part) & 0xFFFFFFFF)
            piece.twin = self._twins[key]
            self._twins[key] += 1
            made.append(piece)
        return made

    def _down(self, pen_ms: int, at_ms: int) -> tuple[int, bool]:
        """When a stroke was begun by the box's clock, and whether that is known."""
        wrong = self._wrong
        is_possible = CLOCK_NEVER_SET_MS <= pen_ms <= at_ms + CLOCK_TOLERANCE_MS
        if is_possible and (wrong is None or wrong.is_right(pen_ms)):
            return pen_ms, True
        if wrong is not None and pen_ms <= wrong.pen_ms:
            return max(0, pen_ms + wrong.at_ms - wrong.pen_ms), False
        return at_ms, False


def _since(ms: int) -> int:
    return max(-_FAR_MS, min(_FAR_MS, ms))
