"""The box looks after its disk: what stops when room gets short, what goes on, and how all of it comes back.

Low: pens' memories are not drained, receipted envelopes go, oldest first. Full: links are hung up and pens are not
linked, so that they keep their ink themselves; what was in flight is a loss of the cause `disk_full`; the reserve is
free for results and receipts; commands that write are refused. Space back: all of it resumes without a restart.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlite_utils import Database

from gateway import keeping
from gateway.disk import Disk
from gateway.errors import TryLater
from gateway.linking import Linking
from gateway.settings import Settings
from gateway.store import Store
from gateway.words import say

logger = logging.getLogger(__name__)

T = TypeVar("T")

FULL: Final = "disk.full"
LOW: Final = "disk.low"
DAMAGED: Final = "store.damaged"

_PRUNE_EVERY_MS: Final = 3_600_000
_PRUNE_LOW_EVERY_MS: Final = 10_000


class Guard:
    """Looks at the disk and acts on it. Lives in the loop's thread; `look` is called twice a second."""

    def __init__(self, settings: Settings, store: Store, linking: Linking, now_ms: Callable[[], int]) -> None:
        self._settings, self._store, self._linking, self._now_ms = settings, store, linking, now_ms
        keep = settings.disk
        self.disk = Disk(settings.box.folder, low_mb=keep.low_mb, reserve_mb=keep.reserve_mb)
        self.damaged = ""
        """The name of a damaged store that was put aside and is not joined; empty if there is none."""
        self._filled_up = 0
        self._pruned_ms = 0
        linking.refusing = lambda: not self.disk.takes_ink

    def allows(self) -> bool:
        """Whether what may wait may take room now."""
        return self.disk.allows

    async def look(self) -> None:
        """Look, and act where the level has changed."""
        if self._store.filled_up != self._filled_up:
            self._filled_up = self._store.filled_up
            self.disk.refused()
        before = self.disk.level
        try:
            level = await asyncio.to_thread(self.disk.look)
        except OSError as error:
            logger.warning("the disk cannot be looked at: %s", error.strerror)
            return
        if level == "full" and before != "full":
            await self._linking.refuse("disk.full")
        if level != before:
            self._pruned_ms = 0
        await self._prune()

    def write_or_refuse(self) -> None:
        """Refuse a command that would write while the disk is full.

        Raises:
            TryLater: It is.
        """
        if not self.disk.takes_ink:
            raise TryLater(f"{say(FULL, 'en', **self.params())} {say(f'{FULL}.cure', 'en')}")

    async def writing(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever the errand answers
        """Do an errand that writes; a store that does not take it now is a reason to try later, not a failure.

        Raises:
            TryLater: The disk is full, or somebody else has the store.
        """
        self.write_or_refuse()
        try:
            return await work()
        except sqlite3.OperationalError as error:
            raise TryLater(
                f"The store does not take it now ({error}); nothing was changed. Try again later."
            ) from error

    def params(self) -> dict[str, int]:
        """Numbers for the sentences."""
        return {"free_mb": self.disk.free_bytes >> 20}

    async def take_up(self) -> None:
        """After a start, or when a new store has taken the place of a damaged one."""

        def read(db: Database) -> str:
            row = db.conn.execute("select v from box where k = 'store_damaged'").fetchone()
            return str(row[0]) if row is not None else ""

        self.damaged = await self._store.run(read)

    async def _prune(self) -> None:
        low, now_ms = not self.disk.allows, self._now_ms()
        if now_ms - self._pruned_ms < (_PRUNE_LOW_EVERY_MS if low else _PRUNE_EVERY_MS):
            return
        keep_days = self._settings.sync.keep_days
        try:
            count = await self._store.run(lambda db: keeping.prune(db, now_ms=now_ms, keep_days=keep_days, low=low))
        except sqlite3.OperationalError as error:
            logger.info("receipted envelopes cannot go now: %s", error)
            count = 0
        if count < keeping.PRUNED_AT_ONCE:
            self._pruned_ms = now_ms
        if count:
            logger.info("%d receipted envelopes are let go; their results stay", count)
