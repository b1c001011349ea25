"""Children of a command: started, watched, started again when they die, ended with their parent whatever ends it."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_END_S: Final = 8.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_SETTLED_S: Final = 3.0
"""A child that lived longer did not die of its start: it is started again at once."""


@dataclass(slots=True)
class Child:
    """One child: how it is started, and how it goes."""

    name: str
    command: Sequence[str]
    log: Path
    piped: bool = False
    """Whether its standard input and output are ours to talk over."""
    on_line: Callable[[bytes], None] | None = None
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        """Its process number while it lives."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    def tell(self, line: bytes) -> None:
        """Write a line to its standard input; nothing happens while it is dead."""
        if self.process is not None and self.process.stdin is not None and self.process.returncode is None:
            self.process.stdin.write(line + b"\n")


class Supervisor:
    """All children of one command."""

    def __init__(self, on_change: Callable[[], None], *, settled_s: float = _SETTLED_S) -> None:
        self._settled_s = settled_s
        self.children: dict[str, Child] = {}
        self._on_change = on_change
        self._ending = False

    async def start(self, child: Child) -> None:
        """Start a child and keep it alive from now on."""
        self.children[child.name] = child
        await self._spawn(child)
        child.tasks.append(asyncio.create_task(self._watch(child)))

    async def end(self, name: str) -> int | None:
        """End one child: asked first, killed if it does not listen. Returns its exit code."""
        child = self.children.pop(name, None)
        if child is None:
            return None
        for task in child.tasks:
            task.cancel()
        await asyncio.gather(*child.tasks, return_exceptions=True)
        process = child.process
        if process is None:
            return None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_END_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        return process.returncode

    async def end_all(self) -> None:
        """End every child, the last started first."""
        self._ending = True
        for name in reversed(list(self.children)):
            await self.end(name)

    async def _spawn(self, child: Child) -> None:
        child.log.parent.mkdir(parents=True, exist_ok=True)
        with child.log.open("ab") as log:
            pipe: int | IO[bytes] = asyncio.subprocess.PIPE if child.piped else asyncio.subprocess.DEVNULL
            child.process = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=pipe,
                stdout=asyncio.subprocess.PIPE if child.piped else log,
                stderr=log,
                preexec_fn=_die_with_parent,
                limit=2**22,
            )
        if child.piped:
            child.tasks.append(asyncio.create_task(_listen(child)))
        self._on_change()

    async def _watch(self, child: Child) -> None:
        pause_s = _FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while child.process is not None:
            began_s = loop.time()
            await child.process.wait()
            if self._ending:
                return
            child.restarts += 1
            self._on_change()
            if loop.time() - began_s > self._settled_s:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
            await self._spawn(child)


async def _listen(child: Child) -> None:
    process = child.process
    if process is None or process.stdout is None:
        return
    while line := await process.stdout.readline():
        if child.on_line is not None:
            child.on_line(line)


def _die_with_parent() -> None:
    """In the child, before the program: ask the kernel for SIGTERM when the parent dies, however it dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setpgid(0, 0)
