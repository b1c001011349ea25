"""Proofs that two expressions are the same, by sympy. The only door to it; imported when a proof is asked for.

Expressions are built node by node from our tree: no text of a pupil ever reaches sympy, which reads text as Python.
What is made of letters, rational numbers and + - * / is a fraction of two polynomials, and equality is decided there;
what has roots or letters as exponents is brought to nothing by rewriting, or is not proven. Sizes are bounded before
each product; time is bounded by whoever calls (see `budget`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, Final, Literal, TypeAlias

import sympy
from sympy.polys.polyerrors import BasePolynomialError
from sympy.polys.rings import PolyElement, ring

from recognition.mathematics.forms import form_of
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
    letters_of,
    walk,
)
from recognition.mathematics.values import TooLarge, Undefined, is_positive, value_of

Proof: TypeAlias = Literal["equal", "different"] | None
"""None: neither is proven."""

_MOST_EXPONENT: Final = 64
_MOST_PRODUCTS: Final = 6000
_SLICED_AT: Final = (0, 2, -3)
"""Where the other letters stand while two curves are compared along one."""
_FAILURES: Final = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
    BasePolynomialError,
)
"""What sympy raises where it has no way; then nothing is proven."""


class _NotRational(Exception):
    """There is a root, or a letter in an exponent. It never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A fraction of two polynomials."""

    top: PolyElement
    bottom: PolyElement


def same_value(one: Expression, other: Expression) -> Proof:
    """Whether two expressions have the same value wherever they have one, and have one at the same places."""
    try:
        return _by_polynomials(one, other)
    except _NotRational:
        pass
    except _FAILURES:
        return None
    try:
        return _by_rewriting(one, other)
    except _FAILURES:
        return None


def same_zeros(one: Expression, other: Expression) -> Proof:
    """Whether two expressions are 0 at the same places, of real numbers."""
    try:
        return _by_zeros(one, other)
    except (*_FAILURES, _NotRational):
        return None


def _by_polynomials(one: Expression, other: Expression) -> Proof:
    ratios = _Ratios((one, other))
    (a, zeros_a), (b, zeros_b) = ratios.of(one), ratios.of(other)
    if _product(a.top, b.bottom) != _product(b.top, a.bottom):
        return "different"
    return "equal" if _covers(zeros_a, zeros_b) and _covers(zeros_b, zeros_a) else None


class _Ratios:
    """Expressions in the same letters as fractions of polynomials."""

    def __init__(self, expressions: Sequence[Expression]) -> None:
        names = sorted({n.name for e in expressions for n in walk(e) if isinstance(n, Letter)})
        if not names:
            raise _NotRational
        self.ring, *letters = ring([f"v{k}" for k in range(len(names))], sympy.QQ)
        self._letters: dict[str, PolyElement] = dict(zip(names, letters, strict=True))
        self._divisors: list[PolyElement] = []

    def of(self, node: Expression) -> tuple[_Ratio, list[PolyElement]]:
        """The fraction, and the polynomials that must not be 0 for it to have a value."""
        self._divisors = []
        ratio = self._ratio(node)
        return ratio, self._divisors

    def _whole(self, value: Fraction) -> _Ratio:
        made = self.ring.ground_new(sympy.QQ(value.numerator, value.denominator))
        return _Ratio(made, self.ring.one)

    def _ratio(self, node: Expression) -> _Ratio:  # noqa: C901, PLR0911  # one case a kind of node
        if not any(isinstance(here, Letter) for here in walk(node)):
            value = value_of(node, {})
            if not isinstance(value, Fraction):
                raise _NotRational
            return self._whole(value)
        match node:
            case Letter(name):
                return _Ratio(self._letters[name], self.ring.one)
            case Negative(of):
                inner = self._ratio(of)
                return _Ratio(-inner.top, inner.bottom)
            case Percent(of):
                return _times(self._ratio(of), self._whole(Fraction(1, 100)))
            case Sum(terms):
                return reduce(_plus, map(self._ratio, terms))
            case Product(factors):
                return reduce(_times, map(self._ratio, factors))
            case Quotient(top, bottom):
                return _times(self._ratio(top), self._inverse(self._ratio(bottom)))
            case Power(base, exponent):
                return self._power(base, exponent)
            case Number() | Root():
                raise _NotRational

    def _inverse(self, ratio: _Ratio) -> _Ratio:
        if not ratio.top:
            raise Undefined
        if not ratio.top.is_ground:
            self._divisors.append(ratio.top)
        return _Ratio(ratio.bottom, ratio.top)

    def _power(self, base: Expression, exponent: Expression) -> _Ratio:
        if any(isinstance(here, Letter) for here in walk(exponent)):
            raise _NotRational
        value = value_of(exponent, {})
        if not isinstance(value, Fraction) or value.denominator != 1:
            raise _NotRational
        times = value.numerator
        if abs(times) > _MOST_EXPONENT:
            raise TooLarge
        ratio = self._ratio(base)
        if times <= 0:
            ratio = self._inverse(ratio)
        made = self._whole(Fraction(1))
        for _ in range(abs(times)):
            made = _times(made, ratio)
        return made


def _plus(one: _Ratio, other: _Ratio) -> _Ratio:
    if one.bottom == other.bottom:
        return _Ratio(one.top + other.top, one.bottom)
    top = _product(one.top, other.bottom) + _product(other.top, one.bottom)
    return _Ratio(top, _product(one.bottom, other.bottom))


def _times(one: _Ratio, other: _Ratio) -> _Ratio:
    return _Ratio(_product(one.top, other.top), _product(one.bottom, other.bottom))


def _product(one: PolyElement, other: PolyElement) -> PolyElement:
    if len(one) * len(other) > _MOST_PRODUCTS:
        raise TooLarge
    return one * other


def _covers(some: list[PolyElement], others: list[PolyElement]) -> bool:
    """Whether each factor of some is a factor of the others, so that they are 0 nowhere else."""
    return all(_without(one, others).is_ground for one in some)


def _without(one: PolyElement, others: list[PolyElement]) -> PolyElement:
    """A polynomial without the factors that it shares with others."""
    for other in others:
        while not (shared := one.gcd(other)).is_ground:
            one = one.quo(shared)
    return one


def _by_zeros(one: Expression, other: Expression) -> Proof:
    ratios = _Ratios((one, other))
    (a, zeros_a), (b, zeros_b) = ratios.of(one), ratios.of(other)
    top_a, top_b = _without(a.top, zeros_a), _without(b.top, zeros_b)
    if top_a.is_ground or top_b.is_ground:
        return None
    top_a, top_b = top_a.sqf_part().monic(), top_b.sqf_part().monic()
    if top_a == top_b:
        is_single = ratios.ring.ngens == 1
        same_places = _covers(zeros_a, zeros_b) and _covers(zeros_b, zeros_a)
        return "equal" if is_single or same_places or _never_meets(top_a, [*zeros_a, *zeros_b]) else None
    if ratios.ring.ngens == 1:
        same = _same_real_roots(top_a, top_b)
        return None if same is None else "equal" if same else "different"
    slices = _slices(a.top, zeros_a, b.top, zeros_b)
    return "different" if any(_same_real_roots(p, q) is False for p, q in slices) else None


def _same_real_roots(one: PolyElement, other: PolyElement) -> bool | None:
    """Of two polynomials in one letter; None where neither has any."""
    roots, others, shared = (_real_roots(p) for p in (one, other, one.gcd(other)))
    if not roots and not others:
        return None
    return bool(roots == others == shared)


def _slices(
    one: PolyElement, zeros: list[PolyElement], other: PolyElement, other_zeros: list[PolyElement]
) -> Iterator[tuple[PolyElement, PolyElement]]:
    """The same two with all letters but one at numbers; what is different there is different."""
    gens = one.ring.gens
    for k in range(len(gens)):
        for first in _SLICED_AT:
            at = [(gen, sympy.QQ(first + n)) for n, gen in enumerate(gens) if n != k]
            tops = [p.evaluate(at) for p in (one, other)]
            divisors = [[p.evaluate(at) for p in each] for each in (zeros, other_zeros)]
            if all(tops) and all(map(all, divisors)):
                p, q = (_without(top, each) for top, each in zip(tops, divisors, strict=True))
                yield _free_of_squares(p), _free_of_squares(q)


def _free_of_squares(one: PolyElement) -> PolyElement:
    return one if one.is_ground else one.sqf_part().monic()


def _never_meets(top: PolyElement, divisors: list[PolyElement]) -> bool:
    """Whether no divisor that is one letter, or a power of it, can be 0 where the numerator is: as x in xy = 6."""
    gens = top.ring.gens
    for divisor in divisors:
        letters = [gen for gen in gens if divisor.degree(gen) > 0]
        if len(divisor) != 1 or len(letters) != 1:
            return False
        rest = top.evaluate(letters[0], 0)
        if not rest or not rest.is_ground:
            return False
    return True


def _real_roots(polynomial: PolyElement) -> int:
    if polynomial.is_ground:
        return 0
    return int(sympy.Poly.from_dict(dict(polynomial), sympy.Symbol("v0"), domain=sympy.QQ).count_roots())


def _by_rewriting(one: Expression, other: Expression) -> Proof:
    if set(_divisor_forms(one)) != set(_divisor_forms(other)):
        return None
    a, b = _built(one), _built(other)
    gap = sympy.Add(a, sympy.Mul(sympy.Integer(-1), b))
    for way in _WAYS:
        gap = way(gap)
        if gap == 0:
            return "equal"
        if way is sympy.radsimp and not (letters_of(one) or letters_of(other)) and _squares_agree(a, b):
            return "equal"
    return None


def _powers_joined(gap: Any) -> Any:  # noqa: ANN401  # sympy carries no types
    return sympy.powsimp(sympy.expand(sympy.powdenest(gap)))


_WAYS: Final[tuple[Callable[[Any], Any], ...]] = (
    sympy.expand,
    _powers_joined,
    sympy.radsimp,
    sympy.sqrtdenest,
    sympy.simplify,
)
"""From cheap to dear; each keeps the value wherever there is one."""


def _squares_agree(one: Any, other: Any) -> bool:  # noqa: ANN401  # as above
    """Whether two numbers, known to agree to many digits and not 0, have the same square or fourth power."""
    for _ in range(2):
        one, other = (sympy.radsimp(sympy.expand(sympy.Pow(each, 2))) for each in (one, other))
        if sympy.expand(sympy.Add(one, sympy.Mul(sympy.Integer(-1), other))) == 0:
            return True
    return False


def _divisor_forms(node: Expression) -> Iterator[object]:
    """What must not be 0, of what has letters."""
    for here in walk(node):
        match here:
            case Quotient(_, bottom) if letters_of(bottom):
                yield form_of(bottom)
            case Power(base, exponent) if letters_of(base):
                if letters_of(exponent) or not is_positive(value_of(exponent, {})):
                    yield form_of(base)


def _built(node: Expression) -> Any:  # noqa: ANN401, C901, PLR0911  # sympy has no types; one case a kind of node
    """The same expression of sympy, of real letters."""
    if not any(isinstance(here, Letter) for here in walk(node)) and isinstance(value := value_of(node, {}), Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    match node:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Letter(name):
            return sympy.pi if name == PI else sympy.Symbol(f"v{name}", real=True)
        case Negative(of):
            return sympy.Mul(sympy.Integer(-1), _built(of))
        case Percent(of):
            return sympy.Mul(sympy.Rational(1, 100), _built(of))
        case Sum(terms):
            return sympy.Add(*map(_built, terms))
        case Product(factors):
            return sympy.Mul(*map(_built, factors))
        case Quotient(top, bottom):
            return sympy.Mul(_built(top), sympy.Pow(_built(bottom), -1))
        case Power(base, exponent):
            return sympy.Pow(_built(base), _exponent(exponent))
        case Root(degree, of):
            return _root(degree, of)


def _exponent(node: Expression) -> Any:  # noqa: ANN401  # as above
    built = _built(node)
    if built.is_number and abs(built) > _MOST_EXPONENT:
        raise TooLarge
    return built


def _root(degree: int, of: Expression) -> Any:  # noqa: ANN401  # as above
    if degree % 2 == 0:
        return sympy.Pow(_built(of), sympy.Rational(1, degree))
    if letters_of(of):
        # sympy's odd root of a negative number is no real one.
        raise NotImplementedError
    if not is_positive(value_of(of, {})):
        return sympy.Mul(sympy.Integer(-1), sympy.Pow(_built(Negative(of)), sympy.Rational(1, degree)))
    return sympy.Pow(_built(of), sympy.Rational(1, degree))


def _warm_up() -> None:
    """Let sympy make its tables once, so that the first answer has no more to pay for than the others."""
    letter = Letter("x")
    root, other_root = Root(2, Number(Fraction(8))), Root(2, Sum((Number(Fraction(5)), Root(2, Number(Fraction(24))))))
    for one in (
        root,
        other_root,
        Power(Number(Fraction(4)), letter),
        Sum((letter, root)),
        Power(letter, Number(Fraction(2))),
    ):
        same_value(one, Sum((one, root)))
        same_zeros(one, Sum((one, Number(Fraction(1)))))


_warm_up()
