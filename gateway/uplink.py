"""The way to the district: the publisher over the one writer, and what pages and commands are told of it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

from sqlite_utils import Database

from gateway import results
from gateway.errors import BadSetting
from gateway.figures import Figures
from gateway.identity import enrol, shared_name, take_name
from gateway.settings import Settings
from gateway.store import Store
from sync import outbox
from sync.mqtt import box_endpoint, connector
from sync.publisher import Publisher
from sync.status import TWIN
from sync.tls import tls_context
from sync.topics import BoxTopics

T = TypeVar("T")

TWIN_DISK: Final = "identity.twin_disk"


class Uplink:
    """Publishes what the outbox holds. Lives in the loop's thread."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        figures: Figures,
        now_ms: Callable[[], int],
        told_ms: Callable[[int], int] = int,
    ) -> None:
        self._settings, self._store, self._figures, self._now_ms = settings, store, figures, now_ms
        self._told_ms = told_ms
        self._client_id = shared_name(store.reader, settings.box.id)
        self._publisher = self._make()
        self.depth = 0
        """Results without a receipt, at the last look."""
        self.oldest_s: int | None = None

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._store.run(lambda db: take_name(db, self._settings.box.id))
        await self._publisher.run()

    async def finish(self, limit_s: float) -> None:
        """As `Publisher.finish`."""
        await self._publisher.finish(limit_s)

    async def close(self) -> None:
        """Say goodbye to the broker."""
        await self._publisher.close()

    def wake(self) -> None:
        """Results were written."""
        self._publisher.wake()

    async def retry(self) -> int:
        """Offer again what was refused. Returns how many envelopes."""
        return await self._publisher.retry_refused()

    async def enrol(self) -> bool:
        """This machine alone has the box's name from now on. Returns whether it was in doubt.

        The client id changes at the next start: a line that works is not cut for its name.
        """
        known = await self._store.run(enrol)
        self._client_id = None
        return known

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
        return {**asdict(self._publisher.status()), "alarms": self.alarms()}

    def alarms(self) -> list[str]:
        """Codes of what only a person can cure about who this box is."""
        alarms = [TWIN_DISK] if self._client_id is not None else []
        return [*alarms, TWIN] if self._publisher.status().reason == TWIN else alarms

    def _make(self) -> Publisher:
        box, sync = self._settings.box, self._settings.sync
        try:
            topics = BoxTopics(district=box.district, school=box.school, box=box.id)
            tls = tls_context(ca_file=sync.ca_file, cert_file=sync.cert_file, key_file=sync.key_file)
            endpoint = box_endpoint(sync.broker, sync.protocol, topics, client_id=self._client_id or "", tls=tls)
        except ValueError as error:
            raise BadSetting(f"[box] or [sync] cannot be used: {error}") from None
        return Publisher(connector(endpoint), self._run, topics, now_ms=self._now_ms, on_receipted=self._on_receipted)

    async def _run(self, work: Callable[[Database], T]) -> T:
        """The one writer; a revision that the outbox raises gets its grade row in the same transaction."""

        def with_grades(db: Database) -> T:
            said = work(db)
            if _has_raised(said):
                results.explain_raised(db, now_ms=self._now_ms())
            return said

        return await self._store.run(with_grades)

    def _on_receipted(self, made_ms: Sequence[int]) -> None:
        now_ms = self._told_ms(self._now_ms())
        self._figures.grade_to_receipt.extend(now_ms - made for made in made_ms)


def _has_raised(said: object) -> bool:
    """Whether what the outbox booked, one thing or many, made it raise a revision."""
    if isinstance(said, outbox.Booked):
        return said.raised > 0
    return isinstance(said, list | tuple) and any(_has_raised(each) for each in said)
