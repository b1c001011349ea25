"""Sheet definitions as TOML.

A definition has `id`, `revision`, `title`, `[[page]]` (number, size_mm), `[[field]]` and `[[placing]]` (address, page,
affine). Texts are by language: `prompt = { en = "…", "zh-CN" = "…" }`.
"""

import tomllib
from importlib.resources import files
from typing import Any, cast

from recognition.errors import SheetError
from recognition.pages import PageAddress
from recognition.sheets.definition import IDENTITY, Affine, Box, Choice, Field, Kind, Placing, Sheet, SheetPage
from recognition.sheets.linting import Problem, Table, faults
from recognition.sheets.written import KeyOptions


def bundled(name: str) -> str:
    """The text of a sheet that comes with the program: `demo` or `link-card`, with or without `.toml`.

    Raises:
        SheetError: There is no such sheet.
    """
    plain = name.removesuffix(".toml")
    known = sorted(p.name.removesuffix(".toml") for p in files(__package__).iterdir() if p.name.endswith(".toml"))
    if plain not in known:
        raise SheetError([(name, f"no sheet of this name comes along; there are {', '.join(known)}")])
    return files(__package__).joinpath(f"{plain}.toml").read_text("utf-8")


def load(text: str, *, origin: str = "sheet") -> Sheet:
    """Read a definition.

    Raises:
        SheetError: It has a fault; `problems` lists all of them, each place after `origin`.
    """
    table, problems = _checked(text)
    if problems:
        raise SheetError([(f"{origin}, {where}", what) for where, what in problems])
    fields = [_field(raw) for raw in table["field"]]
    pages = tuple(
        SheetPage(raw["number"], _pair(raw["size_mm"]), tuple(f for f in fields if f.page == raw["number"]))
        for raw in table["page"]
    )
    placings = tuple(
        Placing(PageAddress(*raw["address"]), raw["page"], _affine(raw.get("affine")))
        for raw in table.get("placing", ())
    )
    return Sheet(table["id"], table["revision"], dict(table["title"]), pages, placings)


def lint(text: str) -> list[Problem]:
    """Every fault of a definition as (where, what); empty where it can be used."""
    return _checked(text)[1]


def _checked(text: str) -> tuple[Table, list[Problem]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return {}, [("TOML", str(error))]
    return table, list(faults(table))


def _pair(raw: Any) -> tuple[float, float]:  # noqa: ANN401  # out of TOML, already checked
    return float(raw[0]), float(raw[1])


def _box(raw: Any) -> Box:  # noqa: ANN401  # out of TOML, already checked
    return float(raw[0]), float(raw[1]), float(raw[2]), float(raw[3])


def _affine(raw: Any) -> Affine:  # noqa: ANN401  # out of TOML, already checked
    if raw is None:
        return IDENTITY
    return cast("Affine", tuple(tuple(float(v) for v in row) for row in raw))


def _field(raw: Table) -> Field:
    choices = tuple(
        Choice(c["value"], _box(c["box_mm"]) if "box_mm" in c else None, dict(c.get("text", {})))
        for c in raw.get("choices", ())
    )
    return Field(
        id=raw["id"],
        kind=cast("Kind", raw["kind"]),
        page=raw["page"],
        box_mm=_box(raw["box_mm"]),
        prompt=dict(raw.get("prompt", {})),
        keys=tuple(raw.get("keys", ())),
        points=float(raw.get("points", 0)),
        key_version=raw.get("key_version", 1),
        choices=choices,
        several=raw.get("several", False),
        options=KeyOptions(**raw.get("options", {})),
        max_digits=raw.get("max_digits", 3),
        seat=raw.get("seat"),
    )
