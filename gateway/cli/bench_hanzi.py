"""`bench hanzi`: how dictation is marked, on ink that is made from stroke templates."""

from pathlib import Path

import click

from gateway.cli.output import document, table


@click.command("hanzi")
@click.option(
    "--ink", "ink_dir", type=click.Path(path_type=Path), help="A folder of insets with hanzi_templates/medians.npz."
)
@click.option("--pairs", type=click.IntRange(3, 100_000), default=3000, show_default=True, help="Answers of each sort.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bench_hanzi(ink_dir: Path | None, *, pairs: int, seed: int, as_json: bool) -> None:
    """Chinese characters: marked right, wrong or asked about, as taught, with a stroke left out, for a look-alike."""
    from gateway.bench.hanzi import run  # noqa: PLC0415  numpy takes a while to load

    figures = run(ink_dir, seed=seed, pairs=pairs)
    if as_json:
        document("inkgate.bench.hanzi/1", figures.to_json())
        return
    table(
        ["asked", "answers", "marked right %", "bound %", "marked wrong %", "bound %", "asked about %"],
        [
            (
                *(name, its.answers),
                *(_percent(share) for share in (its.right, its.right_bound, its.wrong, its.wrong_bound, its.ask)),
            )
            for name, its in figures.asked.items()
        ],
    )
    reasons = ", ".join(f"{reason} {count}" for reason, count in figures.reasons.items())
    click.echo(
        f"{figures.reader}. {figures.ms_per_character:.1f} ms a character (99 %: {figures.ms_per_character_p99:.1f}).\n"
        f"Why neat characters were asked about: {reasons or 'none was'}.\n"
        f"This is {figures.hand}: it says nothing about how well people are read."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
