"""`review`: what the reader is not sure of, similar answers together; the teacher decides, skips, takes back."""

from typing import Any

import click

from gateway import control
from gateway.cli import settings_of
from gateway.cli.output import document, table
from gateway.errors import WrongUse
from gateway.words import say

_LESSON = click.option("--lesson", metavar="ID", help="Another lesson than the one that runs or ran last.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group(invoke_without_command=True)
@_LESSON
@_JSON
@click.pass_context
def review(ctx: click.Context, *, lesson: str | None, as_json: bool) -> None:
    """What the reader is not sure of: similar answers are one group. Without a command the stack is listed."""
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(ctx)
    said = control.ask(settings.box.folder, "review_list", lesson=lesson)
    if as_json:
        document("inkgate.review/1", said)
        return
    language = settings.box.language
    headings = [say(f"column.{name}", language) for name in ("group", "field", "seats", "guesses", "why")]
    rows = [
        (
            *(group["group"], group["field"], ", ".join(map(str, group["seats"]))),
            *(_guesses(group, language), " ".join(say(f"reason.{why}", language) for why in group["reasons"])),
        )
        for group in said["groups"]
    ]
    if rows:
        table(headings, rows)
    click.echo(say("cli.review_left", language, n=said["remain"], groups=len(rows)))


@review.command()
@click.argument("group")
@click.argument("value", required=False)
@click.option("--right", "verdict", flag_value="right", help="It has all points.")
@click.option("--wrong", "verdict", flag_value="wrong", help="It has none.")
@click.option("--points", type=click.FloatRange(min=0), help="It has so many points.")
@_LESSON
@_JSON
@click.pass_context
def decide(
    ctx: click.Context,
    group: str,
    value: str | None,
    *,
    verdict: str | None,
    points: float | None,
    lesson: str | None,
    as_json: bool,
) -> None:
    """Decide a group of the stack by what stands there, or by --right, --wrong or --points.

    GROUP is a name out of the list, or FIELD@SEAT for one answer in whatever state, as q4@12: also for what stands on
    paper only.
    """
    if value is None and verdict is None and points is None:
        raise WrongUse("Say what stands there, or --right, --wrong or --points P.")
    if verdict is not None and points is not None:
        raise WrongUse("--points says it all: leave out --right or --wrong.")
    settings = settings_of(ctx)
    order: dict[str, Any] = {"group": group, "value": value, "verdict": verdict, "points": points}
    said = control.ask(settings.box.folder, "review_decide", lesson=lesson, **order)
    if as_json:
        document("inkgate.review.decided/1", said)
        return
    told = {"field": said["field"], "points": f"{said['points']:g}"}
    click.echo(say("cli.review_decided", settings.box.language, n=said["answers"], **told))


@review.command()
@click.argument("group", required=False)
@_LESSON
@_JSON
@click.pass_context
def skip(ctx: click.Context, group: str | None, *, lesson: str | None, as_json: bool) -> None:
    """Put a group, or the first one, at the end of the stack."""
    settings = settings_of(ctx)
    said = control.ask(settings.box.folder, "review_skip", lesson=lesson, group=group)
    if as_json:
        document("inkgate.review.skipped/1", said)
        return
    click.echo(say("cli.review_skipped", settings.box.language, group=said["group"]))


@review.command()
@_LESSON
@_JSON
@click.pass_context
def undo(ctx: click.Context, *, lesson: str | None, as_json: bool) -> None:
    """Take back the newest decision: every answer of it is again what it was."""
    settings = settings_of(ctx)
    said = control.ask(settings.box.folder, "review_undo", lesson=lesson)
    if as_json:
        document("inkgate.review.undone/1", said)
        return
    language = settings.box.language
    click.echo(say("cli.review_undone", language, n=said["answers"], field=said["field"]))
    if said["left"]:
        click.echo(say("cli.review_left_alone", language, n=said["left"]))


def _plain(points: float) -> float | int:
    return int(points) if points == int(points) else round(points, 2)


def _guesses(group: dict[str, Any], language: str) -> str:
    """Each value with what it is worth."""
    told = []
    for guess in group["guesses"]:
        worth = "?" if guess["points"] is None else say("cli.review_worth", language, n=_plain(guess["points"]))
        told.append(f"{guess['value']} ({worth})")
    return " / ".join(told)
