"""Sheet definitions as TOML.

A definition has `id`, `revision`, `title`, `[[page]]` (number, size_mm), `[[field]]` and `[[placing]]` (address, page,
affine, variant). Texts are by language: `prompt = { en = "…", "zh-CN" = "…" }`. A field's key is `keys`, a list of
right answers; `[[field.key]]` adds an answer with points of its own, or one that counts in one variant of the sheet
alone; `[[field.step]]` makes a rubric (id, points, label, keys). A field may have a `redo_box_mm` for a second try, and
`[[scratch]]` (page, box_mm) is an area for rough work.
"""

import tomllib
from dataclasses import asdict, replace
from fractions import Fraction
from importlib.resources import files
from typing import Any, cast

from recognition.errors import SheetError
from recognition.pages import PageAddress
from recognition.sheets.definition import (
    IDENTITY,
    Affine,
    Alternate,
    Box,
    Choice,
    Field,
    Kind,
    Placing,
    Sheet,
    SheetPage,
    Step,
)
from recognition.sheets.key_linting import key_faults
from recognition.sheets.linting import faults
from recognition.sheets.values import Problem, Table
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
    return _sheet(table)


def from_table(table: Table) -> Sheet:
    """As `load`, for a definition that is no text any more.

    Raises:
        SheetError: It has a fault.
    """
    if problems := list(faults(table)):
        raise SheetError(problems)
    return _sheet(table)


def rekeyed(field: Field, key: Table, *, version: int) -> Field:
    """A field with another key: answers, their points and options; its points, steps and scoring stay.

    Args:
        field: As the sheet has it.
        key: `keys`, `key` and `options`, as in a definition; `keys` may be left out where `key` has a right answer.
        version: The version of the new key.

    Raises:
        SheetError: The key has a fault.
    """
    raw: dict[str, Any] = {
        "kind": field.kind,
        "points": field.points,
        "several": field.several,
        "scoring": field.scoring,
        "choices": [{"value": choice.value} for choice in field.choices],
        **{name: value for name, value in key.items() if value},
    }
    if field.steps:
        raw["step"] = [{"id": s.id, "points": s.points, "label": dict(s.label)} for s in field.steps]
    if problems := list(key_faults(f"field {field.id}", raw)):
        raise SheetError(problems)
    keys, alternates = _answers(raw, field.points)
    options = _options(raw)
    return replace(field, keys=keys, alternates=alternates, options=options, key_version=version)


def key_table(field: Field) -> dict[str, Any]:
    """A field's key as `rekeyed` takes it."""
    return {
        "keys": list(field.keys),
        "key": [{name: value for name, value in asdict(a).items() if value != ""} for a in field.alternates],
        "options": {name: value for name, value in asdict(field.options).items() if value},
    }


def _sheet(table: Table) -> Sheet:
    fields = [_field(raw) for raw in table["field"]]
    pages = tuple(
        SheetPage(
            raw["number"],
            _pair(raw["size_mm"]),
            tuple(f for f in fields if f.page == raw["number"]),
            tuple(_box(area["box_mm"]) for area in table.get("scratch", ()) if area["page"] == raw["number"]),
        )
        for raw in table["page"]
    )
    placings = tuple(
        Placing(PageAddress(*raw["address"]), raw["page"], _affine(raw.get("affine")), raw.get("variant", ""))
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


def _answers(raw: Table, points: float) -> tuple[tuple[str, ...], tuple[Alternate, ...]]:
    """Right answers, and those that have other points or count in one variant alone."""
    every = [
        Alternate(one["value"], float(one.get("points", points)), one.get("variant", "")) for one in raw.get("key", ())
    ]
    full = tuple(one.value for one in every if one.points == points and not one.variant)
    rest = tuple(one for one in every if one.points != points or one.variant)
    return (*raw.get("keys", ()), *full), rest


def _options(raw: Table) -> KeyOptions:
    return KeyOptions(**{"expression": raw["kind"] == "expression", **raw.get("options", {})})


def _step(raw: Table) -> Step:
    return Step(raw["id"], float(raw["points"]), dict(raw["label"]), tuple(raw.get("keys", ())))


def _field(raw: Table) -> Field:
    choices = tuple(
        Choice(c["value"], _box(c["box_mm"]) if "box_mm" in c else None, dict(c.get("text", {})))
        for c in raw.get("choices", ())
    )
    steps = tuple(_step(step) for step in raw.get("step", ()))
    points = float(raw.get("points", sum(Fraction(str(step.points)) for step in steps)))
    keys, alternates = _answers(raw, points)
    return Field(
        id=raw["id"],
        kind=cast("Kind", raw["kind"]),
        page=raw["page"],
        box_mm=_box(raw["box_mm"]),
        prompt=dict(raw.get("prompt", {})),
        keys=keys,
        alternates=alternates,
        steps=steps,
        scoring=raw.get("scoring", "all_or_nothing"),
        points=points,
        key_version=raw.get("key_version", 1),
        choices=choices,
        several=raw.get("several", False),
        options=_options(raw),
        max_digits=raw.get("max_digits", 3),
        seat=raw.get("seat"),
        redo_box_mm=_box(raw["redo_box_mm"]) if "redo_box_mm" in raw else None,
    )
