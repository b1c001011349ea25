"""`roster`, `sheet`, `lesson`: the class list, what is printed, and the hour."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import click

from gateway import control
from gateway.cli import settings_of
from gateway.cli.output import document, table
from gateway.errors import FoundProblems, Missing, NotRunning
from gateway.settings import Settings
from recognition.errors import SheetError


@click.group()
def roster() -> None:
    """The class list."""


@roster.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--remove-missing", is_flag=True, help="Pupils that the file lacks leave; their ink and grades stay.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def import_roster(ctx: click.Context, path: Path, *, remove_missing: bool, as_json: bool) -> None:
    """Import a class list: CSV or a spreadsheet's export, in UTF-8, UTF-16 or GB18030. All or nothing."""
    settings = settings_of(ctx)
    content = base64.b64encode(_bytes(path)).decode()
    said = ask_or_do(settings, "roster_import", content=content, remove_missing=remove_missing)
    if as_json:
        document("inkgate.roster/1", said)
        return
    click.echo(f"{said['pupils']} pupils: {said['added']} added, {said['changed']} changed, {said['removed']} removed.")
    if seats := said["would_leave_seats"]:
        click.echo(f"The file lacks the pupils of seats {', '.join(map(str, seats))}; --remove-missing lets them go.")


@click.group()
def sheet() -> None:
    """Sheets: what is printed on a page, where the fields are, what counts as right."""


@sheet.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(name: str, *, as_json: bool) -> None:
    """Show a sheet: a file, or `demo` or `link-card`."""
    from recognition.sheets import load  # noqa: PLC0415  numpy comes with it; `--help` must not pay

    text = _sheet_text(name)
    try:
        described = load(text).describe()
    except SheetError as error:
        raise FoundProblems(f"{name} is no sheet", error.problems) from None
    if as_json:
        document("inkgate.sheet/1", described)
        return
    click.echo(json.dumps(described, ensure_ascii=False, indent=2))


@sheet.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def lint(name: str, *, as_json: bool) -> int:
    """Find every fault of a sheet; exit 3 where there is one."""
    from recognition.sheets import lint as find  # noqa: PLC0415  as above

    problems = find(_sheet_text(name))
    if as_json:
        document("inkgate.lint/1", {"problems": [{"where": w, "what": s} for w, s in problems]})
    for where, sentence in problems if not as_json else ():
        click.echo(f"{where}: {sentence}")
    if not problems and not as_json:
        click.echo("No fault found.")
    return 3 if problems else 0


@click.group()
def lesson() -> None:
    """Lessons: start, stop, list."""


@lesson.command()
@click.option("--sheet", "name", default="demo", show_default=True, help="A sheet file, or `demo`.")
@click.option(
    "--back", type=click.FloatRange(0, 1440), default=0, help="It began so many minutes ago; its ink was kept."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def start(ctx: click.Context, name: str, *, back: float, as_json: bool) -> None:
    """Start a lesson for everybody on the roster; --back joins ink that came before its sheet was known."""
    said = control.ask(settings_of(ctx).box.folder, "lesson_start", text=_sheet_text(name), back_minutes=back)
    if as_json:
        document("inkgate.lesson/1", said)
    else:
        click.echo(f"Lesson {said['lesson']} runs: sheet {said['sheet']}, {said['seats']} seats.")


@lesson.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def stop(ctx: click.Context, *, as_json: bool) -> None:
    """Stop the lesson: what is not read yet is read, what has no ink is graded."""
    said = control.ask(settings_of(ctx).box.folder, "lesson_stop", timeout_s=60)
    if as_json:
        document("inkgate.lesson/1", said)
    else:
        click.echo(f"Lesson {said['lesson']} ended with {said['answers']} answers.")


@lesson.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def list_lessons(ctx: click.Context, *, as_json: bool) -> None:
    """All lessons, newest first."""
    said = ask_or_do(settings_of(ctx), "lesson_list")
    if as_json:
        document("inkgate.lessons/1", said)
        return
    rows = [
        (
            row["id"],
            f"{row['sheet']} r{row['sheet_rev']}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(row["started_ms"] / 1000)),
            "runs" if row["stopped_ms"] is None else f"{(row['stopped_ms'] - row['started_ms']) / 60000:.0f} min",
            row["seats"],
            row["answers"],
        )
        for row in said["lessons"]
    ]
    table(["lesson", "sheet", "started", "length", "seats", "answers"], rows)


def ask_or_do(settings: Settings, do: str, **request: Any) -> Any:  # noqa: ANN401  the control socket speaks JSON
    """Ask the running gateway; where none runs, do it on the store ourselves."""
    try:
        return control.ask(settings.box.folder, do, **request)
    except NotRunning:
        from gateway.offline import do_offline  # noqa: PLC0415  opens the store; only where no gateway runs

        return do_offline(settings, do, **request)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Missing(f"{path} cannot be read: {error.strerror}.") from None


def _sheet_text(name: str) -> str:
    path = Path(name)
    if path.suffix == "" and not path.exists():
        from recognition.sheets import bundled  # noqa: PLC0415  as above

        try:
            return bundled(f"{name}.toml")
        except SheetError:
            raise Missing(f"No file and no bundled sheet is called {name}; bundled are demo and link-card.") from None
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FoundProblems(f"{name} is no sheet", [("the file", "it is not UTF-8; save it as UTF-8")]) from None
