"""Written mathematics cut into signs. What could be two signs is refused, never chosen.

Full-width forms, the many signs for times, minus and divided, and Chinese marks are one sign each here. A letter right
before a digit (`x2`) may be an index or a power, and `3,5` without a word about commas may be one number or two: both
are `Unreadable`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from recognition.errors import RecognitionError

MOST_CHARACTERS: Final = 200
MOST_TOKENS: Final = 120
MOST_DIGITS: Final = 30

Sort: TypeAlias = Literal[
    "number", "vulgar", "letter", "raised", "root", "open", "close", "operator", "relation", "separator", "percent"
]


class Unreadable(RecognitionError, ValueError):
    """This is no mathematics, could be read in two ways, or is too large."""


@dataclass(frozen=True, slots=True)
class Token:
    """One sign. `text` is in its plain form: `*` for every times, `)` for every closing bracket."""

    sort: Sort
    text: str
    value: Fraction = Fraction(0)
    """Of a number, a vulgar fraction, a raised exponent, a root's degree, or what a percent sign divides by."""
    is_apart: bool = False
    """There is space before it."""
    is_whole: bool = False
    """Digits in one row, without point or space."""


_PARTS: Final = "½1/2 ⅓1/3 ⅔2/3 ¼1/4 ¾3/4 ⅕1/5 ⅖2/5 ⅗3/5 ⅘4/5 ⅙1/6 ⅚5/6 ⅛1/8 ⅜3/8 ⅝5/8 ⅞7/8 ⅐1/7 ⅑1/9 ⅒1/10"
VULGAR: Final[dict[str, Fraction]] = {part[0]: Fraction(part[1:]) for part in _PARTS.split()}
"""Fractions that are one character."""
_FULL_WIDTH: Final = {0xFF01 + k: 0x21 + k for k in range(0x5E)} | {
    0x3000: 0x20,
    0xA0: 0x20,
    0x2009: 0x20,
    0x202F: 0x20,
}
_RAISED: Final = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))
_LOWERED: Final = "₀₁₂₃₄₅₆₇₈₉"
_ROOTS: Final = {"√": 2, "∛": 3, "∜": 4}
_PERCENT: Final = {"%": 100, "‰": 1000}
_SIGNS: Final[dict[str, tuple[Sort, str]]] = (
    dict.fromkeys("([{【〔", ("open", "("))
    | dict.fromkeys(")]}】〕", ("close", ")"))
    | dict.fromkeys("*×·⋅∙∗✕•", ("operator", "*"))
    | dict.fromkeys("/÷:∶⁄∕", ("operator", "/"))
    | dict.fromkeys("-−–—﹣", ("operator", "-"))
    | {sign: ("operator", sign) for sign in "+^±"}
    | {sign: ("relation", sign) for sign in "=<>≤≥≠"}
    | dict.fromkeys("≦⩽", ("relation", "≤"))
    | dict.fromkeys("≧⩾", ("relation", "≥"))
    | dict.fromkeys(",;、", ("separator", ","))
    | dict.fromkeys("或∨", ("separator", "any"))
    | dict.fromkeys("和且与∧", ("separator", "all"))
)
_DOUBLE: Final = {"<=": "≤", ">=": "≥", "!=": "≠", "=<": "≤", "=>": "≥"}
_WORDS: Final = {"or": "any", "oder": "any", "and": "all", "und": "all"}
_NAMES: Final = re.compile(
    "sin|cos|tan|cot|sec|csc|log|ln|lg|exp|lim|max|min|mod|gcd|lcm|ggt|kgv|abs|arc|det|inf|nan|sqrt|sum|int",
    re.IGNORECASE,
)
_GROUPED: Final = re.compile(r"\d{1,3}(?: \d{3})+(?!\d)")
_DIGITS: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_LETTERS: Final = re.compile(f"(?:[A-Za-zα-ωΑ-Ω][{_LOWERED}]?)+")
_LOOSE_COMMA: Final = re.compile(r"\d(?: ,|, ) ?\d")
_CALLED: Final = re.compile(r"[fghFGH] ?\( ?[A-Za-z] ?\)")


def plain(text: str) -> str:
    """The text with full-width forms and unusual spaces as everyday ones."""
    return text.translate(_FULL_WIDTH).strip()


