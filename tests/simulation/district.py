"""One life of the district's receiver, over its database and the mark beside it."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from sync.broker import Backoff
from sync.district.receiver import Receiver
from sync.errors import StoreUnavailable
from tests.simulation.broker import VirtualBroker
from tests.simulation.drive import Drive
from tests.simulation.gateway import TOPICS
from tests.simulation.history import History
from tests.simulation.house import House
from tests.simulation.loop import SimulatedLoop

CLIENT: Final = "receiver"


class District:
    """From a start of the receiver to its end."""

    def __init__(
        self,
        *,
        house: House,
        loop: SimulatedLoop,
        chance: Random,
        history: History,
        drive: Drive,
        folder: Path,
        broker: VirtualBroker,
        died: Callable[["District"], None],
    ) -> None:
        self._loop, self._history, self._drive, self._broker, self._died = loop, history, drive, broker, died
        self.is_dead = False
        self._connection: sqlite3.Connection | None = None
        self.store = house.store(
            folder / "district.db",
            folder / "district.mark" if house.has_mark else None,
            now_ms=loop.now_ms,
            draw=chance.randbytes,
            connect=self._connect,
        )
        self.receiver = Receiver(
            broker.connector(CLIENT, manual_ack=True, keep_session=True),
            self.store,
            TOPICS.district,
            tick_ms=loop.tick_ms,
            now_ms=loop.now_ms,
            backoff=Backoff(most_s=10.0, chance=chance.random),
        )
        history.note("district", "is started")
        self._task = loop.create_task(self.receiver.run())
        self._task.add_done_callback(self._ended)

    def _connect(self, path: Path) -> sqlite3.Connection:
        """The store opens its database, again after trouble."""
        del path
        if self.is_dead:
            raise StoreUnavailable("this process is dead")
        self._drive.cut()
        self._connection = self._drive.open(self.die)
        return self._connection

    def die(self) -> None:
        """Its process is killed."""
        if self.is_dead:
            return
        self.is_dead = True
        self._history.note("district", "is killed")
        self._drive.cut()
        self._broker.sever(CLIENT)
        self._task.cancel()
        self._died(self)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self.is_dead:
            self._loop.call_exception_handler({"message": "a living receiver fell", "exception": error})
