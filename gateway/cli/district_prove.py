"""`district prove`: the district's side of the proof, and what differs from a box's."""

from pathlib import Path
from typing import Any

import click

from gateway.cli import proof_document as proofs
from gateway.cli import settings_of
from gateway.cli.district_store import WHERE, district_store, is_url
from gateway.cli.output import document, table
from gateway.errors import Missing
from sync.district.proof import district_side
from sync.district.store import DistrictStore
from sync.errors import StoreUnavailable


@click.command("prove")
@click.option("--db", "where", required=True, metavar="FILE|URL", help=WHERE)
@click.option("--box", "names", multiple=True, metavar="ID", help="Only this box; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--records", is_flag=True, help="Name every result in the document, for the box's --against.")
@click.option("--against", type=click.Path(path_type=Path), help="A box's document, made with --records.")
@click.pass_context
def prove(
    ctx: click.Context, *, where: str, names: tuple[str, ...], as_json: bool, records: bool, against: Path | None
) -> int:
    """Count and digest by box and day; with --against, what a box has otherwise: exit 0 equal, 3 different."""
    other = None if against is None else proofs.read_other(against, "box")
    said = _proved(where, names, records=records, other=other)
    if as_json:
        document(proofs.SCHEMA, said)
    elif said["against"] is not None:
        language = settings_of(ctx).box.language
        proofs.tell(said["against"], language)
    else:
        rows = [(box, day, one["rows"], one["xor"]) for box, days in said["boxes"].items() for day, one in days.items()]
        table(["box", "day", "results", "digest"], rows)
    return 0 if said["against"] is None or said["against"]["equal"] else proofs.DIFFERENT


def _proved(where: str, names: tuple[str, ...], *, records: bool, other: proofs.Side | None) -> dict[str, Any]:
    wanted = names or (None if other is None else tuple(other))
    store = _store(where)
    try:
        store.open()
        read = store.sums(())
        # Of the rows themselves, not of sums that a store may keep beside them.
        days = district_side(one for one in store.digests() if wanted is None or one[0] in wanted)
        ours = proofs.side(days, store.rows_of if records or other is not None else None)
    except StoreUnavailable as error:
        raise Missing(f"The district's database cannot be read: {error}") from None
    finally:
        store.close()
    theirs = None if other is None else {box: side for box, side in other.items() if box in (wanted or ())}
    return {
        "end": "district",
        "generation": read.generation,
        "pos": read.pos,
        "against": None if theirs is None else proofs.compare(theirs, ours),
        "boxes": proofs.builtin(ours),
    }


def _store(where: str) -> DistrictStore:
    """The store, without its mark, which belongs to the receiver."""
    if not is_url(where) and not Path(where).is_file():
        raise Missing(f"There is no database at {where}.")
    return district_store(where, None)
