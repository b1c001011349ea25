"""`bench air`: what bad air, a burst of answers and a dead reader do to the ink on the screen.

The same pens and the same gateway in one run, one phase after the other: the idle one is the floor of the others. What
the air dropped behind the pens' backs must stand in loss rows, event for event.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from gateway.bench.live import hear_facts, look_on, prepare, room, settings, status_of, summary, until

RETRANSMIT: Final = 0.02
DROP: Final = 0.001
ANSWERS: Final = 20
PHASES: Final = ("idle", "bad_air", "burst", "reader_killed")
_SETTLE_S: Final = 2.0
_END_S: Final = 3.0


async def run(*, pens: int, rate: float, seconds: float, runs: int) -> dict[str, Any]:
    """Measure so many times; each phase takes `seconds`. Every phase is given as the median over the runs."""
    found = [await _once(pens, rate, seconds) for _ in range(runs)]
    p99 = {phase: statistics.median(one["p99"][phase] for one in found) for phase in PHASES}
    return {
        "pens": pens,
        "dots_per_s_each": rate,
        "seconds": seconds,
        "runs": runs,
        "retransmitted": RETRANSMIT,
        "dropped_at_host": DROP,
        "answers_each": ANSWERS,
        "dot_to_page_p50_ms": {phase: statistics.median(one["p50"][phase] for one in found) for phase in PHASES},
        "dot_to_page_p99_ms": p99,
        "ratio_to_idle": {
            phase: round(statistics.median(one["p99"][phase] / one["p99"]["idle"] for one in found), 2)
            for phase in PHASES[1:]
        },
        "events_dropped": sum(one["dropped"] for one in found),
        "events_in_losses": sum(one["in_losses"] for one in found),
        "reader_back": all(one["reader_back"] for one in found),
    }


async def _once(pens: int, rate: float, seconds: float) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="inkgate-bench-"))
    try:
        async with room(folder, pens, rate) as pens_side:
            return await _phases(folder, pens_side, pens, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _PensSide:
    """What the bench orders of the pens, and of the reader."""

    def __init__(self, child: asyncio.subprocess.Process, folder: Path) -> None:
        self._child, self._folder = child, folder

    async def say(self, line: str, event: str) -> None:
        """Order something and wait until it is done."""
        if self._child.stdin is not None:
            self._child.stdin.write(line.encode() + b"\n")
        await hear_facts(self._child, event)

    async def begin(self, phase: str) -> None:
        """What begins a phase."""
        if phase == "bad_air":
            await self.say(f"air {RETRANSMIT} {DROP}", "air_changed")
        elif phase != "idle":
            await self.say(f"burst {ANSWERS}", "burst_done")
        if phase == "reader_killed":
            pid = (await asyncio.to_thread(status_of, self._folder) or {}).get("reader_pid")
            if pid is not None:
                os.kill(int(pid), signal.SIGKILL)

    async def end(self) -> int:
        """No more ink. Returns how many events the air dropped."""
        await self.say("air 0 0", "air_changed")
        if self._child.stdin is not None:
            self._child.stdin.close()
        return int((await hear_facts(self._child, "end"))["dropped_events"])


async def _phases(folder: Path, child: asyncio.subprocess.Process, pens: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "gateway", "--settings", str(settings(folder))]
    with (folder / "gateway.log").open("wb") as log:
        gateway = await asyncio.create_subprocess_exec(*command, "run", stderr=log)
    lags: list[float] = []
    looking: asyncio.Task[None] | None = None
    p50, p99 = {}, {}
    pens_side = _PensSide(child, folder)
    try:
        await until(lambda: status_of(folder) is not None)
        await prepare(folder, command, pens)
        await until(lambda: (status_of(folder) or {}).get("linked") == pens)
        looking = asyncio.create_task(look_on(folder, lags))
        await asyncio.sleep(_SETTLE_S)
        for phase in PHASES:
            lags.clear()
            await pens_side.begin(phase)
            await asyncio.sleep(seconds)
            seen = summary(lags)
            p50[phase], p99[phase] = seen["p50"], seen["p99"]
        back = (await asyncio.to_thread(status_of, folder) or {}).get("reader_restarts", 0) >= 1
        dropped = await pens_side.end()
        await asyncio.sleep(_END_S)
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        gateway.terminate()
        await gateway.wait()
    return {"p50": p50, "p99": p99, "dropped": dropped, "in_losses": _in_losses(folder), "reader_back": back}


def _in_losses(folder: Path) -> int:
    store = sqlite3.connect(f"file:{folder / 'gateway.db'}?mode=ro", uri=True)
    with contextlib.closing(store):
        return int(store.execute("select coalesce(sum(events), 0) from loss where cause = 'counter_gap'").fetchone()[0])
