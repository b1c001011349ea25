"""`bench sync`: what delivery costs, beside a C client, the disk, plain COPY and other forms of ink."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.output import document, table


@click.command("sync")
@click.option("--rows", type=click.IntRange(1_000, 1_000_000), default=100_000, show_default=True, help="Results.")
@click.option("--ink", "ink_dir", type=click.Path(path_type=Path), help="A folder with unipen/words.npz: real ink.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bench_sync(*, rows: int, ink_dir: Path | None, as_json: bool) -> None:
    """Results from the outbox into the district's database, sealing, the store alone, and packed ink."""
    from gateway.bench.sync import run  # noqa: PLC0415  OpenCV and paho take a while to load

    found = run(rows, ink_dir).document()
    if as_json:
        document("inkgate.bench.sync/1", found)
        return
    table(["figure", "value", "goal", "beside it"], _lines(found))
    click.echo(f"{found['rows']} results; load {found['load']}; ink: {found['ink']['ink']}.")
    for part, why in found["left_out"].items():
        click.echo(f"Left out: {part}. {why}.")


def _lines(found: dict[str, Any]) -> list[tuple[object, ...]]:
    drain, sealing, store, ink = (found[name] for name in ("drain", "sealing", "store", "ink"))
    lines: list[tuple[object, ...]] = []
    if drain is not None:
        beside = f"{drain['rows_a_second']} and {drain['c_client_messages_a_second']} a second, {drain['broker']}"
        lines.append(("drain : C client", drain["drain_to_c_client"], "≥ 0.5", f"{beside}, {drain['store']}"))
        used = ", ".join(f"{name} {value}" for name, value in drain["cpu_us_a_row"].items())
        lines.append(("processor, µs a row", used, "", ""))
    beside = f"{sealing['sealed_rows_a_second']} and {sealing['floor_rows_a_second']} rows a second"
    lines.append(("sealing : disk's floor", sealing["sealing_to_floor"], "≥ 0.5", beside))
    if store is not None:
        beside = f"{store['first_rows_a_second']} and {store['plain_copy_rows_a_second']} rows a second"
        lines.append(("store, first time : plain COPY", store["first_to_plain_copy"], "≥ 0.5", beside))
        beside = f"{store['repeats_rows_a_second']} rows a second"
        lines.append(("store, repeats : first time", store["repeats_to_first"], "≥ 5", beside))
    for size, one in ink["batches"].items():
        name = f"packed ink, batches of {size}"
        beside = f"InkML+gzip {one['inkml_gzip_bytes_a_dot']}, JSON+gzip {one['json_gzip_bytes_a_dot']}"
        lines.append((f"{name}, bytes a dot", one["bytes_a_dot"], "≤ 3", beside))
        lines.append((f"{name}, size : InkML+gzip", one["size_to_inkml_gzip"], "≤ 0.4", ""))
        made = f"{one['pack_us_a_dot']} / {one['unpack_us_a_dot']}"
        beside = f"InkML+gzip {one['inkml_gzip_us_a_dot']}, JSON+gzip {one['json_gzip_us_a_dot']}"
        lines.append((f"{name}, µs a dot: pack / unpack", made, "", beside))
    lines.append(
        ("envelope, bytes a row", sealing["bytes_a_row"], "", "whole results, each with an id and an ink hash")
    )
    lines.append(("envelope, bytes a row, short bodies", found["short_bytes_a_row"], "≤ 25", ""))
    return lines
