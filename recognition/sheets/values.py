"""Plain checks of values out of a sheet's TOML, for whoever names its faults."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

Problem: TypeAlias = tuple[str, str]
"""(where, what is wrong there)."""
Table: TypeAlias = Mapping[str, Any]
"""A definition, or a part of one, as tomllib gives it."""
_LARGEST: Final = 1e6


def unknown(table: Table, known: tuple[str, ...], where: str) -> Iterator[Problem]:
    """Names that a table must not have, each with the nearest that it may."""
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, 1)
            yield where, f"unknown name {name}" + (f"; {near[0]} is near" if near else f"; known: {', '.join(known)}")


def tables(table: Table, name: str) -> Iterator[tuple[str, Table | None]]:
    """The tables of an array with their places; None for what is no table."""
    raw = table.get(name, [])
    if not isinstance(raw, list):
        yield name, None
        return
    for number, one in enumerate(raw, 1):
        yield f"{name} number {number}", one if isinstance(one, dict) else None


def texts(raw: object, where: str, *, required: bool) -> Iterator[Problem]:
    """Whether something is texts by language."""
    if not isinstance(raw, dict) or not all(is_word(v) for v in raw.values()) or (required and not raw):
        yield where, 'texts by language, such as { en = "Sums", "zh-CN" = "算术" }'


def is_word(raw: object) -> bool:
    """A text that is not empty."""
    return isinstance(raw, str) and bool(raw.strip())


def is_count(raw: object) -> bool:
    """A whole number from 1."""
    return isinstance(raw, int) and not isinstance(raw, bool) and raw >= 1


def is_number(raw: object) -> bool:
    """A number of a size that a sheet may have."""
    return isinstance(raw, int | float) and not isinstance(raw, bool) and -_LARGEST < raw < _LARGEST


def are_numbers(raw: object, count: int) -> bool:
    """So many numbers."""
    return isinstance(raw, list) and len(raw) == count and all(is_number(v) for v in raw)
