"""Which pen is linked by which radio, all the time.

Theory of operation. `AdapterWatch` knows which adapters are there and what they hear. `tick` runs some 20 times a
second, and at once when something happened: it says of every pen why it has no link, lets `choose` pair waiting pens
with adapters that have a place and are not connecting, and starts those connects. A place is held by the pen that is
linked or being linked, and is never counted anywhere else, so that none can leak. A pen that failed five times in a row
rests for a while; one whose link went starts anew, at home if it can, elsewhere if not.

Two clocks: `now_ms` (UTC, may jump) only says when something was; `monotonic_s` decides.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Final

from devices.adapters import (
    AdapterSource,
    AdapterSpec,
    AdapterState,
    ConnectHung,
    HalfLink,
    LinkTransport,
    NoServices,
    PenGone,
    RadioAdapter,
    Sighting,
)
from devices.ble import source_of
from devices.errors import LinkError, RadioFull, RadioLost
from devices.families import PenFamily
from devices.radios.backoff import delay_s
from devices.radios.choice import AdapterRoom, WaitingPen, best_adapter, choose
from devices.radios.known import AdapterView, Heard, KnownPen, RadioMemory
from devices.radios.places import Places
from devices.radios.reasons import LINK_LOST, NOT_HEARD, NOT_WANTED, RADIO_LOST, RADIO_NONE, SILENT, why_no_link
from devices.radios.silence import silent_pens
from devices.radios.watch import AdapterWatch
from devices.transport import Connected, Connecting, Disconnected, Link, NowMs, Transport

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.05
_IDLE_S: Final = 0.5
_SETTLED_S: Final = 5.0
"""A link that lasted less counts as a failed try."""
_CHECK_S: Final = 1.0
_FORGET_AFTER_S: Final = 3600.0
_MOST_PENS: Final = 1000


class Radios:
    """All adapters and all pens. Lives in the loop's thread.

    Args:
        adapters: Settings: `bluez`, `bluez:hci1`, `serial:PORT,1000000`, `unix:PATH`.
        now_ms: The box's clock, milliseconds UTC.
        wanted: Asked for each pen that is heard: whether it may be linked.
        on_link: A link stands: MAC as advertised, and its transport.
        on_lost: It went: MAC, and why (`pen.link_lost`, `radio.lost`, `pen.silent`).
        on_silent: Nothing came from a pen for 10 s: ask it something. No answer in 5 s, and the link is closed. Without
            this callback a silent link is left alone.
        places: Links an adapter holds, until it teaches less.
        memory: What was learnt before; kept up to date.

    Attributes:
        links: The state of every pen ever heard, by MAC.
        counts: `connect_false_failures`, `connect_hung`, `connect_failed`, `radio_renames`, `links`, ...
    """

    def __init__(
        self,
        adapters: Sequence[str | AdapterSpec],
        *,
        now_ms: NowMs,
        wanted: Callable[[str], bool],
        on_link: Callable[[str, Transport], object],
        on_lost: Callable[[str, str], object],
        on_silent: Callable[[str], object] | None = None,
        places: int = 7,
        connect_timeout_s: float = 10.0,
        memory: RadioMemory | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        sources: Sequence[AdapterSource] | None = None,
    ) -> None:
        specs = [a if isinstance(a, AdapterSpec) else AdapterSpec(a) for a in adapters]
        if sources is None:
            sources = [source_of(spec, spec.hci_name, now_ms) for spec in specs]
        self._sources = sources
        self._now_ms, self._clock = now_ms, monotonic_s
        self._wanted, self._on_link, self._on_lost, self._on_silent = wanted, on_link, on_lost, on_silent
        self._timeout_s = connect_timeout_s
        self._random = random or Random()  # noqa: S311  jitter, not a secret
        self.memory = memory or RadioMemory()
        self._places = Places(places, self.memory.learnt_places)
        self.counts: Counter[str] = Counter()
        self._watch = AdapterWatch(
            sources,
            names=self.memory.names,
            counts=self.counts,
            on_heard=self._heard,
            on_change=self._adapter_changed,
        )
        self._pens: dict[str, KnownPen] = {}
        self.links: dict[str, Link] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._checked_s = monotonic_s()
        self._stopping = False

    # -- for the owner

    async def start(self) -> None:
        """Begin to look for adapters, to listen and to link."""
        self._spawn(self._watch.run())
        self._spawn(self._run())

    async def stop(self) -> None:
        """Hang up everything and let all adapters go; `on_lost` is not called any more."""
        self._stopping = True
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        standing = [p.transport.close() for p in self._pens.values() if p.transport is not None]
        await asyncio.gather(*standing, *self._closing, return_exceptions=True)
        await self._watch.close()

    @property
    def heard(self) -> dict[str, Heard]:
        """Every pen that some adapter heard lately."""
        return {mac: heard for mac in self._pens if (heard := self.hears(mac)) is not None}

    def hears(self, mac: str) -> Heard | None:
        """How one pen was heard; None if no adapter heard it lately."""
        pen = self._pens.get(mac)
        fresh = self._fresh(pen, self._clock()) if pen is not None else {}
        if pen is None or not fresh:
            return None
        rssi = {address: sighting.rssi for address, sighting in fresh.items()}
        return Heard(mac, pen.family, next(iter(fresh.values())).name, rssi, pen.last_ms)

    def family(self, mac: str) -> PenFamily:
        """The family of a pen that was heard. Raises KeyError for one that never was."""
        return self._pens[mac].family

    def state(self, mac: str) -> Link:
        """Why a pen is or is not linked, also of one never heard."""
        pen = self._pens.get(mac)
        return pen.state if pen is not None else Disconnected(self._no_radio() or NOT_HEARD, 0, {})

    def adapters(self) -> list[AdapterView]:
        """Every adapter seen since the start, and those that cannot be used."""
        used, learnt = self._used(), self.memory.learnt_places
        return [
            AdapterView(address, name, state, self._places.of(address), used[address], address in learnt)
            for address, name, state in self._watch.states()
        ]

    def adapters_state(self) -> dict[str, AdapterState]:
        """`up`, `lost`, `off` or `none` by name."""
        return {view.name: view.state for view in self.adapters()}

    # -- what happens

    def _heard(self, address: str, sighting: Sighting) -> None:
        now_s = self._clock()
        pen = self._pens.get(sighting.mac)
        if pen is None:
            if len(self._pens) >= _MOST_PENS:
                return
            state = Disconnected(NOT_WANTED, self._now_ms(), {})
            pen = self._pens[sighting.mac] = KnownPen(sighting.mac, sighting.family, state)
        news = address not in pen.sightings and pen.adapter is None
        pen.sightings[address] = (sighting, now_s)
        pen.last_s, pen.last_ms = now_s, self._now_ms()
        if news:
            self._wake.set()

    def _adapter_changed(self, address: str) -> None:
        adapter = self._watch.present(address)
        for pen in self._pens.values():
            if adapter is None:
                pen.sightings.pop(address, None)
                if pen.adapter == address and pen.transport is not None:
                    self._hang_up(pen, RADIO_LOST)
        self._wake.set()

    def _went(self, transport: LinkTransport) -> None:
        """A link is gone. A late word of an old link finds no pen that has it."""
        pen = next((p for p in self._pens.values() if p.transport is transport), None)
        if pen is not None:
            adapter = self._watch.present(pen.adapter or "")
            self._lost(pen, RADIO_LOST if adapter is None or adapter.gone.done() else LINK_LOST)

    def _lost(self, pen: KnownPen, reason: str) -> None:
        now_s = self._clock()
        if now_s - pen.linked_s >= _SETTLED_S:
            pen.tries = 0
            pen.failures.clear()
        elif reason == LINK_LOST:
            self._count_failure(pen, pen.adapter or "", now_s)
        pen.transport, pen.adapter = None, None
        pen.sightings.clear()
        pen.state = self.links[pen.mac] = Disconnected(reason, self._now_ms(), {})
        self.counts[reason] += 1
        self._wake.set()
        if not self._stopping:
            self._on_lost(pen.mac, reason)

    def _hang_up(self, pen: KnownPen, reason: str) -> None:
        """Close a link and free its place at once, whatever the closing takes."""
        transport = pen.transport
        if transport is not None:
            self._lost(pen, reason)
            closing = asyncio.create_task(transport.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    # -- the work

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pens_wait = True
            try:
                pens_wait = self.tick()
            except Exception:  # the edge of a task: the next tick may do better, and no link hangs on this one
                logger.exception("the radios stumbled")
            try:
                async with asyncio.timeout(_TICK_S if pens_wait else _IDLE_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def tick(self) -> bool:
        """Say why who has no link, and start what can be started. Returns whether a pen waits that could be linked."""
        now_s = self._clock()
        used = self._used()
        rooms = [
            AdapterRoom(a.address, self._places.of(a.address), used[a.address], busy=self._is_busy(a.address))
            for a in self._watch.adapters.values()
            if a.present is not None
        ]
        wishes = [self._waiting(pen, now_s, rooms) for pen in self._pens.values() if pen.adapter is None]
        waiting = [wish for wish in wishes if wish is not None]
        for mac, address in choose(waiting, rooms):
            self._begin(self._pens[mac], address)
        for mac, pen in self._pens.items():
            self.links[mac] = pen.state
        if now_s - self._checked_s >= _CHECK_S:
            self._checked_s = now_s
            self._check(now_s)
        return any(isinstance(pen.state, Connecting) for pen in self._pens.values())

    def _waiting(self, pen: KnownPen, now_s: float, rooms: Sequence[AdapterRoom]) -> WaitingPen | None:
        """The pen as `choose` wants it, if it can be linked now; else its state says why not."""
        fresh = self._fresh(pen, now_s)
        why = why_no_link(
            pen,
            now_s=now_s,
            now_ms=self._now_ms(),
            wanted=self._wanted(pen.mac),
            no_radio=self._no_radio(),
            fresh=fresh,
            rooms=rooms,
        )
        if why is not None:
            pen.state = why
            return None
        wish = pen.waiting(self.memory.homes.get(pen.mac), fresh)
        if not isinstance(pen.state, Connecting):
            best = best_adapter(wish, {room.address: room for room in rooms if room.free})
            pen.state = Connecting(self._name(best or ""), self._now_ms(), pen.tries)
        return wish if pen.next_try_s <= now_s else None

    def _begin(self, pen: KnownPen, address: str) -> None:
        adapter = self._watch.present(address)
        if adapter is None:
            return
        since = pen.state.since_ms if isinstance(pen.state, Connecting) else self._now_ms()
        pen.adapter = address
        pen.state = Connecting(adapter.name, since, pen.tries + 1)
        sighting, _ = pen.sightings[address]
        pen.connecting = self._spawn(self._connect(pen, adapter, sighting))

    async def _connect(self, pen: KnownPen, adapter: RadioAdapter, sighting: Sighting) -> None:
        begun_s, links = self._clock(), self._used()[adapter.address] - 1
        try:
            transport = await adapter.connect(sighting, timeout_s=self._timeout_s, on_lost=self._went)
        except LinkError as error:
            await self._failed(pen, adapter, sighting, error, begun_s, links)
        except Exception as error:  # the edge of a task: a stack's own bug is one more failed try
            logger.exception("connecting %s by %s failed", pen.mac, adapter.name)
            await self._failed(pen, adapter, sighting, error, begun_s, links)
        else:
            await self._linked(pen, adapter, transport)
        finally:
            pen.connecting = None
            if pen.transport is None:  # also when we are cancelled half-way
                pen.adapter = None
            self._wake.set()

    async def _linked(self, pen: KnownPen, adapter: RadioAdapter, transport: LinkTransport) -> None:
        if not transport.is_open or adapter.gone.done() or self._stopping or not self._wanted(pen.mac):
            await transport.close()
            return
        pen.transport, pen.linked_s = transport, self._clock()
        pen.silent_s, pen.silent_ms, pen.asked_s = self._clock(), transport.heard_ms, None
        pen.state = self.links[pen.mac] = Connected(adapter.name, self._now_ms(), transport)
        self.memory.homes[pen.mac] = adapter.address
        self._places.held(adapter.address, self._used()[adapter.address])
        self.counts["links"] += 1
        self._on_link(pen.mac, transport)

    async def _failed(
        self, pen: KnownPen, adapter: RadioAdapter, sighting: Sighting, error: Exception, begun_s: float, links: int
    ) -> None:
        self.counts["connect_failed"] += 1
        logger.info("connecting %s by %s failed: %s", pen.mac, adapter.name, error)
        if isinstance(error, RadioLost):
            return
        if isinstance(error, RadioFull):
            self._places.refused(adapter.address, links)
            return
        self._count_failure(pen, adapter.address, self._clock())
        if isinstance(error, HalfLink):
            self.counts["connect_false_failures"] += 1
            if isinstance(error, NoServices):
                pen.sightings.pop(adapter.address, None)
                await adapter.forget(sighting)
        elif isinstance(error, PenGone):
            pen.sightings.pop(adapter.address, None)
        elif isinstance(error, ConnectHung):
            self.counts["connect_hung"] += 1
            seen = pen.sightings.get(adapter.address)
            if seen is not None and seen[1] > begun_s:
                self._places.hung(adapter.address, links)

    def _count_failure(self, pen: KnownPen, address: str, now_s: float) -> None:
        pen.tries += 1
        pen.failures[address] += 1
        pen.next_try_s = now_s + delay_s(pen.tries, self._random)

    def _check(self, now_s: float) -> None:
        """Once a second: links that are dead, pens that nobody wants and nobody has heard for an hour."""
        if self._on_silent is not None:
            ask, dead = silent_pens(self._pens.values(), now_s)
            for pen in ask:
                self._on_silent(pen.mac)
            for pen in dead:
                self._hang_up(pen, SILENT)
        for mac, pen in list(self._pens.items()):
            if pen.adapter is None and now_s - pen.last_s > _FORGET_AFTER_S and not self._wanted(mac):
                del self._pens[mac]
                self.links.pop(mac, None)

    # -- small questions

    def _fresh(self, pen: KnownPen, now_s: float) -> dict[str, Sighting]:
        out = {}
        for address, (sighting, at_s) in pen.sightings.items():
            adapter = self._watch.present(address)
            if adapter is not None and now_s - at_s <= adapter.sighting_life_s:
                out[address] = sighting
        return out

    def _used(self) -> Counter[str]:
        return Counter(pen.adapter for pen in self._pens.values() if pen.adapter is not None)

    def _is_busy(self, address: str) -> bool:
        return any(pen.adapter == address and pen.transport is None for pen in self._pens.values())

    def _no_radio(self) -> str | None:
        if any(a.present is not None for a in self._watch.adapters.values()):
            return None
        return RADIO_LOST if self._watch.adapters else RADIO_NONE

    def _name(self, address: str) -> str:
        adapter = self._watch.present(address)
        return adapter.name if adapter is not None else ""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
