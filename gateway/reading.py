"""Jobs for the reader process and what comes back. The reader holds the networks and nothing else: no store, no socket.

It is the product's own `read` command as a child: one JSON line a job in, one a reading out. When it dies it is started
again and gets the jobs that it had not answered; a job that killed it twice is answered `reader_failed` and left alone.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

logger = logging.getLogger(__name__)

TRIES: Final = 2
_UNDER_WAY: Final = 32
"""Jobs handed over at once: few enough that a crash names its job."""


@dataclass(slots=True)
class Job:
    """One field's ink to read."""

    id: int
    request: dict[str, Any]
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader said of one job."""

    id: int
    value: str | None
    confidence: float
    accepted: bool
    alternatives: tuple[tuple[str, float], ...]
    reasons: tuple[str, ...]
    reader: str


class ReaderProcess:
    """The child and the jobs that wait for it. `ask` never waits; answers come to `on_answer` in the loop's thread."""

    def __init__(self, command: Sequence[str], on_answer: Callable[[Answer], None]) -> None:
        self._command = tuple(command)
        self._on_answer = on_answer
        self._waiting: list[Job] = []
        self._under_way: dict[int, Job] = {}
        self._wake = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None
        self.restarts = -1

    @property
    def pid(self) -> int | None:
        """The child's process number while it lives."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    @property
    def pending(self) -> int:
        """Jobs that have no answer yet."""
        return len(self._waiting) + len(self._under_way)

    def ask(self, job: Job) -> None:
        """Queue a job."""
        self._waiting.append(job)
        self._wake.set()

    async def run(self) -> None:
        """Keep the child alive until cancelled."""
        pause_s = 0.0
        while True:
            await asyncio.sleep(pause_s)
            self.restarts += 1
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**24
            )
            try:
                await self._serve(self._child)
            finally:
                await _end(self._child)
            logger.warning("the reader ended with %s and is started again", self._child.returncode)
            self._back_to_waiting()
            pause_s = min(5.0, 0.1 if pause_s == 0 else pause_s * 2)

    async def _serve(self, child: asyncio.subprocess.Process) -> None:
        feeding = asyncio.create_task(self._feed(child))
        try:
            while line := await _line(child):
                self._take(line)
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await feeding

    async def _feed(self, child: asyncio.subprocess.Process) -> None:
        pipe = child.stdin
        if pipe is None:
            return
        while True:
            while self._waiting and len(self._under_way) < _UNDER_WAY:
                job = self._waiting.pop(0)
                self._under_way[job.id] = job
                job.tries += 1
                pipe.write(json.dumps({**job.request, "id": job.id}).encode() + b"\n")
            try:
                await pipe.drain()
            except ConnectionError:
                return
            self._wake.clear()
            await self._wake.wait()

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            answer = Answer(
                id=int(said["id"]),
                value=said["value"],
                confidence=float(said["confidence"]),
                accepted=bool(said["accepted"]),
                alternatives=tuple((str(v), float(c)) for v, c in said["alternatives"]),
                reasons=tuple(said.get("reasons", ())),
                reader=str(said.get("reader", "")),
            )
        except (ValueError, KeyError, TypeError):
            logger.warning("the reader said something that is no reading")
            return
        if self._under_way.pop(answer.id, None) is not None:
            self._on_answer(answer)
        if self._waiting:
            self._wake.set()

    def _back_to_waiting(self) -> None:
        again = list(self._under_way.values())
        self._under_way.clear()
        for job in again:
            # Only the oldest can have killed it: the reader answers in order.
            if job is not again[0]:
                job.tries -= 1
        failed = [job for job in again if job.tries >= TRIES]
        self._waiting[:0] = [job for job in again if job.tries < TRIES]
        for job in failed:
            self._on_answer(Answer(job.id, None, 0.0, False, (), ("reader_failed",), "none"))


async def _line(child: asyncio.subprocess.Process) -> bytes:
    return await child.stdout.readline() if child.stdout is not None else b""


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(2):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
