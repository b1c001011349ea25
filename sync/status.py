"""How delivery goes, for people and for `sync status`: codes, counts, a snapshot."""

from dataclasses import dataclass
from typing import Final, Literal

UNREACHABLE: Final = "sync.broker_unreachable"
LOST: Final = "sync.broker_lost"
NO_RECEIPT: Final = "sync.no_receipt"
BROKER_REFUSES: Final = "sync.broker_refuses"
TWIN: Final = "identity.twin"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherStatus:
    """How the way to the district is. Counts are since this start; depth and age are the outbox's to tell."""

    state: Literal["online", "offline"]
    """Whether a broker is connected; whether the district answers is `last_receipt_ms`."""
    reason: str | None
    """A catalogue code that says what is wrong; None if nothing is."""
    since_ms: int
    """When `state` last changed, milliseconds UTC."""
    connections: int
    under_way: int
    window: int
    offered: int
    """Results, each time they were offered."""
    resent: int
    """Results that were offered again."""
    receipts: int
    """Messages of the district."""
    receipted: int
    """Results."""
    refused: int
    """Envelopes."""
    raised: int
    foreign: int
    unreadable: int
    """Messages to this box that could not be read."""
    last_receipt_ms: int | None


@dataclass(slots=True)
class Counts:
    """Everything that is counted since the start; see `PublisherStatus`."""

    connections: int = 0
    offered: int = 0
    resent: int = 0
    receipts: int = 0
    receipted: int = 0
    refused: int = 0
    raised: int = 0
    foreign: int = 0
    unreadable: int = 0
