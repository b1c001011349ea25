"""One amount: its value, its form, its unit. The table of pairs is `tests/data/equivalence.toml`."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.mathematics import UNITS, read_amount, unit_named
from recognition.mathematics.units import kinds_of


@pytest.mark.parametrize(
    ("text", "value", "form", "unit"),
    [
        ("3.5", Fraction(7, 2), "decimal", None),
        ("1 234", Fraction(1234), "decimal", None),
        ("2/4", Fraction(1, 2), "fraction", None),
        ("¾", Fraction(3, 4), "fraction", None),
        ("-1 1/2", Fraction(-3, 2), "mixed", None),
        ("50 %", Fraction(1, 2), "percent", None),
        ("5 m/s", Fraction(5), "decimal", "m/s"),
        ("5 cm^2", Fraction(5), "decimal", "cm²"),
        ("¥5.3", Fraction(53, 10), "decimal", "元"),
        ("-€5", Fraction(-5), "decimal", "€"),
        ("1 h 30 min", Fraction(3, 2), "compound", "h"),
        ("-2 m 50 cm", Fraction(-5, 2), "compound", "m"),
        ("3°15′", Fraction(13, 4), "compound", "°"),
        ("5 apples", Fraction(5), "decimal", "apples"),
        ("12个", Fraction(12), "decimal", "个"),
    ],
)
def test_an_amount_is_read(text: str, value: Fraction, form: str, unit: str | None) -> None:
    amount = read_amount(text)
    assert amount is not None
    assert (amount.value, amount.form, amount.unit) == (value, form, unit)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "m", "3 5", "1,234", "1-2", "3+4", "√4", "10²", "10^2", "1/0", "1 5/4", "1 234/500", "1.2.3", "--1"),
        *("1 m 20", "20 cm 1 m", "1 h 90 min", "1 m 1 m", "1 m 1 kg", "1 q 2 z", "5!", "VII", "9" * 19, "1" * 100),
    ],
)
def test_what_is_no_amount_or_could_be_two_is_none(text: str) -> None:
    assert read_amount(text) is None


def test_fen_is_money_unless_something_tells_of_time() -> None:
    money, time = unit_named("分"), unit_named("分", kind="time")
    assert money is not None
    assert time is not None
    assert (money.kind, time.name) == ("money", "min")
    for text, kind in (("5角3分", "money"), ("5分3秒", "time"), ("2时3分", "time")):
        amount = read_amount(text)
        assert amount is not None
        assert amount.known is not None
        assert amount.known.kind == kind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("1 km", "1000 m"), ("1 m", "10 dm"), ("1 dm", "10 cm"), ("1 cm", "10 mm"), ("1 mm", "1000 μm")),
        *(("1 t", "1000 kg"), ("1 kg", "1000 g"), ("1 g", "1000 mg"), ("1斤", "500 g"), ("1斤", "10两")),
        *(("1 km²", "100 ha"), ("1 ha", "100 a"), ("1 a", "100 m²"), ("1 m²", "10000 cm²"), ("15亩", "1 ha")),
        *(
            ("1 m³", "1000 l"),
            ("1 l", "1 dm³"),
            ("1 l", "10 dl"),
            ("1 hl", "100 l"),
            ("1 ml", "1 cm³"),
            ("1 cl", "10 ml"),
        ),
        *(("1周", "7 d"), ("1天", "24 h"), ("1 h", "60 min"), ("1 min", "60 s"), ("1 s", "1000 ms")),
        *(("36 km/h", "10 m/s"), ("6 km/h", "100 m/min"), ("1 g/cm³", "1000 kg/m³")),
        *(("1元", "10角"), ("1角", "10分"), ("1 €", "100 ct"), ("$1", "100 ¢"), ("1°", "60′"), ("1′", "60″")),
        *(("1 kV", "1000 V"), ("1 A", "1000 mA"), ("1 kWh", "3600 kJ"), ("1 kN", "1000 N"), ("1 kΩ", "1000 Ω")),
    ],
)
def test_units_of_one_kind_have_their_exact_ratio(one: str, other: str) -> None:
    a, b = read_amount(one), read_amount(other)
    assert a is not None
    assert b is not None
    assert a.known is not None
    assert b.known is not None
    assert (a.known.kind, a.size) == (b.known.kind, b.size)


@given(st.sampled_from(sorted(UNITS)), st.fractions(0, 1000, max_denominator=100))
def test_any_number_of_any_unit_is_read_back(name: str, number: Fraction) -> None:
    amount = read_amount(f"{number.numerator}/{number.denominator} {name}")
    assert amount is not None
    assert amount.value == number
    assert amount.known is not None
    assert amount.known.kind in kinds_of(name)


@given(st.text(max_size=30), st.booleans())
def test_any_text_is_an_amount_or_none(text: str, comma: bool) -> None:  # noqa: FBT001  # drawn
    amount = read_amount(text, decimal_comma=comma)
    assert amount is None or amount.unit is None or amount.unit