def tokens_of(text: str, *, decimal_comma: bool = False, x_is_times: bool = False) -> list[Token]:
    """Cut a text into its signs.

    Args:
        text: What was written.
        decimal_comma: A comma between digits is the point; without it such a comma is refused.
        x_is_times: An `x` between two numbers is the sign for times; without it such an `x` is refused.

    Raises:
        Unreadable: There is a sign that is not known, could be two, or there are too many.
    """
    text = plain(text)
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("too long")
    if _CALLED.search(text):
        raise Unreadable("a function, or a product")
    if decimal_comma and _LOOSE_COMMA.search(text):
        raise Unreadable("a point, or a list")
    if x_is_times:
        text = re.sub(r"(?<=[\d)]) ?[xX] ?(?=[\d(])", "*", text)
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        is_apart = at > 0 and text[at - 1] == " "
        tokens, at = _next(text, at, is_apart=is_apart, comma=decimal_comma)
        found += tokens
        if len(found) > MOST_TOKENS:
            raise Unreadable("too many signs")
    return found


def _next(  # noqa: PLR0911  # one way a sort of sign
    text: str, at: int, *, is_apart: bool, comma: bool
) -> tuple[list[Token], int]:
    """The signs that begin at a place, and where the next one does."""
    sign = text[at]
    if "0" <= sign <= "9" or sign == ".":
        token, end = _number(text, at, is_apart=is_apart, comma=comma)
        return [token], end
    if sign in VULGAR:
        return [Token("vulgar", sign, VULGAR[sign], is_apart)], at + 1
    if sign in _RAISED:
        token, end = _raised(text, at)
        return [token], end
    if sign in _ROOTS:
        return [Token("root", "√", Fraction(_ROOTS[sign]))], at + 1
    if sign in _PERCENT:
        return [Token("percent", sign, Fraction(_PERCENT[sign]))], at + 1
    if double := _DOUBLE.get(text[at : at + 2]):
        return [Token("relation", double)], at + 2
    if sign in _SIGNS:
        sort, text_of_it = _SIGNS[sign]
        return [Token(sort, text_of_it, is_apart=is_apart)], at + 1
    if run := _LETTERS.match(text, at):
        return _letters(run[0], text[run.end() : run.end() + 1], is_apart=is_apart), run.end()
    raise Unreadable(f"no sign of mathematics: {sign!r}")


def _number(text: str, at: int, *, is_apart: bool, comma: bool) -> tuple[Token, int]:
    if comma:
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    grouped = _GROUPED.match(text, at)
    digits = _DIGITS.match(text, grouped.end() - 3 if grouped else at)
    if digits is None:
        raise Unreadable("a point without digits")
    end = digits.end()
    if re.match(r"[.,]\d|\.", text[end:]):
        raise Unreadable("one number, or two")
    if grouped and re.match(r" ?[/⁄]", text[end:]):
        raise Unreadable("a large number, or a mixed one")
    figures = text[at:end].replace(" ", "")
    if len(figures) > MOST_DIGITS:
        raise Unreadable("too many digits")
    return Token("number", figures, Fraction(figures), is_apart, is_whole=figures.isdigit() and not grouped), end


def _raised(text: str, at: int) -> tuple[Token, int]:
    end = at
    while end < len(text) and text[end] in _RAISED:
        end += 1
    figures = "".join(_RAISED[sign] for sign in text[at:end])
    if not re.fullmatch(r"[+-]?\d{1,4}", figures):
        raise Unreadable("no exponent")
    return Token("raised", figures, Fraction(int(figures))), end


def _letters(run: str, after: str, *, is_apart: bool) -> list[Token]:
    if run.lower() in _WORDS and is_apart and after == " ":
        return [Token("separator", _WORDS[run.lower()])]
    if run == "sqrt" and after == "(":
        return [Token("root", "√", Fraction(2))]
    if _NAMES.search(run):
        raise Unreadable("a function that is not known here")
    if after.isdigit() and after not in _RAISED and after not in _LOWERED:
        raise Unreadable("an index, or a power")
    names = re.findall(f".[{_LOWERED}]?", run)
    return [Token("letter", name, is_apart=is_apart and k == 0) for k, name in enumerate(names)]
