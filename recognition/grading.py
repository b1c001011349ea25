"""From a reading and from what was captured to a grade. Never claims more than was seen.

Empty is not unread: a field without ink is `blank` only where nothing can have been lost; with a loss it is
`not_captured`. A field with ink never ends as `blank`. The machine gives points only to an accepted reading that its
key decides (see `scoring`); everything else goes to a person as `unsure`. Which of the eight states an answer has is
written once, in `state_of`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from recognition.readers.reading import Reading
from recognition.scoring import DOUBTS, score
from recognition.sheets import Field

State: TypeAlias = Literal[
    "not_handed_out", "no_pen", "not_captured", "blank", "answered", "unsure", "marked", "marked_on_paper_only"
]
STATES: Final[tuple[State, ...]] = get_args(State)
DECIDED: Final[frozenset[State]] = frozenset({"blank", "answered", "marked", "marked_on_paper_only"})
"""States whose points are final; in the others points are 0 because nobody has decided, and totals leave them out."""

MACHINE: Final = "machine"
NO_READER: Final = "none"
PAGE_UNTOUCHED: Final = "page_untouched"
"""The reason of a `blank` whose whole page has no ink, while another page of the sheet has."""
STEP: Final = "step:"
"""Before the name of a step that a person found taken, among the reasons."""


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
    """The field's key, its version and, where its paper is a variant, that: `q1/v2/B`; empty where it has none."""
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


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over answers that says of how many it is one: what nobody has decided is no 0 in it."""

    points: float
    max_points: float
    """Of the answers that are decided."""
    decided: int
    answers: int

    @property
    def coverage(self) -> float:
        """The share of the answers that it is made of, 0..1; 0 where there is none."""
        return self.decided / self.answers if self.answers else 0.0


def total(grades: Iterable[Grade]) -> Total:
    """The points of answers that are decided, and how many are not."""
    every = list(grades)
    decided = [made for made in every if made.is_decided]
    points, most = sum(made.points for made in decided), sum(made.max_points for made in decided)
    return Total(round(points, 2), round(most, 2), len(decided), len(every))


def state_of(
    *, by_person: bool, has_ink: bool, is_clear: bool, handed_out: bool, pen_seen: bool, losses_touch: bool
) -> State:
    """The state of an answer: of these lines, in this order, the first that holds.

    1. A person decided, and there is ink: `marked`.
    2. A person decided, and there is none: `marked_on_paper_only`.
    3. There is ink, and what it says is clear: `answered`.
    4. There is ink: `unsure`. Ink is ink, also of a pupil of whom no sheet or pen is known.
    5. No sheet was handed out: `not_handed_out`.
    6. No pen of the pupil was seen: `no_pen`. Nobody can say that anything was lost.
    7. Ink may be missing: `not_captured`.
    8. `blank`.

    Args:
        by_person: A person decided.
        has_ink: The store holds ink of the field.
        is_clear: All of its ink was captured, its page fits, the reading is accepted, and the key decides it.
        handed_out: The pupil had this sheet.
        pen_seen: A pen of the pupil was linked in the lesson.
        losses_touch: Ink of the field may be missing.
    """
    if by_person:
        return "marked" if has_ink else "marked_on_paper_only"
    if has_ink:
        return "answered" if is_clear else "unsure"
    if not handed_out:
        return "not_handed_out"
    if not pen_seen:
        return "no_pen"
    return "not_captured" if losses_touch else "blank"


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
    variant: str = "",
    page_untouched: bool = False,
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
        variant: The variant of the sheet, by the address of the paper that its ink stands on; never by what the pupil
            says.
        page_untouched: Its page has no ink at all, while another page of the sheet has.
    """
    state = state_of(
        by_person=False,
        has_ink=has_ink,
        is_clear=False,
        handed_out=handed_out,
        pen_seen=pen_seen,
        losses_touch=losses_touch,
    )
    seen = coverage if coverage is not None else 0.0 if losses_touch else 1.0
    bare = Grade(
        state=state,
        value=None,
        points=0.0,
        max_points=field.points,
        confidence=None,
        reader=reader if has_ink else NO_READER,
        key=_key_name(field, variant),
        decided_by=MACHINE,
        coverage=0.0 if state in ("not_handed_out", "no_pen") else seen,
    )
    if not has_ink:
        why = {"not_captured": ("ink_missing",), "blank": (PAGE_UNTOUCHED,) if page_untouched else ()}
        return replace(bare, reasons=why.get(state, ()))
    extra = ("ink_missing",) if losses_touch else ()
    if not fits:
        extra = (*extra, "page_does_not_fit")
    if reading is None:
        return replace(bare, reasons=(*extra, "not_read"))
    return _of_reading(bare, field, reading, extra, variant)


