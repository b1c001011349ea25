"""What the service manager is told: that we are up, how we do, and that the writer of the store still gets on.

The word that keeps us alive is sent only after the writer has run a transaction of ours, so a writer that hangs in a
lock is noticed though the loop turns; a night without ink is no lack of progress. A tick that comes late is told, and
is no reason to be killed. The protocol is sd_notify's: datagrams of `NAME=value` lines.
"""

import asyncio
import logging
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from sqlite_utils import Database

logger = logging.getLogger(__name__)

_LATE_S: Final = 1.0
_PARTS: Final = 3
"""Words in one limit: one that is late or lost does not matter."""


class Manager:
    """The service manager's socket; where there is none every word is dropped."""

    def __init__(self, address: str) -> None:
        """`address` is a path, or `@` and an abstract name; empty where nobody listens."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, **words: str | int) -> None:
        """Send words; a manager that does not listen is no trouble of ours."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in words.items())
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.setblocking(False)
            line.sendto(text.encode(), self._address)


class Watchdog:
    """Tells the manager that the writer gets on. Lives in the loop's thread."""

    def __init__(
        self, manager: Manager, run: Callable[[Callable[[Database], None]], Awaitable[None]], *, limit_s: float
    ) -> None:
        """Nothing is told before `keep`; `limit_s` is after how long without a word we are killed, 0 for never."""
        self._manager, self._run, self._limit_s = manager, run, limit_s
        self.late_ticks = 0

    async def keep(self) -> None:
        """Tell until cancelled."""
        if not self._limit_s:
            await asyncio.Event().wait()  # nobody listens; a task of the gateway that ends would end the gateway
        loop = asyncio.get_running_loop()
        every_s = self._limit_s / _PARTS
        while True:
            await self._once()
            due_s = loop.time() + every_s
            await asyncio.sleep(every_s)
            late_s = loop.time() - due_s
            if late_s > _LATE_S:
                self.late_ticks += 1
                logger.warning("the loop was held up for %.1f s", late_s)
                self._manager.tell(STATUS=f"The loop was held up for {late_s:.1f} s.")

    async def _once(self) -> None:
        try:
            await self._run(_nothing)
        except sqlite3.Error as error:
            logger.warning("the store's writer does not get on: %s", error)
            return
        self._manager.tell(WATCHDOG=1)


def _nothing(db: Database) -> None:
    """A transaction that asks for the write lock and changes nothing."""
    del db
