"""Which pen is connected by which adapter next. Pure.

Sticky: a pen goes back to where it lived while that adapter hears it and has a place, unless it failed there. Else
by signal and by free places. Pens that few adapters hear come first, then those that failed least.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_BEST_DBM: Final = -50
_WORST_DBM: Final = -90
_SPREAD_DB: Final = 20.0
"""An empty adapter is worth so much more signal than a full one."""
_FAILURE_DB: Final = 60.0
"""One more failure of this pen there weighs more than any signal: fall over to another adapter."""


@dataclass(frozen=True, slots=True)
class AdapterRoom:
    """How full an adapter is, and whether it is connecting now."""

    address: str
    places: int
    used: int
    busy: bool

    @property
    def free(self) -> int:
        """Places left."""
        return max(0, self.places - self.used)


@dataclass(frozen=True, slots=True)
class WaitingPen:
    """A pen that wants a link now."""

    mac: str
    rssi: Mapping[str, int]
    """dBm by the address of each adapter that hears it."""
    home: str | None
    """The adapter it lived on."""
    failures: Mapping[str, int]
    """Failures in a row by adapter."""
    tries: int


def choose(pens: Iterable[WaitingPen], adapters: Sequence[AdapterRoom]) -> list[tuple[str, str]]:
    """Pairs (mac, adapter) to connect now, at most one for each adapter; none on a full or busy one."""
    idle = {a.address: a for a in adapters if a.free and not a.busy}
    room = {a.address: a for a in adapters if a.free}
    pairs: list[tuple[str, str]] = []

    def hearing(pen: WaitingPen) -> int:
        return sum(address in room for address in pen.rssi)

    for pen in sorted(pens, key=lambda p: (p.tries, hearing(p), p.mac)):
        if not idle:
            break
        if (address := best_adapter(pen, room)) is None:
            continue
        if address not in idle:
            at_home = address == pen.home
            address = None if at_home else best_adapter(pen, idle)
        if address is not None:
            pairs.append((pen.mac, address))
            del idle[address]
    return pairs


def best_adapter(pen: WaitingPen, room: Mapping[str, AdapterRoom]) -> str | None:
    """Where this pen should go, among the adapters that have a place."""
    heard = [address for address in pen.rssi if address in room]
    if pen.home in heard and not pen.failures.get(pen.home or "", 0):
        return pen.home

    def score(address: str) -> float:
        signal = min(_BEST_DBM, max(_WORST_DBM, pen.rssi[address]))
        share = room[address].free / room[address].places
        return signal + _SPREAD_DB * share - _FAILURE_DB * pen.failures.get(address, 0)

    return max(heard, key=score, default=None)
