"""`pens`: what the technician needs: which pens are there, why one is not, and who holds which."""

import csv
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway import control
from gateway.cli import settings_of
from gateway.cli.decode import decode
from gateway.cli.output import document, table
from gateway.errors import FoundProblems
from gateway.words import say

_COLUMNS = ("seat", "pen", "state", "why", "battery", "adapter", "rssi", "memory")


@click.group()
def pens() -> None:
    """Pens: list, watch, join, bind, identify, forget; and decode bytes."""


pens.add_command(decode)


@pens.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def list_pens(ctx: click.Context, *, as_json: bool) -> None:
    """Which pens are known or heard, at which seat, and why one is not linked."""
    settings = settings_of(ctx)
    view = control.ask(settings.box.folder, "pens_list")
    if as_json:
        document("inkgate.pens/1", view)
        return
    _print(view, settings.box.language)


@pens.command()
@click.option("--seconds", type=float, default=0, help="End after so long; 0 goes on until Ctrl-C.")
@click.pass_context
def watch(ctx: click.Context, seconds: float) -> None:
    """The same table, again whenever something changes."""
    settings = settings_of(ctx)
    end, before = time.monotonic() + seconds if seconds else None, None
    try:
        while end is None or time.monotonic() < end:
            view = control.ask(settings.box.folder, "pens_list")
            shown = [(p["mac"], p["seat"], p["state"], p["reason"]) for p in view["pens"]]
            if shown != before:
                if sys.stdout.isatty():
                    click.clear()
                _print(view, settings.box.language)
                before = shown
            time.sleep(0.5)
    except KeyboardInterrupt:
        return


@pens.command()
@click.option("--minutes", type=click.FloatRange(0, 120), default=None, help="How long; 0 closes the window.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def join(ctx: click.Context, minutes: float | None, *, as_json: bool) -> None:
    """Open the join window: unknown pens are linked, and the link card binds them to seats."""
    settings = settings_of(ctx)
    wanted = settings.pens.join_minutes if minutes is None else minutes
    said = control.ask(settings.box.folder, "pens_join", minutes=wanted)
    if as_json:
        document("inkgate.join/1", said)
    else:
        click.echo(say("cli.join_open" if wanted else "cli.join_closed", settings.box.language, minutes=wanted))


@pens.command()
@click.argument("mac", required=False)
@click.argument("seat", required=False, type=int)
@click.option("--file", "path", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="CSV: MAC, seat.")
@click.pass_context
def bind(ctx: click.Context, mac: str | None, seat: int | None, path: Path | None) -> None:
    """Bind a pen to a seat, or many by a file; also how a conflict of the link card is settled."""
    if path is not None:
        pairs = _pairs(path)
    elif mac is not None and seat is not None:
        pairs = [(mac, str(seat))]
    else:
        raise click.UsageError("Give a pen's MAC and a seat, or --file with both.")
    said = control.ask(settings_of(ctx).box.folder, "pens_bind", pairs=pairs, how="hand" if path is None else "file")
    click.echo(say("cli.bound", settings_of(ctx).box.language, n=said["bound"]))


@pens.command()
@click.argument("mac")
@click.pass_context
def identify(ctx: click.Context, mac: str) -> None:
    """Make a pen show itself: light and beep for some seconds, then as it was."""
    settings = settings_of(ctx)
    control.ask(settings.box.folder, "pens_identify", pen=mac)
    click.echo(say("cli.identify", settings.box.language))


@pens.command()
@click.argument("mac")
@click.pass_context
def forget(ctx: click.Context, mac: str) -> None:
    """Let a pen go: it is no longer linked. Its ink stays."""
    settings = settings_of(ctx)
    control.ask(settings.box.folder, "pens_forget", pen=mac)
    click.echo(say("cli.forgotten", settings.box.language))


def _pairs(path: Path) -> list[tuple[str, str]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except UnicodeDecodeError:
        raise FoundProblems(f"{path.name}: nothing was bound", [("the file", "it is not UTF-8")]) from None
    problems, pairs = [], []
    for line, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (line == 1 and not cells[-1].isdecimal()):
            continue
        if len(cells) != 2 or not cells[1].isdecimal():  # noqa: PLR2004  MAC and seat
            problems.append((f"line {line}", "expected a MAC and a seat, separated by a comma"))
        else:
            pairs.append((cells[0], cells[1]))
    if problems or not pairs:
        raise FoundProblems(f"{path.name}: nothing was bound", problems or [("line 1", "no pair of MAC and seat")])
    return pairs


def _memory(memory: Mapping[str, Any] | None, language: str) -> str:
    """What is still in the pen, and why."""
    if memory is None or not memory["strokes"]:
        return ""
    text = say("cli.in_pen", language, strokes=memory["strokes"])
    return text if memory["why"] is None else f"{text} ({say('drain.' + memory['why'], language)})"


def _print(view: Mapping[str, Any], language: str) -> None:
    rows = [
        (
            pen["seat"] or "",
            pen["mac"],
            say(f"link.{pen['state']}", language),
            "" if pen["reason"] is None else say(pen["reason"], language, **pen["detail"]),
            "" if pen["battery"] is None else f"{pen['battery']} %",
            pen["adapter"] or "",
            "" if pen["rssi"] is None else f"{pen['rssi']} dBm",
            _memory(pen["memory"], language),
        )
        for pen in view["pens"]
    ]
    words = [say(f"column.{name}", language) for name in _COLUMNS]
    table(words, rows)
    for conflict in view["conflicts"]:
        pens_named, seats = ", ".join(conflict["pens"]), ", ".join(map(str, conflict["seats"]))
        click.echo(say("cli.conflict", language, pens=pens_named, seats=seats))
    if view["join_open_s"]:
        click.echo(say("cli.join_left", language, seconds=round(view["join_open_s"])))
