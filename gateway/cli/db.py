"""`db`: check the store, copy it, bring a copy back, join what was put aside."""

import time
from pathlib import Path
from typing import Any

import click

from gateway import control
from gateway.cli import settings_of
from gateway.cli.output import document, table
from gateway.errors import GatewayError, Missing
from gateway.settings import Settings


@click.group()
def db() -> None:
    """The store: check it, back it up, bring a backup back."""


@db.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option(
    "--salvage", is_flag=True, help="Join stores that were put aside to the present one; the gateway must be stopped."
)
@click.argument("names", nargs=-1)
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], *, salvage: bool, as_json: bool) -> int:
    """Say what is hurt in the store and what is whole; exit 3 where something is. Only reads, also while pens write.

    It looks at every page, index and piece of ink, at strokes that are not ink yet, at who keeps the log from being
    emptied, and names stores that were put aside. With --salvage it reads from those (or from the NAMES given) whatever
    can be read, joins it to the present store, and then checks that; doing it again changes nothing.
    """
    from gateway import aside, inspection  # noqa: PLC0415  numpy comes with it; `--help` must not pay

    settings = settings_of(ctx)
    joined = _salvage(settings, list(names)) if salvage else {}
    if not settings.database.exists() and not aside.listed(settings.database):
        mark = settings.database.with_name(f"{settings.database.name}.installed")
        was = "was here once and is gone: bring back a backup" if mark.exists() else "does not exist yet"
        raise Missing(f"The store {settings.database} {was}.")
    running = _status(settings)
    found = inspection.inspect(settings.database, gateway_pid=running.get("pid"))
    said = {**inspection.plain(found), "synchronous": running.get("synchronous"), "joined": joined}
    if as_json:
        document("inkgate.db/1", said)
    else:
        _print(found, joined)
    return 0 if found.is_whole and not any(each["unreadable"] for each in joined.values()) else 3


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def backup(ctx: click.Context, file: Path, *, as_json: bool) -> None:
    """Copy the store into FILE as it is at this moment, also while pens write.

    All that was acknowledged before is in it. FILE is whole or not there: it gets its name when it is checked and on
    the disk. It holds names of pupils: keep it where only its owner reads. It takes as much room as the store.
    """
    from gateway.backup import back_up  # noqa: PLC0415  as above

    copied = back_up(settings_of(ctx).database, file)
    if as_json:
        content = {"file": str(file), "bytes": copied.bytes, "made_ms": copied.made_ms, "seconds": copied.seconds}
        document("inkgate.backup/1", content)
    else:
        click.echo(f"{file}: {copied.bytes / 1e6:.1f} MB in {copied.seconds:.1f} s, checked and on the disk.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--join", is_flag=True, help="Then read what FILE lacks from the store that was there, and join it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def restore(ctx: click.Context, file: Path, *, join: bool, as_json: bool) -> int:
    """Put the backup FILE in the place of the store. The gateway must be stopped (exit 75 while it runs).

    FILE is checked first. The store that was there is put aside untouched, under a name with the time; `inkgate db
    check --salvage` joins it later, --join does so at once. A backup of an older program is brought up to date. Results
    that the district has receipted are not sent again; what it lacks is.
    """
    from gateway.backup import restore as bring_back  # noqa: PLC0415  as above

    settings = settings_of(ctx)
    done = bring_back(settings.database, file)
    joined = _salvage(settings, [done.put_aside]) if join and done.put_aside else {}
    content = {"file": str(file), "made_ms": done.made_ms, "put_aside": done.put_aside, "migrated": done.migrated}
    if as_json:
        document("inkgate.restore/1", {**content, "joined": joined})
        return 3 if any(each["unreadable"] for each in joined.values()) else 0
    when = "an unknown time" if done.made_ms is None else time.strftime("%F %T", time.localtime(done.made_ms / 1000))
    click.echo(f"The store is as it was at {when}.")
    if done.put_aside:
        click.echo(f"The one that was there is untouched: {settings.database.with_name(done.put_aside)}")
    if done.migrated:
        click.echo(f"It was of an older program and is up to date now ({len(done.migrated)} steps).")
    _print_joined(joined)
    return 3 if any(each["unreadable"] for each in joined.values()) else 0


def _salvage(settings: Settings, names: list[str]) -> dict[str, dict[str, Any]]:
    from gateway.backup import join_aside  # noqa: PLC0415  as above

    return {
        name: {"rows": dict(each.rows), "unreadable": each.unreadable, "losses_healed": each.healed}
        for name, each in join_aside(settings.database, names or None).items()
    }


def _status(settings: Settings) -> dict[str, Any]:
    """What the running gateway says of its store; nothing where none runs."""
    try:
        said = control.ask(settings.box.folder, "status", timeout_s=5)
    except GatewayError:
        return {}
    return dict(said.get("store") or {})


def _print(found: Any, joined: dict[str, dict[str, Any]]) -> None:  # noqa: ANN401  Inspected, whose module is loaded late
    click.echo("The store is whole." if found.is_whole else "The store is hurt, or somebody holds it:")
    for problem in found.problems:
        click.echo(f"  {problem}")
    if not found.is_whole:
        table(
            ["table", "rows that can be read", ""], [(t.name, t.rows, "" if t.whole else "hurt") for t in found.tables]
        )
    click.echo(
        f"{found.bytes / 1e6:.1f} MB, log {found.log_bytes / 1e6:.1f} MB, {found.free_bytes / 1e6:.0f} MB free;"
        f" {found.ink_rows} pieces of ink, {found.not_yet_ink} dots not ink yet."
    )
    for name in found.aside:
        click.echo(f"Put aside: {name}; `inkgate db check --salvage` joins what can be read of it.")
    _print_joined(joined)


def _print_joined(joined: dict[str, dict[str, Any]]) -> None:
    for name, each in joined.items():
        rows = ", ".join(f"{count} {what}" for what, count in each["rows"].items() if count) or "nothing new"
        click.echo(f"Joined {name}: {rows}; {each['losses_healed']} losses healed.")
        if each["unreadable"]:
            click.echo(f"  Not all could be read of: {', '.join(each['unreadable'])}.")
