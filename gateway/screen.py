"""What the pages are told, out of the running gateway's memory: the dashboard's source, and the lesson's live ink."""

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload

from gateway.answers import Answers
from gateway.dashboard.source import (
    Bar,
    FieldBox,
    FieldView,
    LessonView,
    LiveChunk,
    LiveDot,
    PupilView,
    QuestionView,
    Said,
    SeatView,
    SheetPage,
    StatusView,
    StrokeView,
)
from gateway.journal import Batch
from gateway.lesson import LessonDesk
from gateway.strokes import Piece, Row
from recognition.evidence import Evidence
from recognition.grading import MACHINE
from recognition.pages import UNIT_MM
from recognition.sheets import Field

_DOT: Final = struct.Struct("<HHBB")
_FORCE_MAX: Final = 852


class PackedDots(Sequence[LiveDot]):
    """Dots as 6 bytes each: a lesson has millions."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def copy(self) -> "PackedDots":
        """The dots as they are now."""
        out = PackedDots()
        out._bytes += self._bytes
        return out

    def extend(self, dots: Sequence[LiveDot]) -> None:
        """Add dots at the end."""
        self._bytes += b"".join(_DOT.pack(*dot) for dot in dots)

    def __len__(self) -> int:
        return len(self._bytes) // _DOT.size

    def __iter__(self) -> Iterator[LiveDot]:
        return _DOT.iter_unpack(bytes(self._bytes))

    @overload
    def __getitem__(self, index: int) -> LiveDot: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LiveDot]: ...
    def __getitem__(self, index: int | slice) -> LiveDot | Sequence[LiveDot]:
        if isinstance(index, slice):
            return list(self)[index]
        x, y, force, delta = _DOT.unpack_from(self._bytes, range(len(self))[index] * _DOT.size)
        return x, y, force, delta


@dataclass(slots=True)
class _Stroke:
    seat: int
    page: int
    at_ms: int
    dots: PackedDots = field(default_factory=PackedDots)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Radio:
    """Why a seat's pen is or is not linked, as the links and radios know it."""

    link: str
    code: str
    detail: Mapping[str, int | float | str]
    adapter: str | None
    signal_dbm: int | None
    battery_percent: int | None
    charging: bool


