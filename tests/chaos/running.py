"""One class with its district, as every scenario needs it: made, watched, ended, judged."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from gateway.demo.books import close_books
from tests.chaos.house import ROOT, House, Trouble
from tests.chaos.judge import Files, Verdict, judge
from tests.chaos.points import POINTS, CrashPoint, ordered
from tests.chaos.school import School
from tests.chaos.watching import Page, Tap

WRITING_S: Final = 180.0
BACK_S: Final = 90.0
_COMMAND_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked to do."""

    seed: int
    pens: int
    kills: int
    """How often each process is killed."""
    rounds: int
    """How often each crash point is met."""
    broker: str
    database: str
    air: bool = True
    """Whether all bytes of the dongles' sockets are kept, for the canaries."""


@dataclass(slots=True)
class Outcome:
    """What one scenario came to."""

    name: str
    seed: int
    pens: int
    kills: dict[str, int] = field(default_factory=dict)
    """Deaths by process or by crash point."""
    back_s: list[float] = field(default_factory=list)
    """Seconds from each death of the gateway until all pens were linked again."""
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    """The same for the other processes, until they did their work again."""
    in_flight: list[int] = field(default_factory=list)
    """Dots inside losses, by death of the gateway."""
    counts: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    """What could not be done, and why."""
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.faults and not any(self.lost.values())


