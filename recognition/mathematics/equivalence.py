"""Whether two statements say the same. Each verdict is a proof; what is not proven is `unknown`.

Values at chosen points judge first, exactly where they can: two expressions that differ at one point differ, and two
numbers that agree are equal. Only where they agree and letters or roots are left is the algebra library asked for a
proof. What is right is another question (see `sheets.written`): `2x = 4` and `x = 2` are equal here.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import Final, Literal, TypeAlias, cast

from recognition.mathematics.budget import Budget, Spent
from recognition.mathematics.forms import lone_letter, same_form
from recognition.mathematics.near import Near
from recognition.mathematics.nodes import (
    Expression,
    Joint,
    Listing,
    Number,
    Product,
    Relation,
    Statement,
    letters_of,
)
from recognition.mathematics.truth import gap_of, hold_together, holds, witnesses
from recognition.mathematics.values import TooLarge, Undefined, Value, differs, is_near, points, value_of

Judgement: TypeAlias = Literal["equal", "different", "unknown"]

_Pair: TypeAlias = tuple[Value, Value, bool | None]
"""Two values at one point, and whether they differ; None where their digits do not tell."""

CALLS: Final = 150_000
"""How many calls one judgement may take, all its proofs together: about a tenth of a second."""
_FEWEST_POINTS: Final = 3
_CONSTANTS: Final = frozenset("ei")
"""Letters that may be unknowns or numbers."""
_ROUNDED: Final = Fraction(1, 50)
"""A rational number so near to an irrational one may be meant as its rounded form."""
_SHARES: Final = 4
"""At how many points two inequalities are tried for being multiples of each other."""


def judge(one: Statement, other: Statement, *, calls: int = CALLS) -> Judgement:
    """Whether two statements say the same; `unknown` where it is not proven, or would take more than `calls`."""
    if same_form(one, other):
        return "equal"
    budget = Budget(calls)
    try:
        verdict = budget.spend(lambda: _Judge(budget).statements(one, other))
    except (Spent, RecursionError):
        return "unknown"
    if verdict == "different" and _may_name_the_same(letters_of(one), letters_of(other)):
        return "unknown"
    return verdict


def _may_name_the_same(names: frozenset[str], others: frozenset[str]) -> bool:
    """Letters that differ as x and X do, or that only one side has and that are numbers to some."""
    if names == others:
        return False
    return {n.lower() for n in names} == {n.lower() for n in others} or bool(_CONSTANTS & (names ^ others))


class _Judge:
    """One judgement, with the calls that are left for it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._loaded: ModuleType | None = None

    def statements(self, one: Statement, other: Statement) -> Judgement:
        """Statements of any sort; of two sorts they are told apart by nobody here."""
        first, second = _items(one), _items(other)
        joints = _joint(one), _joint(other)
        if "point" in joints:
            return self._points(first, second) if joints[0] == joints[1] else "unknown"
        if all(isinstance(item, Relation) for item in (*first, *second)):
            return self._relations(cast("list[Relation]", first), cast("list[Relation]", second), joints)
        if any(isinstance(item, Relation) for item in (*first, *second)):
            return "unknown"
        if len(first) == len(second) == 1:
            return self._expressions(cast("Expression", first[0]), cast("Expression", second[0]))
        return self._lists(cast("list[Expression]", first), cast("list[Expression]", second), joints)

    def _algebra(self) -> ModuleType:
        if self._loaded is None:
            # Half a second and some 30 MB: only for whoever asks for a proof.
            self._loaded = self._budget.unspent(lambda: import_module("recognition.mathematics.algebra"))
        return self._loaded

    def _points(self, one: Sequence[Expression | Relation], other: Sequence[Expression | Relation]) -> Judgement:
        if len(one) != len(other):
            return "different"
        pairs = zip(cast("list[Expression]", one), cast("list[Expression]", other), strict=True)
        return _all([self._expressions(a, b) for a, b in pairs])

    def _lists(self, one: list[Expression], other: list[Expression], joints: tuple[Joint, Joint]) -> Judgement:
        """Numbers or terms in a row. Whether their order matters is known only where it is the same."""
        if len(one) == len(other):
            in_order = _all([self._expressions(a, b) for a, b in zip(one, other, strict=True)])
            if in_order == "equal":
                return "equal"
        matched = _matched([[self._expressions(a, b) for b in other] for a in one])
        return "unknown" if matched == "equal" and "any" not in joints else matched

    def _expressions(self, one: Expression, other: Expression) -> Judgement:
        if same_form(one, other):
            return "equal"
        names = sorted(letters_of(one) | letters_of(other))
        seen, at_same_places = _values(one, other, names)
        if any(is_apart for _, _, is_apart in seen):
            return "unknown" if _may_be_rounded(seen) else "different"
        if not at_same_places or len(seen) < (_FEWEST_POINTS if names else 1):
            return "unknown"
        if not names and all(isinstance(value, Fraction) for a, b, _ in seen for value in (a, b)):
            return "equal"
        return cast("Judgement", self._algebra().same_value(one, other) or "unknown")

    def _relations(  # noqa: PLR0911  # ways to decide, from cheap to dear
        self, one: list[Relation], other: list[Relation], joints: tuple[Joint, Joint]
    ) -> Judgement:
        if len(one) == len(other) == 1:
            return self._relation(one[0], other[0])
        are_equations = all(relation.sign == "=" for relation in (*one, *other))
        if not are_equations and len(one) > 1 and len(other) > 1 and joints[0] != joints[1]:
            return "unknown"
        matched = _matched([[self._relation(a, b) for b in other] for a in one])
        if matched == "equal":
            return "equal"
        if are_equations and all(_is_solved(relation) for relation in (*one, *other)):
            return matched
        if are_equations and "all" not in joints and len({n for r in (*one, *other) for n in letters_of(r)}) == 1:
            return self._zeros(_product_of(one), _product_of(other))
        if "list" in joints:
            return "unknown"
        for at in witnesses([*one, *other]):
            told = hold_together(one, joints[0], at), hold_together(other, joints[1], at)
            if None not in told and told[0] != told[1]:
                return "different"
        return "unknown"

    def _relation(self, one: Relation, other: Relation) -> Judgement:
        if same_form(one, other):
            return "equal"
        solved = lone_letter(one), lone_letter(other)
        if solved[0] and solved[1] and solved[0][0] == solved[1][0]:
            return self._expressions(solved[0][1], solved[1][1])
        for at in witnesses([one, other]):
            told = holds(one, at), holds(other, at)
            if None not in told and told[0] != told[1]:
                return "different"
        if one.sign != other.sign:
            return "unknown"
        if self._are_multiples(gap_of(one), gap_of(other), of_any_sign=one.sign in "=≠"):
            return "equal"
        return self._zeros(gap_of(one), gap_of(other)) if one.sign == "=" else "unknown"

    def _are_multiples(self, one: Expression, other: Expression, *, of_any_sign: bool) -> bool:
        names = sorted(letters_of(one) | letters_of(other))
        for at in islice(points(names), _SHARES):
            try:
                a, b = value_of(one, at), value_of(other, at)
            except (Undefined, TooLarge):
                continue
            if not isinstance(a, Fraction) or not isinstance(b, Fraction) or 0 in (a, b):
                continue
            share = a / b
            return (of_any_sign or share > 0) and self._expressions(one, Product((Number(share), other))) == "equal"
        return False

    def _zeros(self, one: Expression, other: Expression) -> Judgement:
        return cast("Judgement", self._algebra().same_zeros(one, other) or "unknown")


