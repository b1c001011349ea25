"""One lesson: its seed in, its history out."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync import outbox
from sync.sums import sums_of
from tests.simulation.gateway import TOPICS, Gateway
from tests.simulation.history import BrokenPromise
from tests.simulation.house import AS_BUILT, House
from tests.simulation.loop import SimulatedLoop
from tests.simulation.promises import PATIENCE_S
from tests.simulation.weather import Weather, forecast
from tests.simulation.world import World, results_in

REST_S: Final = 600.0
"""So long may it take after the last trouble until everything has arrived."""
_LAST_STROKE_S: Final = 10.0
"""After the last trouble, until each pen writes once more: a hole at the very end shows by what comes after it."""
_LOOK_S: Final = 0.5
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  small files that need no disk


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a lesson."""

    seed: int
    digest: str
    """Of the whole history."""
    broken: str | None
    """The promise that did not hold; None if all did."""
    simulated_s: float
    dots: int
    unheard: int
    """Dots that a pen began to write in the moment in which the gateway hung up: a known limit."""
    results: int
    checks: int
    """How often all promises were looked at."""
    lines: tuple[str, ...]


def run(seed: int, house: House = AS_BUILT) -> Outcome:
    """Simulate one lesson."""
    loop = SimulatedLoop()
    with _folder() as folder, house.built():
        world = World(seed, forecast(seed), house, loop, folder)
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(_go(world))
        finally:
            lines, digest, results = (
                tuple(world.history.lines),
                world.history.digest,
                len(results_in(world.box_drive.image())),
            )
            simulated_s = loop.now_s
            world.end()
            loop.run_until_complete(asyncio.sleep(1.0))
            asyncio.set_event_loop(None)
            loop.close()
    return Outcome(
        seed=seed,
        digest=digest,
        broken=world.history.broken,
        simulated_s=simulated_s,
        dots=len(world.truth.dots),
        unheard=sum(dot.place == "unheard" for dot in world.truth.astray.values()),
        results=results,
        checks=world.promises.checks,
        lines=lines,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="inkgate-lesson-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def _go(world: World) -> None:
    """From the first bell to rest."""
    told, manners = world.forecast, world.broker.manners
    world.history.note("lesson", f"seed {world.seed}: {told.pens} pens for {told.lesson_s:.0f} s")
    world.history.note("lesson", f"about every {told.every_s:.1f} s one of: {', '.join(told.kinds)}")
    world.history.note("lesson", told.air_and_broker())
    manners.drop, manners.double, manners.slowest_s = told.broker_drop, told.broker_double, told.broker_slowest_s
    world.begin()
    world.keep(Weather(world).blow())
    with suppress(BrokenPromise):
        while world.loop.now_s < told.lesson_s:
            await asyncio.sleep(_LOOK_S)
            if world.history.broken is not None:
                return
        world.history.note("lesson", "is over, and so is the weather: what is dead comes back, nothing fails any more")
        manners.drop = manners.double = 0.0
        world.is_calm = True
        for drive in (world.box_drive, world.district_drive):
            drive.die_at(None)
        if await _rests(world):
            _judge(world)


async def _rests(world: World) -> bool:
    """Wait until nothing is under way. False if a promise broke meanwhile."""
    loop = world.loop
    calm_s = loop.now_s
    wrote: set[str] = set()
    quiet_s: float | None = None
    while world.history.broken is None:
        await asyncio.sleep(_LOOK_S)
        if loop.now_s - calm_s > _LAST_STROKE_S:
            wrote |= {pen.mac for pen in world.pens if pen.mac not in wrote and world.is_ready(pen) and pen.write()}
        if not _is_at_rest(world) or len(wrote) < len(world.pens):
            quiet_s = None
        elif quiet_s is None:
            quiet_s = loop.now_s
        elif loop.now_s - quiet_s > PATIENCE_S + 1.0 and _difference(world) is None:
            return True
        if loop.now_s - calm_s > REST_S:
            wrong = _difference(world) or _restless(world)
            world.history.breach(f"{REST_S:.0f} s after the last trouble it is not at rest: {wrong}")
    return False


def _is_at_rest(world: World) -> bool:
    gateway = world.gateway
    if gateway is None or not gateway.is_up or gateway.desk.has_work or not gateway.drains.is_idle:
        return False
    return all(world.is_ready(pen) for pen in world.pens) and not outbox.depth(gateway.writer.db).results


def _restless(world: World) -> str:
    gateway = world.gateway
    if gateway is None:
        return "no gateway is up"
    ready = [world.is_ready(pen) for pen in world.pens]
    depth, status = outbox.depth(gateway.writer.db), gateway.publisher.status()
    return f"pens ready {ready}, drains idle {gateway.drains.is_idle}, {depth}, {status}"


def _judge(world: World) -> None:
    """The end of all: everything is in its place."""
    gateway = world.gateway
    if gateway is None:
        world.history.breach("no gateway lives at the end")
    world.promises.at_rest({pen.mac: pen.memory.kept for pen in world.pens})
    left = sum(len(pen.memory.kept) for pen in world.pens)
    if left and gateway.drains.strokes_in_pens < left:
        world.history.breach(f"pens still hold {left} strokes, and the box knows of {gateway.drains.strokes_in_pens}")
    _judge_results(world, gateway)
    world.history.note("lesson", f"is at rest; {left} strokes are left in pens")


def _judge_results(world: World, gateway: Gateway) -> None:
    if world.district is None:
        world.history.breach("no receiver lives at the end")
    if wrong := _difference(world):
        world.history.breach(wrong)
    store = world.district.store
    doubled = store.counts().doubled
    if doubled:
        world.history.breach(f"the district took {doubled} revisions more than once")
    sums = store.sums([TOPICS.box]).days.get(TOPICS.box, {})
    if not world.differing and sums != sums_of(gateway.writer.db):
        world.history.breach(f"the sums differ: {sums_of(gateway.writer.db)} on the box, {sums} in the district")


def _difference(world: World) -> str | None:
    """Which result box and district do not have alike; those that a restored box lost may differ."""
    box, there = results_in(world.box_drive.image()), results_in(world.district_drive.image())
    for code, has in sorted(box.items()):
        if code not in there:
            return f"result {code} is not in the district"
        if there[code] != has and code not in world.differing:
            return f"result {code} has revision {has[0]} on the box and {there[code][0]} in the district"
    for code in sorted(there.keys() - box.keys() - world.differing.keys()):
        return f"result {code} is in the district, and the box never made it"
    return None
