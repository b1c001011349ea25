"""Irrational numbers: many digits and a bound of how far off they may be, kept through every step.

Ball arithmetic as in J. van der Hoeven, "Ball arithmetic" (2009), with a decimal middle and a radius that is always
rounded up. What could be 0 is never divided by, and no sign is told of it.
"""

from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final

LARGEST: Final = Decimal("1e30")
_DIGITS: Final = 60
_MOST_EXPONENT: Final = 2048
_UNIT: Final = Decimal(10) ** (2 - _DIGITS)
"""Twice as much as one step's rounding takes of a number, and more than `ln` and `exp` may be off."""
_LARGEST_SHARE: Final = Decimal("0.01")
_C: Final = Context(prec=_DIGITS, traps=[InvalidOperation, Overflow])
_UP: Final = Context(prec=9, rounding=ROUND_UP, traps=[InvalidOperation, Overflow])
_ZERO: Final = Decimal(0)


class Unclear(ArithmeticError):
    """The digits do not tell, or there would be too many."""


@dataclass(frozen=True, slots=True)
class Near:
    """A number that is no more than `error` from `middle`."""

    middle: Decimal
    error: Decimal

    @property
    def size(self) -> Decimal:
        """The largest that it can be, without its sign."""
        return _UP.add(self.middle.copy_abs(), self.error)

    @property
    def is_positive(self) -> bool:
        """Whether it is above 0.

        Raises:
            Unclear: It could be 0.
        """
        if self.middle.copy_abs() <= self.error:
            raise Unclear
        return self.middle > 0


PI: Final = Near(Decimal("3.14159265358979323846264338327950288419716939937510582097494"), _UNIT)


def to_near(value: Fraction | Near) -> Near:
    """A rational number to many digits; what is near already as it is."""
    if isinstance(value, Near):
        return value
    return _made(_C.divide(Decimal(value.numerator), Decimal(value.denominator)), _ZERO)


def opposite(one: Near) -> Near:
    """Less than 0 by as much as this is more."""
    return Near(one.middle.copy_negate(), one.error)


def plus(one: Near, other: Near) -> Near:
    """The sum."""
    return _made(_C.add(one.middle, other.middle), _UP.add(one.error, other.error))


def times(one: Near, other: Near) -> Near:
    """The product."""
    error = _UP.add(_UP.multiply(one.size, other.error), _UP.multiply(other.size, one.error))
    return _made(_C.multiply(one.middle, other.middle), error)


def inverse(of: Near) -> Near:
    """One divided by it; it must not be able to be 0."""
    share = _share(of)
    made = _C.divide(Decimal(1), of.middle)
    return _made(made, _UP.multiply(_UP.multiply(made.copy_abs(), share), Decimal(2)))


def power(base: Near, exponent: int) -> Near:
    """A whole power from 1 on, by squaring."""
    if exponent > _MOST_EXPONENT:
        raise Unclear
    made: Near | None = None
    while exponent:
        if exponent % 2:
            made = base if made is None else times(made, base)
        exponent //= 2
        base = times(base, base) if exponent else base
    return made if made is not None else to_near(Fraction(1))


def root(of: Near, degree: int) -> Near:
    """The root of a number above 0."""
    share = _share(of)
    made = _C.sqrt(of.middle) if degree == 2 else _C.exp(_C.divide(_C.ln(of.middle), Decimal(degree)))  # noqa: PLR2004  # the square root
    return _made(made, _UP.multiply(_UP.multiply(made, _UP.add(share, _UNIT)), Decimal(2)))


def real_power(base: Near, exponent: Near) -> Near:
    """A number above 0 to any power."""
    share = _share(base)
    logarithm = _C.ln(base.middle)
    by = _C.multiply(exponent.middle, logarithm)
    if by.copy_abs() > 69:  # noqa: PLR2004  # the logarithm of `LARGEST`
        raise Unclear
    off = _UP.multiply(exponent.size, _UP.multiply(share, Decimal(2)))
    off = _UP.add(off, _UP.multiply(_UP.add(logarithm.copy_abs(), share), exponent.error))
    off = _UP.add(off, _UP.multiply(_UP.add(by.copy_abs(), Decimal(1)), _UNIT))
    if off > _LARGEST_SHARE:
        raise Unclear
    made = _C.exp(by)
    return _made(made, _UP.multiply(_UP.multiply(made, off), Decimal(2)))


def gap(one: Near, other: Near) -> Near:
    """How far they are from each other."""
    apart = plus(one, opposite(other))
    return Near(apart.middle.copy_abs(), apart.error)


def _share(of: Near) -> Decimal:
    """How much of itself a number may be off.

    Raises:
        Unclear: Too much to work on with it; so always where it could be 0.
    """
    if of.middle == 0:
        raise Unclear
    share = _UP.divide(of.error, of.middle.copy_abs())
    if share > _LARGEST_SHARE:
        raise Unclear
    return share


def _made(middle: Decimal, error: Decimal) -> Near:
    if middle.copy_abs() > LARGEST:
        raise Unclear
    return Near(middle, _UP.add(error, _UP.multiply(middle.copy_abs(), _UNIT)))
