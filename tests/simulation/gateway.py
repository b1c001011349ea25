"""One life of the box: the product's own parts, composed as `gateway.app` and `gateway.box` compose them.

Between this and the product lies only what touches a real clock, thread, socket or radio: the writer is not a thread of
its own but a queue on the simulated loop, a transport is a virtual link, the connection to the broker a virtual line,
and readings are made up out of the ink that the store holds.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar, cast

from sqlite_utils import Database

from devices.neo.session import NeoSession
from devices.pen import Pen
from gateway import journal, store
from gateway.box import Box
from gateway.journal import Batch
from gateway.linking import Linking
from gateway.links import Change, Links
from gateway.settings import RadioSettings, Settings
from sync.broker import Backoff
from sync.topics import BoxTopics
from tests.simulation.air import Link
from tests.simulation.broker import VirtualBroker
from tests.simulation.desk import Desk
from tests.simulation.drive import Died, Drive
from tests.simulation.history import History
from tests.simulation.house import House
from tests.simulation.loop import BASE_MS, SimulatedLoop
from tests.simulation.pens import SimulatedPen

T = TypeVar("T")

TOPICS: Final = BoxTopics("district-1", "school-1", "box-1")
CLIENT: Final = "box"
_TROUBLE_S: Final = 3.0
_AT_ONCE: Final = 0.7
"""How likely it is that a writer who is free begins at once."""
PIECE_DOTS: Final = 10
"""So short that the lesson's strokes are cut into several pieces."""