class Screen:
    """The dashboard's source. Lives in the loop's thread and answers from memory."""

    def __init__(
        self,
        desk: LessonDesk,
        *,
        pen_of: Callable[[int], str | None],
        radio_of: Callable[[str], Radio],
        box: Callable[[], dict[str, Any]],
        in_pen: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._desk, self._pen_of, self._radio_of, self._box = desk, pen_of, radio_of, box
        self._in_pen = in_pen
        self.names: dict[int, str] = {}
        """What the roster calls who sits where; for the teacher's role only."""
        self._seq = 0
        self._strokes: list[_Stroke] = []
        self._open: dict[str, _Stroke] = {}
        self._last_ink: dict[int, int] = {}

    def begin(self) -> None:
        """Another lesson: nothing is shown yet."""
        self._strokes.clear()
        self._open.clear()
        self._last_ink.clear()

    def committed(self, batch: Batch) -> list[LiveChunk]:
        """A beat was committed: the chunks that the pages get, also kept for snapshots."""
        self._seq = batch.seq
        answers = self._desk.answers
        if answers is None:
            return []
        chunks = []
        for piece, ended in (*((p, True) for p in batch.closed), *((p, False) for p in batch.open)):
            new = piece.rows[piece.shown :]
            if new or ended:
                chunk = self._chunk(answers, piece, new, ended=ended)
                piece.shown = len(piece.rows)
                if chunk is not None:
                    chunks.append(chunk)
        return chunks

    def take_stored(self, answers: Answers, seat: int, piece: Piece) -> None:
        """Ink out of the store, after a restart."""
        if (chunk := self._made(answers, seat, piece, piece.rows, ended=True)) is not None:
            stroke = _Stroke(seat, chunk.page, chunk.at_ms, ended=True)
            stroke.dots.extend(chunk.dots)
            self._strokes.append(stroke)
            self._last_ink[seat] = max(self._last_ink.get(seat, 0), piece.up_ms)

    def _chunk(self, answers: Answers, piece: Piece, new: Sequence[Row], *, ended: bool) -> LiveChunk | None:
        seat = self._desk.bindings.seat_of(piece.pen, piece.down_ms)
        if seat is None or seat not in answers.seats:
            return None
        chunk = self._made(answers, seat, piece, new, ended=ended)
        if chunk is None:
            return None
        if piece.how == "memory":
            self.take_stored(answers, seat, piece)  # a whole stroke, of long ago: the one that is written goes on
            return chunk
        stroke = self._open.get(piece.pen)
        if stroke is None or chunk.first:
            stroke = _Stroke(seat, chunk.page, chunk.at_ms)
            self._strokes.append(stroke)
            self._open[piece.pen] = stroke
        stroke.dots.extend(chunk.dots)
        stroke.ended = ended
        if ended:
            self._open.pop(piece.pen, None)
        self._last_ink[seat] = piece.up_ms
        return chunk

    def _made(self, answers: Answers, seat: int, piece: Piece, rows: Sequence[Row], *, ended: bool) -> LiveChunk | None:
        placed = answers.sheet.place(piece.page)
        if placed is None:
            return None
        page, affine = placed
        (a, b, c), (d, e, f) = (row.tolist() for row in affine)
        dots = []
        before = piece.rows[piece.shown - 1][3] if piece.shown else (rows[0][3] if rows else 0)
        for x, y, force, at, *_ in rows:
            right, down = x * UNIT_MM, y * UNIT_MM
            dots.append(
                (
                    min(65535, max(0, int(a * right + b * down + c * 100))),
                    min(65535, max(0, int(d * right + e * down + f * 100))),
                    min(255, force * 255 // _FORCE_MAX),
                    min(255, max(0, at - before)),
                )
            )
            before = at
        first_ms = piece.down_ms + (rows[0][3] if rows else 0)
        index = answers.sheet.pages.index(page)
        return LiveChunk(seat, index, first_ms, dots, first=piece.shown == 0, ended=ended)

    def snapshot(self) -> tuple[int, Sequence[StrokeView]]:
        """All ink of the lesson; open strokes as they are now, since a page is told in several turns of the loop."""
        return self._seq, [
            StrokeView(s.seat, s.page, s.at_ms, s.dots if s.ended else s.dots.copy(), s.ended) for s in self._strokes
        ]

    def seats(self) -> Sequence[SeatView]:
        """Every seat."""
        answers = self._desk.answers
        everybody = sorted(answers.seats if answers is not None else self.names)
        return [self._seat(seat, answers) for seat in everybody]

    def _seat(self, seat: int, answers: Answers | None) -> SeatView:
        pen = self._pen_of(seat)
        radio = self._radio_of(pen) if pen is not None else None
        states: Counter[str] = Counter()
        if answers is not None:
            states.update(self._desk.grades[seat, n]["state"] for n in answers.fields if (seat, n) in self._desk.grades)
        return SeatView(
            seat=seat,
            name=self.names.get(seat, ""),
            pen=pen[-5:] if pen is not None else None,
            link=radio.link if radio is not None else "down",  # type: ignore[arg-type]  # one of its three words
            why=Said(radio.code, dict(radio.detail)) if radio is not None else Said("pen.not_bound"),
            adapter=radio.adapter if radio is not None else None,
            signal_dbm=radio.signal_dbm if radio is not None else None,
            battery_percent=radio.battery_percent if radio is not None else None,
            charging=radio.charging if radio is not None else False,
            fields=len(answers.fields) if answers is not None else 0,
            answered=states["answered"] + states["marked"],
            unsure=states["unsure"],
            blank=states["blank"],
            not_captured=states["not_captured"],
            missing=_missing(answers, seat) if answers is not None else (),
            in_pen=self._in_pen(pen) if pen is not None else None,
            ink_at_ms=self._last_ink.get(seat),
        )

    def questions(self) -> Sequence[QuestionView]:
        """Every question over the class."""
        answers = self._desk.answers
        if answers is None:
            return []
        return [self._question(answers, name) for name in answers.fields]

    def _question(self, answers: Answers, name: str) -> QuestionView:
        about = answers.fields[name]
        values: Counter[str] = Counter()
        states: Counter[str] = Counter()
        right = {}
        for seat in answers.seats:
            made = self._desk.grades.get((seat, name))
            state = made["state"] if made is not None else "nothing_yet"
            if made is not None and state in {"answered", "marked"}:
                values[made["value"] or ""] += 1
                right[made["value"] or ""] = made["points"] == made["max_points"]
            else:
                states[state] += 1
        options = [c.value for c in about.choices]
        options += sorted(values.keys() - set(options), key=lambda v: (-values[v], v))
        return QuestionView(
            field=name,
            prompt=about.prompt,
            kind=about.kind,
            key=" / ".join(about.keys) or None,
            bars=[Bar(v, values[v], right.get(v, v in about.keys) if about.keys else None) for v in options],
            unsure=states["unsure"],
            nothing_yet=states["nothing_yet"] + states["blank"] + states["not_handed_out"],
            not_captured=states["not_captured"],
            no_pen=states["no_pen"],
            on_paper=states["marked_on_paper_only"],
        )

    def pupil(self, seat: int) -> PupilView | None:
        """One pupil's answers."""
        answers = self._desk.answers
        if answers is None or seat not in answers.seats:
            return None
        evidence = answers.evidence(seat)
        fields = [_field(name, self._desk.grades.get((seat, name)), evidence.get(name)) for name in answers.fields]
        return PupilView(seat=seat, name=self.names.get(seat, ""), fields=fields)

    def status(self) -> StatusView:
        """How the box does."""
        answers = self._desk.answers
        box = self._box()
        lesson = None
        if answers is not None:
            lesson = LessonView(
                id=answers.lesson,
                title=answers.sheet.title,
                started_ms=answers.started_ms,
                pages=[
                    SheetPage(
                        page.size_mm[0],
                        page.size_mm[1],
                        [printed(f) for f in page.fields],
                    )
                    for page in answers.sheet.pages
                ],
            )
        return StatusView(lesson=lesson, results_waiting=self._desk.reader.pending, **box)


def _missing(answers: Answers, seat: int) -> list[str]:
    """The questions in whose ink there may be a hole; all of them where a gap is of no known page."""
    if not answers.gaps.get(seat):
        return []
    return [name.lstrip("q") for name in answers.fields if answers.is_touched(seat, name)]


def printed(about: Field) -> FieldBox:
    """A field as the pages draw it."""
    marks = [(choice.value, choice.box_mm) for choice in about.choices if choice.box_mm is not None]
    return FieldBox(about.id, about.id.lstrip("q"), about.box_mm, marks)


def _field(name: str, made: dict[str, Any] | None, evidence: Evidence | None) -> FieldView:
    if made is None:
        return FieldView(field=name, state="blank", reasons=("nothing_yet",), evidence=evidence)
    return FieldView(
        field=name,
        state=made["state"],
        value=made["value"],
        confidence=made["confidence"],
        alternatives=made["alternatives"],
        points=made["points"],
        max_points=made["max_points"],
        reasons=tuple(made["reasons"]),
        decided_by=MACHINE if made["decided_by"] == MACHINE else "teacher",
        evidence=evidence,
    )
