"""A virtual broker that drops, doubles, reorders, delays and dies, and may forget everything when it does.

A PUBACK of it says nothing: it acknowledges what it then drops, as real ones do whose queue is full.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sync.broker import Acknowledged, BrokerEvent, Connect, Delivery, Gone
from sync.errors import BrokerUnreachable
from tests.simulation.history import History
from tests.simulation.loop import SimulatedLoop


@dataclass(slots=True)
class Manners:
    """How badly it behaves, each as a chance for one message; delays in seconds."""

    drop: float = 0.0
    double: float = 0.0
    slowest_s: float = 0.05
    """A message takes up to so long, each its own time, so that they overtake each other."""


@dataclass(slots=True)
class _Session:
    topics: list[str] = field(default_factory=list)
    waiting: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """Not yet acknowledged by the client, by ticket."""


class VirtualBroker:
    """The broker's process, its disk, and the lines to it."""

    def __init__(self, loop: SimulatedLoop, chance: Random, history: History) -> None:
        self._loop, self._chance, self._history = loop, chance, history
        self.manners = Manners()
        self.is_up = True
        self._lines: dict[str, Line] = {}
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, bytes] = {}
        self._tickets = 0

    def connector(self, client: str, *, manual_ack: bool = False, keep_session: bool = False) -> Connect:
        """What makes connections for one life of one client."""

        async def connect(on_event: Callable[[], None]) -> "Line":
            await asyncio.sleep(self._delay_s())
            if not self.is_up:
                raise BrokerUnreachable("no broker")
            if client in self._lines:
                self._lines[client].cut("taken over")
            if not keep_session:
                self._sessions.pop(client, None)
            session = self._sessions.setdefault(client, _Session())
            line = self._lines[client] = Line(self, client, on_event, manual_ack=manual_ack)
            for ticket, (topic, payload) in list(session.waiting.items()):
                self._push(line, Delivery(topic, payload, ticket, retained=False))
            return line

        return connect

    def die(self, *, wipe: bool) -> None:
        """The process is gone, and its disk with it if `wipe`."""
        self._history.note("broker", "is killed, and its disk is wiped" if wipe else "is killed")
        self.is_up = False
        for line in list(self._lines.values()):
            line.cut("the broker died")
        if wipe:
            self._sessions.clear()
            self._retained.clear()

    def start(self) -> None:
        """It is there again, with what its disk had."""
        self._history.note("broker", "is up again")
        self.is_up = True

    def cut(self, client: str) -> None:
        """The line of one client breaks."""
        if client in self._lines:
            self._history.note("broker", f"loses its line to {client}")
            self._lines[client].cut("cut")

    def sever(self, client: str) -> None:
        """A client's process died: nothing that it still says may come through."""
        if client in self._lines:
            self._lines[client].cut("died")

    # -- for the lines

    def accept(self, line: "Line", topic: str, payload: bytes, *, retain: bool) -> int:
        """A client publishes."""
        self._tickets += 1
        ticket = self._tickets
        self._history.grain("broker", topic.encode() + payload)
        self._push(line, Acknowledged(ticket, 0))
        if self._chance.random() < self.manners.drop:
            self._history.note("broker", f"drops what {line.client} published on {topic.rsplit('/', 1)[-1]}")
            return ticket
        if retain:
            self._retained[topic] = payload
        for _ in range(2 if self._chance.random() < self.manners.double else 1):
            for client, session in self._sessions.items():
                if any(_fits(pattern, topic) for pattern in session.topics):
                    self._deliver(client, session, topic, payload)
        return ticket

    def subscribed(self, line: "Line", topics: tuple[str, ...]) -> None:
        """A client subscribes: it gets what is retained."""
        session = self._sessions.setdefault(line.client, _Session())
        session.topics += [topic for topic in topics if topic not in session.topics]
        for topic, payload in self._retained.items():
            if any(_fits(pattern, topic) for pattern in topics):
                self._tickets += 1
                self._push(line, Delivery(topic, payload, self._tickets, retained=True))

    def stored(self, client: str, ticket: int) -> None:
        """A client says that a delivery is done with."""
        if client in self._sessions:
            self._sessions[client].waiting.pop(ticket, None)

    def left(self, line: "Line") -> None:
        """A line is over."""
        if self._lines.get(line.client) is line:
            del self._lines[line.client]

    def _deliver(self, client: str, session: _Session, topic: str, payload: bytes) -> None:
        self._tickets += 1
        line = self._lines.get(client)
        if line is None or line.manual_ack:
            session.waiting[self._tickets] = (topic, payload)
        if line is not None:
            self._push(line, Delivery(topic, payload, self._tickets, retained=False))

    def _push(self, line: "Line", event: BrokerEvent) -> None:
        self._loop.call_later(self._delay_s(), line.push, event)

    def _delay_s(self) -> float:
        return self._chance.uniform(0.001, self.manners.slowest_s)


class Line:
    """One connection; `sync.broker.Broker`."""

    def __init__(self, broker: VirtualBroker, client: str, on_event: Callable[[], None], *, manual_ack: bool) -> None:
        self.client, self.manual_ack = client, manual_ack
        self._broker, self._on_event = broker, on_event
        self._is_over = False
        self._events: list[BrokerEvent] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """As `Broker`."""
        return 0 if self._is_over else self._broker.accept(self, topic, payload, retain=retain)

    async def subscribe(self, *topics: str) -> None:
        """As `Broker`."""
        if self._is_over:
            raise BrokerUnreachable("the connection went")
        self._broker.subscribed(self, topics)

    def take(self) -> list[BrokerEvent]:
        """As `Broker`."""
        taken, self._events = self._events, []
        return taken

    def acknowledge(self, ticket: int) -> None:
        """As `Broker`."""
        if not self._is_over:
            self._broker.stored(self.client, ticket)

    async def close(self) -> None:
        """As `Broker`."""
        self._is_over = True
        self._broker.left(self)

    def push(self, event: BrokerEvent) -> None:
        """Something came for the client."""
        if not self._is_over:
            self._events.append(event)
            self._on_event()

    def cut(self, words: str) -> None:
        """The connection is over, not by the client's will."""
        if not self._is_over:
            self._is_over = True
            self._broker.left(self)
            self._events.append(Gone(0, words))
            self._on_event()


def _fits(pattern: str, topic: str) -> bool:
    wanted, parts = pattern.split("/"), topic.split("/")
    return len(wanted) == len(parts) and all(w in ("+", p) for w, p in zip(wanted, parts, strict=True))
