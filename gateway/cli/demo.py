"""`demo`: a virtual class from end to end."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from gateway.errors import WrongUse

_LONGEST_SOCKET_FOLDER = 80


@click.command()
@click.option("--pens", type=click.IntRange(1, 48), default=48, show_default=True, help="How many pupils write.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed is the same class.")
@click.option("--speed", type=click.FloatRange(0.25, 20), default=1.0, show_default=True, help="Faster than life.")
@click.option("--calm", is_flag=True, help="No links drop, no battery dies.")
@click.option("--headless", is_flag=True, help="One lesson, the books, the end; no words on the way.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON document.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave everything in this folder.")
@click.option("--district", metavar="URL", help="mqtt://HOST:PORT of another district's broker.")
@click.option(
    "--lessons", type=click.IntRange(1), help="So many lessons; else one with --headless or --json, or until Ctrl-C."
)
@click.option(
    "--lang", type=click.Choice(["zh-CN", "en"]), default="zh-CN", show_default=True, help="The page's words."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The page's port; 0 takes a free one.")
def demo(
    *,
    pens: int,
    seed: int,
    speed: float,
    calm: bool,
    headless: bool,
    as_json: bool,
    keep: Path | None,
    district: str | None,
    lessons: int | None,
    lang: str,
    port: int,
) -> int:
    """A virtual class end to end: link card, lesson, real radio stack, real broker, district. Ctrl-C ends it."""
    from gateway.demo.runner import Demo, Options  # noqa: PLC0415  `--help` must not load it

    folder = _folder(keep)
    air = folder / "air"
    short = air if len(str(air)) < _LONGEST_SOCKET_FOLDER else Path(tempfile.mkdtemp(prefix="inkgate-air-"))
    short.mkdir(parents=True, exist_ok=True)
    options = Options(
        folder=folder,
        air=short,
        pens=pens,
        seed=seed,
        speed=speed,
        calm=calm,
        lessons=1 if lessons is None and (headless or as_json) else lessons,
        district=district,
        language=lang,
        port=port,
    )
    screen = _Screen(quiet=headless or not sys.stderr.isatty())
    try:
        report = asyncio.run(_run(Demo(options, screen.tell)))
    finally:
        screen.close()
        if short != air:
            shutil.rmtree(short, ignore_errors=True)
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        _summary(report)
    return 0 if report["balanced"] else 1


async def _run(demo_run: Any) -> dict[str, Any]:  # noqa: ANN401  gateway.demo.runner.Demo, loaded late
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    report: dict[str, Any] = await demo_run.run(end)
    return report


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="inkgate-"))
    if keep.exists() and any(keep.iterdir()):
        raise WrongUse(f"{keep} is not empty; name a new folder, so that nothing of yours is mixed into the books.")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


class _Screen:
    """What a person sees while the demo runs: one line a stage, and one that changes."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live: Any = None

    def tell(self, stage: str, **facts: Any) -> None:  # noqa: ANN401  facts are whatever a stage has
        """Hear of a stage."""
        if self._quiet:
            return
        if stage == "status":
            self._status(facts)
            return
        words = {
            "starting": "Starting broker, district, classroom and gateway …",
            "page": f"Open {facts.get('url')}  PIN {facts.get('pin')}",
            "linking": "The class turns its pens on; the join window is open …",
            "card": "Every pupil ticks the own seat on the link card …",
            "lesson": f"Lesson {facts.get('number')}: the class writes. Ctrl-C ends the demo.",
            "graded": f"Lesson {facts.get('number')} is over; everything is graded.",
            "draining": "Waiting for the district's receipts …",
        }
        self._clear()
        click.echo(words[stage], err=True)

    def close(self) -> None:
        """No more words."""
        self._clear()

    def _status(self, facts: Any) -> None:  # noqa: ANN401  as above
        if self._live is None:
            from rich.console import Console  # noqa: PLC0415  only a terminal pays for it

            self._live = Console(stderr=True).status("")
            self._live.start()
        self._live.update(
            f"{facts['linked']} pens linked, {facts['dots']} dots, {facts['graded']} answers graded, "
            f"{facts['outbox']} results on their way"
        )

    def _clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _arrived(report: dict[str, Any]) -> str:
    if report["results_in_district"] is None:
        return f"{report['receipts']} envelopes are receipted by the other district."
    return f"{report['results_in_district']} results are in the district."


def _summary(report: dict[str, Any]) -> None:
    click.echo(
        f"{report['dots_written']} dots written: {report['dots_stored']} stored, {report['dots_in_pens']} in pens, "
        f"{report['dots_in_losses']} in loss rows, {report['dots_lost_unexplained']} unexplained."
    )
    click.echo(
        f"{report['answers_expected']} answers: {report['answers_right']} read right, {report['answers_unsure']} left "
        f"to a person, {report['answers_wrong']} wrong. " + _arrived(report)
    )
    for fault in report["faults"]:
        click.echo(f"! {fault}")
    click.echo("The books balance." if report["balanced"] else "THE BOOKS DO NOT BALANCE.")
