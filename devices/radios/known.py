"""What the radios know of a pen and of an adapter. Data, and the sentences they are asked for."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from devices.adapters import AdapterState, LinkTransport, RadioAdapter, Sighting
from devices.families import PenFamily
from devices.radios.choice import WaitingPen
from devices.transport import Link


@dataclass(frozen=True, slots=True)
class Heard:
    """A pen as the adapters hear it."""

    mac: str
    family: PenFamily
    name: str
    rssi: dict[str, int]
    """dBm by adapter address, of those that heard it lately."""
    last_ms: int
    """Milliseconds UTC."""


@dataclass(frozen=True, slots=True)
class AdapterView:
    """An adapter for people."""

    address: str
    name: str
    state: AdapterState
    places: int
    links: int
    learnt: bool
    """Whether `places` is what the adapter taught, not the setting."""


@dataclass(slots=True)
class RadioMemory:
    """What is worth keeping over a restart, all by adapter address."""

    names: dict[str, str] = field(default_factory=dict)
    learnt_places: dict[str, int] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    """The adapter each pen lived on, by MAC."""


@dataclass(slots=True)
class KnownAdapter:
    """One adapter, however often it goes and comes back."""

    address: str
    name: str
    spec: str
    """The setting it comes from."""
    present: RadioAdapter | None = None
    listener: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class KnownPen:
    """One pen, however often its link breaks."""

    mac: str
    family: PenFamily
    state: Link
    sightings: dict[str, tuple[Sighting, float]] = field(default_factory=dict)
    """By adapter address, with the moment on the monotonic clock."""
    last_s: float = 0.0
    last_ms: int = 0
    """When it was heard last, by the monotonic clock and UTC."""
    adapter: str | None = None
    """Where it is linked or being linked: it holds a place there, and nowhere else."""
    connecting: "asyncio.Task[None] | None" = None
    transport: LinkTransport | None = None
    linked_s: float = 0.0
    tries: int = 0
    next_try_s: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    """In a row, by adapter."""
    silent_s: float = 0.0
    """Since when nothing came."""
    silent_ms: int = 0
    asked_s: float | None = None
    """When it was asked something because of that."""

    def waiting(self, home: str | None, fresh: dict[str, Sighting]) -> WaitingPen:
        """As `choose` wants it."""
        return WaitingPen(self.mac, {a: s.rssi for a, s in fresh.items()}, home, self.failures, self.tries)
