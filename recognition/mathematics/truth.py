"""Where an equation or inequality holds: points at which two of them can be told apart."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Final

from recognition.mathematics.nodes import Expression, Joint, Relation, difference, letters_of
from recognition.mathematics.values import TooLarge, Undefined, points, value_of

_BASES: Final = 3
"""From how many points on each letter is moved to where a relation may turn."""


def gap_of(relation: Relation) -> Expression:
    """Left side less right side: what the sign compares with 0."""
    return difference(relation.left, relation.right)


def holds(relation: Relation, at: dict[str, Fraction]) -> bool | None:
    """Whether it holds at a point; None where that cannot be told exactly."""
    gap = _exact(gap_of(relation), at)
    if gap is None:
        return None
    match relation.sign:
        case "=":
            return gap == 0
        case "≠":
            return gap != 0
        case "<":
            return gap < 0
        case "≤":
            return gap <= 0


def hold_together(relations: Sequence[Relation], joint: Joint, at: dict[str, Fraction]) -> bool | None:
    """Whether all of them hold at a point, or for `any` at least one; None where that cannot be told exactly."""
    told = [holds(relation, at) for relation in relations]
    if None in told:
        return None
    return any(told) if joint == "any" else all(told)


def witnesses(relations: Sequence[Relation]) -> Iterator[dict[str, Fraction]]:
    """Points at which they may differ: some of any kind, and those at and beside which one of them turns."""
    names = sorted({name for relation in relations for name in letters_of(relation)})
    yield from points(names)
    for base in islice(points(names), _BASES):
        for name in names:
            for relation in relations:
                turn = _turn(gap_of(relation), base, name)
                if turn is not None:
                    steps = (0,) if relation.sign in "=≠" else (0, -1, 1)
                    yield from ({**base, name: turn + step} for step in steps)


def _turn(gap: Expression, base: dict[str, Fraction], name: str) -> Fraction | None:
    """Where a gap that is linear in a letter is 0, the other letters at their numbers."""
    at = [_exact(gap, {**base, name: Fraction(k)}) for k in range(3)]
    if at[0] is None or at[1] is None or at[2] is None or at[0] == at[1] or at[0] - 2 * at[1] + at[2] != 0:
        return None
    return at[0] / (at[0] - at[1])


def _exact(node: Expression, at: dict[str, Fraction]) -> Fraction | None:
    try:
        value = value_of(node, at)
    except (Undefined, TooLarge):
        return None
    return value if isinstance(value, Fraction) else None
