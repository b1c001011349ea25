"""`sync`: the way to the district: what waits, the two-sided proof, and what a person can do about either."""

from pathlib import Path
from typing import Any, Final

import click
from sqlite_utils import Database

from gateway.cli import proof_document as proofs
from gateway.cli import settings_of
from gateway.cli.output import document
from gateway.cli.school import ask_or_do
from gateway.clock import now_ms
from gateway.errors import Missing
from gateway.settings import Settings
from gateway.store import read_only
from gateway.words import say
from sync import sums
from sync.district.proof import Day, judge

_NAMED: Final = 20
"""So many waiting results are named to a person."""


@click.group()
def sync() -> None:
    """The way to the district."""


@sync.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Depth and age of the outbox: what the district has not receipted yet, and why."""
    settings = settings_of(ctx)
    said = ask_or_do(settings, "sync_status")
    if as_json:
        document("inkgate.sync/1", said)
        return
    language, link = settings.box.language, said["link"]
    waiting = said["results_waiting"]
    click.echo(say("sync.waiting", language, n=waiting) if waiting else say("box.sent", language))
    if said["oldest_s"] is not None and waiting:
        click.echo(say("sync.oldest", language, seconds=said["oldest_s"]))
    for why, number in said["refused_why"].items():
        words = say(why, language).rstrip("。.")
        click.echo(say("sync.refused_kept", language, n=number, why=words))
    click.echo(say(link["reason"] if link.get("reason") else f"sync.link_{link['state']}", language))
    for code in link.get("alarms", ()):
        click.echo(f"! {say(code, language)} {say(f'{code}.cure', language)}")


@sync.command("retry")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def retry(ctx: click.Context, *, as_json: bool) -> None:
    """Offer again what broker or district refused, once the cause is gone."""
    settings = settings_of(ctx)
    said = ask_or_do(settings, "sync_retry")
    if as_json:
        document("inkgate.retry/1", said)
        return
    click.echo(say("sync.retried", settings.box.language, n=said["envelopes"]))


@sync.command("enrol")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def enrol(ctx: click.Context, *, as_json: bool) -> None:
    """Say that this machine alone has the box's name: its disk came from a machine that is out of use."""
    settings = settings_of(ctx)
    said = ask_or_do(settings, "sync_enrol")
    if as_json:
        document("inkgate.enrol/1", said)
        return
    code = "sync.enrolled" if said["was_in_doubt"] else "sync.not_in_doubt"
    click.echo(say(code, settings.box.language, box=settings.box.id))


@sync.command("prove")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--records", is_flag=True, help="Name every result in the document, for the other end's --against.")
@click.option("--against", type=click.Path(path_type=Path), help="The district's document, made with --records.")
@click.pass_context
def prove(ctx: click.Context, *, as_json: bool, records: bool, against: Path | None) -> int:
    """Whether the district has what this box has: exit 0 equal, 3 different or still waiting, 69 nothing known yet."""
    settings = settings_of(ctx)
    said, code = _proved(settings, records=records, against=against)
    if as_json:
        document(proofs.SCHEMA, said)
    else:
        _tell(said, settings)
    return code


def _proved(settings: Settings, *, records: bool, against: Path | None) -> tuple[dict[str, Any], int]:
    if not settings.database.exists():
        raise Missing(f"There is no store at {settings.database}; the first `inkgate run` makes it.")
    other = None if against is None else proofs.read_other(against, "district")
    connection = read_only(settings.database)
    try:
        connection.execute("begin")
        db = Database(connection)
        own = {settings.box.id: sums.sums_of(db)}
        known = sums.known(db)
        unsettled = sums.unsettled(db, known.proof if known else None)
        named = proofs.side(own, (lambda _, day: sums.rows_of(db, day)) if records or against else None)
    finally:
        connection.close()
    days = judge(own[settings.box.id], known.proof, list(unsettled.values())) if known else []
    said: dict[str, Any] = {
        "end": "box",
        "verdict": _verdict(days, unsettled) if known else "waiting" if unsettled else "unknown",
        "proof": None if known is None else _about(known),
        "days": [_day(one) for one in days],
        "unsettled": [one._asdict() for one in unsettled.values()],
        "against": None if other is None else proofs.compare(named, other),
        "boxes": proofs.builtin(named),
    }
    if other is not None:
        said["verdict"] = "equal" if said["against"]["equal"] else "different"
    return said, {"equal": 0, "unknown": proofs.UNKNOWN}.get(said["verdict"], proofs.DIFFERENT)


def _verdict(days: list[Day], unsettled: dict[str, sums.Unsettled]) -> str:
    verdicts = {one.verdict for one in days}
    if "different" in verdicts:
        return "different"
    return "waiting" if "waiting" in verdicts and unsettled else "equal"


def _about(known: sums.Known) -> dict[str, Any]:
    proof = known.proof
    age_s = round(max(0, now_ms() - known.came_ms) / 1000, 1)
    return {
        "generation": proof.generation,
        "pos": proof.pos,
        "at_ms": proof.at_ms,
        "age_s": age_s,
        "since": proof.since,
    }


def _day(one: Day) -> dict[str, Any]:
    return {
        "day": one.day,
        "verdict": one.verdict,
        "box": None if one.box is None else one.box._asdict(),
        "district": None if one.district is None else one.district._asdict(),
        "unsettled": one.unsettled,
    }


def _tell(said: dict[str, Any], settings: Settings) -> None:
    language = settings.box.language
    if said["against"] is not None:
        proofs.tell(said["against"], language)
    elif said["proof"] is None:
        click.echo(say("proof.none", language))
    else:
        _tell_days(said, settings)
    if said["verdict"] == "equal":
        totals = [day["rows"] for days in said["boxes"].values() for day in days.values()]
        click.echo(say("proof.equal", language, n=len(totals), rows=sum(totals)))
    else:
        _tell_unsettled(said["unsettled"], language)


def _tell_days(said: dict[str, Any], settings: Settings) -> None:
    language, known = settings.box.language, said["proof"]
    click.echo(say("proof.of", language, age_s=known["age_s"], pos=known["pos"]))
    different = [day for day in said["days"] if day["verdict"] == "different"]
    if not different:
        return
    click.echo(say("proof.different", language, n=len(different)))
    for day in different:
        rows = {end: day[end]["rows"] if day[end] else 0 for end in ("box", "district")}
        click.echo(say("proof.day", language, day=day["day"], **rows))
    click.echo(say("proof.ask_there", language, box=settings.box.id))


def _tell_unsettled(unsettled: list[dict[str, Any]], language: str) -> None:
    waiting = sum(1 for one in unsettled if one["why"] in {sums.WAITING, sums.NOT_IN_PROOF})
    if waiting:
        click.echo(say("proof.unsettled", language, n=waiting))
    if refused := len(unsettled) - waiting:
        click.echo(say("proof.refused", language, n=refused))
    for one in unsettled[:_NAMED]:
        click.echo(f"  {one['id']}  {one['rev']}  {one['why']}")
    if more := len(unsettled[_NAMED:]):
        click.echo(f"  {say('proof.more', language, n=more)}")