class Writer:
    """The one writer of a store: work after work, each in a transaction of its own, each taking its time."""

    def __init__(
        self,
        loop: SimulatedLoop,
        chance: Random,
        connection: sqlite3.Connection,
        committed: Callable[[sqlite3.Connection], None],
    ) -> None:
        self._loop, self._chance, self._committed = loop, chance, committed
        self.db = Database(connection)
        self._waiting: deque[tuple[Callable[[Database], Any], asyncio.Future[Any]]] = deque()
        self._under_way: asyncio.Future[Any] | None = None
        self._is_busy = self.is_dead = False
        self.refused_s = -1e9
        """When the store last did not take something."""

    def run(self, work: Callable[[Database], T], /) -> "asyncio.Future[T]":
        """As `gateway.store.Store.run`."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((work, future))
        self._next()
        return future

    def die(self) -> None:
        """Its process is gone: whoever waits for it waits no more."""
        self.is_dead = True
        for future in [future for _, future in self._waiting] + [self._under_way]:
            if future is not None:
                future.cancel()

    def _next(self) -> None:
        if self._waiting and not self._is_busy and not self.is_dead:
            self._is_busy = True
            if self._chance.random() < _AT_ONCE:
                self._do()
            else:
                self._loop.call_later(self._chance.uniform(0.0, 0.004), self._do)

    def _do(self) -> None:
        if self.is_dead:
            return
        work, future = self._waiting.popleft()
        self._under_way = future
        if future.cancelled():
            self._is_busy = False
            self._next()
            return
        result: Any = None
        failed: BaseException | None = None
        try:
            result = store._transact(self.db, work)
        except Died:
            return
        except Exception as error:  # noqa: BLE001  handed to whoever asked for the work, as the store does
            failed = error
            if isinstance(error, sqlite3.OperationalError):
                self.refused_s = self._loop.now_s
        else:
            self._committed(self.db.conn)
        self._loop.call_later(self._chance.uniform(0.001, 0.01), self._tell, future, result, failed)

    def _tell(self, future: "asyncio.Future[Any]", result: object, failed: BaseException | None) -> None:
        if self.is_dead:
            return
        self._is_busy = False
        if not future.done():
            if failed is None:
                future.set_result(result)
            else:
                future.set_exception(failed)
        self._next()


class Gateway:
    """From a start of the box to its end, clean or not.

    Attributes:
        is_up: Whether it has taken up what the life before left, and beats.
    """

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
        pens: Sequence[SimulatedPen],
        beat_hz: float,
        committed: Callable[[sqlite3.Connection], None],
        shown: Callable[[list[int]], None],
        died: Callable[["Gateway"], None],
    ) -> None:
        self._loop, self._chance, self._history, self._drive = loop, chance, history, drive
        self._broker, self._pens, self._beat_hz = broker, pens, beat_hz
        self._shown, self._died = shown, died
        self.is_up = self.is_dead = False
        connection = drive.open(self.die)
        connection.execute("pragma synchronous = full")
        store.migrate(Database(connection))
        self.connection = connection
        self.writer = Writer(loop, chance, connection, committed)
        self.alive = house.alive(folder / "alive")
        self.linking = Linking(Settings(radio=RadioSettings(adapters=())), loop.now_ms)
        self.linking.links = self.links = Links(piece_dots=PIECE_DOTS)
        self.drains = house.drains(self.links)
        self.beat = house.beat(
            self.links,
            self.writer.run,
            trusted=lambda: True,
            write=self.linking.write,
            committed=self._committed,
        )
        self.desk = Desk(loop.now_ms)
        self.publisher = house.publisher(
            broker.connector(CLIENT),
            self.writer.run,
            TOPICS,
            numbers=house.numbers(chance.randbytes, connection),
            now_ms=loop.now_ms,
            tick_ms=loop.tick_ms,
            backoff=Backoff(chance=chance.random),
        )
        self._ends: list[Link] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._spawn(self._live())

    @property
    def takes_writes(self) -> bool:
        """Whether its disk took all that it was given lately."""
        return self._loop.now_s - self.writer.refused_s > _TROUBLE_S

    # -- its life

    async def _live(self) -> None:
        run = self.writer.run
        made = await run(lambda db: journal.recover(db, trusted=True))
        self.beat.seq = await run(self._open_windows)
        await run(self.desk.restore)
        self.links.expect([pen.mac for pen in self._pens], self._loop.now_ms())
        self.is_up = True
        self._history.note("gateway", f"is up at beat {self.beat.seq}; {made} open pieces are ink now")
        self._spawn(self.publisher.run())
        while True:
            await asyncio.sleep(1 / self._beat_hz)
            await self._beat()

    def _open_windows(self, db: Database) -> int:
        self.linking.open_windows(db, BASE_MS, self.alive.before)
        return journal.next_seq(db)

    async def _beat(self) -> None:
        now_ms = self._loop.now_ms()
        self.linking.take(now_ms)
        self.drains.take(now_ms)
        batch = await self.beat.once(now_ms)
        Box.lives(cast("Box", self), now_ms)
        if batch is None or not self.desk.has_work:
            return
        places = self.desk.begin()
        try:
            if await self.writer.run(lambda db: self.desk.write(db, places)):
                self.publisher.wake()
            self.desk.done(places)
        except sqlite3.OperationalError as error:
            self.beat.cannot_write(error)

    def _committed(self, batch: Batch, changes: Sequence[Change], now_ms: int) -> None:
        """The fan-out of a beat: pens, page, reader."""
        del changes, now_ms
        self.drains.committed([*batch.closed, *batch.again])
        shown = []
        for piece in (*batch.closed, *batch.open):
            shown += [row[0] for row in piece.rows[piece.shown :]]
            piece.shown = len(piece.rows)
        self._shown(shown)
        self.desk.take(batch)

    # -- its links

    def linked(self, pen: SimulatedPen, link: Link) -> None:
        """A link stands; who the pen is, it will say itself."""
        self._ends.append(link)
        now_ms = self._loop.now_ms()
        session = NeoSession()
        session.start(now_ms=now_ms)
        self.links.add(pen.mac, Pen(link, session), "radio-1", now_ms)

    def link_lost(self, pen: SimulatedPen, reason: str) -> None:
        """The radio says that a link is over."""
        if not self.is_dead:
            self.links.lost(pen.mac, reason, self._loop.now_ms())

    # -- its end

    def die(self) -> None:
        """Its process is killed, here and now: nothing of it says, writes or asks anything any more."""
        if self.is_dead:
            return
        self.is_dead, self.is_up = True, False
        self._history.note("gateway", "is killed")
        self.writer.die()
        self._drive.cut()
        self._let_go()
        for link in self._ends:
            link.host_died()
        self._died(self)

    async def stop(self) -> None:
        """It is told to end, and does, as `gateway.app` does."""
        self._history.note("gateway", "is told to stop")
        self.is_up = False
        current = asyncio.current_task()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(task for task in self._tasks if task is not current), return_exceptions=True)
        await self.beat.rest()
        self.links.take(self._loop.now_ms())
        await self.links.hang_up(self._loop.now_ms)
        now_ms = self._loop.now_ms()
        self.links.close_windows(now_ms)
        try:
            await self._beat()
            await self.writer.run(lambda db: self.linking.note_stopped(db, now_ms))
        except sqlite3.OperationalError:
            pass
        if self.is_dead:
            return
        self.is_dead = True
        self.writer.die()
        self._drive.cut()
        self._let_go()
        self._history.note("gateway", "has stopped")
        self._died(self)

    def _let_go(self) -> None:
        self._broker.sever(CLIENT)
        self.alive.close()
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self.is_dead:
            self._history.note("gateway", f"falls over its own feet: {error!r}")
            self._loop.call_exception_handler({"message": "a living gateway fell", "exception": error})
