"""What is printed on the pages of a sheet: fields, keys, and which page addresses stand for which page.

All lengths are millimetres from a page's top left corner, y down.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from recognition.pages import PageAddress
from recognition.sheets.written import KeyOptions, right_forms

Kind: TypeAlias = Literal[
    "digit", "number", "letter", "word", "choice", "truefalse", "expression", "hanzi", "pinyin", "seat"
]
"""What is to be written in a field. `seat` is a box of the link card: any mark in it says whose pen it is."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in mm."""
Affine: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]
Scoring: TypeAlias = Literal["all_or_nothing", "per_option"]
"""How several options are scored. `per_option`: each right one has its share, each wrong one takes a share away."""
SCORINGS: Final[tuple[Scoring, ...]] = get_args(Scoring)
IDENTITY: Final[Affine] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice; `box_mm` is its printed tick box, None where its letter is to be written."""

    value: str
    box_mm: Box | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    """What the option says, by language."""


@dataclass(frozen=True, slots=True)
class Alternate:
    """An answer with points of its own, or one that counts in one variant of the sheet alone."""

    value: str
    points: float
    """0 to the field's points."""
    variant: str = ""
    """The variant in which it counts; empty for all."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a rubric: a share of the field's points for a part of the work."""

    id: str
    points: float
    label: Mapping[str, str]
    """What must be there, by language."""
    keys: tuple[str, ...] = ()
    """Whole answers that show the step was taken; empty where a person says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One place for one answer."""

    id: str
    kind: Kind
    page: int
    """The number of its page on the sheet, from 1."""
    box_mm: Box
    prompt: Mapping[str, str] = field(default_factory=dict)
    """The question, by language."""
    keys: tuple[str, ...] = ()
    """Right answers, the first is the one to print; empty where a person marks. Several options are "A,C"."""
    alternates: tuple[Alternate, ...] = ()
    """Answers that get other points than all of them, or count in one variant only."""
    steps: tuple[Step, ...] = ()
    """A rubric, whose points add up to the field's: for answers that are none of the keys."""
    scoring: Scoring = "all_or_nothing"
    points: float = 0.0
    key_version: int = 1
    choices: tuple[Choice, ...] = ()
    several: bool = False
    options: KeyOptions = field(default_factory=KeyOptions)
    max_digits: int = 3
    seat: int | None = None
    redo_box_mm: Box | None = None
    """A box for a second try: what stands there replaces what was crossed out."""

    @property
    def key(self) -> str:
        """The version of its key, as a grade names it; empty where it has none."""
        has_key = self.keys or self.alternates or any(step.keys for step in self.steps)
        return f"{self.id}/v{self.key_version}" if has_key else ""

    @property
    def variants(self) -> frozenset[str]:
        """The variants of the sheet in which it has keys of their own; empty where its key is the same in all."""
        return frozenset(a.variant for a in self.alternates if a.variant)

    def of_variant(self, variant: str) -> "Field":
        """The field as it stands in one variant: what counts there alone counts, with what counts in all."""
        here = tuple(a for a in self.alternates if a.variant in ("", variant))
        full = tuple(a.value for a in here if a.points == self.points)
        part = tuple(Alternate(a.value, a.points) for a in here if a.points != self.points)
        return replace(self, keys=(*self.keys, *full), alternates=part)


@dataclass(frozen=True)
class SheetPage:
    """One page of a sheet."""

    number: int
    size_mm: tuple[float, float]
    fields: tuple[Field, ...]
    scratch: tuple[Box, ...] = ()
    """Areas for rough work: ink there is no answer's."""

    @cached_property
    def boxes(self) -> NDArray[np.float32]:
        """Shape (fields, 4): the fields' boxes, in their order."""
        return np.array([f.box_mm for f in self.fields], np.float32).reshape(-1, 4)

    @cached_property
    def areas(self) -> NDArray[np.float32]:
        """Shape (areas, 4): where ink is expected. Each field's box and, after it, its redo box; then scratch areas."""
        boxes = [box for f in self.fields for box in (f.box_mm, f.redo_box_mm) if box is not None]
        return np.array([*boxes, *self.scratch], np.float32).reshape(-1, 4)

    @cached_property
    def owners(self) -> tuple[int, ...]:
        """Whose each of the areas is: the place of its field; for scratch areas, the number of fields."""
        fields = [k for k, f in enumerate(self.fields) for box in (f.box_mm, f.redo_box_mm) if box is not None]
        return (*fields, *(len(self.fields) for _ in self.scratch))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The fields' names, in their order."""
        return tuple(f.id for f in self.fields)


