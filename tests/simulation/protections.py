"""Protections that can be taken away, by name. A lesson without one must break a promise, or the lessons prove nothing.

Each is the product's own part with one thing done as it must not be done.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from gateway import healing, journal
from gateway.alive import Alive
from gateway.beat import Beat
from gateway.drain import Drains
from gateway.journal import Batch
from sync.broker import Acknowledged, Broker, BrokerEvent, Connect, Delivery
from sync.district import store
from sync.messages import EPOCH_BYTES, Announcement, Receipt, number
from sync.outbox import Numbers
from sync.publisher import Publisher
from sync.topics import BoxTopics
from tests.simulation.house import AS_BUILT, House


class DeletesBeforeCommit(Drains):
    """Strokes out of memory count as durable as soon as they have come."""

    def take(self, now_ms: int) -> None:
        """As `Drains.take`."""
        super().take(now_ms)
        self.committed(self._links.from_memory)
        super().take(now_ms)


class ShowsBeforeJournal(Beat):
    """A batch is handed on first, and written then."""

    def _collect(self, now_ms: int) -> Batch:
        batch = super()._collect(now_ms)
        if not batch.is_empty:
            self._committed(batch, [], now_ms)
        return batch


class DeletesOnPuback(Publisher):
    """The broker's acknowledgement is taken for the district's receipt."""

    def __init__(self, connect: Connect, run: Any, topics: BoxTopics, **others: Any) -> None:  # noqa: ANN401  as `Publisher`
        async def trusting(on_event: Callable[[], None]) -> Broker:
            return _Trusted(await connect(on_event), topics)

        super().__init__(trusting, run, topics, **others)


class _Trusted:
    """A connection whose acknowledgements come as receipts."""

    def __init__(self, broker: Broker, topics: BoxTopics) -> None:
        self._broker, self._topics = broker, topics
        self._sent: dict[int, bytes] = {}
        self._generation = ""
        self.subscribe, self.acknowledge, self.close = broker.subscribe, broker.acknowledge, broker.close

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """As `Broker`."""
        ticket = self._broker.publish(topic, payload, retain=retain)
        if topic == self._topics.up:
            self._sent[ticket] = payload
        return ticket

    def take(self) -> list[BrokerEvent]:
        """As `Broker`."""
        events: list[BrokerEvent] = []
        for event in self._broker.take():
            events.append(event)
            if isinstance(event, Delivery) and event.topic == self._topics.ledger:
                self._generation = Announcement.from_json(event.payload).generations[-1][0]
            if isinstance(event, Acknowledged) and self._generation and event.ticket in self._sent:
                told = number(self._sent.pop(event.ticket))
                receipt = Receipt(
                    v=1, epoch=told.epoch.hex(), ok=((told.eseq, told.eseq),), generation=self._generation, pos=0
                )
                events.append(Delivery(self._topics.down, receipt.to_json(), 0, retained=False))
        return events


class _KeptNumbers(Numbers):
    """The epoch lives in the database, so it comes back with a restored disk; numbers go on from what is there."""

    def __init__(self, draw: Callable[[int], bytes], connection: sqlite3.Connection) -> None:
        self._connection = connection
        kept = connection.execute("select v from meta where k = 'test.epoch'").fetchone()
        if kept is None:
            kept = (draw(EPOCH_BYTES),)
            connection.execute("insert into meta(k, v) values ('test.epoch', ?)", kept)
            connection.commit()
        self._kept = bytes(kept[0])
        super().__init__(draw)

    def renew(self) -> None:
        """There is but one epoch."""
        self.epoch, self._last = self._kept, 0

    def take(self) -> tuple[bytes, int]:
        """As `Numbers`."""
        found = self._connection.execute("select max(eseq) from envelope where epoch = ?", (self.epoch,)).fetchone()[0]
        return self.epoch, 1 + (found or 0)


class _NoBeatFile(Alive):
    """Nothing outside the database says how far the box had come."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.before = None


def _known_is_known(self: store.Batch, key: store.Key, kept: bytes, clashes: Any) -> None:  # noqa: ANN401  as `Batch`
    """A number that the ledger has is a repeat, whatever it brings."""
    del kept
    self.answers.ok(key, clashes)
    self.repeats += 1


def _forget(db: Database, *, trusted: bool) -> int:
    del trusted
    db.conn.execute("delete from journal")
    return 0


def _nothing_left(*_: object) -> list[tuple[int, int]]:
    """A drain heals the whole of a gap, also the part in which live ink was under way."""
    return []


PROTECTIONS: Final[dict[str, House]] = {
    "delete_before_commit": replace(AS_BUILT, drains=DeletesBeforeCommit),
    "delete_on_puback": replace(AS_BUILT, publisher=DeletesOnPuback),
    # With the district's check of digests in place, a number that means two envelopes costs only a round more.
    "epoch_in_database": replace(AS_BUILT, numbers=_KeptNumbers, patches=((store.Batch, "known", _known_is_known),)),
    "heal_without_evidence": replace(AS_BUILT, patches=((healing, "shortened", _nothing_left),)),
    "journal_after_screen": replace(AS_BUILT, beat=ShowsBeforeJournal),
    "journal_forgotten": replace(AS_BUILT, patches=((journal, "recover", _forget),)),
    "no_beat_file": replace(AS_BUILT, alive=_NoBeatFile),
    "no_generation": replace(AS_BUILT, has_mark=False),
}


def house_without(protection: str | None) -> House:
    """The product as it is built, or without one protection."""
    return AS_BUILT if protection is None else PROTECTIONS[protection]
