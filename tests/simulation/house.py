"""The product's own parts, by name, so that a lesson can be given another one of each: see `protections`."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from gateway.alive import Alive
from gateway.beat import Beat
from gateway.drain import Drains
from sync.district.sqlite_store import SqliteStore
from sync.outbox import Numbers
from sync.publisher import Publisher


def _numbers(draw: Callable[[int], bytes], connection: sqlite3.Connection) -> Numbers:
    del connection
    return Numbers(draw)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the simulated box and district are made of."""

    beat: type[Beat] = Beat
    drains: type[Drains] = Drains
    publisher: type[Publisher] = Publisher
    numbers: Callable[[Callable[[int], bytes], sqlite3.Connection], Numbers] = _numbers
    store: type[SqliteStore] = SqliteStore
    alive: type[Alive] = Alive
    has_mark: bool = True
    """Whether the district keeps the mark that tells it of a restore."""
    patches: tuple[tuple[ModuleType | type, str, Any], ...] = ()
    """Functions that are others for the time of a lesson: where, name, which."""

    @contextmanager
    def built(self) -> Iterator[None]:
        """For the time of a lesson the functions are those of this house."""
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self.patches]
        try:
            for owner, name, other in self.patches:
                setattr(owner, name, other)
            yield
        finally:
            for owner, name, own in before:
                setattr(owner, name, own)


AS_BUILT = House()
