"""The document of the two-sided proof, the same on both ends: sums by box and day, records by id, and a comparison."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import click
import msgspec

from gateway.errors import Missing, WrongUse
from gateway.words import say
from sync.district.proof import NamedDifference, named
from sync.messages import DaySum

SCHEMA: Final = "inkgate.proof/1"
DIFFERENT: Final = 3
UNKNOWN: Final = 69
_WHATS: Final = ("box_only", "box_newer", "content", "district_newer", "district_only")

End: TypeAlias = Literal["box", "district"]
Records: TypeAlias = dict[str, tuple[int, bytes]]
"""(rev, digest) by id."""


class DaySide(msgspec.Struct, frozen=True):
    """One day of one box on one end."""

    rows: int
    xor: str
    records: dict[str, tuple[int, str]] | msgspec.UnsetType = msgspec.UNSET
    """(rev, digest in hex) by id."""


Side: TypeAlias = dict[str, dict[str, DaySide]]
"""By box and day."""


class _Document(msgspec.Struct, frozen=True):
    schema: str
    end: End
    boxes: Side


def side(sums: Mapping[str, Mapping[str, DaySum]], records: Callable[[str, str], Records] | None) -> Side:
    """One end's side; with the records of every day, if `records(box, day)` gives them."""
    return {
        box: {
            day: DaySide(*total, _hex(records(box, day)) if records else msgspec.UNSET) for day, total in days.items()
        }
        for box, days in sums.items()
    }


def read_other(path: Path, end: End) -> Side:
    """The other end's side, out of what its `prove --json` printed.

    Raises:
        Missing: The file cannot be read.
        WrongUse: It is no such document, or one of this end.
    """
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except OSError as error:
        raise Missing(f"{path} cannot be read: {error.strerror}.") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise WrongUse(f"{path} is no proof: {error}") from None
    if document.schema != SCHEMA or document.end != end:
        raise WrongUse(f"{path} is no proof of the other end: it should say {SCHEMA} and end `{end}`.")
    return document.boxes


def compare(box: Side, district: Side) -> dict[str, Any]:
    """What differs, day by day; `records` is None on a day that one of the two does not name."""
    days: list[dict[str, Any]] = []
    for name in sorted(box.keys() & district.keys() | box.keys()):
        ours, theirs = box.get(name, {}), district.get(name, {})
        for day in sorted(ours.keys() | theirs.keys()):
            here, there = ours.get(day), theirs.get(day)
            if _sum(here) != _sum(there):
                days.append(
                    {"box": name, "day": day, "sums": [_sum(here), _sum(there)], "records": _named(here, there)}
                )
    found = [record for day in days for record in day["records"] or ()]
    counts = {what: sum(1 for record in found if record["what"] == what) for what in _WHATS}
    return {"equal": not days, "days": days, "counts": counts}


def tell(compared: Mapping[str, Any], language: str) -> None:
    """Say a comparison in words, every record by its id."""
    for day in compared["days"]:
        here, there = (0 if total is None else total[0] for total in day["sums"])
        click.echo(say("proof.day", language, day=f"{day['box']} {day['day']}", box=here, district=there))
        if day["records"] is None:
            click.echo(f"  {say('proof.no_records', language)}")
        for record in day["records"] or ():
            click.echo(
                f"  {record['id']}  {record['box_rev'] or '-'} / {record['district_rev'] or '-'}  {record['what']}"
            )
    for what, number in compared["counts"].items():
        if number:
            click.echo(say(f"proof.{what}", language, n=number))
    told = {what for what, number in compared["counts"].items() if number}
    if told and told <= {"district_only", "district_newer"}:
        click.echo(say("proof.lost_here", language))


def builtin(sides: Side) -> Any:  # noqa: ANN401  plain JSON
    """A side as plain dicts and lists."""
    return msgspec.to_builtins(sides)


def _hex(records: Records) -> dict[str, tuple[int, str]]:
    return {code: (rev, value.hex()) for code, (rev, value) in sorted(records.items())}


def _sum(one: DaySide | None) -> tuple[int, str] | None:
    return None if one is None else (one.rows, one.xor)


def _named(here: DaySide | None, there: DaySide | None) -> list[dict[str, Any]] | None:
    sides: list[Records] = []
    for one in (here, there):
        if one is not None and isinstance(one.records, msgspec.UnsetType):
            return None
        records = {} if one is None or isinstance(one.records, msgspec.UnsetType) else one.records
        sides.append({code: (rev, value.encode()) for code, (rev, value) in records.items()})
    return [_record(one) for one in named(*sides)]


def _record(one: NamedDifference) -> dict[str, Any]:
    return {**one._asdict(), "what": one.what}
