"""`bench read`: how well and how fast the shipped reader reads writers whom it never saw."""

from pathlib import Path

import click

from gateway.cli.output import document, table


@click.command("read")
@click.option(
    "--ink", "ink_dir", type=click.Path(path_type=Path), help="A folder of insets: pendigits/digits.npz, unipen/*.npz."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bench_read(ink_dir: Path | None, *, as_json: bool) -> None:
    """Reading: how many are right, how many are asked about, how long one takes against the bare network."""
    from gateway.bench.read import run  # noqa: PLC0415  OpenCV takes a while to load

    figures = run(ink_dir)
    if as_json:
        document("inkgate.bench.read/1", figures.to_json())
        return
    table(
        [
            *("question", "answers", "writers", "right %", "accepted %"),
            *("wrong of accepted", "error of accepted %", "at most % (95 %)"),
        ],
        [
            (
                *(name, its.answers, its.writers, _percent(its.right), _percent(its.accepted)),
                *(f"{its.wrong_accepted} of {its.accepted_answers}", _percent(its.error), _percent(its.error_bound)),
            )
            for name, its in figures.answers.items()
        ],
    )
    click.echo()
    shares = [point.refused for point in next(iter(figures.curves.values()))]
    table(
        ["wrong of kept, where this share is asked about", *(f"{100 * share:.0f} %" for share in shares)],
        [
            (name, *(f"{p.wrong} of {p.kept}, {_percent(p.error)} % (<= {_percent(p.bound)})" for p in points))
            for name, points in figures.curves.items()
        ],
    )
    click.echo(
        f"{figures.reader}, {figures.engine}. {figures.ms_per_answer:.2f} ms an answer (99 %: "
        f"{figures.ms_per_answer_p99:.2f}), {figures.ratio_to_net:.1f} times the bare network.\n"
        f"Foreign letters taken for a digit: {figures.foreign_accepted} of {figures.foreign_offered}. "
        f"Left out: {figures.writers_left_out} writers whom the model knows.\n"
        "Bounds are one-sided, 95 %; in the second table the larger of Clopper-Pearson's and a bootstrap by writer.\n"
        "Composed numbers use the same digits several times: their bound is too tight."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
