"""When a written answer equals a key. The key's own options decide; the default never guesses.

Without options a number is right where it is the same decimal number with a point: zeros in front or behind and a plus
are no difference. An expression is right where it differs in nothing but the order of its terms and factors, or the
side of an equation. What could be meant either way (`1,234`, `3 5`, an unknown unit), cannot be read, or takes too long
to prove goes to a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from recognition.mathematics import (
    UNITS,
    Amount,
    Unreadable,
    is_worked_out,
    judge,
    letters_of,
    parse,
    read_amount,
    same_form,
    unit_named,
)

__all__ = ["UNITS", "KeyOptions", "Verdict", "compare", "right_forms"]

Verdict: TypeAlias = Literal["right", "wrong", "ask"]

_IN_ORDER: Final = "the order of terms and factors and the side of an equation make no difference"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """What a key lets pass. Without any: the same decimal number with a point."""

    decimal_comma: bool = False
    """A comma is read as the point: `3,5` is 3.5."""
    unit: str | None = None
    """The unit asked for: the number with or without it is right, with another one wrong."""
    equal_value: bool = False
    """Another form of the same value is right: fractions, per cent, another unit of the same kind, an equal term."""
    exact_form: bool = False
    """Only what stands in the key, sign for sign, is right."""
    tolerance: float = 0.0
    """So far from the key's number, in its unit, is still right."""
    tolerance_percent: float = 0.0
    """As `tolerance`, in per cent of the key's number; the wider of the two counts."""
    expression: bool = False
    """Key and answer are read as mathematics: terms, equations, lists of solutions. So in fields of kind expression."""

    def reach(self, wanted: Fraction) -> Fraction:
        """How far from a key's number an answer may be."""
        share = abs(wanted) * Fraction(str(self.tolerance_percent)) / 100
        return max(Fraction(str(self.tolerance)), share)


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
    has_number = any(_amount(key, options) is not None for key in keys)
    if options.exact_form or not (has_number or options.expression):
        return forms
    if has_number:
        forms.append("zeros in front or behind and a plus make no difference")
    if options.expression:
        forms.append(_IN_ORDER)
    forms.append("a comma is the decimal sign" if options.decimal_comma else "a comma is asked about")
    if options.unit:
        forms.append(f"with or without {options.unit}")
    if options.tolerance:
        forms.append(f"up to {options.tolerance:g} more or less")
    if options.tolerance_percent:
        forms.append(f"up to {options.tolerance_percent:g} % more or less")
    if options.equal_value:
        forms.append("fractions, per cent and other units of the same kind, where the value is the same")
        if options.expression:
            forms.append("any term or equation that is equal; where the key is worked out, only what is worked out")
    return forms


def _compare_one(written: str, key: str, options: KeyOptions) -> Verdict:
    if written == key:
        return "right"
    if options.exact_form:
        return "wrong"
    wanted = _amount(key, options)
    if options.expression:
        return _compare_expressions(written, key, wanted, options)
    if wanted is None:
        return "wrong"
    said = _amount(written, options, like=wanted)
    return "ask" if said is None else _compare_amounts(said, wanted, options)


def _amount(text: str, options: KeyOptions, *, like: Amount | None = None) -> Amount | None:
    asked = (unit_named(options.unit) if options.unit else None) or (like.known if like else None)
    return read_amount(text, decimal_comma=options.decimal_comma, kind=asked.kind if asked else None)


def _compare_amounts(said: Amount, wanted: Amount, options: KeyOptions) -> Verdict:
    asked = unit_named(options.unit) if options.unit else wanted.known
    unit = asked.name if asked else wanted.unit
    if said.unit is not None and said.known is None and said.unit != unit:
        return "ask"
    if said.unit not in (None, unit):
        # Another unit than the one asked for stands there.
        if asked is None and abs(said.value - wanted.value) <= options.reach(wanted.value):
            return "ask"  # the right number with a unit that nobody asked for: whether that counts is not ours to say
        if said.known is None or asked is None or said.known.kind != asked.kind or not options.equal_value:
            return "wrong"
        reach = options.reach(wanted.value) * asked.size
        return "right" if abs(said.size - wanted.value * asked.size) <= reach else "wrong"
    if abs(said.value - wanted.value) > options.reach(wanted.value):
        return "wrong"
    return "right" if said.form == wanted.form or options.equal_value else "ask"


def _compare_expressions(written: str, key: str, wanted: Amount | None, options: KeyOptions) -> Verdict:
    said = _amount(written, options, like=wanted)
    if not options.unit:
        # A letter that names no unit is an unknown.
        said, wanted = (each if each is None or each.unit is None or each.known else None for each in (said, wanted))
    if said is None or wanted is None:
        if options.unit and wanted is not None:
            # Letters may be units here: 3 m + 20 cm is no term in m and c.
            return "ask"
        return _compare_terms(written, key, options)
    as_amounts = _compare_amounts(said, wanted, options)
    if options.unit or said.unit is None is wanted.unit:
        return as_amounts
    # 5 m is five metres, or five times m: certain is only what holds for both.
    return as_amounts if as_amounts == _compare_terms(written, key, options) else "ask"


def _compare_terms(written: str, key: str, options: KeyOptions) -> Verdict:
    try:
        wanted = parse(key, decimal_comma=options.decimal_comma, x_is_times=True)
        said = parse(written, decimal_comma=options.decimal_comma, x_is_times=not letters_of(wanted))
    except Unreadable:
        return "ask"
    judgement = judge(said, wanted)
    if judgement == "different" and not (options.tolerance or options.tolerance_percent):
        return "wrong"
    if judgement != "equal" or (is_worked_out(wanted) and not is_worked_out(said)):
        return "ask"
    return "right" if options.equal_value or same_form(said, wanted) else "ask"
