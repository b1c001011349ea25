"""A broker in memory that can be as bad as real ones: it drops, doubles, reorders, says yes and means no, and forgets.

`tests/contracts/broker_contract.py` holds for it as for a real broker when no fault is switched on.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.broker import Acknowledged, BrokerEvent, Connect, Delivery, Gone
from sync.errors import BrokerUnreachable, NotAuthorized


@dataclass
class Faults:
    """How likely each is, 0 to 1, for envelopes and receipts alike."""

    drop: float = 0.0
    double: float = 0.0
    reorder: float = 0.0


@dataclass
class _Session:
    topics: set[str] = field(default_factory=set)
    waiting: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """Delivered or queued, and not acknowledged by the client."""


class Hub:
    """The broker. `connector` gives what Publisher and Receiver take."""

    def __init__(self, seed: int = 0) -> None:
        self.chance = random.Random(seed)  # noqa: S311  the same faults for the same seed
        self.faults = Faults()
        self.up = True
        self.acknowledges = True
        self.denied: dict[str, int | None] = {}
        """Topics nobody may publish to, with MQTT 5's reason, or None for a plain yes that delivers nothing."""
        self.refused_topics: set[str] = set()
        """Topics that nobody may subscribe to."""
        self.let_in = True
        self.published: list[tuple[str, bytes]] = []
        self._links: dict[str, HubBroker] = {}
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, bytes] = {}
        self._tickets = 0

    def connector(
        self,
        client_id: str,
        *,
        will: tuple[str, bytes] | None = None,
        manual_ack: bool = False,
        keep_session: bool = False,
    ) -> Connect:
        """What makes connections for this client."""

        async def connect(on_event: Callable[[], None]) -> "HubBroker":
            if not self.up:
                raise BrokerUnreachable("no broker")
            if not self.let_in:
                raise NotAuthorized("not let in")
            if client_id in self._links:
                self._links[client_id].lose(Gone(0x8E, "taken over"))
            if not keep_session:
                self._sessions[client_id] = _Session()
            session = self._sessions.setdefault(client_id, _Session())
            link = HubBroker(self, client_id, session, on_event, will=will, manual_ack=manual_ack)
            self._links[client_id] = link
            for ticket, (topic, payload) in sorted(session.waiting.items()):
                link.push(Delivery(topic, payload, ticket, retained=False))
            return link

        return connect

    def connected(self, client_id: str) -> bool:
        """Whether this client is connected."""
        return client_id in self._links

    def cut(self, client_id: str) -> None:
        """The line of a client dies; its last will is told."""
        if client_id in self._links:
            self._links[client_id].lose(Gone(0, "cut"))

    def crash(self, *, wipe: bool) -> None:
        """All connections die, without wills; what the broker kept is gone if `wipe`."""
        for link in list(self._links.values()):
            link.will = None
            link.lose(Gone(0, "crash"))
        if wipe:
            self._sessions.clear()
            self._retained.clear()
        self.up = False

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish as somebody."""
        if retain:
            self._retained[topic] = payload
        for client_id, session in self._sessions.items():
            if any(_fits(pattern, topic) for pattern in session.topics):
                self._deliver(client_id, session, topic, payload)

    def accept(self, link: "HubBroker", topic: str, payload: bytes, *, retain: bool) -> int:
        """A client publishes."""
        self._tickets += 1
        ticket = self._tickets
        self.published.append((topic, payload))
        reason = 0
        denied = topic in self.denied
        if denied:
            reason = self.denied[topic] or 0
        if self.acknowledges:
            link.push(Acknowledged(ticket, reason))
        lossy = topic.endswith(("/up", "/down"))
        if not denied and not (lossy and self.chance.random() < self.faults.drop):
            self.say(topic, payload, retain=retain)
            if lossy and self.chance.random() < self.faults.double:
                self.say(topic, payload)
        return ticket

    def subscribed(self, link: "HubBroker", topics: tuple[str, ...]) -> None:
        """A client subscribes: it gets what is retained."""
        link.session.topics.update(topics)
        for topic, payload in self._retained.items():
            if any(_fits(pattern, topic) for pattern in topics):
                self._tickets += 1
                link.push(Delivery(topic, payload, self._tickets, retained=True))

    def left(self, link: "HubBroker") -> None:
        """A client is gone."""
        if self._links.get(link.client_id) is link:
            del self._links[link.client_id]

    def _deliver(self, client_id: str, session: _Session, topic: str, payload: bytes) -> None:
        self._tickets += 1
        link = self._links.get(client_id)
        session.waiting[self._tickets] = (topic, payload)
        if link is None:
            return
        delivery = Delivery(topic, payload, self._tickets, retained=False)
        if not link.manual_ack:
            del session.waiting[self._tickets]
        link.push(delivery, early=self.chance.random() < self.faults.reorder)


class HubBroker:
    """One connection to a hub."""

    def __init__(
        self,
        hub: Hub,
        client_id: str,
        session: _Session,
        on_event: Callable[[], None],
        *,
        will: tuple[str, bytes] | None,
        manual_ack: bool,
    ) -> None:
        self.hub, self.client_id, self.session, self.on_event = hub, client_id, session, on_event
        self.will, self.manual_ack = will, manual_ack
        self.over = False
        self._events: list[BrokerEvent] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """As `Broker`."""
        return 0 if self.over else self.hub.accept(self, topic, payload, retain=retain)

    async def subscribe(self, *topics: str) -> None:
        """As `Broker`."""
        if self.over:
            raise BrokerUnreachable("gone")
        if self.hub.refused_topics.intersection(topics):
            raise NotAuthorized("not this topic")
        self.hub.subscribed(self, topics)

    def take(self) -> list[BrokerEvent]:
        """As `Broker`."""
        taken, self._events = self._events, []
        return taken

    def acknowledge(self, ticket: int) -> None:
        """As `Broker`."""
        if not self.over:
            self.session.waiting.pop(ticket, None)

    async def close(self) -> None:
        """As `Broker`."""
        self.over = True
        self.hub.left(self)

    def push(self, event: BrokerEvent, *, early: bool = False) -> None:
        """Something for the client; `early` lets it overtake what it has not taken yet."""
        self._events.insert(0 if early else len(self._events), event)
        self.on_event()

    def lose(self, gone: Gone) -> None:
        """The connection dies."""
        if self.over:
            return
        self.over = True
        self.hub.left(self)
        self.push(gone)
        if self.will is not None:
            self.hub.say(*self.will, retain=True)


def _fits(pattern: str, topic: str) -> bool:
    wanted = pattern.removeprefix("$share/district/").split("/")
    parts = topic.split("/")
    return len(wanted) == len(parts) and all(w in ("+", p) for w, p in zip(wanted, parts, strict=True))
