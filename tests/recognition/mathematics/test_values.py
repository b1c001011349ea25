"""Values are exact as long as they can be, and bounded always."""

from contextlib import suppress
from decimal import getcontext
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recognition.mathematics import near
from recognition.mathematics.near import Near, to_near
from recognition.mathematics.nodes import Expression, Listing, Relation
from recognition.mathematics.parsing import parse
from recognition.mathematics.values import TooLarge, Undefined, differs, is_near, points, value_of


def _tree(text: str) -> Expression:
    tree = parse(text)
    assert not isinstance(tree, Relation | Listing)
    return tree


@pytest.mark.parametrize(
    "text", ["1/0", "1/(2-2)", "0^0", "0^-1", "√(-1)", "(-8)^(1/3)", "0^(-1/2)", "(-1)^π", "1/(√4-2)"]
)
def test_what_is_no_real_number_has_no_value(text: str) -> None:
    with pytest.raises(Undefined):
        value_of(_tree(text), {})


@pytest.mark.parametrize(
    "text",
    [
        "9^9^9^9",
        "2^5000",
        "2^-5000",
        "(√2)^9999",
        "π^π^π^π",
        "10^(99.5)",
        "(√2·√2-2)^-1",
        "(√2·√2-2)^π",
        "π^9999",
        "1/(√2·√2-2)",
        "√(√3·√3-3)",
    ],
)
def test_what_is_too_large_or_too_near_to_nothing_is_not_worked_out(text: str) -> None:
    with pytest.raises(TooLarge):
        value_of(_tree(text), {})


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(2, 12))
def test_the_root_of_a_perfect_power_is_exact(top: int, bottom: int, degree: int) -> None:
    of = Fraction(top, bottom)
    assume(len(str(top**degree)) < 28 and len(str(bottom**degree)) < 28)
    assert value_of(_tree(f"({(of**degree).numerator}/{(of**degree).denominator})^(1/{degree})"), {}) == of


@given(st.integers(2, 10**9))
def test_a_square_root_squared_is_the_number_again(of: int) -> None:
    squared = value_of(_tree(f"√{of}·√{of}"), {})
    assert differs(squared, Fraction(of)) is False
    assert differs(squared, Fraction(of) + Fraction(1, 10**20)) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(√2·√2-2)·10^29", "0"),
        ("((10^29·√2)·√2-2·10^29)·10^29·10^29", "0"),
        ("(√3·10^20-√12·10^20/2)·10^25·π", "0·π"),
        ("(π-π)·10^28·10^28·10^28", "√(0)"),
    ],
)
def test_rounding_that_grows_is_never_taken_for_a_difference(one: str, other: str) -> None:
    with suppress(TooLarge):
        assert not differs(value_of(_tree(one), {}), value_of(_tree(other), {}))


_NUMBERS = st.fractions(-1000, 1000, max_denominator=1000)


@given(_NUMBERS, _NUMBERS.filter(bool), st.integers(1, 40), st.integers(2, 9))
def test_the_bound_of_a_number_holds_through_every_step(a: Fraction, b: Fraction, times: int, degree: int) -> None:
    """By what is known exactly: the same steps on rational numbers, taken as if they were not."""
    x, y = to_near(a), to_near(b)
    exact: list[tuple[Near, Fraction]] = [
        (near.plus(x, y), a + b),
        (near.times(x, y), a * b),
        (near.inverse(y), 1 / b),
        (near.root(to_near(abs(b) ** degree), degree), abs(b)),
        (near.times(near.plus(x, near.opposite(y)), near.inverse(y)), (a - b) / b),
    ]
    if abs(a) ** times < 10**29:
        exact.append((near.power(x, times), a**times))
    if abs(b) ** degree < 10**29:
        exact.append((near.real_power(to_near(abs(b)), to_near(Fraction(degree))), abs(b) ** degree))
    for found, true in exact:
        assert abs(Fraction(found.middle) - true) <= Fraction(found.error)
        assert Fraction(found.error) <= Fraction(1, 10**50) * (1 + abs(true) + abs(Fraction(x.middle)))


def test_the_digits_do_not_depend_on_what_the_thread_has_set() -> None:
    before = getcontext().prec
    getcontext().prec = 5
    try:
        value = value_of(_tree("-√2"), {})
    finally:
        getcontext().prec = before
    assert isinstance(value, Near)
    assert str(value.middle).startswith("-1.41421356237309504880168872420969807856967187537694")


def test_a_rounded_number_is_near_and_another_is_not() -> None:
    root = value_of(_tree("√2"), {})
    assert is_near(root, Fraction(141, 100), share=Fraction(1, 50))
    assert not is_near(root, Fraction(15, 10), share=Fraction(1, 50))
    assert is_near(Fraction(0), Fraction(0), share=Fraction(1, 50))


def test_points_have_every_pattern_of_signs_that_roots_of_two_letters_can_tell() -> None:
    patterns = {(at["x"] > 0, at["y"] > 0) for at in points(["y", "x"])}
    assert patterns == {(True, True), (True, False), (False, True), (False, False)}
    assert list(points([])) == [{}]
