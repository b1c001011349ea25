"""A link to one pen: notifications in, writes out. What carries it (BlueZ, HCI, a cable, a capture) is behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias


class Arrival(NamedTuple):
    """One notification and when it came."""

    at_ms: int
    """Milliseconds UTC by the box's clock."""
    data: bytes


class Transport(Protocol):
    """One link. It belongs to one pen and dies with the link: a new link is a new Transport."""

    @property
    def is_open(self) -> bool:
        """Whether the link still stands."""

    def take(self) -> list[Arrival]:
        """Everything that arrived since the last call, in order; also what came before the link went."""

    async def write(self, data: bytes) -> None:
        """Send bytes to the pen, cut to what the link carries, each piece confirmed.

        Raises:
            LinkError: The link went.
        """

    async def close(self) -> None:
        """Hang up; never raises, may be called twice."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """No link; `reason` is a catalogue code such as `radio.full`, with its numbers in `detail`."""

    reason: str
    since_ms: int
    detail: dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Connecting:
    """A link is being made."""

    adapter: str
    since_ms: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A link stands."""

    adapter: str
    since_ms: int
    transport: Transport


Link: TypeAlias = Disconnected | Connecting | Connected

NowMs: TypeAlias = Callable[[], int]
