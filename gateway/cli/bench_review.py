"""`bench review`: decisions that a class of 48 costs the teacher, and answers that stand in a wrong group."""

from pathlib import Path

import click

from gateway.cli.output import document


@click.command("review")
@click.option(
    "--ink", "ink_dir", type=click.Path(path_type=Path), help="A folder of insets: pendigits/digits.npz, unipen/*.npz."
)
@click.option("--lessons", type=click.IntRange(1, 1000), default=24, show_default=True, help="So many are composed.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def bench_review(ink_dir: Path | None, *, lessons: int, seed: int, as_json: bool) -> None:
    """Checking: how many decisions serve all unsure answers of 48 pupils, how many answers stand in a wrong group."""
    from gateway.bench.review import run  # noqa: PLC0415  OpenCV takes a while to load

    figures = run(ink_dir, lessons=lessons, seed=seed)
    if as_json:
        document("inkgate.bench.review/1", figures.to_json())
        return
    click.echo(
        f"{figures.reader}: {figures.lessons} lessons of {figures.pupils} pupils and {figures.questions} questions, "
        f"ink of {figures.writers} writers.\n"
        f"Unsure answers a lesson: {figures.unsure_a_lesson:.1f}; decisions: {figures.decisions_a_lesson:.1f}, "
        f"where all that is read alike is taken in: {figures.decisions_by_reading_a_lesson:.1f}.\n"
        f"In a wrong group: {figures.wrong} of {figures.unsure} ({100 * figures.wrong_share:.2f} %, at most "
        f"{100 * figures.wrong_bound:.2f} %); {figures.joined} share a group, the largest has {figures.largest_group}."
    )
