"""The table of write-once cases: from ink on a paper to the state of an answer, each row checked."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from recognition.fields import Assignment, assign
from recognition.grading import grade
from recognition.ink import Stroke
from recognition.readers.reader import Reader
from recognition.readers.reading import Reading, ReadRequest, Thresholds
from recognition.sheets import Box, Choice, Field, SheetPage
from tests.recognition.drawn import CHOICE, OPTIONS, F, G, ring, stroke, strokes, written, zigzag
from tests.recognition.fake_model import FakeCharacterModel

_TABLE: Final = Path(__file__).parents[2] / "data" / "write_once.toml"
_CASES: Final[list[dict[str, Any]]] = tomllib.loads(_TABLE.read_text("utf-8"))["case"]
_READER: Final = Reader(FakeCharacterModel(), Thresholds(digit=0.8, number=0.8, letter=0.8))
_FILL_TURNS: Final = 8


def _field(name: str, kind: str, box: Box, **more: Any) -> Field:  # noqa: ANN401  # whatever a field has
    keys = ("true",) if kind == "truefalse" else ("1",)
    return Field(id=name, kind=kind, page=1, box_mm=box, keys=keys, points=1, **more)  # type: ignore[arg-type]  # a kind of the sheet's


_MANY: Final = tuple(Choice(c.value, (c.box_mm[0] + 100, 40, c.box_mm[2] + 100, 45)) for c in OPTIONS if c.box_mm)
PAPER: Final = SheetPage(
    1,
    (210, 297),
    (
        CHOICE,
        F,
        G,
        _field("several", "choice", (118, 38, 157, 47), choices=_MANY, several=True),
        _field("T", "truefalse", (120, 60, 140, 70)),
        _field("D", "digit", (120, 78, 130, 88)),
        _field("L", "letter", (150, 78, 160, 88), choices=tuple(Choice(value) for value in "ABCD")),
        _field("R", "number", (20, 110, 60, 120), redo_box_mm=(80, 110, 110, 120)),
        _field("W", "word", (20, 140, 80, 150)),
    ),
    scratch=((120, 110, 190, 150),),
)


def _drawn(text: str) -> list[Stroke]:
    """One entry of the table's `ink`."""
    what, _, at = text.rpartition(" @")
    at_s = float(at)
    if found := re.fullmatch(r'"(\w+)" in (.+)', what):
        return written(found[1], _box(found[2]), at_s)
    name, _, rest = what.partition(" ")
    if name == "cross":
        return _cross(_box(rest), at_s)
    if name == "scribble":
        turns, _, box = rest.partition(" ")
        return [zigzag(_box(box), int(turns), at_s)]
    return [_one(name, rest, at_s)]


def _one(name: str, rest: str, at_s: float) -> Stroke:
    match name:
        case "tick":
            left, top, right, bottom = _box(rest)
            return stroke(f"{left + 0.5},{top + 2}>{left + 2},{bottom - 0.5}>{right + 2},{top - 2}", at_s)
        case "fill":
            return zigzag(_box(rest), _FILL_TURNS, at_s)
        case "ring":
            x, y, rx, ry = _box(rest)
            return ring(x, y, rx, ry, at_s)
        case _:
            return stroke(name, at_s)


def _cross(box: Box, at_s: float) -> list[Stroke]:
    left, top, right, bottom = box[0] + 0.5, box[1] + 0.5, box[2] - 0.5, box[3] - 0.5
    return strokes((f"{left},{top}>{right},{bottom}", at_s), (f"{right},{top}>{left},{bottom}", round(at_s + 0.3, 3)))


def _box(text: str) -> Box:
    left, top, right, bottom = (float(value) for value in text.split(","))
    return left, top, right, bottom


class _Paper:
    """The ink of one case on the paper; drawings are named by their place in the case."""

    def __init__(self, case: dict[str, Any]) -> None:
        drawings = [_drawn(text) for text in case["ink"]]
        self.strokes = [one for drawing in drawings for one in drawing]
        self._drawing_of = [number for number, drawing in enumerate(drawings) for _ in drawing]
        self.field = next(about for about in PAPER.fields if about.id == case["field"])
        self.found: Assignment = assign(self.strokes, PAPER)
        self.mine = self.found.fields.get(self.field.id, ())
        self.reading = self._read({k for k, d in enumerate(self._drawing_of) if d in case.get("keep", ())})

    def _read(self, keep: set[int]) -> Reading:
        about = self.field
        return _READER.read(
            ReadRequest(
                kind=about.kind,
                strokes=tuple(self.strokes[k] for k in self.mine),
                box=about.box_mm,
                choices=about.choices,
                several=about.several,
                redo_box=about.redo_box_mm,
                keep=frozenset(place for place, k in enumerate(self.mine) if k in keep),
                offered_to=self.found.offered_to.get(about.id, ()),
            )
        )

    def whole(self, members: Iterable[int]) -> set[int]:
        """The drawings that these strokes of the page make up, none of them in part."""
        strokes_of = set(members)
        out = {self._drawing_of[k] for k in strokes_of}
        assert strokes_of == {k for k, drawing in enumerate(self._drawing_of) if drawing in out}
        return out

    def of_role(self, role: str) -> set[int]:
        return self.whole(self.mine[place] for place, one in enumerate(self.reading.roles) if one.role == role)

    def state(self) -> str:
        made = grade(
            self.field,
            self.reading if self.mine else None,
            handed_out=True,
            pen_seen=True,
            losses_touch=False,
            has_ink=bool(self.mine),
            fits=self.found.fits,
        )
        return made.state


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_what_stands_and_what_is_taken_back_is_as_the_table_says(case: dict[str, Any]) -> None:
    paper = _Paper(case)
    reading = paper.reading
    if "state" in case:
        assert paper.state() == case["state"], reading
    if "value" in case:
        assert (reading.value or "") == case["value"], reading
    if "named" in case:
        assert [value for value, _ in reading.alternatives] == case["named"]
    for never in case.get("never", ()):
        assert reading.value != never or not reading.accepted
    assert set(case.get("reasons", ())) <= set(reading.reasons)
    for role in ("withdrawn", "redo", "note"):
        assert paper.of_role(role) == set(case.get(role, ())), role
    assert paper.whole(paper.mine[place] for place in reading.withdrawn) == set(case.get("withdrawn", ()))
    assert paper.whole(paper.found.scratch) == set(case.get("scratch", ()))
    if "why" in case:
        assert reading.roles[min(reading.withdrawn)].why == case["why"]


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_every_stroke_of_the_table_has_a_place_and_is_named_by_what_took_it_back(case: dict[str, Any]) -> None:
    paper = _Paper(case)
    placed = {k for members in paper.found.fields.values() for k in members}
    assert placed | set(paper.found.notes) | set(paper.found.scratch) == set(range(len(paper.strokes)))
    for one in paper.reading.roles:
        assert bool(one.by) == (one.role == "withdrawn" and one.why in ("scribbled_out", "struck_out", "overwritten"))


def test_the_table_has_sixty_rows_at_least_and_no_name_twice() -> None:
    names = [case["name"] for case in _CASES]
    assert len(set(names)) == len(names) >= 60