def regrade(made: Grade, field: Field) -> Grade:
    """The same answer under another key of its field: what was captured and read is as it was.

    What a person decided stays as it is. What the machine was not sure of stays so: a key clears doubts of a key alone.
    """
    if made.decided_by != MACHINE:
        return made
    variant = key_parts(made.key)[1]
    is_read = made.state == "answered" or not DOUBTS.isdisjoint(made.reasons)
    reasons = tuple(reason for reason in made.reasons if reason not in DOUBTS)
    bare = replace(made, key=_key_name(field, variant), max_points=field.points, reasons=reasons)
    if not is_read or made.value is None:
        return bare
    return _by_key(replace(bare, state="unsure", points=0.0), field, made.value, variant)


def by_teacher(grade: Grade, *, points: float, who: str, value: str | None = None, has_ink: bool = True) -> Grade:
    """What a teacher decided; without ink it is marked on paper only.

    Raises:
        ValueError: The points are not between 0 and the field's.
    """
    if not 0 <= points <= grade.max_points:
        raise ValueError(f"points are between 0 and {grade.max_points}")
    return replace(
        grade,
        state=_decided(has_ink=has_ink),
        value=value if value is not None else grade.value,
        points=points,
        decided_by=who,
    )


def by_steps(grade: Grade, field: Field, *, taken: Iterable[str], who: str, has_ink: bool = True) -> Grade:
    """What a teacher decided step by step; the grade's reasons name the steps that were taken.

    Raises:
        ValueError: The field has no such step.
    """
    steps = {step.id: step.points for step in field.steps}
    found = list(dict.fromkeys(taken))
    if unknown := [name for name in found if name not in steps]:
        raise ValueError(f"no step {unknown[0]}; there are {', '.join(steps) or 'none'}")
    reasons = [r for r in grade.reasons if r not in DOUBTS and not r.startswith(STEP)]
    named = tuple(f"{STEP}{name}" for name in steps if name in found)
    points = round(sum(steps[name] for name in found), 2)
    return by_teacher(replace(grade, reasons=(*reasons, *named)), points=points, who=who, has_ink=has_ink)


def _decided(*, has_ink: bool) -> State:
    return state_of(by_person=True, has_ink=has_ink, is_clear=False, handed_out=True, pen_seen=True, losses_touch=False)


def _of_reading(bare: Grade, field: Field, reading: Reading, extra: tuple[str, ...], variant: str) -> Grade:
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
    return _by_key(said, field, reading.value, variant)


def _by_key(said: Grade, field: Field, value: str, variant: str) -> Grade:
    found = score(field, value, variant=variant)
    if found.points is None:
        return replace(said, reasons=(*said.reasons, found.doubt))
    state = state_of(by_person=False, has_ink=True, is_clear=True, handed_out=True, pen_seen=True, losses_touch=False)
    return replace(said, state=state, points=found.points)


def _key_name(field: Field, variant: str) -> str:
    return f"{field.key}/{variant}" if field.key and variant else field.key


def key_parts(key: str) -> tuple[str, str]:
    """A key as a grade names it -> the key of the field with its version, and the variant or "": `q1/v2`, `B`."""
    *version, variant = (*key.split("/", 2), "", "")[:3]
    return "/".join(filter(None, version)), variant
