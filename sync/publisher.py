"""The box's end of the way to the district: seals fresh rows, offers envelopes, books receipts, and comes back.

The outbox is the only queue. At each connection everything that waits is offered again in order; nothing but a receipt
ends an envelope (a broker's acknowledgement is flow control: it says yes even where nothing is delivered). All
writing goes through the gateway's one writer. `step` does what is due and returns; `run` repeats it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from sqlite_utils import Database

from sync import outbox, sums
from sync.broker import (
    REASON_FAILURE,
    REASON_NOT_AUTHORIZED,
    Acknowledged,
    Backoff,
    Broker,
    Connect,
    Delivery,
    Gone,
)
from sync.comeback import LONG_PAUSE_MS, Comeback
from sync.errors import BrokerUnreachable, NotAuthorized, Unreadable
from sync.hearing import Hearing
from sync.messages import HEALTH_OFFLINE, HEALTH_ONLINE, Announcement, Proof, Receipt, number
from sync.outbox import NOT_AUTHORIZED, Booked, Numbers, Offer
from sync.status import BROKER_REFUSES, NO_RECEIPT, TWIN, UNREACHABLE, Counts, PublisherStatus
from sync.topics import BoxTopics
from sync.window import MOST, Window

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SEAL_EVERY_MS: Final = 300
_STUCK_MS: Final = 60_000
"""So long may a full window wait for a broker that acknowledges nothing; then the connection is made anew."""
_AFTER_FAULT_MS: Final = 5_000


class Run(Protocol):
    """The gateway's one writer: runs work in a transaction of its own and gives back its result."""

    def __call__(self, work: Callable[[Database], T], /) -> Awaitable[T]:
        """Run it; an error of the work comes back as it is, with the transaction undone."""


class _Link:
    """What belongs to one connection and dies with it."""

    def __init__(self, broker: Broker, now_ms: int, *, careful: bool) -> None:
        self.broker = broker
        self.window = Window(now_ms, careful=careful)
        self.answered = False
        """Whether the broker said anything to an envelope."""
        self.unacknowledged: dict[int, int] = {}
        """Ticket to envelope: what the client library still holds."""
        self.since_ms = self.heard_ms = now_ms
        self.more = True
        """Whether the outbox may hold envelopes beyond the window's cursor."""

    def begin_again(self) -> None:
        """Everything that waits is to be offered, at once."""
        self.window.begin_again()
        self.more = True


