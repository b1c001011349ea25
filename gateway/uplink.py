"""The way to the district: the publisher over the one writer, and what pages and commands are told of it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlite_utils import Database

from gateway.errors import BadSetting
from gateway.figures import Figures
from gateway.settings import Settings
from gateway.store import Store
from sync import outbox
from sync.mqtt import box_endpoint, connector
from sync.publisher import Publisher
from sync.topics import BoxTopics


class Uplink:
    """Publishes what the outbox holds. Lives in the loop's thread."""

    def __init__(self, settings: Settings, store: Store, figures: Figures, now_ms: Callable[[], int]) -> None:
        self._store, self._figures, self._now_ms = store, figures, now_ms
        box = settings.box
        try:
            topics = BoxTopics(district=box.district, school=box.school, box=box.id)
            endpoint = box_endpoint(settings.sync.broker, settings.sync.protocol, topics)
        except ValueError as error:
            raise BadSetting(f"[box] or [sync] cannot be used: {error}") from None
        self._publisher = Publisher(
            connector(endpoint), store.run, topics, now_ms=now_ms, on_receipted=self._on_receipted
        )
        self.depth = 0
        """Results without a receipt, at the last look."""
        self.oldest_s: int | None = None

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._publisher.run()

    async def close(self) -> None:
        """Say goodbye to the broker."""
        await self._publisher.close()

    def wake(self) -> None:
        """Results were written."""
        self._publisher.wake()

    def look(self) -> None:
        """Bring depth and age up to date, from the store as it is committed."""
        try:
            found = outbox.depth(Database(self._store.reader))
        except sqlite3.OperationalError:
            return
        self.depth = found.results
        self.oldest_s = None if found.oldest_ms is None else max(0, self._now_ms() - found.oldest_ms) // 1000

    def view(self) -> dict[str, Any]:
        """How the publisher does, for `sync status`."""
        return asdict(self._publisher.status())

    def _on_receipted(self, made_ms: Sequence[int]) -> None:
        now_ms = self._now_ms()
        self._figures.grade_to_receipt.extend(now_ms - made for made in made_ms)
