"""`capture`: what the air said, as a file: a bug report from a school becomes a test."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from devices import capture as captured
from gateway import control
from gateway.cli import settings_of
from gateway.cli.decode import to_json, told_at_the_end
from gateway.cli.output import document
from gateway.errors import FoundProblems, Missing
from gateway.words import say

_LOOK_S: Final = 0.2


@click.group()
def capture() -> None:
    """What the air said, as a file: record, replay.

    A capture holds all that a child wrote with the pen meanwhile. It holds no name and no seat, but handwriting is
    personal: give it only to whoever mends the fault, and delete it when the fault is mended.
    """


@capture.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--pen", metavar="MAC", help="Which pen; without it the next pen that links.")
@click.option("--seconds", type=click.FloatRange(0, 3600), default=0, help="End after so long; 0: Ctrl-C, or an hour.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def record(ctx: click.Context, path: Path, *, pen: str | None, seconds: float, as_json: bool) -> None:
    """Record what a pen and the gateway say to each other into a new FILE, until the link ends.

    A pen that is linked is recorded from now on; one that is not, from its next link. Only the file's owner, who is
    the gateway's user, may read it. The file holds a child's handwriting and no name; passwords are left out.
    """
    settings = settings_of(ctx)
    folder = settings.box.folder
    said = control.ask(folder, "capture_start", path=str(path.resolve()), pen=pen, seconds=seconds)
    if said["state"] == "waiting" and not as_json:
        click.echo(say("cli.capture_waits", settings.box.language), err=True)
    end = time.monotonic() + seconds if seconds else None
    try:
        while said["state"] in {"waiting", "recording"} and (end is None or time.monotonic() < end):
            time.sleep(_LOOK_S)
            said = control.ask(folder, "capture_status")
    except KeyboardInterrupt:
        pass
    said = control.ask(folder, "capture_stop")
    if as_json:
        document("inkgate.capture.record/1", {"file": str(path), **said})
    if "pen" not in said:
        raise Missing(say("cli.capture_nothing", settings.box.language))
    if not as_json:
        click.echo(say("cli.captured", settings.box.language, pen=said["pen"], came=said["came"], bytes=said["bytes"]))


@capture.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--json", "as_json", is_flag=True, help="One JSON document: what is in it, counted.")
def replay(path: Path, *, as_json: bool) -> None:
    """Print the events of a capture as JSON lines, as `pens decode` does.

    What printed nothing and what was odd is counted on stderr.
    """
    found = _read(path)
    try:
        session = captured.session_for(found)
    except captured.FamilyMissing as error:
        raise Missing(f"{path.name}: {error}; install the plug-in for these pens.") from None
    kinds: Counter[str] = Counter()
    for _, event in captured.replayed(found, session):
        kinds[type(event).__name__] += 1
        shown = None if as_json else to_json(event)
        if shown is not None:
            click.echo(json.dumps(shown))
    if as_json:
        document("inkgate.capture.replay/1", _counted(found, kinds, session.counts))
        return
    told_at_the_end(session.counts)
    if found.is_cut:
        click.echo("the last line is cut short and was left out", err=True)


def _read(path: Path) -> captured.Capture:
    try:
        return captured.read_capture(path)
    except captured.CaptureError as error:
        raise FoundProblems(
            f"{path.name} is no capture that can be replayed", [(f"line {error.line}", str(error))]
        ) from None


def _counted(found: captured.Capture, kinds: Counter[str], counts: Counter[str]) -> dict[str, Any]:
    header, records = found.header, found.records
    of_kind = Counter(record.kind for record in records)
    return {
        "pen": header.pen,
        "family": header.family,
        "started_ms": header.started_ms,
        "seconds": round((records[-1].at_ms - header.started_ms) / 1000, 3) if records else 0.0,
        "begins": header.begins,
        "ends": {"x": "link_lost", "!": "too_long"}.get(records[-1].kind if records else "", "stopped"),
        "cut": found.is_cut,
        "came": of_kind["<"],
        "written": of_kind[">"],
        "events": dict(sorted(kinds.items())),
        "odd": {name: count for name, count in sorted(counts.items()) if count},
    }
