"""What a tree comes to where its letters stand for given numbers: exactly as long as it can, else to many digits.

The first judge of two expressions: where they differ at one point, they differ. Every step is bounded, so that no tree
costs much; what grows beyond, or could be a place without a value, is `TooLarge`.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isqrt
from typing import Final, TypeAlias

from recognition.mathematics import near
from recognition.mathematics.near import Near
from recognition.mathematics.nodes import (
    PI,
    Expression,
    Letter,
    Negative,
    Number,
    Percent,
    Power,
    Product,
    Quotient,
    Root,
    Sum,
)

Value: TypeAlias = Fraction | Near
"""A rational number exactly, or any other to many digits."""
TooLarge = near.Unclear

_MOST_BITS: Final = 2048
_MOST_ROOT: Final = 12
_SAME: Final = Decimal("1e-25")


class Undefined(ArithmeticError):
    """There is no real number here: a division by zero, an even root of a negative number."""


def value_of(  # noqa: C901, PLR0911  # one case a kind of node
    node: Expression, at: Mapping[str, Fraction]
) -> Value:
    """The value of an expression, each of its letters at a number.

    Raises:
        Undefined: It has no real value there.
        TooLarge: It is not worked out, for its size or because its digits do not tell.
    """
    match node:
        case Number(value):
            return value
        case Letter(name):
            return near.PI if name == PI else at[name]
        case Negative(of):
            return _opposite(value_of(of, at))
        case Percent(of):
            return _times(value_of(of, at), Fraction(1, 100))
        case Sum(terms):
            total: Value = Fraction(0)
            for term in terms:
                total = _plus(total, value_of(term, at))
            return total
        case Product(factors):
            product: Value = Fraction(1)
            for factor in factors:
                product = _times(product, value_of(factor, at))
            return product
        case Quotient(top, bottom):
            return _times(value_of(top, at), _inverse(value_of(bottom, at)))
        case Power(base, exponent):
            return _power(value_of(base, at), value_of(exponent, at))
        case Root(degree, of):
            return _root(value_of(of, at), degree)


def differs(one: Value, other: Value) -> bool | None:
    """Whether two values are not the same; None where the digits do not tell.

    Irrational ones that agree to many digits count as the same here, which is no proof; that they differ is one.
    """
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one != other
    a, b = near.to_near(one), near.to_near(other)
    apart = near.gap(a, b)
    if apart.middle > apart.error:
        return True
    return False if apart.error <= _SAME * max(a.size, b.size, Decimal(1)) else None


def is_near(one: Value, other: Value, *, share: Fraction) -> bool:
    """Whether one could be a rounded form of the other: apart by no more than a share of it."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return abs(one - other) <= share * max(abs(one), abs(other))
    a, b = near.to_near(one), near.to_near(other)
    return near.gap(a, b).middle * share.denominator <= max(a.size, b.size) * share.numerator


def is_positive(value: Value) -> bool:
    """Whether it is above 0.

    Raises:
        TooLarge: The digits do not tell.
    """
    return value > 0 if isinstance(value, Fraction) else value.is_positive


def points(names: Sequence[str]) -> Iterator[dict[str, Fraction]]:
    """Numbers to put for letters: whole, broken, small and large, of each sign and of both."""
    primes = (2, 3, 5, 7, 11, 13)
    ordered = sorted(names)
    rows: list[list[Fraction]] = [
        [Fraction(p) for p in primes],
        [Fraction(p, q) for p, q in zip(primes, (3, 7, 4, 9, 8, 5), strict=True)],
        [Fraction(-p, q) for p, q in zip(primes, (5, 2, 9, 4, 3, 7), strict=True)],
        [Fraction(p * (-1) ** k, 3) for k, p in enumerate((7, 4, 10, 5, 8, 2))],
        [Fraction(p * (-1) ** (k + 1), 5) for k, p in enumerate((3, 8, 2, 9, 6, 4))],
        [Fraction(0)] * 6,
        [Fraction(1)] * 6,
        [Fraction(-1)] * 6,
        [Fraction(p * 1001, 7) for p in primes],
        [Fraction(-p * 1003, 11) for p in primes],
    ]
    for row in rows[: 1 if not ordered else None]:
        yield dict(zip(ordered, row, strict=False))


def _checked(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise TooLarge
    return value


def _opposite(value: Value) -> Value:
    return -value if isinstance(value, Fraction) else near.opposite(value)


def _plus(one: Value, other: Value) -> Value:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return _checked(one + other)
    return near.plus(near.to_near(one), near.to_near(other))


def _times(one: Value, other: Value) -> Value:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return _checked(one * other)
    if _is_nothing(one) or _is_nothing(other):
        return Fraction(0)
    return near.times(near.to_near(one), near.to_near(other))


def _is_nothing(value: Value) -> bool:
    return isinstance(value, Fraction) and value == 0


def _inverse(value: Value) -> Value:
    if isinstance(value, Near):
        return near.inverse(value)
    if value == 0:
        raise Undefined
    return 1 / value


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Near) or exponent.denominator > _MOST_ROOT:
        return _real_power(base, exponent)
    if exponent.denominator > 1:
        return _power(_root(base, exponent.denominator, of_negative=False), Fraction(exponent.numerator))
    whole = exponent.numerator
    if whole <= 0:
        # 0 to the power of 0 or less is nothing.
        base, whole = _inverse(base), -whole
    if isinstance(base, Near):
        return near.power(base, whole)
    if abs(base) == 1:
        return base ** (whole % 2)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base != 0 and bits * whole > _MOST_BITS:
        raise TooLarge
    return base**whole


def _real_power(base: Value, exponent: Value) -> Value:
    if not is_positive(base):
        raise Undefined
    return near.real_power(near.to_near(base), near.to_near(exponent))


def _root(of: Value, degree: int, *, of_negative: bool = True) -> Value:
    if _is_nothing(of):
        return Fraction(0)
    if not is_positive(of):
        if degree % 2 == 0 or not of_negative:
            raise Undefined
        return _opposite(_root(_opposite(of), degree))
    if isinstance(of, Fraction):
        top, bottom = _whole_root(of.numerator, degree), _whole_root(of.denominator, degree)
        if top is not None and bottom is not None:
            return Fraction(top, bottom)
    return near.root(near.to_near(of), degree)


def _whole_root(of: int, degree: int) -> int | None:
    """The whole number that is the root of a positive one, if there is one."""
    if degree == 2:  # noqa: PLR2004  # the square root
        root = isqrt(of)
        return root if root * root == of else None
    low, high = 1, 1 << (of.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**degree < of:
            low = middle + 1
        else:
            high = middle
    return low if low**degree == of else None
