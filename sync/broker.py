"""A connection to a broker: publish, subscribe, take what came. What carries it is behind this protocol.

A connection belongs to one client and dies with its link: a new link is a new Broker, and nothing is inherited. An
acknowledgement of the broker is flow control and never proof that anybody stored anything.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol, TypeAlias

REASON_SUCCESS: Final = 0x00
REASON_FAILURE: Final = 0x80
"""From here on a reason code of MQTT 5 is a refusal."""
REASON_NOT_AUTHORIZED: Final = 0x87
REASON_TAKEN_OVER: Final = 0x8E


class Delivery(NamedTuple):
    """A message from the broker."""

    topic: str
    payload: bytes
    ticket: int
    """For `acknowledge`."""
    retained: bool
    """Whether the broker kept it from before; nobody says it now."""


class Acknowledged(NamedTuple):
    """The broker answered a publish; `reason` is MQTT 5's code, 0 under 3.1.1 whatever really happened."""

    ticket: int
    reason: int


class Gone(NamedTuple):
    """The connection is over; nothing comes after this."""

    reason: int
    """MQTT 5's code where the broker said one, else 0."""
    words: str


BrokerEvent: TypeAlias = Delivery | Acknowledged | Gone


class Broker(Protocol):
    """One connection, used by one task of one event loop."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send at QoS 1 without waiting. Returns the ticket that its `Acknowledged` carries."""

    async def subscribe(self, *topics: str) -> None:
        """Ask for topics at QoS 1 and wait until the broker agrees.

        Raises:
            NotAuthorized: The broker refuses one.
            BrokerUnreachable: The connection went.
        """

    def take(self) -> list[BrokerEvent]:
        """Everything that came since the last call, in order."""

    def acknowledge(self, ticket: int) -> None:
        """Tell the broker that a delivery is stored; does nothing where acknowledgement is not manual."""

    async def close(self) -> None:
        """Say good-bye and let go; never raises, may be called twice."""


Connect: TypeAlias = Callable[[Callable[[], None]], Awaitable[Broker]]
"""Makes a new connection. What it is given is called, in the event loop, whenever `take` has something new.

Raises:
    BrokerUnreachable: Nobody answers.
    NotAuthorized: The broker does not let this client in.
"""


class Backoff:
    """Waits between tries: doubling, with jitter so that a school's boxes do not come back in step."""

    def __init__(
        self, *, first_s: float = 0.5, most_s: float = 30.0, chance: Callable[[], float] = random.random
    ) -> None:
        self._first_s, self._most_s, self._chance = first_s, most_s, chance
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait now, in seconds."""
        wait_s = self._next_s * (0.5 + self._chance())
        self._next_s = min(self._most_s, self._next_s * 2)
        return wait_s

    def reset(self) -> None:
        """It worked: the next failure begins small."""
        self._next_s = self._first_s
