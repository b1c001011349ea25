"""Which family a pen belongs to, by its advertisement; and what a family brings: GATT paths, identity, sessions.

The plug-in point for other pens: a package that registers an object of the shape `PenFamily` under the entry point
group `inkgate.pens` is asked after the built-in family. Addresses are no identity: pens change them at every start.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Final, NamedTuple, Protocol

from devices.events import PenEvent
from devices.neo.session import NeoSession
from devices.neo.wire import Message

logger = logging.getLogger(__name__)

ENTRY_POINTS: Final = "inkgate.pens"

_BLUETOOTH_BASE: Final = "-0000-1000-8000-00805f9b34fb"
_SHORT_UUID: Final = 4
_MAC_PREFIX: Final = bytes.fromhex("9c7bd2")
_NAMES: Final = ("Neosmartpen", "LAMY_safari", "NWP-")
_PLAIN_NAME: Final = "Smart Pen"
_OTHER_PROTOCOL: Final = "NWP-F110"
"""The one model of protocol 1, which nothing here speaks."""
_PAIRING_SERVICE: Final = "000019f0" + _BLUETOOTH_BASE
_ID_BYTES: Final = 2
_MAC_BYTES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What a device says of itself before a link, scan response included."""

    name: str = ""
    manufacturer: Mapping[int, bytes] = field(default_factory=dict)
    """Manufacturer data by the company id that the stack made of its first two bytes, low byte first."""
    services: tuple[str, ...] = ()
    """Service UUIDs, of four hex digits or whole, in any case."""


class GattPaths(NamedTuple):
    """Where a pen is written to and listened to; whole UUIDs in lower case."""

    service: str
    write: str
    notify: str


class PenSession(Protocol):
    """One link to one pen, without I/O. See `devices.neo.session.NeoSession`."""

    counts: Counter[str]

    def start(self, *, now_ms: int) -> None:
        """Begin the handshake."""

    def receive(self, data: bytes, *, now_ms: int) -> Iterator[PenEvent]:
        """Take one notification."""

    def data_to_send(self) -> bytes:
        """The bytes that wait to be written, once."""

    def ask(self, request: Message, *, now_ms: int) -> None:
        """Send a request when its turn comes."""

    def offer_password(self, password: str, *, now_ms: int) -> Iterator[PenEvent]:
        """Try a password that a person gave; refused where too few attempts are left."""

    def tick(self, *, now_ms: int) -> Iterator[PenEvent]:
        """Repeat or give up what got no answer."""

    def link_lost(self) -> Iterator[PenEvent]:
        """The link is gone."""


class PenFamily(Protocol):
    """What a plug-in for a family of pens brings."""

    @property
    def name(self) -> str:
        """The family's name, for people."""

    @property
    def gatt(self) -> tuple[GattPaths, ...]:
        """Its services, in the order to look for them."""

    def recognises(self, heard: Advertisement) -> bool:
        """Whether this is one of its pens."""

    def mac_of(self, heard: Advertisement) -> str | None:
        """The fixed identity, as AA:BB:CC:DD:EE:FF, if the advertisement tells it."""

    def session(self, *, password: str | None = None, mac_expected: str | None = None) -> PenSession:
        """A session for one new link."""


@dataclass(frozen=True, slots=True)
class NeoFamily:
    """The pens of NeoLab that speak protocol 2.x (neo-protocol 1)."""

    name: str = "Neo"
    gatt: tuple[GattPaths, ...] = (
        GattPaths(
            "000019f1" + _BLUETOOTH_BASE,
            "00002ba0" + _BLUETOOTH_BASE,
            "00002ba1" + _BLUETOOTH_BASE,
        ),
        GattPaths(
            "4f99f138-9d53-5bfa-9e50-b147491afe68",
            "8bc8cc7d-88ca-56b0-af9a-9bf514d0d61a",
            "64cd86b1-2256-5aeb-9f04-2caf6c60ae57",
        ),
    )

    def recognises(self, heard: Advertisement) -> bool:
        """By manufacturer data, then name, then service: some pens advertise no service, others no name."""
        if heard.name.startswith(_OTHER_PROTOCOL):
            return False
        if self.mac_of(heard) is not None or heard.name == _PLAIN_NAME or heard.name.startswith(_NAMES):
            return True
        services = {_whole(service) for service in heard.services}
        return not services.isdisjoint((_PAIRING_SERVICE, *(paths.service for paths in self.gatt)))

    def mac_of(self, heard: Advertisement) -> str | None:
        """The pen sends no company id: its MAC begins in the two bytes that the stack took for one."""
        for company, data in heard.manufacturer.items():
            mac = company.to_bytes(_ID_BYTES, "little") + data[: _MAC_BYTES - _ID_BYTES]
            if len(mac) == _MAC_BYTES and mac.startswith(_MAC_PREFIX):
                return mac.hex(":").upper()
        return None

    def session(self, *, password: str | None = None, mac_expected: str | None = None) -> NeoSession:
        """A session for one new link."""
        return NeoSession(password=password, mac_expected=mac_expected)


NEO: Final = NeoFamily()


def family_of(heard: Advertisement, *, families: Iterable[PenFamily] | None = None) -> PenFamily | None:
    """The first family that recognises this device: the built-in one, then the plug-ins; or those that are given."""
    for family in known_families() if families is None else families:
        if family.recognises(heard):
            return family
    return None


@cache
def known_families() -> tuple[PenFamily, ...]:
    """The built-in family and every plug-in that loads; looked for once."""
    families: list[PenFamily] = [NEO]
    for point in entry_points(group=ENTRY_POINTS):
        try:
            families.append(point.load())
        except Exception:
            # A plug-in is foreign code: one that does not load must not stop the others.
            logger.exception("pen family %s does not load; pens of it will not be recognised", point.name)
    return tuple(families)


def _whole(uuid: str) -> str:
    text = uuid.lower().removeprefix("0x")
    return f"0000{text}{_BLUETOOTH_BASE}" if len(text) == _SHORT_UUID else text
