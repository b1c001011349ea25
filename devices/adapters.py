"""What the radios ask of an adapter, whoever drives it: BlueZ, a dongle in user space, or a fake in a test."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from devices.errors import LinkError
from devices.families import PenFamily
from devices.transport import Transport

BLUEZ: Final = "bluez"

AdapterState: TypeAlias = Literal["up", "lost", "off", "none"]
"""`off`: there, but powered down or blocked. `none`: the setting names none that was ever there."""


class ConnectHung(LinkError, TimeoutError):
    """A connect got no answer at all: the pen left, or the adapter is full and does not say so."""


class HalfLink(LinkError):
    """A link was made and is of no use, as when its services were not found: hung up; a fresh try usually works."""


class NoServices(HalfLink):
    """The link stood and the pen's services were not there: what the stack remembers of it is wrong."""


class PenGone(LinkError):
    """The stack has forgotten the pen since it was heard; it must be heard again first."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One advertisement of a pen, by one adapter."""

    mac: str
    """The identity it advertises, or else its address of the moment."""
    family: PenFamily
    rssi: int
    """dBm."""
    name: str
    device: object
    """What the adapter needs to connect; nobody else looks inside."""


class LinkTransport(Transport, Protocol):
    """A transport that also knows when it last heard something."""

    @property
    def heard_ms(self) -> int:
        """When the last notification came, milliseconds UTC; at first when the link was made."""


class RadioAdapter(Protocol):
    """One adapter that is there now. When it goes it is gone for good; what comes back is another object."""

    address: str
    """Its Bluetooth address: its identity, whatever it is called at the moment."""
    name: str
    sighting_life_s: float
    """How long a pen counts as heard; BlueZ tells less often than it hears."""
    gone: "asyncio.Future[None]"
    """Done when the adapter is lost."""

    async def start_scanning(self, heard: Callable[[Sighting], object]) -> None:
        """Listen until `stop_scanning`. Raises LinkError."""

    async def stop_scanning(self) -> None:
        """Listen no longer. Raises LinkError."""

    async def connect(
        self, sighting: Sighting, *, timeout_s: float, on_lost: Callable[[LinkTransport], object]
    ) -> LinkTransport:
        """Make a link and subscribe, with a fresh client.

        `on_lost` is called once, with this link's own transport, when the link goes, whoever ended it.

        Raises:
            ConnectHung, HalfLink, NoServices, PenGone, RadioFull, RadioLost, LinkError: As they say; nothing stays half
                open.
        """

    async def forget(self, sighting: Sighting) -> None:
        """Drop what the stack remembers of a pen's services; never raises."""

    async def close(self) -> None:
        """Let the adapter go; never raises."""


class AdapterSource(Protocol):
    """Where adapters come from: one setting."""

    spec: str
    pause_s: float
    """How long to wait between two looks."""
    troubles: dict[str, AdapterState]
    """What is there and cannot be used, by address or name."""

    async def look(self) -> list[RadioAdapter]:
        """The adapters that are there now and work; the same object while one stays. Sets `gone` of those that went.

        Never raises for an adapter that is missing.
        """

    async def close(self) -> None:
        """Let go of everything."""


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """One setting: `bluez` (all of BlueZ's), `bluez:hci1` or `bluez:AA:BB:CC:DD:EE:FF`, or what bumble opens."""

    text: str

    @property
    def is_bluez(self) -> bool:
        """Whether BlueZ holds the adapter."""
        return self.text == BLUEZ or self.text.startswith(BLUEZ + ":")

    @property
    def bluez_name(self) -> str:
        """Name or address of one adapter of BlueZ's; empty for all."""
        return self.text.partition(":")[2] if self.is_bluez else ""

    @property
    def hci_name(self) -> str:
        """A short name for people: the last part of a path, without the speed."""
        return self.text.rpartition("/")[2].partition(",")[0]
