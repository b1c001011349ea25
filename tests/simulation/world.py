"""Everything that lives in one lesson, on one scheduler: pens and air, the box, the broker, the district."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlite_utils import Database

from gateway.store import migrate
from sync.district.sqlite_store import migrations as district_migrations
from tests.simulation.air import Climate, Link
from tests.simulation.broker import VirtualBroker
from tests.simulation.district import District
from tests.simulation.drive import Drive
from tests.simulation.gateway import Gateway
from tests.simulation.history import BrokenPromise, History
from tests.simulation.house import House
from tests.simulation.loop import SimulatedLoop
from tests.simulation.pens import SimulatedPen, serials_of
from tests.simulation.promises import Promises
from tests.simulation.stored import Stored
from tests.simulation.truth import Truth

_LOOK_FOR_PENS_S: Final = 0.5
_PAUSE_S: Final = 3.0
"""Between two strokes of one hand, on average."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One lesson's size, and its kind of weather. Those of air and broker are chances for one packet or message."""

    pens: int
    lesson_s: float
    beat_hz: float
    every_s: float
    """Between two things that happen, on average."""
    kinds: tuple[str, ...]
    air_retransmitted: float
    air_dropped: float
    air_doubled: float
    broker_drop: float
    broker_double: float
    broker_slowest_s: float
    homework_dots: int
    """So many dots lie in each pen's memory when the lesson begins, and it holds few more; 0 for an empty memory."""

    def air_and_broker(self) -> str:
        """The chances in words."""
        return (
            f"packets: {self.air_retransmitted:.1%} again, {self.air_dropped:.1%} dropped,"
            f" {self.air_doubled:.1%} twice; messages: {self.broker_drop:.0%} dropped, {self.broker_double:.0%} twice,"
            f" up to {self.broker_slowest_s:g} s late; {self.homework_dots} dots of homework a pen"
        )


