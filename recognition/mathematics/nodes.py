"""A written expression as a tree of our own: what was written, not what it comes to.

No node knows the algebra library. Trees come from `parsing` alone, which bounds how deep and how large they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

PI: Final = "π"
"""The one letter that is a number."""

Sign: TypeAlias = Literal["=", "≠", "<", "≤"]
"""`>` and `≥` are written from the other side."""
Joint: TypeAlias = Literal["list", "any", "all", "point"]
"""What holds the parts of a listing together: a comma, *or*, *and*, the brackets of a point."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as one sign: an integer, a decimal, or a mixed number such as 1 1/2."""

    value: Fraction
    is_mixed: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """An unknown, or π."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """The opposite of something."""

    of: "Expression"


@dataclass(frozen=True, slots=True)
class Percent:
    """Something in hundredths."""

    of: "Expression"


@dataclass(frozen=True, slots=True)
class Sum:
    """Two terms or more; what is taken away is a `Negative`."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Two factors or more."""

    factors: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """A fraction or a division; how the stroke was written makes no difference."""

    top: "Expression"
    bottom: "Expression"


@dataclass(frozen=True, slots=True)
class Power:
    """A base with its exponent."""

    base: "Expression"
    exponent: "Expression"


@dataclass(frozen=True, slots=True)
class Root:
    """The root of a degree from 2: of odd degree also of negative numbers."""

    degree: int
    of: "Expression"


Expression: TypeAlias = Number | Letter | Negative | Percent | Sum | Product | Quotient | Power | Root


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation or inequality."""

    sign: Sign
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Listing:
    """Several answers in one: solutions, a chain of inequalities, the coordinates of a point."""

    items: tuple[Expression | Relation, ...]
    joint: Joint


Statement: TypeAlias = Expression | Relation | Listing


def parts_of(node: Statement) -> tuple[Expression | Relation, ...]:
    """What a node is directly made of."""
    match node:
        case Number() | Letter():
            return ()
        case Negative(of) | Percent(of) | Root(_, of):
            return (of,)
        case Sum(parts) | Product(parts) | Listing(parts):
            return parts
        case Quotient(one, other) | Power(one, other) | Relation(_, one, other):
            return (one, other)


def walk(node: Statement) -> Iterator[Statement]:
    """A node and everything in it."""
    waiting: list[Statement] = [node]
    while waiting:
        yield (here := waiting.pop())
        waiting.extend(parts_of(here))


def letters_of(node: Statement) -> frozenset[str]:
    """The unknowns in it, without π."""
    return frozenset(here.name for here in walk(node) if isinstance(here, Letter)) - {PI}


def difference(one: Expression, other: Expression) -> Expression:
    """One less the other."""
    return Sum((one, Negative(other)))