class Publisher:
    """Delivers one box's results. `run` until cancelled or `close`d; `wake` after results were written."""

    def __init__(
        self,
        connect: Connect,
        run: Run,
        topics: BoxTopics,
        *,
        numbers: Numbers | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        tick_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        backoff: Backoff | None = None,
        on_receipted: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        """Nothing starts before `run`.

        Args:
            connect: Makes a connection; see `sync.mqtt.connector`.
            run: The one writer of the database that holds the outbox.
            topics: The box's.
            numbers: Where envelopes get their numbers; drawn anew at each start, never kept.
            now_ms: Milliseconds UTC, for what is written and shown. No decision uses it.
            tick_ms: Milliseconds of a clock that never goes back, for all waiting.
            backoff: Waits between tries to connect.
            on_receipted: Told when each result of a receipt was made, in milliseconds UTC.
        """
        self._connect, self._run, self._topics = connect, run, topics
        self._numbers = Numbers() if numbers is None else numbers
        self._now_ms, self._tick_ms = now_ms, tick_ms
        self._comeback = Comeback(tick_ms(), Backoff() if backoff is None else backoff)
        self._on_receipted = on_receipted
        self._link: _Link | None = None
        self._counts = Counts()
        self._hearing = Hearing()
        self._offered_to = 0
        self._reason: str | None = None
        self._refusal: str | None = None
        self._since_ms = now_ms()
        self._last_receipt_ms: int | None = None
        self._sealed_ms = tick_ms() - _SEAL_EVERY_MS
        self._woken, self._stepped = asyncio.Event(), asyncio.Event()
        self._rows_waiting = self._started = self._closing = self._careful = False
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Deliver until `close`, or until cancelled. A fault of the store is logged, and tried again."""
        self._ended.clear()
        try:
            while not self._closing:
                try:
                    pause_s = await self.step()
                except Exception:  # whatever the store or a message did, delivery must come back
                    logger.exception("Delivery to the district failed; it is tried again")
                    await self._drop(None)
                    self._comeback.retry_ms = self._tick_ms() + _AFTER_FAULT_MS
                    pause_s = _AFTER_FAULT_MS / 1000
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            await self._good_bye()
            self._ended.set()

    async def close(self) -> None:
        """Say good-bye to the broker and end `run`; what waits stays in the outbox."""
        self._closing = True
        self._woken.set()
        await self._ended.wait()

    async def finish(self, limit_s: float) -> None:
        """Offer what was just written and wait a moment for its receipts, while there is a connection; for an end.

        What has no receipt by then stays in the outbox, as always.
        """
        self._sealed_ms = self._tick_ms() - _SEAL_EVERY_MS
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._link is not None and await self._run(outbox.waits):
                    self._stepped.clear()
                    await self._stepped.wait()

    def wake(self) -> None:
        """Results were written: seal at once if a hundred wait."""
        self._rows_waiting = True
        self._woken.set()

    async def retry_refused(self) -> int:
        """Send again what broker or district refused: a person has seen to the cause. Returns how many envelopes."""
        count = await self._run(lambda db: outbox.readmit(db, why=None))
        self._refusal = None
        self._comeback.now(self._tick_ms())
        if count and self._link is not None:
            self._link.begin_again()
        self._woken.set()
        return count

    def status(self) -> PublisherStatus:
        """How it goes."""
        link, counts = self._link, self._counts
        reason = self._refusal or self._reason
        if self._comeback.twin(self._tick_ms()):
            reason = TWIN
        if link is not None and reason is None and link.window.size == 1:
            reason = NO_RECEIPT
        return PublisherStatus(
            state="offline" if link is None else "online",
            reason=reason,
            since_ms=self._since_ms,
            connections=counts.connections,
            under_way=0 if link is None else link.window.under_way,
            window=0 if link is None else link.window.size,
            offered=counts.offered,
            resent=counts.resent,
            receipts=counts.receipts,
            receipted=counts.receipted,
            refused=counts.refused,
            raised=counts.raised,
            foreign=counts.foreign,
            unreadable=counts.unreadable,
            last_receipt_ms=self._last_receipt_ms,
        )

    async def step(self) -> float:
        """Do all that is due. Returns how many seconds may pass until the next step, if nothing wakes it."""
        if not self._started:
            # A start may follow a new enrolment: what the access list once turned away is tried once more.
            await self._run(outbox.readmit)
            self._started = True
        if self._link is None and self._tick_ms() >= self._comeback.retry_ms:
            await self._come()
        await self._hear()
        await self._seal()
        await self._offer()
        self._stepped.set()
        return max(0, self._sealed_ms + _SEAL_EVERY_MS - self._tick_ms()) / 1000

    async def _come(self) -> None:
        broker: Broker | None = None
        try:
            broker = await self._connect(self._woken.set)
            await broker.subscribe(self._topics.down, self._topics.ledger)
            with contextlib.suppress(NotAuthorized, BrokerUnreachable):  # an access list from before there was a proof
                await broker.subscribe(self._topics.proof)
        except BaseException as error:
            if broker is not None:
                await broker.close()
            if not isinstance(error, (BrokerUnreachable, NotAuthorized)):
                raise
            self._wait(NOT_AUTHORIZED if isinstance(error, NotAuthorized) else UNREACHABLE, str(error))
            return
        broker.publish(self._topics.health, HEALTH_ONLINE, retain=True)
        self._link = _Link(broker, self._tick_ms(), careful=self._careful)
        self._hearing.connected()
        self._counts.connections += 1
        self._since_ms, self._reason = self._now_ms(), None
        logger.info("Connected to the broker")

    def _wait(self, reason: str, words: str) -> None:
        """No connection was made: note why, and when to try again."""
        refused = NOT_AUTHORIZED in {reason, self._refusal}
        self._comeback.pause(self._tick_ms(), at_least_ms=LONG_PAUSE_MS if refused else 0)
        self._say(reason, words)

    def _say(self, reason: str, words: str) -> None:
        if reason != self._reason:
            logger.warning("No way to the district (%s): %s", reason, words)
        self._reason = reason

    async def _drop(self, gone: Gone | None) -> None:
        """The connection is over; results wait in the outbox."""
        link, self._link = self._link, None
        if link is None:
            return
        self._since_ms = self._now_ms()
        await link.broker.close()
        # A broker that closes right after its no: what was still coming makes the line forget that no was said.
        self._careful = bool(link.unacknowledged) and not link.answered
        least_ms = LONG_PAUSE_MS if self._refusal == NOT_AUTHORIZED else 0
        reason = self._comeback.lost(gone, since_ms=link.since_ms, now_ms=self._tick_ms(), at_least_ms=least_ms)
        self._say(reason, "closed" if gone is None else gone.words)

    async def _good_bye(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.broker.publish(self._topics.health, HEALTH_OFFLINE, retain=True)
            await link.broker.close()
            self._since_ms = self._now_ms()

    async def _hear(self) -> None:
        """Take what came, book it in one transaction, and notice a connection that is over or does nothing."""
        link = self._link
        if link is None:
            return
        work: list[Callable[[Database], Booked]] = []
        gone = self._sort(link, work)
        if work:
            booked, made = await self._run(lambda db: self._book(db, work))
            self._apply(link, booked)
            if made and self._on_receipted is not None:
                self._on_receipted(made)
        full = len(link.unacknowledged) >= MOST
        if gone is None and full and self._tick_ms() - link.heard_ms >= _STUCK_MS:
            gone = Gone(0, "the broker acknowledges nothing")
        elif gone is None and self._hearing.is_deaf(link.window.under_way, self._tick_ms()):
            gone = Gone(0, "the broker takes everything and brings nothing")
        if gone is not None:
            await self._drop(gone)

    def _sort(self, link: _Link, work: list[Callable[[Database], Booked]]) -> Gone | None:
        """What came becomes work for one transaction. Returns the end of the connection, if it is that."""
        gone: Gone | None = None
        for event in link.broker.take():
            match event:
                case Delivery():
                    self._read(link, event, work)
                    link.broker.acknowledge(event.ticket)
                case Acknowledged(ticket, reason):
                    link.heard_ms = self._tick_ms()
                    envelope = link.unacknowledged.pop(ticket, None)
                    link.answered = link.answered or envelope is not None
                    if envelope is not None and reason >= REASON_FAILURE:
                        self._turned_away(link, envelope, reason, work)
                case Gone():
                    gone = event
        return gone

    def _read(self, link: _Link, event: Delivery, work: list[Callable[[Database], Booked]]) -> None:
        try:
            if event.topic == self._topics.down:
                receipt = Receipt.from_json(event.payload)
                self._counts.receipts += 1
                self._last_receipt_ms = self._now_ms()
                self._hearing.receipt(receipt.generation, receipt.pos)
                work.append(lambda db: outbox.book(db, receipt, self._numbers))
            elif event.topic == self._topics.ledger:
                announcement = Announcement.from_json(event.payload)
                if not event.retained:  # the district is there now: offer at once, whatever the waits were
                    link.begin_again()
                work.append(lambda db: outbox.announced(db, announcement))
            elif event.topic == self._topics.proof:
                proof = Proof.from_json(event.payload)
                self._hearing.proof(proof.generation, proof.pos)
                work.append(lambda db: self._keep(db, proof))
        except Unreadable as error:
            self._counts.unreadable += 1
            logger.warning("A message of the district cannot be read: %s", error)

    def _keep(self, db: Database, proof: Proof) -> Booked:
        sums.keep(db, proof, now_ms=self._now_ms())
        return Booked()

    def _turned_away(self, link: _Link, envelope: int, reason: int, work: list[Callable[[Database], Booked]]) -> None:
        """The broker, by MQTT 5, says no. Only a no of the access list is final."""
        link.window.shut(self._tick_ms())
        if reason != REASON_NOT_AUTHORIZED:
            self._refusal = BROKER_REFUSES
            return
        self._refusal = NOT_AUTHORIZED
        link.window.forget(envelope)

        def refuse(db: Database) -> Booked:
            refused = outbox.refuse(db, envelope, NOT_AUTHORIZED)
            return Booked(refused=(NOT_AUTHORIZED,) if refused else ())

        work.append(refuse)

    def _book(self, db: Database, work: Sequence[Callable[[Database], Booked]]) -> tuple[list[Booked], list[int]]:
        booked = [one(db) for one in work]
        made: list[int] = []
        if self._on_receipted is not None:
            made = outbox.made_ms(db, [envelope for one in booked for envelope in one.receipted])
        return booked, made

    def _apply(self, link: _Link, booked: Sequence[Booked]) -> None:
        counts, window = self._counts, link.window
        for one in booked:
            window.ended(one.ended, self._tick_ms())
            if one.receipted:
                self._refusal = None
            counts.receipted += one.results
            counts.refused += len(one.refused)
            counts.raised += one.raised
            counts.foreign += one.foreign
            if one.strange:
                self._comeback.strange(self._tick_ms())
            for why in one.refused:
                logger.error("An envelope was refused (%s); it is kept", why)
            if one.foreign or one.raised:
                logger.warning("Conflicts: %d went up a revision, %d are not ours", one.raised, one.foreign)
            if one.waiting_again:
                link.begin_again()
                logger.warning("The district went back: %d envelopes wait again", one.waiting_again)

    async def _seal(self) -> None:
        due = self._tick_ms() - self._sealed_ms >= _SEAL_EVERY_MS
        if not due and not self._rows_waiting:
            return
        self._rows_waiting = False
        sealed = await self._run(lambda db: outbox.seal_all(db, self._numbers, now_ms=self._now_ms(), rest=due))
        if due:
            self._sealed_ms = self._tick_ms()
        if sealed and self._link is not None:
            self._link.more = True
        if sealed >= outbox.SEALS_A_STEP:
            self.wake()

    async def _offer(self) -> None:
        link = self._link
        if link is None:
            return
        window, now_ms = link.window, self._tick_ms()
        free = MOST - len(link.unacknowledged)
        again = window.due(now_ms) if free > 0 else []
        room = min(window.room, free - len(again))
        if now_ms < window.paused_until_ms():
            room = 0
        if not again and not (link.more and room > 0):
            return
        cursor = window.cursor
        late, fresh = await self._run(
            lambda db: (
                [(envelope, outbox.waiting(db, envelope)) for envelope in again],
                outbox.offerable(db, after_id=cursor, limit=room) if room > 0 else [],
            )
        )
        for envelope, offer in late:
            if offer is None:
                window.forget(envelope)
            else:
                self._send(link, offer)
        for offer in fresh:
            if window.offered(offer.id, now_ms):
                self._send(link, offer)
        link.more = link.more and (room <= 0 or len(fresh) == room)

    def _send(self, link: _Link, offer: Offer) -> None:
        ticket = link.broker.publish(self._topics.up, offer.payload)
        link.unacknowledged[ticket] = offer.id
        rows = number(offer.payload).rows
        self._counts.offered += rows
        if offer.id <= self._offered_to:
            self._counts.resent += rows
        self._offered_to = max(self._offered_to, offer.id)