def _items(statement: Statement) -> list[Expression | Relation]:
    return list(statement.items) if isinstance(statement, Listing) else [statement]


def _joint(statement: Statement) -> Joint:
    return statement.joint if isinstance(statement, Listing) else "any"


def _is_solved(relation: Relation) -> bool:
    """A letter that equals something without letters."""
    found = lone_letter(relation)
    return found is not None and not letters_of(found[1])


def _all(verdicts: Iterable[Judgement]) -> Judgement:
    """Of things that must all be equal."""
    found = set(verdicts)
    return "different" if "different" in found else "unknown" if "unknown" in found else "equal"


def _matched(table: list[list[Judgement]]) -> Judgement:
    """Of two sets: equal where each has its like in the other, different where one is unlike all of the other."""
    lines = [*table, *map(list, zip(*table, strict=True))]
    if all("equal" in line for line in lines):
        return "equal"
    return "different" if any(set(line) == {"different"} for line in lines) else "unknown"


def _product_of(relations: list[Relation]) -> Expression:
    """What is 0 where one of the equations holds."""
    gaps = [gap_of(relation) for relation in relations]
    return gaps[0] if len(gaps) == 1 else Product(tuple(gaps))


def _values(one: Expression, other: Expression, names: list[str]) -> tuple[list[_Pair], bool]:
    """Both values wherever both have one, and whether they have them at the same places, as far as was looked."""
    seen: list[_Pair] = []
    at_same_places = True
    for at in points(names):
        try:
            a, b = _value_or_none(one, at), _value_or_none(other, at)
            if a is not None and b is not None:
                seen.append((a, b, differs(a, b)))
        except TooLarge:
            continue
        at_same_places &= (a is None) == (b is None)
    return seen, at_same_places


def _value_or_none(node: Expression, at: dict[str, Fraction]) -> Value | None:
    try:
        return value_of(node, at)
    except Undefined:
        return None


def _may_be_rounded(seen: list[_Pair]) -> bool:
    """One is irrational, the other rational and near to it wherever they were looked at."""
    irrational = [any(isinstance(pair[k], Near) for pair in seen) for k in (0, 1)]
    return irrational[0] != irrational[1] and all(is_near(a, b, share=_ROUNDED) for a, b, _ in seen)
