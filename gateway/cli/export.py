"""`export`: what leaves the box as a file."""

from pathlib import Path

import click

from gateway.cli import settings_of
from gateway.cli.output import document
from gateway.errors import Missing, WrongUse
from gateway.words import say


@click.group()
def export() -> None:
    """What leaves the box as a file, where that was allowed."""


@export.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def ink(ctx: click.Context, path: Path, *, as_json: bool) -> None:
    """Ink that teachers decided, with its labels, as an inset (.npz) for training.

    Only what was kept under `review.keep_labels` is in it. Writers are numbers that are drawn for this file.
    """
    from gateway import labels  # noqa: PLC0415  numpy comes with it; `--help` must not pay
    from gateway.store import looking  # noqa: PLC0415  as above

    settings = settings_of(ctx)
    language = settings.box.language
    if not settings.database.exists():
        raise Missing(f"There is no store at {settings.database} yet; `inkgate run` makes it.")
    if path.exists():
        raise WrongUse(f"{path} is there already: name a new file, or remove it first.")
    with looking(settings.database) as connection:
        arrays = labels.inset(connection)
    if arrays is None:
        raise Missing(say("cli.export_nothing", language))
    labels.write(path, arrays)
    said = {"file": str(path), "answers": len(arrays["label"]), "writers": len(arrays["writers"])}
    if as_json:
        document("inkgate.export.ink/1", said)
        return
    click.echo(say("cli.exported", language, n=said["answers"], writers=said["writers"], file=str(path)))
