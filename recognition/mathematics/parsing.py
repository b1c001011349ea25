"""School mathematics as pupils write it, read into a tree. Where a grown-up would have to ask, this refuses.

The grammar, from the widest:

    statement  = item { separator item }
    item       = expression { relation expression } | "(" expression { "," expression } ")"
    expression = [sign] term { ("+" | "-") term }
    term       = factor { ("*" | "/") [sign] factor | factor }
    factor     = primary [ "^" [sign] factor | raised ] [ "%" ]
    primary    = number | number fraction | letter | "(" expression ")" | root primary

A product without a sign after a division (`1/2x`), after a root without brackets (`√2x`), or before a digit (`x2`,
`(x+1)2`) says two things, and is `Unreadable`. Depth, signs and digits are bounded, so that a tree is always small.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Final

from recognition.mathematics.nodes import (
    Expression,
    Joint,
    Letter,
    Listing,
    Negative,
    Number,
    Percent,
    Power,
    Product,
    Quotient,
    Relation,
    Root,
    Sign,
    Statement,
    Sum,
    letters_of,
)
from recognition.mathematics.tokens import Token, Unreadable, tokens_of

__all__ = ["Unreadable", "parse"]

MOST_DEPTH: Final = 20
MOST_LETTERS: Final = 6
MOST_ITEMS: Final = 8
_MOST_DEGREE: Final = 12
_LONGEST_GROUP: Final = 3
_LOWERED: Final = "₀₁₂₃₄₅₆₇₈₉"
_END: Final = Token("close", "")
_TURNED: Final[dict[str, Sign]] = {">": "<", "≥": "≤"}
_SIGNS: Final[dict[str, Sign]] = {"=": "=", "≠": "≠", "<": "<", "≤": "≤"}


def parse(text: str, *, decimal_comma: bool = False, x_is_times: bool = False) -> Statement:
    """Read what was written; for the options see `tokens_of`.

    Raises:
        Unreadable: It is no mathematics, could be read in two ways, or is too large.
    """
    tokens = tokens_of(text, decimal_comma=decimal_comma, x_is_times=x_is_times)
    joints = {token.text for token, depth in _with_depth(tokens) if token.sort == "separator" and depth == 0}
    items: list[Expression | Relation] = []
    for piece in _items(tokens):
        if (point := _point(piece)) is not None:
            if joints:
                raise Unreadable("several points")
            return point
        found, joint = _item(piece)
        items += found
        joints |= {joint} if joint else set()
    if len(items) > MOST_ITEMS or len({name for item in items for name in letters_of(item)}) > MOST_LETTERS:
        raise Unreadable("too many parts or letters")
    if len(items) == 1:
        return items[0]
    if {"any", "all"} <= joints:
        raise Unreadable("and, or or")
    return Listing(_without_indices(items), "any" if "any" in joints else "all" if "all" in joints else "list")


def _with_depth(tokens: Sequence[Token]) -> list[tuple[Token, int]]:
    """Each sign with how many brackets are open around it."""
    depth, out = 0, []
    for token in tokens:
        depth -= token.sort == "close"
        out.append((token, depth))
        depth += token.sort == "open"
        if not 0 <= depth <= MOST_DEPTH:
            raise Unreadable("brackets do not close, or are too deep")
    if depth:
        raise Unreadable("brackets do not close")
    return out


def _items(tokens: Sequence[Token]) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    for token, depth in _with_depth(tokens):
        if token.sort == "separator" and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def _point(tokens: list[Token]) -> Listing | None:
    """Coordinates in brackets, or None where it is anything else."""
    inner = tokens[1:-1]
    if len(inner) < 2 or tokens[0].sort != "open" or tokens[-1].sort != "close":  # noqa: PLR2004  # something and a comma
        return None
    depths = [depth for _, depth in _with_depth(tokens)]
    if 0 in depths[1:-1] or not any(t.sort == "separator" and d == 1 for t, d in zip(tokens, depths, strict=True)):
        return None
    if any(token.sort == "separator" and token.text != "," for token in inner):
        raise Unreadable("no point")
    return Listing(tuple(_whole(piece) for piece in _items(inner)), "point")


def _item(tokens: list[Token]) -> tuple[list[Expression | Relation], Joint | None]:
    """One answer, or two where it has a ±, or the links of a chain; and what holds them together."""
    both = sum(token.text == "±" for token in tokens)
    if both > 1:
        raise Unreadable("which plus goes with which minus")
    if not both:
        found = _related(tokens)
        return found, "all" if len(found) > 1 else None
    found = []
    for sign in "+-":
        found += _related([replace(t, text=sign) if t.text == "±" else t for t in tokens])
    if len(found) > 2:  # noqa: PLR2004  # one for plus, one for minus
        raise Unreadable("a chain of two ways")
    return found, "any"


def _related(tokens: list[Token]) -> list[Expression | Relation]:
    """An expression, a relation, or the links of a chain such as 1 < x < 3."""
    places = [k for k, token in enumerate(tokens) if token.sort == "relation"]
    ends = [-1, *places, len(tokens)]
    sides = [_whole(tokens[a + 1 : b]) for a, b in pairwise(ends)]
    signs = [tokens[k].text for k in places]
    if len(signs) > 1 and not (set(signs) <= {"<", "≤"} or set(signs) <= {">", "≥"}):
        raise Unreadable("a chain that does not go one way")
    if not signs:
        return [sides[0]]
    return [
        Relation(_TURNED[sign], right, left) if sign in _TURNED else Relation(_SIGNS[sign], left, right)
        for sign, left, right in zip(signs, sides, sides[1:], strict=False)
    ]


def _without_indices(items: list[Expression | Relation]) -> tuple[Expression | Relation, ...]:
    """x₁ = 1, x₂ = 2 are two solutions for x: numbered names of one letter that are each set equal to something."""
    names = [item.left.name for item in items if isinstance(item, Relation) and isinstance(item.left, Letter)]
    bases = {name[0] for name in names if name[-1] in _LOWERED}
    if len(names) != len(items) or len(bases) != 1 or len(set(names)) != len(names) or any(len(n) == 1 for n in names):
        return tuple(items)
    base = Letter(bases.pop())
    relations = [
        item for item in items if isinstance(item, Relation) and item.sign == "=" and not letters_of(item.right)
    ]
    return tuple(replace(item, left=base) for item in relations) if len(relations) == len(items) else tuple(items)


def _whole(tokens: list[Token]) -> Expression:
    parser = _Parser(tokens)
    made = parser.expression()
    if parser.here is not _END:
        raise Unreadable(f"unexpected {parser.here.text!r}")
    return made


class _Parser:
    """Recursive descent over the signs of one expression."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    @property
    def here(self) -> Token:
        return self._ahead(0)

    def _ahead(self, steps: int) -> Token:
        return self._tokens[self._at + steps] if self._at + steps < len(self._tokens) else _END

    def _takes(self, *texts: str) -> str:
        """The operator that stands here, if it is one of these, and goes on; else nothing."""
        if self.here.sort != "operator" or self.here.text not in texts:
            return ""
        self._at += 1
        return self._tokens[self._at - 1].text

    def expression(self) -> Expression:
        sign = self._takes("+", "-")
        terms = [Negative(self._term()) if sign == "-" else self._term()]
        while sign := self._takes("+", "-"):
            terms.append(Negative(self._term()) if sign == "-" else self._term())
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def _term(self) -> Expression:
        begin = self._at
        factors = [self._factor()]
        is_divided = False
        while True:
            last = self._tokens[begin : self._at]
            if sign := self._takes("*", "/"):
                factor = self._signed_factor()
                if sign == "/":
                    factors, is_divided = [Quotient(_product(factors), factor)], True
                else:
                    factors.append(factor)
            elif self.here.sort in ("letter", "open", "root"):
                if is_divided or self._is_open_ended(last):
                    raise Unreadable("a product without a sign that could reach further back")
                factors.append(self._factor())
            else:
                return _product(factors)

    def _is_open_ended(self, before: Sequence[Token]) -> bool:
        """Whether what stands before could go on: a root without brackets, or a mixed number."""
        if self.here.sort == "root":
            return False
        under_root = len(before) > 1 and before[-2].sort == "root"
        return under_root or (before[-1].sort == "vulgar" and len(before) > 1 and before[-2].sort == "number")

    def _signed_factor(self) -> Expression:
        sign = self._takes("+", "-")
        return Negative(self._factor()) if sign == "-" else self._factor()

    def _factor(self) -> Expression:
        root_at = 1 if self.here.sort == "raised" else 0
        is_bare_root = self._ahead(root_at).sort == "root" and self._ahead(root_at + 1).sort != "open"
        base = self._primary()
        if self.here.sort == "raised" or self.here.text == "^":
            if is_bare_root:
                raise Unreadable("a power of the root, or under it")
            base = Power(base, self._exponent())
        if self.here.sort == "percent":
            if not isinstance(base, Number):
                raise Unreadable("per cent of something")
            base = Percent(Number(base.value * 100 / self.here.value))
            self._at += 1
        return base

    def _exponent(self) -> Expression:
        sign = self.here
        self._at += 1
        if sign.sort == "raised":
            if self.here.sort == "root" or self.here.text == "^":
                raise Unreadable("a power, or the degree of a root")
            return Negative(Number(-sign.value)) if sign.value < 0 else Number(sign.value)
        self._deeper()
        made = self._signed_factor()
        self._depth -= 1
        return made

    def _primary(self) -> Expression:
        token = self.here
        self._at += 1
        match token.sort:
            case "number":
                return self._number(token)
            case "vulgar":
                return Quotient(Number(Fraction(token.value.numerator)), Number(Fraction(token.value.denominator)))
            case "letter":
                return Letter(token.text)
            case "open":
                self._deeper()
                inner = self.expression()
                if self.here.sort != "close" or self.here is _END:
                    raise Unreadable("brackets do not close")
                self._at, self._depth = self._at + 1, self._depth - 1
                return inner
            case "root":
                return self._root(int(token.value))
            case "raised" if self.here.sort == "root" and 2 <= token.value <= _MOST_DEGREE:  # noqa: PLR2004  # the first root
                self._at += 1
                return self._root(int(token.value))
            case _:
                raise Unreadable(f"unexpected {token.text!r}")

    def _root(self, degree: int) -> Expression:
        self._deeper()
        if self.here.sort not in ("number", "letter", "open", "root"):
            raise Unreadable("a root of nothing")
        of = self._primary()
        self._depth -= 1
        return Root(degree, of)

    def _number(self, token: Token) -> Expression:
        """A number, or the mixed number that begins here."""
        if self.here.sort == "vulgar" and token.is_whole:
            self._at += 1
            return Number(token.value + self._tokens[self._at - 1].value, is_mixed=True)
        if self.here.sort != "number":
            return Number(token.value)
        top, stroke, bottom = self.here, self._ahead(1), self._ahead(2)
        is_fraction = stroke.text == "/" and bottom.sort == "number" and not (stroke.is_apart or bottom.is_apart)
        if not (is_fraction and token.is_whole and top.is_whole and bottom.is_whole):
            raise Unreadable("two numbers without a sign")
        if not 0 < top.value < bottom.value or len(top.text) >= _LONGEST_GROUP:
            raise Unreadable("no mixed number")
        self._at += 3
        if self.here.sort in ("letter", "open", "root", "raised", "percent") or self.here.text in ("^", "/"):
            raise Unreadable("a mixed number that goes on")
        return Number(token.value + top.value / bottom.value, is_mixed=True)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise Unreadable("too deep")


def _product(factors: list[Expression]) -> Expression:
    return factors[0] if len(factors) == 1 else Product(tuple(factors))
