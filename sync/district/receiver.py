"""The receiver: takes envelopes from the broker, stores them, answers with receipts, and only then acknowledges.

The order is the promise: one transaction for a batch, then the receipts, then the broker's acknowledgement. Whatever
dies in between, the broker or the box sends again what has no receipt, and the store makes it once. A store that is
away stops everything but the waiting; nothing is acknowledged meanwhile.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from sync.broker import Backoff, Broker, Connect, Delivery, Gone
from sync.district.proofs import Proofs
from sync.district.store import DistrictStore, Incoming
from sync.errors import BrokerUnreachable, NotAuthorized, StoreUnavailable
from sync.messages import HEALTH_ONLINE, Announcement
from sync.topics import BoxTopics, health_filter, ledger_topic, up_filter

T = TypeVar("T")

logger = logging.getLogger(__name__)

BATCH: Final = 400
"""Messages of one transaction at most."""
_LEAST: Final = 16
_IDLE_S: Final = 1.0
_AFTER_FAULT_S: Final = 5.0
ANNOUNCE_AGAIN_MS: Final = 300_000
"""A broker may say yes and drop it: a box that missed an announcement hears the next one."""


@dataclass(slots=True)
class ReceiverCounts:
    """What came since this start."""

    connections: int = 0
    messages: int = 0
    envelopes: int = 0
    rows: int = 0
    repeats: int = 0
    conflicts: int = 0
    quarantined: int = 0
    receipts: int = 0
    ignored: int = 0
    """Messages on topics that are none of ours."""


class Receiver:
    """Serves one district with one store. `run` until cancelled or `close`d."""

    def __init__(
        self,
        connect: Connect,
        store: DistrictStore,
        district: str,
        *,
        shared: bool = False,
        tick_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        backoff: Backoff | None = None,
    ) -> None:
        """Nothing starts before `run`.

        Args:
            connect: Makes a connection with manual acknowledgement; see `sync.mqtt.connector`.
            store: Used in a thread of its own, never in two at once.
            district: Opaque id.
            shared: Share the boxes with other receivers; the broker must know shared subscriptions.
            tick_ms: Milliseconds of a clock that never goes back.
            now_ms: Milliseconds UTC, shown in proofs.
            backoff: Waits between tries, for broker and store alike.
        """
        self._connect, self._store, self._district = connect, store, district
        self._filter = up_filter(district, shared=shared)
        self._tick_ms, self._now_ms = tick_ms, now_ms
        self._proofs = Proofs(tick_ms())
        self._backoff = Backoff(most_s=10.0) if backoff is None else backoff
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="district-store")
        self._announcement: Announcement | None = None
        self._link: Broker | None = None
        self._pending: deque[Delivery] = deque()
        self._retry_ms = self._announce_ms = tick_ms()
        self._said = ""
        self._woken = asyncio.Event()
        self._closing = False
        self._ended = asyncio.Event()
        self._ended.set()
        self.counts: Final = ReceiverCounts()

    async def run(self) -> None:
        """Receive until `close`, or until cancelled."""
        self._ended.clear()
        try:
            while not self._closing:
                try:
                    pause_s = await self.step()
                except Exception:  # a message or a store did what nobody thought of: come back, never end
                    logger.exception("Receiving failed; it is tried again")
                    await self._drop()
                    await self._shut_store()
                    pause_s = _AFTER_FAULT_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            await self._drop()
            await self._shut_store()
            self._thread.shutdown()
            self._ended.set()

    async def close(self) -> None:
        """End `run`; what is not yet stored comes again."""
        self._closing = True
        self._woken.set()
        await self._ended.wait()

    async def step(self) -> float:
        """Do all that is due. Returns how many seconds may pass until the next step, if nothing wakes it."""
        if self._tick_ms() >= self._retry_ms:
            if self._announcement is None:
                await self._open_store()
            if self._link is None and self._announcement is not None:
                await self._come()
        if self._link is not None:
            await self._hear(self._link)
        while self._link is not None and self._announcement is not None and self._pending:
            await self._take(self._link)
        if self._link is not None and self._announcement is not None:
            await self._prove(self._link)
        if self._link is not None and self._announcement is not None and self._tick_ms() >= self._announce_ms:
            self._announce(self._link, self._announcement)
        waiting = self._link is None or self._announcement is None
        return max(0, self._retry_ms - self._tick_ms()) / 1000 if waiting else _IDLE_S

    async def _open_store(self) -> None:
        try:
            self._announcement = await self._in_thread(self._store.open)
        except StoreUnavailable as error:
            self._wait(str(error))
            return
        logger.info("The store is open; generation %s", self._announcement.generations[-1][0])
        if self._link is not None:
            self._announce(self._link, self._announcement)

    async def _come(self) -> None:
        try:
            link = await self._connect(self._woken.set)
        except (BrokerUnreachable, NotAuthorized) as error:
            self._wait(str(error))
            return
        try:
            await link.subscribe(self._filter)
            with contextlib.suppress(NotAuthorized, BrokerUnreachable):  # tells proofs to boxes with nothing to send
                await link.subscribe(health_filter(self._district))
        except (BrokerUnreachable, NotAuthorized) as error:
            await link.close()
            self._wait(str(error))
            return
        self._proofs.begin_again()
        self._link, self._said = link, ""
        self._backoff.reset()
        self.counts.connections += 1
        logger.info("Connected to the broker")
        if self._announcement is not None:
            self._announce(link, self._announcement)

    def _announce(self, link: Broker, announcement: Announcement) -> None:
        """Tell every box that the district is there; what has no receipt comes at once."""
        link.publish(ledger_topic(self._district), announcement.to_json(), retain=True)
        self._announce_ms = self._tick_ms() + ANNOUNCE_AGAIN_MS

    def _wait(self, words: str) -> None:
        self._retry_ms = self._tick_ms() + round(self._backoff.next_s() * 1000)
        if words != self._said:
            logger.warning("Waiting: %s", words)
        self._said = words

    async def _hear(self, link: Broker) -> None:
        gone: Gone | None = None
        for event in link.take():
            if isinstance(event, Delivery) and (topics := BoxTopics.of_health(event.topic)) is not None:
                if topics.district == self._district and event.payload == HEALTH_ONLINE:
                    self._proofs.changed(topics)
                link.acknowledge(event.ticket)
            elif isinstance(event, Delivery):
                self._pending.append(event)
            elif isinstance(event, Gone):
                gone = event
        if gone is not None:
            # What was not acknowledged comes again: from the broker, or from the box.
            await self._drop()
            self._wait(f"the connection to the broker went: {gone.words}")

    async def _take(self, link: Broker) -> None:
        """One transaction, then receipts, then acknowledgements. A store that is away leaves the batch as it is."""
        # Half of what is here: its receipts make boxes send more while the other half is stored.
        size = min(BATCH, max(_LEAST, -(-len(self._pending) // 2)))
        batch = list(itertools.islice(self._pending, size))
        boxes: dict[str, BoxTopics] = {}
        incoming = []
        for delivery in batch:
            topics = BoxTopics.of_up(delivery.topic)
            if topics is None or topics.district != self._district:
                self.counts.ignored += 1
                continue
            boxes[topics.box] = topics
            incoming.append(Incoming(topics.box, delivery.payload))
        if incoming:
            try:
                taken = await self._in_thread(lambda: self._store.take(incoming))
            except StoreUnavailable as error:
                await self._shut_store()
                self._wait(str(error))
                return
            if self._said:
                logger.info("The store takes results again")
                self._said = ""
                self._backoff.reset()
            if taken.announcement is not None:
                self._announcement = taken.announcement
                self._announce(link, taken.announcement)
            for box, receipt in taken.receipts:
                link.publish(boxes[box].down, receipt.to_json())
                self._proofs.changed(boxes[box])
            counts = self.counts
            counts.messages += len(incoming)
            counts.envelopes += taken.envelopes
            counts.rows += taken.rows
            counts.repeats += taken.repeats
            counts.conflicts += taken.conflicts
            counts.quarantined += taken.quarantined
            counts.receipts += len(taken.receipts)
            self._log(taken.conflicts, taken.quarantined)
        for delivery in batch:
            link.acknowledge(delivery.ticket)
            self._pending.popleft()

    async def _prove(self, link: Broker) -> None:
        """Tell boxes the district's sums of them, where these have changed."""
        began_ms = self._tick_ms()
        boxes = self._proofs.due(began_ms)
        if not boxes:
            return
        try:
            sums = await self._in_thread(lambda: self._store.sums(boxes))
        except StoreUnavailable as error:
            await self._shut_store()
            self._wait(str(error))
            return
        told = self._proofs.told(boxes, sums, began_ms=began_ms, now_ms=self._tick_ms(), at_ms=self._now_ms())
        for topic, payload in told:
            link.publish(topic, payload, retain=True)

    def _log(self, conflicts: int, quarantined: int) -> None:
        if conflicts:
            logger.warning("%d rows are here with other content; the first ones stay", conflicts)
        if quarantined:
            logger.warning("%d messages cannot be read; they are in quarantine", quarantined)

    async def _drop(self) -> None:
        """The connection is over. The store is opened again before the next, lest old generations are announced."""
        link, self._link = self._link, None
        self._announcement = None
        self._pending.clear()
        if link is not None:
            await link.close()

    async def _shut_store(self) -> None:
        self._announcement = None
        await self._in_thread(self._store.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
