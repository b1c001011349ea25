"""How something is written, whatever it comes to: what everyone would call the same answer.

The order of terms, factors and solutions, the side of an equation, brackets that change nothing and the sign for times
make no difference here. Anything that has to be worked out does: 2 + 2 is not the form of 4, nor 2/4 that of 1/2.
"""

from typing import Any, Final, TypeAlias

from recognition.mathematics.nodes import (
    Expression,
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
    Statement,
    Sum,
    letters_of,
)

Form: TypeAlias = tuple[Any, ...]
"""A sign of what it is, then its parts: strings, numbers and forms."""
_EVEN_SIDED: Final = ("=", "≠")


def same_form(one: Statement, other: Statement) -> bool:
    """Whether two statements are written alike."""
    return form_of(one) == form_of(other)


def is_worked_out(node: Statement) -> bool:
    """Whether there is nothing left to do: a number, a letter that equals one, or several of these."""
    match node:
        case Listing(items):
            return all(is_worked_out(item) for item in items)
        case Relation(sign, left, right):
            # Both ways round: 5 = x, and 5 > x, which is kept as x < 5.
            pairs = ((left, right), (right, left))
            return sign != "≠" and any(isinstance(a, Letter) and _is_number(b) for a, b in pairs)
        case _:
            return _is_number(node)


def form_of(node: Statement) -> Form:
    """The form as a value that equals the form of whatever is written alike."""
    match node:
        case Relation(sign, left, right):
            sides = [form_of(left), form_of(right)]
            return (sign, *(_sorted(sides) if sign in _EVEN_SIDED else sides))
        case Listing(items, joint):
            forms = [form_of(item) for item in items]
            if joint == "point" or not all(isinstance(item, Relation) for item in items):
                return (joint, *forms)
            # Solutions with a comma, "or" or "and" between them are the same; of inequalities that is not so.
            are_solutions = all(isinstance(item, Relation) and item.sign == "=" for item in items)
            return ("any" if are_solutions else joint, *_sorted(forms))
        case _:
            minuses, core = _signed(node)
            return (f"minus {minuses}", core) if minuses else core


def _is_number(node: Expression | Relation) -> bool:
    match node:
        case Number():
            return True
        case Negative(of):
            return not isinstance(of, Negative) and _is_number(of)
        case Percent(of):
            return isinstance(of, Number)
        case Quotient(Negative(Number() as top) | (Number() as top), Number() as bottom):
            return top.value.denominator == bottom.value.denominator == 1 and not (top.is_mixed or bottom.is_mixed)
        case _:
            return False


def _signed(node: Expression) -> tuple[int, Form]:  # noqa: PLR0911  # one case a kind of node
    """How many minus signs stand before it or its factors, and the form of the rest."""
    match node:
        case Negative(of):
            minuses, core = _signed(of)
            return minuses + 1, core
        case Product(factors):
            signed = [_signed(factor) for factor in _flat(factors, Product)]
            return sum(minuses for minuses, _ in signed), ("*", *_sorted([core for _, core in signed]))
        case Quotient(top, bottom):
            (above, top_form), (below, bottom_form) = _signed(top), _signed(bottom)
            return above + below, ("/", top_form, bottom_form)
        case Sum(terms):
            return 0, ("+", *_sorted([form_of(term) for term in _flat(terms, Sum)]))
        case Number(value, is_mixed):
            return 0, ("mixed" if is_mixed else "number", value)
        case Letter(name):
            return 0, ("letter", name)
        case Percent(of):
            return 0, ("%", form_of(of))
        case Power(base, exponent):
            return 0, ("^", form_of(base), form_of(exponent))
        case Root(degree, of):
            return 0, ("√", degree, form_of(of))


def _flat(parts: tuple[Expression, ...], kind: type[Sum] | type[Product]) -> list[Expression]:
    """The parts, with those of parts of the same kind in their place: a + (b + c) is a + b + c."""
    out: list[Expression] = []
    for part in parts:
        if isinstance(part, Sum | Product) and isinstance(part, kind):
            out += _flat(part.terms if isinstance(part, Sum) else part.factors, kind)
        else:
            out.append(part)
    return out


def _sorted(forms: list[Form]) -> list[Form]:
    return sorted(forms, key=repr)


def lone_letter(relation: Relation) -> tuple[str, Expression] | None:
    """The letter that stands alone on one side of an equation, and the other side without it."""
    if relation.sign != "=":
        return None
    for one, other in ((relation.left, relation.right), (relation.right, relation.left)):
        if isinstance(one, Letter) and one.name not in letters_of(other):
            return one.name, other
    return None
