"""An answer that is one amount: a number in one of its written forms, with or without a unit.

An amount has nothing left to work out. `1-2`, `3+4` and `√4` are none, nor is anything that could be two numbers
(`3 5`, `1,234`).
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from recognition.mathematics.tokens import VULGAR, plain
from recognition.mathematics.units import Unit, kinds_of, unit_named

AmountForm: TypeAlias = Literal["decimal", "fraction", "mixed", "percent", "compound"]

_MOST_CHARACTERS: Final = 60
_MOST_PARTS: Final = 4
_VULGAR: Final = "".join(VULGAR)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})", re.ASCII)
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}( \d{3}){1,5}(\.\d{1,18})?", re.ASCII)
_FRACTION: Final = re.compile(r"([+-]?\d{1,18}) ?/ ?(\d{1,18})", re.ASCII)
_MIXED: Final = re.compile(r"([+-]?)(\d{1,12}) (\d{1,2})/(\d{1,3})", re.ASCII)
_WITH_VULGAR: Final = re.compile(rf"([+-]?)(\d{{0,12}}) ?([{_VULGAR}])", re.ASCII)
_BODY: Final = re.compile(
    rf"(?P<body>[+-]? ?(?:[\d., /%‰{_VULGAR}]*[\d.%‰{_VULGAR}]))(?P<rest>.*)", re.ASCII | re.DOTALL
)
_BEFORE: Final = re.compile(r"([+-]?) ?([¥￥€$]) ?(?=[\d.])", re.ASCII)
_PART: Final = re.compile(r" ?(\d{1,18}(?:\.\d{1,18})?|\.\d{1,18}) ?([^\d\s.,]+)", re.ASCII)
_WORD: Final = re.compile(r"(?:[A-Za-zµμΩ°℉]|[\u4e00-\u9fff])(?:[A-Za-z²³/]|[\u4e00-\u9fff])*")
"""What may be the name of a unit that is not known. No raised digit alone: 10² is not ten of something."""
_SIGNS: Final = str.maketrans({"−": "-", "–": "-", "﹣": "-", "⁄": "/", "∕": "/"})
_HUNDREDTHS: Final = {"%": 100, "‰": 1000}


@dataclass(frozen=True, slots=True)
class Amount:
    """A value and how it is written."""

    value: Fraction
    """In the unit that is written."""
    form: AmountForm
    unit: str | None = None
    """The first name of the unit; the name as it is written where the unit is not known."""
    known: Unit | None = None

    @property
    def size(self) -> Fraction:
        """How much it is of the smallest unit of its kind; the value itself where it has no known unit."""
        return self.value * self.known.size if self.known else self.value


def read_amount(text: str, *, decimal_comma: bool = False, kind: str | None = None) -> Amount | None:
    """Read one amount; None where it is none, or could be read in two ways.

    Args:
        text: What was written.
        decimal_comma: A comma is the point.
        kind: What is measured, where that is known: 分 is a minute where it is time.
    """
    text = plain(text)
    if len(text) > _MOST_CHARACTERS:
        return None
    text = text.translate(_SIGNS)
    if decimal_comma:
        text = text.replace(",", ".")
    if before := _BEFORE.match(text):
        text = f"{before[1]}{text[before.end() :]} {before[2]}"
    split = _BODY.fullmatch(text)
    if split is None:
        return None
    rest = split["rest"].strip()
    known = unit_named(rest, kind=kind)
    if known is None and _PART.search(rest):
        return _compound(text, kind)
    number = _value_of(split["body"].strip())
    if number is None or (rest and known is None and not _WORD.fullmatch(rest)):
        return None
    return Amount(*number, known.name if known else rest or None, known)


def _value_of(body: str) -> tuple[Fraction, AmountForm] | None:
    """The number that a body without unit is, and its form."""
    if match := _FRACTION.fullmatch(body):
        return (Fraction(int(match[1]), int(match[2])), "fraction") if int(match[2]) else None
    if match := _MIXED.fullmatch(body):
        top, bottom = int(match[3]), int(match[4])
        return (_signed(match[1], int(match[2]) + Fraction(top, bottom)), "mixed") if 0 < top < bottom else None
    if match := _WITH_VULGAR.fullmatch(body):
        value = _signed(match[1], int(match[2] or 0) + VULGAR[match[3]])
        return value, "mixed" if match[2] else "fraction"
    parts = _HUNDREDTHS.get(body[-1])
    number = body[:-1].rstrip() if parts else body
    if _GROUPED.fullmatch(number):
        number = number.replace(" ", "")
    if not _NUMBER.fullmatch(number):
        return None
    value = Fraction(number.rstrip("."))
    return (value / parts, "percent") if parts else (value, "decimal")


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def _compound(text: str, kind: str | None) -> Amount | None:
    """Several amounts of one kind in a row, the largest unit first: 1 h 30 min, 5元3角."""
    sign = text[:1] if text[:1] in "+-" else ""
    parts: list[tuple[Fraction, str]] = []
    at = len(sign)
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or len(parts) == _MOST_PARTS:
            return None
        parts.append((Fraction(match[1]), match[2]))
        at = match.end()
    if len(parts) < 2:  # noqa: PLR2004  # one alone is no compound
        return None
    kinds = frozenset.intersection(*(kinds_of(name) for _, name in parts))
    if len(kinds) != 1:
        kinds &= {kind}
    if not kinds:
        return None
    units = [unit_named(name, kind=next(iter(kinds))) for _, name in parts]
    first = units[0]
    sizes = [unit.size for unit in units if unit]
    if first is None or any(a <= b for a, b in pairwise(sizes)):
        return None
    if any(value >= above / size for (value, _), above, size in zip(parts[1:], sizes, sizes[1:], strict=False)):
        return None
    total = sum((value * size for (value, _), size in zip(parts, sizes, strict=True)), Fraction(0))
    return Amount(_signed(sign, total / first.size), "compound", first.name, first)
