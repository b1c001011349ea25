"""How many points a read answer has under its field's key: alternates, several options, rubric steps.

The order is written once, here; the first line that holds decides:

1. what stands in the key word for word has the points that stand beside it;
2. several options under `per_option`: each right one has its share, each wrong one takes a share away, never below 0;
3. the keys by their points, the most first: where one is right by the key's options, its points; where one cannot be
   decided, nobody decides on fewer points instead: a person is asked;
4. steps, for a field that has them and no key that is right: the sum of those taken, once every step is decided;
5. else 0.

There are no part points for what is unsure: a score is points, or the reason why a person must say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from recognition.sheets import Field, Step, Verdict, compare

NO_KEY: Final = "no_key"
FORM_UNCLEAR: Final = "form_unclear"
STEPS_OPEN: Final = "steps_open"
VARIANT_UNKNOWN: Final = "variant_unknown"
DOUBTS: Final = frozenset({NO_KEY, FORM_UNCLEAR, STEPS_OPEN, VARIANT_UNKNOWN})
"""Why a key, and not the reading, leaves an answer to a person; another key may decide it."""


@dataclass(frozen=True, slots=True)
class Score:
    """Points, or why there are none yet."""

    points: float | None
    """None where a person must say."""
    doubt: str = ""
    """One of `DOUBTS`; empty where there are points."""
    steps: tuple[tuple[str, Verdict], ...] = ()
    """What the key says of each step, as a proposal where a person decides; empty where no step was asked."""


def score(field: Field, value: str, *, variant: str = "") -> Score:
    """The points of what was read, and read surely.

    Args:
        field: The field with its key.
        value: What stands there; several options as "A,C".
        variant: The variant of the sheet on whose paper it stands.
    """
    if field.variants and variant not in field.variants:
        return Score(None, VARIANT_UNKNOWN)
    here = field.of_variant(variant) if field.variants else field
    if not here.key:
        return Score(None, STEPS_OPEN if here.steps else NO_KEY)
    return _by_key(here, in_order(here, value.strip()))


def _by_key(field: Field, said: str) -> Score:
    levels = _levels(field)
    for points, keys in levels:
        if said in keys:
            return Score(points)
    if field.several and field.scoring == "per_option":
        return Score(max(_per_option(said, key, field.points) for key in field.keys))
    for points, keys in levels:
        if not points:
            break  # listed as wrong: that is meant word for word, and anything else has 0 points anyway
        verdict = _compare(field, said, keys)
        if verdict != "wrong":
            return Score(points) if verdict == "right" else Score(None, FORM_UNCLEAR)
    return _by_steps(field, said) if field.steps else Score(0.0)


def in_order(field: Field, options: str) -> str:
    """Several options in the sheet's order, as a reading names them; anything else as it is."""
    if not field.several:
        return options
    wanted = {part.strip() for part in options.split(",")}
    return ",".join(choice.value for choice in field.choices if choice.value in wanted)


def _levels(field: Field) -> list[tuple[float, list[str]]]:
    """The answers that get points, by their points, the most first."""
    by_points: dict[float, list[str]] = {field.points: [in_order(field, key.strip()) for key in field.keys]}
    for alternate in field.alternates:
        by_points.setdefault(alternate.points, []).append(in_order(field, alternate.value.strip()))
    return sorted(((points, keys) for points, keys in by_points.items() if keys), reverse=True)


def _compare(field: Field, said: str, keys: Sequence[str]) -> Verdict:
    """An option is no number: `1,2` is two of them."""
    if field.choices:
        return "right" if said in keys else "wrong"
    return compare(said, keys, field.options)


def _per_option(said: str, key: str, points: float) -> float:
    chosen, right = ({part.strip() for part in text.split(",")} - {""} for text in (said, key))
    count = len(chosen & right) - len(chosen - right)
    return round(float(max(0, count) * Fraction(str(points)) / len(right)), 2)


def _by_steps(field: Field, said: str) -> Score:
    steps = tuple((step.id, _taken(field, step, said)) for step in field.steps)
    if any(verdict == "ask" for _, verdict in steps):
        return Score(None, STEPS_OPEN, steps)
    return Score(float(sum(_points(field, steps))), steps=steps)


def _taken(field: Field, step: Step, said: str) -> Verdict:
    return _compare(field, said, step.keys) if step.keys else "ask"


def _points(field: Field, steps: Sequence[tuple[str, Verdict]]) -> Iterator[Fraction]:
    for step, (_, verdict) in zip(field.steps, steps, strict=True):
        if verdict == "right":
            yield Fraction(str(step.points))
