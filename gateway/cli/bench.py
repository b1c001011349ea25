"""`bench`: the benchmarks behind the figures in README."""

import asyncio

import click

from gateway.cli.bench_hanzi import bench_hanzi
from gateway.cli.bench_read import bench_read
from gateway.cli.bench_review import bench_review
from gateway.cli.bench_sync import bench_sync
from gateway.cli.output import document


@click.group()
def bench() -> None:
    """Benchmarks: they print ratios against a peer or a floor measured in the same run."""


bench.add_command(bench_hanzi)
bench.add_command(bench_read)
bench.add_command(bench_review)
bench.add_command(bench_sync)


@bench.command()
@click.option("--pens", type=click.IntRange(1, 48), default=48, show_default=True)
@click.option("--rate", type=click.FloatRange(10, 125), default=80.0, show_default=True, help="Dots a second each.")
@click.option("--seconds", type=click.FloatRange(2, 600), default=8.0, show_default=True, help="How long each phase.")
@click.option("--runs", type=click.IntRange(1, 9), default=3, show_default=True, help="The median of so many is told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def air(*, pens: int, rate: float, seconds: float, runs: int, as_json: bool) -> None:
    """Ink on the screen through bad air, a burst of answers and a dead reader, against the idle gateway."""
    from gateway.bench.air import run  # noqa: PLC0415  the whole radio; `--help` must not load it

    found = asyncio.run(run(pens=pens, rate=rate, seconds=seconds, runs=runs))
    if as_json:
        document("inkgate.bench.air/1", found)
        return
    for name, value in found.items():
        click.echo(f"{name:28} {value}")


@bench.command()
@click.option("--pens", type=click.IntRange(1, 48), default=48, show_default=True)
@click.option("--rate", type=click.FloatRange(10, 125), default=100.0, show_default=True, help="Dots a second each.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=10.0, show_default=True, help="How long each part.")
@click.option("--pages", type=click.IntRange(0, 30), default=5, show_default=True, help="Pages that look on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def live(*, pens: int, rate: float, seconds: float, pages: int, as_json: bool) -> None:
    """The gateway's whole live path against a bare subscription by stock bumble."""
    from gateway.bench.live import run  # noqa: PLC0415  the whole radio; `--help` must not load it

    found = asyncio.run(run(pens=pens, rate=rate, seconds=seconds, pages=pages)).document()
    if as_json:
        document("inkgate.bench.live/1", found)
        return
    for name, value in found.items():
        click.echo(f"{name:28} {value}")
