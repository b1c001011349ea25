"""Every fault of a sheet definition, named with its place: what `sheet lint` shows and `load` refuses."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from recognition.sheets.definition import IDENTITY, KINDS, Box
from recognition.sheets.key_linting import KEY_NAMES, key_faults, variants_of
from recognition.sheets.values import (
    Problem,
    Table,
    are_numbers,
    is_count,
    is_word,
    tables,
    texts,
    unknown,
)

_SHEET_NAMES: Final = ("id", "revision", "title", "page", "field", "placing", "scratch")
_PAGE_NAMES: Final = ("number", "size_mm")
_FIELD_NAMES: Final = (
    *("id", "kind", "page", "box_mm", "prompt", *KEY_NAMES, "choices", "several"),
    *("max_digits", "seat", "redo_box_mm"),
)
_CHOICE_NAMES: Final = ("value", "box_mm", "text")
_SCRATCH_NAMES: Final = ("page", "box_mm")
_PLACING_NAMES: Final = ("address", "page", "affine", "variant")
_ADDRESS_LIMITS: Final = (255, 2**24 - 1, 2**32 - 1, 2**32 - 1)
_MOST_DIGITS: Final = 12


def faults(table: Table) -> Iterator[Problem]:
    """Every fault of a definition that is TOML at least, as (where, what)."""
    yield from unknown(table, _SHEET_NAMES, "sheet")
    if not is_word(table.get("id")):
        yield "id", "a sheet has a name: a text"
    if not is_count(table.get("revision")):
        yield "revision", "a whole number from 1"
    yield from texts(table.get("title"), "title", required=True)
    pages: dict[int, tuple[float, float]] = {}
    for where, raw in tables(table, "page"):
        if raw is None:
            yield where, "a table like [[page]] is wanted"
            continue
        yield from _page_faults(where, raw, pages)
    if not pages:
        yield "page", "a sheet has at least one page"
    yield from _all_field_faults(table, pages)
    yield from _placing_faults(table, pages)
    yield from _variant_faults(table)


def _page_faults(where: str, raw: Table, pages: dict[int, tuple[float, float]]) -> Iterator[Problem]:
    yield from unknown(raw, _PAGE_NAMES, where)
    number, size = raw.get("number"), raw.get("size_mm")
    if not is_count(number):
        yield f"{where}, number", "a whole number from 1"
    elif number in pages:
        yield f"{where}, number", f"there is a page {number} already"
    if not are_numbers(size, 2) or min(cast("list[float]", size)) <= 0:
        yield f"{where}, size_mm", "[width, height] in mm"
    elif is_count(number) and number not in pages:
        pages[cast("int", number)] = float(size[0]), float(size[1])  # type: ignore[index]  # checked above


def _all_field_faults(table: Table, pages: Mapping[int, tuple[float, float]]) -> Iterator[Problem]:
    seen: set[str] = set()
    seats: set[int] = set()
    boxes: list[tuple[str, Any, Box]] = []
    for number, (where, raw) in enumerate(tables(table, "field"), 1):
        if raw is None:
            yield where, "a table like [[field]] is wanted"
            continue
        name = raw.get("id")
        where = f"field {name}" if is_word(name) else f"field number {number}"  # noqa: PLW2901  # its name is better known
        if not is_word(name):
            yield where, "a field has an id: a text"
        elif name in seen:
            yield where, "there is a field of this id already"
        seen.add(str(name))
        yield from _field_faults(where, raw, pages)
        if isinstance(seat := raw.get("seat"), int):
            if seat in seats:
                yield f"{where}, seat", f"seat {seat} has a box already"
            seats.add(seat)
        if _is_box(raw.get("box_mm")):
            boxes.append((where, raw.get("page"), _box(raw["box_mm"])))
        if _is_box(raw.get("redo_box_mm")):
            boxes.append((f"{where}, redo_box_mm", raw.get("page"), _box(raw["redo_box_mm"])))
    yield from _scratch_faults(table, pages, boxes)
    if not seen:
        yield "field", "a sheet has at least one field"
    yield from _overlaps(boxes)


def _field_faults(where: str, raw: Table, pages: Mapping[int, tuple[float, float]]) -> Iterator[Problem]:
    yield from unknown(raw, _FIELD_NAMES, where)
    kind = raw.get("kind")
    if kind not in KINDS:
        near = get_close_matches(str(kind), KINDS, 1)
        yield f"{where}, kind", f"one of {', '.join(KINDS)}" + (f"; {near[0]} is near" if near else "")
    size = pages.get(raw.get("page", 0)) if is_count(raw.get("page")) else None
    if size is None:
        yield f"{where}, page", "the number of a page of this sheet"
    yield from _box_faults(f"{where}, box_mm", raw.get("box_mm"), (0.0, 0.0, *size) if size else None, "the page")
    yield from texts(raw.get("prompt", {}), f"{where}, prompt", required=False)
    yield from _redo_faults(where, raw, (0.0, 0.0, *size) if size else None)
    if kind == "seat":
        if not is_count(raw.get("seat")):
            yield f"{where}, seat", "a whole number from 1"
        return
    if "seat" in raw:
        yield f"{where}, seat", "only a field of kind seat has one"
    yield from key_faults(where, raw)
    yield from _choice_faults(where, raw)
    if not is_count(raw.get("max_digits", 1)) or raw.get("max_digits", 1) > _MOST_DIGITS:
        yield f"{where}, max_digits", f"a whole number from 1 to {_MOST_DIGITS}"


def _redo_faults(where: str, raw: Table, page: Box | None) -> Iterator[Problem]:
    if "redo_box_mm" not in raw:
        return
    choices = raw.get("choices", [])
    has_boxes = isinstance(choices, list) and any(isinstance(c, dict) and "box_mm" in c for c in choices)
    if raw.get("kind") == "seat" or has_boxes:
        yield f"{where}, redo_box_mm", "not where a box is ticked: another one can be ticked instead"
    yield from _box_faults(f"{where}, redo_box_mm", raw["redo_box_mm"], page, "the page")


def _scratch_faults(
    table: Table, pages: Mapping[int, tuple[float, float]], boxes: list[tuple[str, Any, Box]]
) -> Iterator[Problem]:
    """Faults of the scratch areas; those that can be used are put to the boxes, none of which may overlap."""
    for where, raw in tables(table, "scratch"):
        if raw is None:
            yield where, "a table like [[scratch]] is wanted"
            continue
        yield from unknown(raw, _SCRATCH_NAMES, where)
        size = pages.get(raw.get("page", 0)) if is_count(raw.get("page")) else None
        if size is None:
            yield f"{where}, page", "the number of a page of this sheet"
        yield from _box_faults(f"{where}, box_mm", raw.get("box_mm"), (0.0, 0.0, *size) if size else None, "the page")
        if _is_box(raw.get("box_mm")):
            boxes.append((where, raw.get("page"), _box(raw["box_mm"])))


def _choice_faults(where: str, raw: Table) -> Iterator[Problem]:
    if not isinstance(raw.get("several", False), bool):
        yield f"{where}, several", "true or false"
    choices = raw.get("choices", [])
    if not isinstance(choices, list) or not all(isinstance(c, dict) for c in choices):
        yield f"{where}, choices", 'a list of tables such as { value = "A", box_mm = [20, 40, 25, 45] }'
        return
    if raw.get("kind") not in ("choice", "truefalse"):
        if choices:
            yield f"{where}, choices", "only choice and truefalse have them"
        return
    if raw.get("kind") == "choice" and len(choices) < 2:  # noqa: PLR2004  # one option is no choice
        yield f"{where}, choices", "at least two options"
    yield from _each_choice_faults(where, raw, choices)


def _each_choice_faults(where: str, raw: Table, choices: list[Table]) -> Iterator[Problem]:
    values = [c.get("value") for c in choices]
    inside = _box(raw["box_mm"]) if _is_box(raw.get("box_mm")) else None
    boxes: list[tuple[str, Any, Box]] = []
    for choice, value in zip(choices, values, strict=True):
        here = f"{where}, choice {value}"
        yield from unknown(choice, _CHOICE_NAMES, here)
        yield from texts(choice.get("text", {}), f"{here}, text", required=False)
        if not is_word(value) or values.count(value) > 1:
            yield here, "each option has a value of its own: a text"
        if "box_mm" in choice:
            yield from _box_faults(f"{here}, box_mm", choice["box_mm"], inside, "its field's box")
            if _is_box(choice["box_mm"]):
                boxes.append((here, 0, _box(choice["box_mm"])))
    yield from _overlaps(boxes)
    if 0 < sum("box_mm" in c for c in choices) < len(choices):
        yield f"{where}, choices", "either all options have a box or none has"


def _placing_faults(table: Table, pages: Mapping[int, object]) -> Iterator[Problem]:
    seen: set[tuple[int, ...]] = set()
    for where, raw in tables(table, "placing"):
        if raw is None:
            yield where, "a table like [[placing]] is wanted"
            continue
        yield from unknown(raw, _PLACING_NAMES, where)
        address = raw.get("address")
        if not _is_address(address):
            yield f"{where}, address", "[section, owner, note, page], whole numbers"
        elif tuple(cast("list[int]", address)) in seen:
            yield f"{where}, address", "this address is placed already"
        else:
            seen.add(tuple(cast("list[int]", address)))
        if not is_count(raw.get("page")) or raw["page"] not in pages:
            yield f"{where}, page", "the number of a page of this sheet"
        if "variant" in raw and not is_word(raw["variant"]):
            yield f"{where}, variant", "the name of a variant: a text"
        affine = raw.get("affine", [list(row) for row in IDENTITY])
        if not isinstance(affine, list) or len(affine) != 2 or not all(are_numbers(row, 3) for row in affine):  # noqa: PLR2004  # two rows of three
            yield f"{where}, affine", "[[a, b, c], [d, e, f]]: mm on the paper to mm on the page"
        elif abs(affine[0][0] * affine[1][1] - affine[0][1] * affine[1][0]) < 1e-6:  # noqa: PLR2004  # as good as zero
            yield f"{where}, affine", "it maps the paper onto a line"


def _variant_faults(table: Table) -> Iterator[Problem]:
    """Keys of variants that no paper is printed as."""
    placings = [raw for _, raw in tables(table, "placing") if raw is not None]
    printed = {raw["variant"] for raw in placings if is_word(raw.get("variant"))}
    for where, raw in tables(table, "field"):
        for variant in sorted({*variants_of(raw)} - printed) if raw is not None else ():
            name = f"field {raw['id']}" if raw is not None and is_word(raw.get("id")) else where
            yield f"{name}, key", f"no [[placing]] is of variant {variant}"


def _box_faults(where: str, raw: object, within: Box | None, what: str) -> Iterator[Problem]:
    if not _is_box(raw):
        yield where, "[left, top, right, bottom] in mm, left < right and top < bottom"
    elif within is not None:
        box = _box(raw)
        if box[0] < within[0] or box[1] < within[1] or box[2] > within[2] or box[3] > within[3]:
            yield where, f"it is not inside {what}"


def _overlaps(boxes: list[tuple[str, Any, Box]]) -> Iterator[Problem]:
    for n, (where, page, box) in enumerate(boxes):
        for other, its_page, its_box in boxes[:n]:
            apart = box[0] >= its_box[2] or its_box[0] >= box[2] or box[1] >= its_box[3] or its_box[1] >= box[3]
            if page == its_page and not apart:
                yield where, f"its box overlaps the one of {other}"


def _box(raw: Any) -> Box:  # noqa: ANN401  # out of TOML, already checked
    return float(raw[0]), float(raw[1]), float(raw[2]), float(raw[3])


def _is_box(raw: object) -> bool:
    return are_numbers(raw, 4) and _box(raw)[0] < _box(raw)[2] and _box(raw)[1] < _box(raw)[3]


def _is_address(raw: object) -> bool:
    return (
        isinstance(raw, list)
        and len(raw) == len(_ADDRESS_LIMITS)
        and all(
            isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= most
            for v, most in zip(raw, _ADDRESS_LIMITS, strict=True)
        )
    )
