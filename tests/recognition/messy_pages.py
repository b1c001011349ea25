"""Made-up pages of untidy writing with the truth beside them, to measure which field each stroke is given to.

Ticks that leave their boxes, characters over borders, answers scratched out and written anew above or beside, late
returns to a field, notes in the margin, rough work. Made by rule from a seed; classroom ink may be harder.

`python -m tests.recognition.messy_pages` prints the figures.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.fields import Assignment, assign
from recognition.ink import Stroke
from recognition.sheets import Box, Choice, Field, SheetPage
from tests.recognition.drawn import GLYPHS, dense

NOTE: Final = ""
SCRATCH: Final = "*"


def _field(name: str, kind: str, box: Box, *, boxes: int = 0, redo: Box | None = None) -> Field:
    left, top = box[:2]
    choices = tuple(Choice("ABCD"[k], (left + 4 + 22 * k, top + 2, left + 9 + 22 * k, top + 7)) for k in range(boxes))
    return Field(id=name, kind=kind, page=1, box_mm=box, choices=choices, keys=("1",), points=1, redo_box_mm=redo)  # type: ignore[arg-type]  # a kind of the sheet's


def _page() -> SheetPage:
    """A close sheet: choices under each other, numbers side by side, judgements in a column, lines, rough work."""
    fields = [_field(f"c{k}", "choice", (20, 30 + 12 * k, 110, 39 + 12 * k), boxes=4) for k in range(5)]
    fields += [_field(f"t{k}", "truefalse", (150, 30 + 10 * k, 158, 38 + 10 * k)) for k in range(6)]
    fields += [
        _field(f"n{k}", "number", (20 + 42 * (k % 4), 100 + 15 * (k // 4), 50 + 42 * (k % 4), 110 + 15 * (k // 4)))
        for k in range(12)
    ]
    fields += [_field(f"l{k}", "word", (20, 150 + 13 * k, 120, 160 + 13 * k)) for k in range(3)]
    fields += [_field("r0", "number", (20, 200, 50, 210), redo=(60, 200, 80, 210))]
    return SheetPage(1, (210, 297), tuple(fields), scratch=((130, 150, 200, 190),))


PAGE: Final = _page()


@dataclass(frozen=True, slots=True)
class MessyPage:
    """The strokes of a page, and of which field each is; `NOTE` and `SCRATCH` are of none."""

    strokes: tuple[Stroke, ...]
    truth: tuple[str, ...]


class _Pen:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.at_ms = rng, 1000.0
        self.strokes: list[Stroke] = []
        self.truth: list[str] = []

    def put(self, points: NDArray[np.float64], name: str, pause_s: float) -> None:
        self.at_ms += 1000 * pause_s
        rows = dense([(float(x), float(y)) for x, y in points], self.at_ms)
        rows[:, :2] += self.rng.normal(0, 0.08, (len(rows), 2))
        self.strokes.append(Stroke(rows, round(self.at_ms)))
        self.truth.append(name)
        self.at_ms = float(rows[-1, 2])

    def characters(self, count: int, left: float, top: float, height: float, name: str) -> float:
        """Write some digits; the right end of them."""
        for _ in range(count):
            glyph = GLYPHS["0123456789"[self.rng.integers(10)]]
            for number, part in enumerate(glyph.split("|")):
                points = np.array([[float(v) for v in corner.split(",")] for corner in part.split(">")])
                pause = self.rng.uniform(0.1, 0.25) if number else self.rng.uniform(0.2, 0.5)
                self.put(points * [0.055 * height, 0.1 * height] + [left, top], name, pause)
            left += 0.72 * height
        return left

    def zigzag(self, box: Box, name: str) -> None:
        count = int(self.rng.integers(6, 12))
        xs = np.linspace(box[0], box[2], count) + self.rng.normal(0, 0.4, count)
        half = max(1.5, (box[3] - box[1]) / 2)
        ys = (box[1] + box[3]) / 2 + half * np.where(np.arange(count) % 2, 1, -1) * self.rng.uniform(0.6, 1.1, count)
        self.put(np.column_stack([xs, ys]), name, self.rng.uniform(0.8, 3))


def messy_page(
    rng: np.random.Generator, mess: float, *, pause_s: tuple[float, float] = (1.5, 9), near: bool = False
) -> MessyPage:
    """One page; `mess` from 0, tidy, to 1.

    Args:
        rng: Where chance comes from.
        mess: How untidy.
        pause_s: How long a pen is away between two fields.
        near: Whether notes stand close beside fields too, where nobody could say whose they are.
    """
    pen = _Pen(rng)
    order = list(PAGE.fields)
    if mess:
        one, other = rng.integers(len(order), size=2)
        order[one], order[other] = order[other], order[one]
    for about in order:
        if rng.random() < 0.05:
            continue
        pen.at_ms += 1000 * rng.uniform(*pause_s)
        _answer(pen, about, mess)
        if rng.random() < 0.12 + 0.1 * mess:
            pen.at_ms += 2000
            x = float(rng.choice([3.0, 11.0 if near else 3.0, 198.0])) + rng.uniform(-2, 2)
            pen.characters(int(rng.integers(1, 3)), x, rng.uniform(20, 280), rng.uniform(3, 6), NOTE)
        if rng.random() < 0.1:
            pen.at_ms += 1500
            pen.characters(3, rng.uniform(133, 170), rng.uniform(152, 180), rng.uniform(4, 7), SCRATCH)
    for about in PAGE.fields:
        if about.kind in ("number", "word") and rng.random() < 0.12:
            pen.at_ms += 1000 * rng.uniform(*pause_s)
            box = about.box_mm
            pen.characters(1, box[2] - 6, box[1] + 1 + rng.normal(0, 0.8 * mess), rng.uniform(4.5, 7), about.id)
    return MessyPage(tuple(pen.strokes), tuple(pen.truth))


def _answer(pen: _Pen, about: Field, mess: float) -> None:
    rng, (left, _, right, bottom) = pen.rng, about.box_mm
    if about.choices:
        box = about.choices[int(rng.integers(len(about.choices)))].box_mm or about.box_mm
        _mark(pen, box, about.id, mess)
        if rng.random() < 0.1 + 0.1 * mess:
            pen.zigzag(box, about.id)
            pen.at_ms += 900
            again = about.choices[int(rng.integers(len(about.choices)))].box_mm or about.box_mm
            _mark(pen, again, about.id, mess)
        return
    if about.kind == "truefalse":
        _mark(pen, about.box_mm, about.id, mess)
        return
    height = rng.uniform(5, 7.5)
    count = int(rng.integers(1, 4)) if about.kind == "number" else int(rng.integers(2, 9))
    x = left + rng.normal(3, 1 + 1.5 * mess)
    y = bottom - height - rng.uniform(-0.8, 2) - mess * rng.uniform(-1.5, 2)
    end = pen.characters(count, x, y, height, about.id)
    if rng.random() < 0.2 + 0.15 * mess:
        pen.zigzag((x - 0.5, y, end - 1, y + height), about.id)
        pen.at_ms += 800
        if about.redo_box_mm is not None and rng.random() < 0.7:
            redo = about.redo_box_mm
            pen.characters(count, redo[0] + 2, redo[1] + rng.normal(1.5, mess), height, about.id)
        elif end + count * 0.72 * height < right + 4:
            pen.characters(count, end + 1, y, height, about.id)
        else:
            pen.characters(count, x, y - height - rng.uniform(0, 1.5), 0.8 * height, about.id)


def _mark(pen: _Pen, box: Box, name: str, mess: float) -> None:
    rng = pen.rng
    size = max(4.6, box[3] - box[1]) * rng.uniform(0.8, 1.5 + 0.6 * mess)
    x = (box[0] + box[2]) / 2 + rng.normal(0, 0.5 + 0.8 * mess)
    y = (box[1] + box[3]) / 2 + rng.normal(0, 0.5 + 0.6 * mess)
    if rng.random() < 0.65:
        out, up = rng.uniform(0.4, 1.2) * size, rng.uniform(0.4, 1.1) * size
        pen.put(np.array([[x - 0.35 * size, y], [x - 0.1 * size, y + 0.35 * size], [x + out, y - up]]), name, 0)
        return
    half = 0.4 * size
    pen.put(np.array([[x - half, y - half], [x + half, y + half]]), name, 0)
    pen.put(np.array([[x + half, y - half], [x - half, y + half]]), name, 0.2)


@dataclass(slots=True)
class Score:
    """How a rule did; counts of fields with ink, and of notes."""

    fields: int = 0
    right: int = 0
    flagged: int = 0
    """Not right, and offered to more than one or with ink from outside: a person looks."""
    notes: int = 0
    """In the margin, some near to a field."""
    notes_left: int = 0
    scratch: int = 0
    scratch_left: int = 0
    strokes: int = 0
    strokes_right: int = 0

    @property
    def wrong(self) -> int:
        """Fields that got other ink than theirs, without a word."""
        return self.fields - self.right - self.flagged

    def add(self, page: MessyPage, found: Assignment) -> None:
        """Judge one page."""
        given: list[set[str]] = [set() for _ in page.truth]
        for name, members in found.fields.items():
            for k in members:
                given[k].add(name)
        for name in {*page.truth, *found.fields} - {NOTE, SCRATCH}:
            wanted = tuple(k for k, of in enumerate(page.truth) if of == name)
            self.fields += 1
            if found.fields.get(name, ()) == wanted and name not in found.offered_to:
                self.right += 1
            elif name in found.offered_to or name in found.outside:
                self.flagged += 1
        for of, names in zip(page.truth, given, strict=True):
            self.notes += of == NOTE
            self.notes_left += of == NOTE and not names
            self.scratch += of == SCRATCH
            self.scratch_left += of == SCRATCH and not names
            self.strokes += of not in (NOTE, SCRATCH)
            self.strokes_right += of not in (NOTE, SCRATCH) and names == {of}


def measured(
    mess: float,
    *,
    pages: int,
    seed: int = 100,
    pause_s: tuple[float, float] = (1.5, 9),
    near: bool = False,
    rule: Callable[[tuple[Stroke, ...], SheetPage], Assignment] = assign,
) -> Score:
    """The score of a rule on made-up pages."""
    score = Score()
    for number in range(pages):
        page = messy_page(np.random.default_rng([seed, number]), mess, pause_s=pause_s, near=near)
        score.add(page, rule(page.strokes, PAGE))
    return score


def _main() -> None:
    for pause_s, near in (((1.5, 9.0), False), ((0.2, 0.8), False), ((1.5, 9.0), True)):
        for mess in (0.0, 0.5, 1.0):
            score = measured(mess, pages=60, pause_s=pause_s, near=near)
            sys.stdout.write(
                f"pauses {pause_s[0]}-{pause_s[1]} s, mess {mess}, notes {'near' if near else 'far'}:"
                f" {score.strokes} strokes {score.strokes_right / score.strokes:.2%},"
                f" {score.fields} fields {score.right / score.fields:.2%} right,"
                f" {score.flagged / score.fields:.2%} flagged, {score.wrong / score.fields:.2%} wrong unsaid;"
                f" notes left alone {score.notes_left}/{score.notes}, rough work {score.scratch_left}/{score.scratch}\n"
            )
    pages = [messy_page(np.random.default_rng([100, number]), 1.0) for number in range(30)]
    best = min(_seconds(pages) for _ in range(5))
    sys.stdout.write(f"{1000 * best / len(pages):.1f} ms a page, best of five\n")


def _seconds(pages: list[MessyPage]) -> float:
    began = process_time()
    for page in pages:
        assign(page.strokes, PAGE)
    return process_time() - began


if __name__ == "__main__":
    _main()
