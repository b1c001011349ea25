"""`doctor`, `status`, `config`: how the box does."""

from dataclasses import asdict
from typing import Any

import click

from gateway import control
from gateway.cli import origins_of, settings_of
from gateway.cli.output import document, table
from gateway.settings import registered


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> int:
    """What is wrong here and the one thing to do about it; exit 3 where something is."""
    from gateway.doctor import examine  # noqa: PLC0415  loads every library to try it

    findings = list(examine(settings_of(ctx)))
    if as_json:
        document("inkgate.doctor/1", {"checks": [asdict(f) for f in findings]})
    else:
        table(["check", "", "found", "cure"], [(f.id, f.verdict, f.sentence, f.cure) for f in findings])
    return 3 if any(f.verdict == "fail" for f in findings) else 0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--pin", "with_pin", is_flag=True, help="Where the page is, and its PIN, instead.")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool, with_pin: bool) -> None:
    """How the running gateway does."""
    if with_pin:
        page = control.ask(settings_of(ctx).box.folder, "page")
        click.echo(f"{page['url']}  PIN {page['pin']}")
        return
    said = control.ask(settings_of(ctx).box.folder, "status")
    if as_json:
        document("inkgate.status/1", said)
        return
    table(["what", "now"], [(k, v) for k, v in said.items() if not isinstance(v, (dict, list))])
    for warning in said["warnings"]:
        click.echo(f"! {warning['sentence']} {warning['cure']}")


@click.group()
def config() -> None:
    """Settings."""


@config.command()
@click.option("--origin", is_flag=True, help="Where each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(ctx: click.Context, *, origin: bool, as_json: bool) -> None:
    """Every setting with its value."""
    settings, origins = origins_of(ctx)
    items = registered(settings, origins)
    if as_json:
        document("inkgate.config/1", {i.name: {"value": _plain(i.value), "origin": i.origin} for i in items})
        return
    heads = ["setting", "value", "unit", "meaning", *(["origin"] if origin else [])]
    table(heads, [(i.name, _plain(i.value), i.unit, i.what, *([i.origin] if origin else [])) for i in items])


def _plain(value: Any) -> Any:  # noqa: ANN401  a setting's value, of whatever type
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (int, float, str, bool)) else str(value)
