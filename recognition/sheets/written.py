"""When a written answer equals a key. The key's own options decide; the default never guesses.

Without options a number is right where it is the same decimal number with a point: zeros in front or behind and a plus
are no difference. What could be meant either way (`1,234`, `3 5`, an unknown unit) goes to a person.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

Verdict: TypeAlias = Literal["right", "wrong", "ask"]

_NUMBER: Final = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})")
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}( \d{3})+(\.\d{1,18})?")
_FRACTION: Final = re.compile(r"([+-]?\d{1,18}) ?/ ?(\d{1,18})")
_WITH_UNIT: Final = re.compile(r"(.*?[\d.%]) ?([A-Za-z°℃℉µ²³元角分米克升秒时]+)")

# Each unit as (kind of quantity, how many of the kind's smallest).
_UNITS: Final[dict[str, tuple[str, Fraction]]] = {
    "mm": ("length", Fraction(1)),
    "cm": ("length", Fraction(10)),
    "dm": ("length", Fraction(100)),
    "m": ("length", Fraction(1000)),
    "km": ("length", Fraction(1_000_000)),
    "mg": ("mass", Fraction(1)),
    "g": ("mass", Fraction(1000)),
    "kg": ("mass", Fraction(1_000_000)),
    "t": ("mass", Fraction(1_000_000_000)),
    "ml": ("volume", Fraction(1)),
    "cl": ("volume", Fraction(10)),
    "l": ("volume", Fraction(1000)),
    "s": ("time", Fraction(1)),
    "min": ("time", Fraction(60)),
    "h": ("time", Fraction(3600)),
    "V": ("voltage", Fraction(1)),
    "A": ("current", Fraction(1)),
    "W": ("power", Fraction(1)),
    "℃": ("temperature", Fraction(1)),
    "分": ("money", Fraction(1)),
    "角": ("money", Fraction(10)),
    "元": ("money", Fraction(100)),
}
UNITS: Final = frozenset(_UNITS)
"""Units that a key may ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """What a key lets pass. Without any: the same decimal number with a point."""

    decimal_comma: bool = False
    """A comma is read as the point: `3,5` is 3.5."""
    unit: str | None = None
    """The unit asked for: the number with or without it is right, with another one wrong."""
    equal_value: bool = False
    """Another form of the same value is right: fractions, per cent, another unit of the same kind."""
    exact_form: bool = False
    """Only what stands in the key, sign for sign, is right."""


@dataclass(frozen=True, slots=True)
class _Amount:
    value: Fraction
    plain: bool
    """Written as a decimal number, not as a fraction or per cent."""
    unit: str | None


def compare(written: str, keys: Sequence[str], options: KeyOptions | None = None) -> Verdict:
    """Whether what was written equals one of the keys; `ask` where a person must say."""
    options = options or KeyOptions()
    verdicts = {_compare_one(written.strip(), key.strip(), options) for key in keys}
    if "right" in verdicts:
        return "right"
    return "wrong" if verdicts == {"wrong"} else "ask"


def right_forms(keys: Sequence[str], options: KeyOptions) -> list[str]:
    """In words, which written forms count as right; for `sheet show`."""
    if not keys:
        return ["a person marks"]
    forms = [f"exactly {key}" if options.exact_form else key for key in keys]
    if options.exact_form or all(_amount(key, options) is None for key in keys):
        return forms
    forms.append("zeros in front or behind and a plus make no difference")
    forms.append("a comma is the decimal sign" if options.decimal_comma else "a comma is asked about")
    if options.unit:
        forms.append(f"with or without {options.unit}")
    if options.equal_value:
        forms.append("fractions, per cent and other units of the same kind, where the value is the same")
    return forms


def _compare_one(written: str, key: str, options: KeyOptions) -> Verdict:
    if written == key:
        return "right"
    wanted = _amount(key, options)
    if options.exact_form or wanted is None:
        return "wrong"
    said = _amount(written, options)
    if said is None or said.unit not in {None, *_UNITS}:
        return "ask"
    unit = options.unit or wanted.unit
    if said.unit not in (None, unit):
        return _compare_units(said, wanted, unit, options)
    if said.value != wanted.value:
        return "wrong"
    return "right" if said.plain == wanted.plain or options.equal_value else "ask"


def _compare_units(said: _Amount, wanted: _Amount, unit: str | None, options: KeyOptions) -> Verdict:
    """Another unit than the one asked for stands there."""
    if unit is None or said.unit is None or not options.equal_value:
        return "wrong"
    (kind, size), (asked_kind, asked_size) = _UNITS[said.unit], _UNITS.get(unit, ("", Fraction(0)))
    return "right" if kind == asked_kind and said.value * size == wanted.value * asked_size else "wrong"


def _amount(text: str, options: KeyOptions) -> _Amount | None:
    """A written amount, or None where it could be read in two ways or in none."""
    unit = None
    if match := _WITH_UNIT.fullmatch(text):
        text, unit = match[1].strip(), match[2]
    if options.decimal_comma:
        text = text.replace(",", ".")
    if match := _FRACTION.fullmatch(text):
        return None if int(match[2]) == 0 else _Amount(Fraction(int(match[1]), int(match[2])), plain=False, unit=unit)
    percent = text.endswith("%")
    number = text.removesuffix("%")
    if _GROUPED.fullmatch(number):
        number = number.replace(" ", "")
    if not _NUMBER.fullmatch(number):
        return None
    value = Fraction(number.rstrip("."))
    return _Amount(value / 100 if percent else value, plain=not percent, unit=unit)
