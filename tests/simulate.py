"""Simulated lessons: one seed is one history, replayed to the byte.

    python -m tests.simulate --seed N [--events] [--without PROTECTION]
    python -m tests.simulate --lessons 1000 [--first-seed N] [--jobs 2] [--without PROTECTION]

Pens, air, box, broker and district live in one process on one scheduler with simulated time; what of them is the
product's own, and what stands in for the world, is told in `tests/simulation/__init__.py`. Exit code 1 if a promise
broke: then its seed, the promise and the last events are printed.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.simulation.lesson import Outcome, run
from tests.simulation.protections import PROTECTIONS, house_without

_LAST_LINES: Final = 40
_S_AN_HOUR: Final = 3600


@dataclass(slots=True)
class Total:
    """What many lessons came to."""

    lessons: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    dots: int = 0
    unheard: int = 0
    results: int = 0
    checks: int = 0
    broken: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome, cpu_s: float) -> None:
        """One more."""
        self.lessons += 1
        self.simulated_s += outcome.simulated_s
        self.cpu_s += cpu_s
        self.dots += outcome.dots
        self.unheard += outcome.unheard
        self.results += outcome.results
        self.checks += outcome.checks
        if outcome.broken:
            self.broken.append(outcome)

    def __str__(self) -> str:
        hours, minutes = self.simulated_s / _S_AN_HOUR, max(self.cpu_s / 60, 1e-9)
        return (
            f"{self.lessons} lessons, {len(self.broken)} broken: {hours:.1f} simulated hours in"
            f" {minutes:.1f} CPU minutes ({hours / minutes:.2f} h a CPU minute,"
            f" {self.cpu_s / max(self.lessons, 1):.2f} s a lesson);"
            f" {self.dots} dots, {self.unheard} of them unheard at a hang-up, {self.results} results;"
            f" all promises looked at {self.checks} times"
        )


def lesson(seed: int, without: str | None) -> tuple[Outcome, float]:
    """One lesson and the processor time that it took, in seconds."""
    logging.disable(logging.CRITICAL)
    began_s = time.process_time()
    outcome = run(seed, house_without(without))
    return outcome, time.process_time() - began_s


def lessons(first: int, count: int, *, jobs: int = 1, without: str | None = None) -> Iterator[tuple[Outcome, float]]:
    """Many, in order of their seeds."""
    seeds = range(first, first + count)
    if jobs == 1:
        for seed in seeds:
            yield lesson(seed, without)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(lesson, seeds, [without] * count, chunksize=1)


def main(arguments: list[str]) -> int:
    """Run what is asked for. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="simulate", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, help="replay this lesson and print its digest")
    parser.add_argument("--events", action="store_true", help="print the whole history")
    parser.add_argument("--lessons", type=int, default=20, help="how many, where no --seed is given")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--without", choices=sorted(PROTECTIONS), help="take this protection away")
    asked = parser.parse_args(arguments)
    if asked.seed is not None:
        outcome, _ = lesson(asked.seed, asked.without)
        tell(outcome, len(outcome.lines) if asked.events else _LAST_LINES if outcome.broken else 0)
        return int(outcome.broken is not None)
    total = Total()
    for outcome, cpu_s in lessons(asked.first_seed, asked.lessons, jobs=asked.jobs, without=asked.without):
        total.add(outcome, cpu_s)
        if outcome.broken:
            tell(outcome, _LAST_LINES)
            sys.stdout.flush()
        if sys.stderr.isatty():
            print(f"\r{total.lessons} of {asked.lessons}, {len(total.broken)} broken", end="", file=sys.stderr)
    print(total)
    return int(bool(total.broken))


def tell(outcome: Outcome, lines: int) -> None:
    """A lesson in words."""
    if lines:
        print("\n".join(outcome.lines[-lines:]))
    what = f"BROKEN: {outcome.broken}" if outcome.broken else "all promises held"
    print(f"seed {outcome.seed}: {what}; {outcome.simulated_s:.1f} s, {outcome.dots} dots, {outcome.results} results")
    print(f"digest {outcome.digest}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