class Run:
    """A class that writes, and everything that looks on."""

    def __init__(self, folder: Path, options: Options, name: str, *, without: str | None = None) -> None:
        """Nothing is started.

        Args:
            folder: Where all of it is left.
            options: What is asked.
            name: What is done to the class; with the seed it decides when.
            without: The protection that is taken away.
        """
        self.folder, self.options, self.without = folder, options, without
        self.outcome = Outcome(folder.name, options.seed, options.pens)
        self.dice = Random(f"{options.seed}/{name}")  # noqa: S311  a seed that is printed
        self.began = time.monotonic()
        self.deaths_ms: list[int] = []
        self.forgiven_ms: tuple[int, int] | None = None
        folder.mkdir(parents=True)
        self.own = folder / "chaos"
        (self.own / "arm").mkdir(parents=True)
        told = {"folder": str(self.own), "points": ordered(POINTS), "without": without, "air": options.air}
        (self.own / "orders.json").write_text(json.dumps(told), encoding="utf-8")
        site = str(ROOT / "tests" / "chaos" / "site")
        orders = {"CHAOS_ORDERS": str(self.own / "orders.json"), "PYTHONPATH": site}
        self.house = House(folder / "district", broker=options.broker, database=options.database, orders=orders)
        self.school = School(
            folder / "demo",
            pens=options.pens,
            seed=options.seed,
            broker_port=self.house.broker.port,
            orders=orders,
        )
        self.school.tend = self.house.tend
        self.page = Page(folder / "demo", self.own / "frames.bin")
        self.tap = Tap(self.house.broker.port, self.own / "mqtt.bin")

    @contextlib.contextmanager
    def going(self) -> Iterator["Run"]:
        """The class writes inside; whatever happens, nothing of it runs afterwards."""
        try:
            self.house.start()
            self.tap.start()
            self.school.start()
            self.page.start()
            yield self
        finally:
            self.school.kill()
            self.page.stop()
            self.tap.stop()
            self.house.stop()
            self.outcome.seconds = round(time.monotonic() - self.began, 1)

    def wait_writing(self) -> None:
        """Until all are linked and at least half of the pens write, then for a random moment of it."""
        self.school.wait_until(self.school.writing, WRITING_S, "all are linked and half of the pens write")
        self.pause(self.dice.uniform(0.0, 0.8))
        self.school.wait_until(self.school.writing, WRITING_S, "all are linked and half of the pens write")

    def pause(self, seconds: float) -> None:
        """Let the class write for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.house.tend()
            time.sleep(0.02)

    def note_gateway_back(self) -> None:
        """Measure from now until all pens are linked again."""
        self.deaths_ms.append(time.time_ns() // 1_000_000)
        seconds = self.school.wait_until(
            lambda: not self.school.linked(), 10, "the gateway's death was seen"
        ) + self.school.wait_until(self.school.linked, BACK_S, f"{self.options.pens} links came back")
        self.outcome.back_s.append(round(seconds, 2))

    def meet(self, point: CrashPoint, limit_s: float) -> bool:
        """Arm a point and wait until somebody died in it. Returns whether that was so in time."""
        arm = self.own / "arm" / point.name
        before = len(self.died())
        arm.touch()
        end = time.monotonic() + limit_s
        while len(self.died()) == before:
            self.house.tend()
            if time.monotonic() > end:
                with contextlib.suppress(FileNotFoundError):
                    arm.unlink()
                    return False
            time.sleep(0.01)
        return True

    def died(self) -> list[dict[str, Any]]:
        """Every death in a point so far."""
        path = self.own / "died.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def receipts_flow(self, since_ms: int) -> bool:
        """Whether a receipt came after this moment."""
        said = self.school.sync_status()
        return bool(said and (said["link"]["last_receipt_ms"] or 0) > since_ms)

    def close(self) -> Outcome:
        """End the class, judge what it left, count it again by `tests/recount.py`."""
        self.outcome.notes["demo"] = self._end_class()
        self.page.stop()
        self.house.export(self.folder / "demo" / "district.db")
        self._prove()
        self.tap.stop()
        self.house.stop()
        verdict = self._judge()
        self._recount()
        self._book(verdict)
        return self.outcome

    def _end_class(self) -> dict[str, Any]:
        report = self.school.end()
        said = {name: report[name] for name in ("restarts", "peak_rss_mb", "loss_rows", "outbox_left")}
        if report["outbox_left"]:
            self.outcome.faults.append(f"{report['outbox_left']} results or envelopes have no receipt at the end")
        return said

    def _judge(self) -> Verdict:
        demo = self.folder / "demo"
        files = Files(demo, demo / "district.db", self.own / "pens.jsonl", self.own / "frames.bin")
        return judge(files, forgive_shown_ms=self.forgiven_ms)

    def _book(self, verdict: Verdict) -> None:
        outcome = self.outcome
        outcome.counts = dict(sorted(verdict.counts.items()))
        outcome.lost = verdict.lost
        outcome.faults += verdict.faults
        outcome.in_flight = in_flight(verdict.in_flight, self.deaths_ms)
        if self.house.deaths:
            outcome.notes["restarted_by_themselves"] = dict(self.house.deaths)

    def _recount(self) -> None:
        """The books over both sides, and the recount that stands on its own."""
        demo = self.folder / "demo"
        shutil.copyfile(demo / "report.json", demo / "report-of-the-demo.json")
        books = close_books(demo, with_district=True)
        (demo / "report.json").write_text(json.dumps(books.figures), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-I", str(ROOT / "tests" / "recount.py"), str(demo)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )
        lines = [*books.faults, *done.stdout.splitlines()[:-1]]
        if self.forgiven_ms is not None:
            self.outcome.notes["recount_after_the_image"] = lines[:20]
        elif self.without is None:
            self.outcome.faults += [f"recount: {line}" for line in lines[:20]]
        self.outcome.notes["recount_agrees"] = done.returncode == 0

    def _prove(self) -> None:
        """`sync prove` against what `district prove` says: 0 agrees, 3 differs."""
        settings, theirs = str(self.folder / "demo" / "gateway.toml"), self.own / "district-prove.json"
        said = self.command("district", "prove", "--db", self.house.db, "--json", "--records")
        if said.returncode:
            self.outcome.skipped.append(
                f"sync prove: `district prove` ended with {said.returncode}: {said.stderr[-200:]}"
            )
            return
        theirs.write_text(said.stdout, encoding="utf-8")
        done = self.command("--settings", settings, "sync", "prove", "--json", "--against", str(theirs))
        self.outcome.notes["sync_prove"] = done.returncode
        if done.returncode and self.without is None:
            self.outcome.faults.append(f"sync prove ended with {done.returncode}: {(done.stdout + done.stderr)[-600:]}")

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the product's commands."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )


def in_flight(missing: Sequence[tuple[int, int]], deaths_ms: Sequence[int]) -> list[int]:
    """Dots inside losses, one number a death: each stroke belongs to the last death before its end."""
    dots = [0] * len(deaths_ms)
    for at_ms, count in missing:
        before = [index for index, death_ms in enumerate(deaths_ms) if death_ms <= at_ms + 2_000]
        if before:
            dots[before[-1]] += count
    return dots


def trouble(outcome: Outcome, error: Trouble) -> Outcome:
    """A scenario that could not be gone through is a fault of its own."""
    outcome.faults.append(f"the scenario could not go on: {error}")
    return outcome
