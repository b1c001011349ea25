"""Jobs for the reader process and what comes back. The reader holds the networks and nothing else: no store, no socket.

It is the product's own `read` command as a child: one JSON line a job in, one a reading out. Its first job is empty:
the answer tells its version, and only then are jobs handed over, so that a child which dies while it loads is no job's
fault. When it dies, or answers nothing for too long, it is started again and gets the jobs that it had not answered; a
job under which it died twice is answered `reader_failed` and left alone.
"""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.errors import GatewayError, Missing
from recognition.readers.reading import Reading

logger = logging.getLogger(__name__)

TRIES: Final = 2
FAILED: Final = "reader_failed"
"""The reason of an answer whose job the reader did not survive."""
SHARED: Final = "shared_ink"
"""The reason of an answer whose ink another field may claim."""
NO_VERSION: Final = "none"
_UNDER_WAY: Final = 32
"""Jobs handed over at once: few enough that a crash names its job."""
_HANG_S: Final = 20.0
"""No answer for so long, with jobs under way, is a crash; a job takes some 10 ms, loading a second."""
_HELLO: Final = -1
_GREETING: Final[dict[str, Any]] = {"kind": "digit", "strokes": []}
_NICE: Final = 10
_LONGEST_LINE: Final = 1 << 24
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


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
    roles: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    """What became of each stroke, by its place in the field's ink: role, why, and what took it back."""

    def to_reading(self, *, shared: bool) -> Reading:
        """As grading takes it; ink that another field may claim makes it a question."""
        return Reading(
            value=self.value,
            confidence=self.confidence,
            accepted=self.accepted and not shared,
            alternatives=self.alternatives,
            reasons=(*self.reasons, SHARED) if shared else self.reasons,
        )


Command = Sequence[str] | Callable[[], Sequence[str]]
"""How the reader is started; what it is may be asked anew, in a thread, before each start."""


class ReaderProcess:
    """The child and the jobs that wait for it. `ask` never waits; answers come to `on_answer` in the loop's thread."""

    def __init__(self, command: Command, on_answer: Callable[[Answer], None], *, hang_s: float = _HANG_S) -> None:
        self._command = command
        self._on_answer, self._hang_s = on_answer, hang_s
        self._waiting: list[Job] = []
        self._under_way: dict[int, Job] = {}
        self._wake = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None
        self._greeted = False
        """Whether this child has said which reader it is."""
        self._served = 0
        """Jobs that this child has answered."""
        self._heard_s = 0.0
        """When it last answered, or got a job after having none."""
        self.restarts = -1
        self.version: str | None = None
        """Of the reader, by the newest child that said it; None before the first did."""

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
            self._greeted, self._served = False, 0
            try:
                await self._live()
            except (OSError, GatewayError) as error:
                logger.error("the reader cannot be started: %s", error)  # noqa: TRY400  the sentence says it all
            self._back_to_waiting()
            pause_s = _FIRST_PAUSE_S if self._served else min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, pause_s * 2))

    async def _live(self) -> None:
        """One child, from its start to its end."""
        command = await asyncio.to_thread(self._command) if callable(self._command) else self._command
        child = self._child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE
        )
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)  # ink comes first, also while a reader starts
        hung = False
        try:
            hung = await self._serve(child)
        finally:
            await _end(child, at_once=hung)
        word = "hung and was ended" if hung else f"ended with {child.returncode}"
        logger.warning("the reader %s; it is started again", word)

    async def _serve(self, child: asyncio.subprocess.Process) -> bool:
        """Until the child closes its output. Returns whether it had to be given up."""
        feeding = asyncio.create_task(self._feed(child))
        self._heard_s = _now_s()
        try:
            while True:
                try:
                    async with asyncio.timeout(self._hang_s / 4):
                        line = await _line(child)
                except TimeoutError:
                    if (self._under_way or not self._greeted) and _now_s() - self._heard_s >= self._hang_s:
                        return True
                    continue
                except ValueError:
                    return True  # a line without an end: it will not say anything useful any more
                if not line:
                    return False
                self._heard_s = _now_s()
                self._take(line)
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await feeding

    async def _feed(self, child: asyncio.subprocess.Process) -> None:
        pipe = child.stdin
        if pipe is None:
            return
        pipe.write(_line_of(_HELLO, _GREETING))
        while True:
            while self._greeted and self._waiting and len(self._under_way) < _UNDER_WAY:
                job = self._waiting.pop(0)
                if not self._under_way:
                    self._heard_s = _now_s()
                self._under_way[job.id] = job
                job.tries += 1
                pipe.write(_line_of(job.id, job.request))
            try:
                await pipe.drain()
            except ConnectionError:
                return
            self._wake.clear()
            await self._wake.wait()

    def _take(self, line: bytes) -> None:
        answer = _answer_of(line)
        if answer is None:
            logger.warning("the reader said something that is no reading")
            return
        if answer.id == _HELLO:
            self._greeted, self.version = True, answer.reader
            self._wake.set()
        elif self._under_way.pop(answer.id, None) is not None:
            self._served += 1
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
            self._on_answer(Answer(job.id, None, 0.0, False, (), (FAILED,), self.version or NO_VERSION))


def command_of(models: Path) -> tuple[str, ...]:
    """How the product's reader is started with the models in a folder."""
    return (sys.executable, "-m", "gateway", "read", "--models", str(models))


def read_once(command: Sequence[str], requests: Sequence[dict[str, Any]], *, limit_s: float = 60.0) -> list[Answer]:
    """Start a reader for some jobs and wait for it to end.

    Returns:
        First what it says of no ink, which tells its version; then an answer for each request, in their order.

    Raises:
        Missing: It does not start, or does not answer; the message has its own words.
    """
    lines = [_line_of(number, request) for number, request in enumerate([_GREETING, *requests])]
    try:
        done = subprocess.run(command, input=b"".join(lines), capture_output=True, check=False, timeout=limit_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"The reader cannot be asked: {error}.") from None
    answers = [answer for line in done.stdout.splitlines() if (answer := _answer_of(line)) is not None]
    if [answer.id for answer in answers] != list(range(len(lines))):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise Missing(f"The reader did not answer: {last[0]}")
    return answers


def _line_of(number: int, request: dict[str, Any]) -> bytes:
    return json.dumps({**request, "id": number}).encode() + b"\n"


def _answer_of(line: bytes) -> Answer | None:
    """What the reader said; None where it is no reading."""
    try:
        said = json.loads(line)
        return Answer(
            id=int(said["id"]),
            value=said["value"],
            confidence=float(said["confidence"]),
            accepted=bool(said["accepted"]),
            alternatives=tuple((str(v), float(c)) for v, c in said["alternatives"]),
            reasons=tuple(said.get("reasons", ())),
            roles=tuple((str(role), str(why), tuple(by)) for role, why, by in said.get("roles", ())),
            reader=str(said.get("reader", "")),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _line(child: asyncio.subprocess.Process) -> bytes:
    return await child.stdout.readline() if child.stdout is not None else b""


async def _end(child: asyncio.subprocess.Process, *, at_once: bool) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(0 if at_once else 2):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