@dataclass(frozen=True, slots=True)
class Placing:
    """A page address that stands for a page of the sheet."""

    address: PageAddress
    page: int
    affine: Affine = IDENTITY
    """mm on the paper -> mm on the sheet's page."""
    variant: str = ""
    """The variant that is printed there, by which its fields choose their key; empty where the sheet has none."""


@dataclass(frozen=True)
class Sheet:
    """A revision of a sheet. A revision is never changed once it is printed."""

    id: str
    revision: int
    title: Mapping[str, str]
    pages: tuple[SheetPage, ...]
    placings: tuple[Placing, ...] = ()

    @cached_property
    def _by_address(self) -> dict[PageAddress, tuple[SheetPage, NDArray[np.float64]]]:
        pages = {page.number: page for page in self.pages}
        return {p.address: (pages[p.page], np.array(p.affine)) for p in self.placings}

    @cached_property
    def _variants(self) -> dict[PageAddress, str]:
        return {p.address: p.variant for p in self.placings}

    @cached_property
    def _by_field(self) -> dict[str, tuple[SheetPage, Field]]:
        return {f.id: (page, f) for page in self.pages for f in page.fields}

    def place(self, address: PageAddress) -> tuple[SheetPage, NDArray[np.float64]] | None:
        """The page that an address stands for and the way there, (2, 3) mm to mm; None for unknown paper."""
        return self._by_address.get(address)

    def variant_of(self, address: PageAddress) -> str:
        """The variant printed on this paper; empty where there is none, or the paper is unknown."""
        return self._variants.get(address, "")

    def with_fields(self, changed: Mapping[str, Field]) -> "Sheet":
        """The same sheet with other keys in some of its fields."""
        pages = tuple(replace(p, fields=tuple(changed.get(f.id, f) for f in p.fields)) for p in self.pages)
        return replace(self, pages=pages)

    def page_of(self, field_id: str) -> SheetPage:
        """The page that a field is on; KeyError where there is no such field."""
        return self._by_field[field_id][0]

    def field(self, field_id: str) -> Field:
        """A field by its name; KeyError where there is none."""
        return self._by_field[field_id][1]

    def address_of(self, page_index: int) -> PageAddress:
        """The first address placed on a page, counted from 0; LookupError where it is placed nowhere."""
        number = self.pages[page_index].number
        for placing in self.placings:
            if placing.page == number:
                return placing.address
        raise LookupError(f"page {number} of sheet {self.id} is placed on no paper")

    def describe(self) -> dict[str, Any]:
        """All of it as plain values for JSON, with the written forms that count as right."""
        return {
            "id": self.id,
            "revision": self.revision,
            "title": dict(self.title),
            "pages": [
                {
                    "number": page.number,
                    "size_mm": list(page.size_mm),
                    "addresses": [list(p.address) for p in self.placings if p.page == page.number],
                    "fields": [_described(f) for f in page.fields],
                    "scratch_mm": [list(box) for box in page.scratch],
                }
                for page in self.pages
            ],
            "points": sum(f.points for page in self.pages for f in page.fields),
        }


def _described(about: Field) -> dict[str, Any]:
    out: dict[str, Any] = {"id": about.id, "kind": about.kind, "box_mm": list(about.box_mm)}
    if about.redo_box_mm is not None:
        out["redo_box_mm"] = list(about.redo_box_mm)
    if about.seat is not None:
        return {**out, "seat": about.seat}
    out |= {"prompt": dict(about.prompt), "points": about.points, "key": about.key, "keys": list(about.keys)}
    if about.alternates:
        out["alternates"] = [asdict(a) for a in about.alternates]
    if about.steps:
        out["steps"] = [
            {"id": s.id, "points": s.points, "label": dict(s.label), "keys": list(s.keys)} for s in about.steps
        ]
    if about.choices:
        out["several"] = about.several
        if about.several:
            out["scoring"] = about.scoring
        out["choices"] = [
            {"value": c.value, "box_mm": None if c.box_mm is None else list(c.box_mm), "text": dict(c.text)}
            for c in about.choices
        ]
    else:
        out["counts_as_right"] = right_forms(about.keys, about.options)
    return out
