"""From a reading and from what was captured to a grade. Never claims more than was seen.

Empty is not unread: a field without ink is `blank` only where nothing can have been lost; with a loss it is
`not_captured`. A field with ink never ends as `blank`. The machine gives points only to an accepted reading that its
key calls right or wrong; everything else goes to a person as `unsure`.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from recognition.readers.reading import Reading
from recognition.sheets import Field, compare

State: TypeAlias = Literal[
    "not_handed_out", "no_pen", "not_captured", "blank", "answered", "unsure", "marked", "marked_on_paper_only"
]
STATES: Final[tuple[State, ...]] = get_args(State)
DECIDED: Final[frozenset[State]] = frozenset({"blank", "answered", "marked", "marked_on_paper_only"})
"""States whose points are final; in the others points are 0 because nobody has decided, and totals leave them out."""

MACHINE: Final = "machine"
NO_READER: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The state of one answer, with everything that explains it."""

    state: State
    value: str | None
    """What stands there as it was read, or what the reader would say where it is not sure."""
    points: float
    """Meant only where the state is in `DECIDED`."""
    max_points: float
    confidence: float | None
    """Of the reading; None where nothing was read."""
    reader: str
    """Version of the reader, `none` where nothing was read."""
    key: str
    """The field's key and its version; empty where it has none."""
    decided_by: str
    """`machine`, or who decided, as a pseudonym."""
    coverage: float
    """The share of its ink that was captured, 0..1; 0 too where some may be missing and nobody knows how much."""
    alternatives: tuple[tuple[str, float], ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def is_decided(self) -> bool:
        """Whether its points count in a total."""
        return self.state in DECIDED


def grade(
    field: Field,
    reading: Reading | None,
    *,
    handed_out: bool,
    pen_seen: bool,
    losses_touch: bool,
    has_ink: bool,
    reader: str = NO_READER,
    fits: bool = True,
    coverage: float | None = None,
) -> Grade:
    """Grade one answer.

    Args:
        field: The field, with its key.
        reading: What the reader made of its ink; None where it was not read.
        handed_out: The pupil had this sheet.
        pen_seen: A pen of the pupil was linked in the lesson.
        losses_touch: Ink of this field may be missing: a loss that nothing has healed, of whatever cause. What still
            lies in a pen's memory is such a loss as long as it lies there.
        has_ink: The store holds ink of this field.
        reader: Version of the reader.
        fits: The page's ink fits its sheet (`Assignment.fits`).
        coverage: Where it is known better than whole or not, 0..1.
    """
    seen = coverage if coverage is not None else 0.0 if losses_touch else 1.0
    bare = Grade(
        state="unsure",
        value=None,
        points=0.0,
        max_points=field.points,
        confidence=None,
        reader=reader if has_ink else NO_READER,
        key=field.key,
        decided_by=MACHINE,
        coverage=seen,
    )
    if not has_ink:
        return _without_ink(bare, handed_out=handed_out, pen_seen=pen_seen, lost=losses_touch)
    extra = ("ink_missing",) if losses_touch else ()
    if not fits:
        extra = (*extra, "page_does_not_fit")
    if reading is None:
        return replace(bare, reasons=(*extra, "not_read"))
    return _of_reading(bare, field, reading, extra)


def by_teacher(grade: Grade, *, points: float, who: str, value: str | None = None, has_ink: bool = True) -> Grade:
    """What a teacher decided; without ink it is marked on paper only.

    Raises:
        ValueError: The points are not between 0 and the field's.
    """
    if not 0 <= points <= grade.max_points:
        raise ValueError(f"points are between 0 and {grade.max_points}")
    return replace(
        grade,
        state="marked" if has_ink else "marked_on_paper_only",
        value=value if value is not None else grade.value,
        points=points,
        decided_by=who,
    )


def _without_ink(bare: Grade, *, handed_out: bool, pen_seen: bool, lost: bool) -> Grade:
    if not handed_out:
        return replace(bare, state="not_handed_out", coverage=0.0)
    if not pen_seen:
        return replace(bare, state="no_pen", coverage=0.0)
    if lost:
        return replace(bare, state="not_captured", reasons=("ink_missing",))
    return replace(bare, state="blank")


def _of_reading(bare: Grade, field: Field, reading: Reading, extra: tuple[str, ...]) -> Grade:
    said = replace(
        bare,
        value=reading.value,
        confidence=reading.confidence,
        alternatives=reading.alternatives,
        reasons=(*extra, *reading.reasons),
    )
    if extra or not reading.accepted:
        return said
    if reading.value is None:
        # A reader that finds nothing in ink that is there has seen less than the store: a person looks.
        return replace(said, reasons=(*said.reasons, "ink_unread"))
    if not field.keys:
        return replace(said, reasons=(*said.reasons, "no_key"))
    verdict = compare(reading.value, [_in_order(field, key) for key in field.keys], field.options)
    if verdict == "ask":
        return replace(said, reasons=(*said.reasons, "form_unclear"))
    return replace(said, state="answered", points=field.points if verdict == "right" else 0.0)


def _in_order(field: Field, key: str) -> str:
    """A key of several options with the options in the sheet's order, as a reading names them."""
    if not field.several:
        return key
    wanted = {part.strip() for part in key.split(",")}
    return ",".join(choice.value for choice in field.choices if choice.value in wanted)