@cache
def _blank(what: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    db = Database(connection)
    if what == "box":
        migrate(db)
    else:
        district_migrations.apply(db)
    image = connection.serialize()
    connection.close()
    return image


def results_in(image: bytes) -> dict[str, tuple[int, bytes]]:
    """Revision and digest of each result by id, of a box's database or the district's."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(image)
    found = {code: (rev, value) for code, rev, value in connection.execute("select id, rev, digest from result")}
    connection.close()
    return found


class World:
    """The lesson's parts, and how they come to life again.

    Attributes:
        gateway: The box's process that lives now.
        district: The receiver's.
        differing: Results that a restored box does not have as the district may have them.
    """

    def __init__(self, seed: int, told: Forecast, house: House, loop: SimulatedLoop, folder: Path) -> None:
        self.seed, self.forecast, self._house, self.loop, self._folder = seed, told, house, loop, folder
        self.history = History(loop.time)
        self.truth = Truth()
        self.stored = Stored(loop, self.history, self.truth)
        self.promises = Promises(loop, self.history, self.truth, self.stored)
        self.broker = VirtualBroker(loop, self.chance("broker"), self.history)
        self.box_drive, self.district_drive = Drive(_blank("box")), Drive(_blank("district"))
        self._hands, self._air = self.chance("hands"), self.chance("air")
        self.pens = [
            SimulatedPen(n, loop, self._hands, self.history, self.truth, homework_dots=told.homework_dots)
            for n in range(1, told.pens + 1)
        ]
        self.gateway: Gateway | None = None
        self.district: District | None = None
        self.differing: dict[str, None] = {}
        self.is_calm = False
        """Whether nothing is dropped on the air any more."""
        self._lives = self._links = 0
        self._unheard_until_s: dict[str, float] = {}
        self._receipted: set[int] = set()
        self._district_went_back = False
        self._is_over = False
        self._tasks: list[asyncio.Task[Any]] = []
        loop.executor_delay_s = lambda: self._air.uniform(0.0005, 0.01)
        loop.after_step = self._after_step
        loop.set_exception_handler(self._fell)

    def chance(self, what: str) -> Random:
        """Draws for one part, the same for the same seed."""
        return Random(f"{self.seed}/{what}")  # noqa: S311  a lesson is its seed

    # -- lives

    def begin(self) -> None:
        """The first bell."""
        self.start_district()
        self.start_gateway()
        self.keep(self._link_pens())
        for pen in self.pens:
            self.keep(self._write(pen))

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """A task that ends with the lesson."""
        task = self.loop.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def start_gateway(self) -> None:
        """The box's process is started (again)."""
        if self.gateway is not None or self._is_over:
            return
        self._lives += 1
        self.gateway = Gateway(
            house=self._house,
            loop=self.loop,
            chance=self.chance(f"gateway/{self._lives}"),
            history=self.history,
            drive=self.box_drive,
            folder=self._folder,
            broker=self.broker,
            pens=self.pens,
            beat_hz=self.forecast.beat_hz,
            committed=self._committed,
            shown=self.promises.shown,
            died=self._gateway_died,
        )

    def start_district(self) -> None:
        """The receiver is started (again)."""
        if self.district is not None or self._is_over:
            return
        self._lives += 1
        self.district = District(
            house=self._house,
            loop=self.loop,
            chance=self.chance(f"district/{self._lives}"),
            history=self.history,
            drive=self.district_drive,
            folder=self._folder,
            broker=self.broker,
            died=self._district_died,
        )

    def restore_box(self, image: bytes, name: str) -> None:
        """An older image takes the place of the box's database."""
        if self.gateway is not None:
            self.gateway.die()
        had, has = results_in(self.box_drive.image()), results_in(image)
        self.history.note("gateway", f"its database is put back: {name}")
        self.box_drive.restore(image)
        self.differing |= {code: None for code in sorted(had) if has.get(code) != had[code]}
        connection = sqlite3.connect(":memory:")
        connection.deserialize(image)
        self._receipted = {key for (key,) in connection.execute("select id from envelope where state = 'receipted'")}
        in_pens = {serial for pen in self.pens for kept in pen.memory.kept for serial in serials_of(kept)}
        self.stored.restored(connection, in_pens)
        connection.close()

    def restore_district(self, image: bytes, name: str) -> None:
        """An older image takes the place of the district's database; its mark is elsewhere and stays."""
        if self.district is not None:
            self.district.die()
        self.history.note("district", f"its database is put back: {name}")
        self._district_went_back = True
        self.district_drive.restore(image)

    def end(self) -> None:
        """The last bell: nothing lives on."""
        self._is_over = True
        if self.gateway is not None:
            self.gateway.die()
        if self.district is not None:
            self.district.die()
        for task in self._tasks:
            task.cancel()

    def _gateway_died(self, gateway: Gateway) -> None:
        if gateway is self.gateway:
            self.gateway = None
            self.promises.gateway_died()
            self.loop.call_later(self._air.uniform(0.3, 4.0), self.start_gateway)

    def _district_died(self, district: District) -> None:
        if district is self.district:
            self.district = None
            self.loop.call_later(self._air.uniform(0.2, 6.0), self.start_district)

    # -- air and hands

    def out_of_range(self, pen: SimulatedPen, seconds: float) -> None:
        """Nobody hears this pen for a while."""
        self._unheard_until_s[pen.mac] = self.loop.now_s + seconds
        if pen.link is not None:
            pen.link.fall_silent()

    def is_ready(self, pen: SimulatedPen) -> bool:
        """Whether the gateway knows that this pen's ink comes live."""
        state = None if self.gateway is None else self.gateway.links.states.get(pen.mac)
        return state is not None and state.ready

    async def _link_pens(self) -> None:
        """A pen that advertises is linked by a gateway that lives, sooner or later."""
        while True:
            await asyncio.sleep(_LOOK_FOR_PENS_S)
            gateway = self.gateway
            for pen in self.pens if gateway is not None and gateway.is_up else ():
                if gateway is None or not pen.is_free or pen.mac in gateway.links.live:
                    continue
                if self._unheard_until_s.get(pen.mac, 0.0) <= self.loop.now_s and self._air.random() < _LOOK_FOR_PENS_S:
                    self._link(pen, gateway)

    def _link(self, pen: SimulatedPen, gateway: Gateway) -> None:
        self._links += 1
        told = self.forecast
        link = Link(
            self.loop,
            self._air,
            self.history,
            self.truth,
            name=f"link {self._links}",
            number=self._links,
            climate=Climate(told.air_retransmitted, told.air_dropped, told.air_doubled),
            is_calm=lambda: self.is_calm,
            hear=pen.hear,
            pen_lost=pen.link_lost,
            host_lost=lambda _, reason: self._host_lost(gateway, pen, reason),
        )
        self.history.note("gateway", f"links {pen.name} by link {self._links}")
        self.promises.link_made(link)
        pen.linked(link)
        gateway.linked(pen, link)

    def _host_lost(self, gateway: Gateway, pen: SimulatedPen, reason: str) -> None:
        if not gateway.is_dead:
            self.history.note("gateway", f"is told that the link to {pen.name} is over: {reason}")
            gateway.link_lost(pen, reason)

    async def _write(self, pen: SimulatedPen) -> None:
        while True:
            await asyncio.sleep(self._hands.expovariate(1 / _PAUSE_S))
            if self.loop.now_s > self.forecast.lesson_s:
                return
            pen.write()

    # -- after steps

    def _after_step(self) -> None:
        if self.history.broken is None and not self._is_over:
            with suppress(BrokenPromise):
                self.promises.look(self.gateway)

    def _committed(self, connection: sqlite3.Connection) -> None:
        self.stored.committed(connection)
        read = connection.cursor()
        count = read.execute("select count(*) from envelope where state = 'receipted'").fetchone()[0]
        if count == len(self._receipted):
            return
        found = {key for (key,) in read.execute("select id from envelope where state = 'receipted'")}
        new = sorted(found - self._receipted)
        self._receipted = found
        if new and not self._district_went_back:
            has = results_in(self.district_drive.image())
            for key in new:
                payload = read.execute("select payload from envelope where id = ?", (key,)).fetchone()[0]
                self.promises.receipted(payload, {code: rev for code, (rev, _) in has.items()})

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None and not self._is_over:
            self._fell(self.loop, {"message": "a task of the lesson", "exception": task.exception()})

    def _fell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        error = context.get("exception")
        if error is not None and not isinstance(error, BrokenPromise) and self.history.broken is None:
            with suppress(BrokenPromise):
                self.history.breach(f"a living process fell: {context['message']}: {error!r}")
