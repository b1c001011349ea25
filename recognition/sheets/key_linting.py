"""Every fault of a field's key: its answers, their points, its options, its steps. Part of `linting`.

The same checks stand between a person who changes a key in mid-lesson and the store.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from fractions import Fraction
from itertools import chain
from typing import Any, Final

from recognition.sheets.definition import SCORINGS
from recognition.sheets.values import Problem, Table, is_count, is_number, is_word, texts, unknown
from recognition.sheets.written import UNITS, KeyOptions

KEY_NAMES: Final = ("keys", "key", "step", "scoring", "points", "key_version", "options")
"""What of a field is its key."""
_ALTERNATE_NAMES: Final = ("value", "points", "variant")
_STEP_NAMES: Final = ("id", "points", "label", "keys")
_DEFAULTS: Final = {each.name: each.default for each in fields(KeyOptions)}
_OPTION_NAMES: Final = tuple(_DEFAULTS)
_TOLERANCES: Final = ("tolerance", "tolerance_percent")
_NUMBERS: Final = ("digit", "number")


def key_faults(where: str, raw: Table) -> Iterator[Problem]:
    """Every fault of a field's key, as (where, what); `where` names the field."""
    most = _most(raw)
    if "keys" in raw:
        yield from _answer_faults(f"{where}, keys", raw, raw["keys"])
    elif "key" not in raw and "step" not in raw:
        yield f"{where}, keys", 'a list of right answers as texts, such as ["37"]'
    if most is None and not ("points" not in raw and "step" in raw):
        yield f"{where}, points", "a number above 0"
    if "key" in raw:
        yield from _alternate_faults(where, raw, most)
    if "step" in raw:
        yield from _step_faults(where, raw, most)
    yield from _scoring_faults(where, raw)
    if not is_count(raw.get("key_version", 1)):
        yield f"{where}, key_version", "a whole number from 1"
    yield from _option_faults(where, raw.get("options", {}), raw.get("kind"))


def _most(raw: Table) -> float | None:
    """The field's points, where they are told and sound; steps add up to them, whatever they are."""
    points = raw.get("points")
    return points if is_number(points) and points > 0 else None  # type: ignore[operator]  # is_number says so


def _answer_faults(where: str, raw: Table, keys: object) -> Iterator[Problem]:
    if not isinstance(keys, list) or not keys or not all(is_word(key) for key in keys):
        yield where, 'a list of right answers as texts, such as ["37"]'
        return
    for key in keys:
        yield from _fitting(where, raw, key)
    if len({key.strip() for key in keys}) < len(keys):
        yield where, "an answer stands twice"


def _fitting(where: str, raw: Table, key: str) -> Iterator[Problem]:
    """Whether an answer is one that such a field can have."""
    if raw.get("kind") in _NUMBERS and not any(c.isdigit() for c in key):
        yield where, "a number has a digit"
    elif raw.get("kind") == "digit" and len(key) != 1:
        yield where, "a digit is one character"
    choices = raw.get("choices", [])
    if choices and isinstance(choices, list):
        values = [choice.get("value") for choice in choices if isinstance(choice, dict)]
        parts = [part.strip() for part in key.split(",")] if raw.get("several") else [key]
        if any(part not in values for part in parts):
            yield where, f"{key} is none of its options"
        elif len(set(parts)) < len(parts):
            yield where, f"{key} names an option twice"


def _alternate_faults(where: str, raw: Table, most: float | None) -> Iterator[Problem]:
    alternates = raw["key"]
    if not isinstance(alternates, list) or not alternates:
        yield f"{where}, key", 'tables such as [[field.key]] with value = "36" and points = 1'
        return
    keys = raw.get("keys", [])
    common = {key.strip() for key in keys if is_word(key)} if isinstance(keys, list) else set()
    seen = {("", key) for key in common}
    full: dict[str, bool] = {"": bool(common)}
    for number, one in enumerate(alternates, 1):
        here = f"{where}, key number {number}"
        if not isinstance(one, dict):
            yield here, "a table like [[field.key]] is wanted"
            continue
        yield from _one_alternate_faults(here, raw, one, most)
        variant, value, points = one.get("variant", ""), one.get("value"), one.get("points", most)
        place = (str(variant), str(value).strip())
        if place in seen or ("", place[1]) in seen:
            yield f"{here}, value", f"{value} stands in this key already"
        seen.add(place)
        full[place[0]] = full.get(place[0], False) or points == most
    yield from _not_full(where, full)


def _one_alternate_faults(where: str, raw: Table, one: Table, most: float | None) -> Iterator[Problem]:
    yield from unknown(one, _ALTERNATE_NAMES, where)
    value, points = one.get("value"), one.get("points", 0)
    if not is_word(value):
        yield f"{where}, value", "an answer: a text"
    else:
        yield from _fitting(f"{where}, value", raw, str(value))
    if "variant" in one and not is_word(one["variant"]):
        yield f"{where}, variant", "the name of a variant: a text"
    if not is_number(points) or points < 0 or (most is not None and points > most):
        yield f"{where}, points", "a number from 0 to the field's points"


