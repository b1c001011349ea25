"""`key`: what counts as right in a field; change it, see who is affected, undo it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from gateway import control
from gateway.cli import settings_of
from gateway.cli.output import document, table
from gateway.words import say

_SHEET: Final = "sheet"
"""Who made the first version of a key."""


@click.group()
def key() -> None:
    """Answer keys: show one, change it in mid-lesson or later, undo a change."""


@key.command()
@click.argument("names", nargs=-1, required=True, metavar="[LESSON] FIELD")
@click.option("--running", is_flag=True, help="The lesson that runs; also meant where no LESSON is named.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(ctx: click.Context, names: tuple[str, ...], *, running: bool, as_json: bool) -> None:
    """Show the key of a field: what is in force, every version of it, and the points that it gave so far."""
    if len(names) > (1 if running else 2):
        raise click.UsageError("Give a lesson and a field, or a field alone for the lesson that runs.")
    settings = settings_of(ctx)
    lesson = names[0] if len(names) > 1 else None
    said = control.ask(settings.box.folder, "key_show", lesson=lesson, field=names[-1])
    if as_json:
        document("inkgate.key/1", said)
        return
    _print_key(said, settings.box.language)


@key.command("set")
@click.argument("field")
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@click.option("--lesson", help="A lesson with the sheet; the one that runs, if not given.")
@click.option("--points", multiple=True, type=float, help="Points of each VALUE, in order; all for the rest.")
@click.option("--option", "options", multiple=True, metavar="NAME[=VALUE]", help="As in a sheet; NAME=no ends it.")
@click.option("--variant", help="The variant of the sheet, where the field has a key for each.")
@click.option("--dry-run", is_flag=True, help="Only say who would be affected.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def set_key(
    ctx: click.Context,
    field: str,
    values: tuple[str, ...],
    lesson: str | None,
    points: tuple[float, ...],
    options: tuple[str, ...],
    variant: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put another key into force. Every VALUE is right, or has its --points; what persons decided stays.

    Every lesson with this revision of the sheet is graded anew out of what was read. A VALUE below 0 goes behind `--`.
    """
    settings = settings_of(ctx)
    said = control.ask(
        settings.box.folder,
        "key_set",
        timeout_s=60,
        lesson=lesson,
        field=field,
        values=list(values),
        points=list(points),
        options=dict(_option(text) for text in options),
        variant=variant,
        dry_run=dry_run,
    )
    if as_json:
        document("inkgate.key_change/1", said)
        return
    language = settings.box.language
    if said["same"]:
        click.echo(say("cli.key_same", language, version=said["version"]))
        return
    if not dry_run:
        click.echo(say("cli.key_set", language, **{n: said[n] for n in ("field", "version", "replaces")}))
    _print_affected(said, language)


@key.command()
@click.argument("field", required=False)
@click.option("--lesson", help="A lesson with the sheet; the one that runs, if not given.")
@click.option("--dry-run", is_flag=True, help="Only say who would be affected.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def undo(ctx: click.Context, field: str | None, lesson: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Undo the newest change of a key: of FIELD, or of any field of the sheet. Grades are as they were before it."""
    settings = settings_of(ctx)
    folder = settings.box.folder
    said = control.ask(folder, "key_undo", timeout_s=60, lesson=lesson, field=field, dry_run=dry_run)
    if as_json:
        document("inkgate.key_change/1", said)
        return
    language = settings.box.language
    if not dry_run:
        click.echo(say("cli.key_undo", language, **{n: said[n] for n in ("field", "version", "undoes")}))
    _print_affected(said, language)


def _option(text: str) -> tuple[str, str]:
    name, has_value, value = text.partition("=")
    return name.strip(), value.strip() if has_value else "true"


def _print_key(said: Mapping[str, Any], language: str) -> None:
    told = {"field": said["field"], "sheet": said["sheet"], "rev": said["sheet_rev"], "version": said["version"]}
    click.echo(say("cli.key_head", language, **told, points=_number(said["points"])))
    _print_table(
        ["answer", "points", "variant"],
        [(one["value"], _number(one["points"]), one["variant"] or "") for one in said["answers"]],
        language,
    )
    for name, value in said["options"].items():
        click.echo(f"{name} = {str(value).lower() if isinstance(value, bool) else value}")
    for step in said["steps"]:
        keys = ", ".join(step["keys"]) or say("cli.key_person", language)
        click.echo(say("cli.key_step", language, step=step["id"], points=_number(step["points"]), keys=keys))
    if len(said["versions"]) > 1:
        _print_table(
            ["version", "answer", "who", "when", "state"], [_row(v, language) for v in said["versions"]], language
        )
    total = said["total"]
    sums = {"points": _number(total["points"]), "most": _number(total["max_points"])}
    click.echo(say("cli.key_total", language, **sums, decided=total["decided"], answers=total["answers"]))


def _row(version: Mapping[str, Any], language: str) -> tuple[object, ...]:
    state = "cli.key_in_force" if version["in_force"] else "cli.key_undone" if version["undone"] else ""
    when = "" if version["at_ms"] is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(version["at_ms"] / 1000))
    answers = ", ".join(str(one["value"]) for one in version["answers"])
    return version["version"], answers, _by(version["who"], language), when, say(state, language) if state else ""


def _print_affected(said: Mapping[str, Any], language: str) -> None:
    if said["dry_run"]:
        click.echo(say("cli.key_dry", language))
    click.echo(say("cli.key_changed" if said["changed"] else "cli.key_changed_none", language, n=len(said["changed"])))
    if said["changed"]:
        rows = [
            (*_who(one), _state(one["before"], language), _state(one["after"], language)) for one in said["changed"]
        ]
        _print_table(["lesson", "seat", "pupil", "before", "after"], rows, language)
    if said["kept_by_hand"]:
        click.echo(say("cli.key_kept", language, n=len(said["kept_by_hand"])))
        rows = [(*_who(one), _state(one, language), _by(one["decided_by"], language)) for one in said["kept_by_hand"]]
        _print_table(["lesson", "seat", "pupil", "state", "who"], rows, language)
    click.echo(say("cli.key_unchanged", language, n=said["unchanged"]))
    for one in said["lessons"]:
        before, after = one["before"], one["after"]
        sums = {"before": _number(before["points"]), "after": _number(after["points"])}
        told = {"most": _number(after["max_points"]), "decided": after["decided"], "answers": after["answers"]}
        click.echo(say("cli.key_sum", language, lesson=one["lesson"], **sums, **told))


def _who(one: Mapping[str, Any]) -> tuple[object, ...]:
    return one["lesson"], one["seat"], one["pupil"]


def _state(told: Mapping[str, Any], language: str) -> str:
    value = "" if told["value"] is None else f" {told['value']}"
    return f"{say('state.' + told['state'], language)}{value}: {_number(told['points'])}"


def _by(who: str, language: str) -> str:
    """The sheet in words; a pseudonym as it is."""
    return say("who.sheet", language) if who == _SHEET else who


def _number(value: float) -> str:
    return f"{value:g}"


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], language: str) -> None:
    table([say(f"column.{name}", language) for name in columns], rows)