def _not_full(where: str, full: dict[str, bool]) -> Iterator[Problem]:
    """The variants in which no answer has all points."""
    if len(full) == 1 and not full[""]:
        yield f"{where}, key", "no answer has all of the field's points"
    for variant, is_full in full.items():
        if variant and not is_full and not full[""]:
            yield f"{where}, key", f"no answer of variant {variant} has all of the field's points"


def _step_faults(where: str, raw: Table, most: float | None) -> Iterator[Problem]:
    steps = raw["step"]
    if not isinstance(steps, list) or not steps:
        yield f"{where}, step", "tables such as [[field.step]] with id, points and label"
        return
    if "key" in raw:
        yield f"{where}, step", "steps give the part points of this field: it takes no [[field.key]]"
    if raw.get("several"):
        yield f"{where}, step", "several options are no work in steps"
    seen: set[str] = set()
    for number, one in enumerate(steps, 1):
        here = f"{where}, step number {number}"
        if not isinstance(one, dict):
            yield here, "a table like [[field.step]] is wanted"
            continue
        yield from _one_step_faults(here, raw, one, seen)
    if most is not None and (told := _sum_of(steps)) is not None and told != Fraction(str(most)):
        yield f"{where}, points", f"its steps add up to {float(told):g}, not {most:g}"


def _one_step_faults(where: str, raw: Table, one: Table, seen: set[str]) -> Iterator[Problem]:
    name = one.get("id")
    here = f"{where.partition(', ')[0]}, step {name}" if is_word(name) else where
    yield from unknown(one, _STEP_NAMES, here)
    if not is_word(name) or name in seen:
        yield here, "each step has an id of its own: a text"
    seen.add(str(name))
    if not is_number(one.get("points")) or one["points"] <= 0:
        yield f"{here}, points", "a number above 0"
    yield from texts(one.get("label"), f"{here}, label", required=True)
    if "keys" in one:
        yield from _answer_faults(f"{here}, keys", raw, one["keys"])


def _sum_of(steps: Sequence[Any]) -> Fraction | None:
    points = [one.get("points") if isinstance(one, dict) else None for one in steps]
    return sum((Fraction(str(p)) for p in points), Fraction(0)) if all(is_number(p) for p in points) else None


def _scoring_faults(where: str, raw: Table) -> Iterator[Problem]:
    scoring = raw.get("scoring", SCORINGS[0])
    if scoring not in SCORINGS:
        yield f"{where}, scoring", f"one of {', '.join(SCORINGS)}"
    elif scoring == "per_option" and raw.get("several") is not True:
        yield f"{where}, scoring", "per_option counts the options of a field with several = true"
    elif scoring == "per_option" and "key" in raw:
        yield f"{where}, scoring", "per_option gives part points by itself: it takes no [[field.key]]"
    elif scoring == "per_option" and not raw.get("keys"):
        yield f"{where}, keys", 'the options that are right, such as ["A,C"]'


def _option_faults(where: str, options: object, kind: object) -> Iterator[Problem]:
    if not isinstance(options, dict):
        yield f"{where}, options", "a table such as { decimal_comma = true }"
        return
    yield from unknown(options, _OPTION_NAMES, f"{where}, options")
    for name in (name for name, default in _DEFAULTS.items() if isinstance(default, bool)):
        if not isinstance(options.get(name, False), bool):
            yield f"{where}, options, {name}", "true or false"
    if "unit" in options and options["unit"] not in sorted(UNITS):
        yield f"{where}, options, unit", f"one of {', '.join(sorted(UNITS))}"
    if options.get("exact_form") is True and options.get("equal_value") is True:
        yield f"{where}, options", "exact_form and equal_value contradict each other"
    yield from _tolerance_faults(where, options, kind)


def _tolerance_faults(where: str, options: Table, kind: object) -> Iterator[Problem]:
    for name in _TOLERANCES:
        value = options.get(name, 0)
        if not is_number(value) or value < 0:
            yield f"{where}, options, {name}", "a number from 0"
    if any(options.get(name) for name in _TOLERANCES):
        if options.get("exact_form") is True:
            yield f"{where}, options", "exact_form and a tolerance contradict each other"
        if kind not in ("number", "expression"):
            yield f"{where}, options", "a tolerance is for fields of kind number or expression"


def variants_of(raw: Table) -> Iterator[str]:
    """The variants that a field's key names, as far as it is sound."""
    alternates = raw.get("key", [])
    for one in chain(alternates if isinstance(alternates, list) else ()):
        if isinstance(one, dict) and is_word(one.get("variant")):
            yield str(one["variant"])
