"""Radios without a radio: adapters that behave as told, a clock turned by hand, pens that are heard."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from devices.adapters import AdapterState, LinkTransport, RadioAdapter, Sighting
from devices.errors import RadioFull
from devices.families import NEO
from devices.radios import RadioMemory, Radios
from devices.transport import Arrival, Transport

UTC_MS: Final = 1_700_000_000_000
AA, BB, CC = "AA:00:00:00:00:01", "BB:00:00:00:00:02", "CC:00:00:00:00:03"


class FakeClock:
    """Monotonic seconds and UTC milliseconds, turned by hand."""

    def __init__(self) -> None:
        self.s = 100.0

    def monotonic_s(self) -> float:
        return self.s

    def now_ms(self) -> int:
        return UTC_MS + round((self.s - 100) * 1000)


class FakeTransport:
    """A link that lives until it is closed or dropped."""

    def __init__(self, heard_ms: int, on_lost: Callable[[LinkTransport], object]) -> None:
        self.heard_ms = heard_ms
        self.is_open = True
        self._on_lost = on_lost

    def take(self) -> list[Arrival]:
        return []

    async def write(self, data: bytes) -> None:
        del data

    async def close(self) -> None:
        self.drop()

    def drop(self) -> None:
        """The link goes; a second word of it is a late one, passed on as a stack does."""
        self.is_open = False
        self._on_lost(self)


class FakeAdapter:
    """An adapter; `failures` are the errors of the next connects, in order."""

    def __init__(self, address: str, name: str, clock: FakeClock, *, true_places: int = 99) -> None:
        self.address, self.name, self.sighting_life_s = address, name, 10.0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failures: list[Exception] = []
        self.hold: asyncio.Event | None = None
        self.connects: list[str] = []
        self.at_once = self.most_at_once = 0
        self.forgotten: list[str] = []
        self.open: list[FakeTransport] = []
        self._clock, self._true_places = clock, true_places
        self._heard: Callable[[Sighting], object] | None = None

    async def start_scanning(self, heard: Callable[[Sighting], object]) -> None:
        self._heard = heard

    async def stop_scanning(self) -> None:
        self._heard = None

    def hear(self, mac: str, rssi: int = -60) -> None:
        """A pen advertises."""
        if self._heard is not None:
            self._heard(Sighting(mac, NEO, rssi, "pen", self))

    async def connect(
        self, sighting: Sighting, *, timeout_s: float, on_lost: Callable[[LinkTransport], object]
    ) -> LinkTransport:
        del timeout_s
        self.connects.append(sighting.mac)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.hold is not None:
                await self.hold.wait()
            await asyncio.sleep(0)
            if self.failures:
                raise self.failures.pop(0)
            if sum(link.is_open for link in self.open) >= self._true_places:
                raise RadioFull("no place")
        finally:
            self.at_once -= 1
        link = FakeTransport(self._clock.now_ms(), on_lost)
        self.open.append(link)
        return link

    async def forget(self, sighting: Sighting) -> None:
        self.forgotten.append(sighting.mac)

    async def close(self) -> None:
        self.vanish()

    def vanish(self) -> None:
        """Pulled out."""
        if not self.gone.done():
            self.gone.set_result(None)

    @property
    def links(self) -> int:
        return sum(link.is_open for link in self.open)


class FakeSource:
    """A setting whose adapters are put in and pulled out by the test."""

    spec = "fake"
    pause_s = 0.0

    def __init__(self, *adapters: FakeAdapter) -> None:
        self.plugged: list[FakeAdapter] = list(adapters)
        self.troubles: dict[str, AdapterState] = {}

    async def look(self) -> list[RadioAdapter]:
        return [adapter for adapter in self.plugged if not adapter.gone.done()]

    async def close(self) -> None:
        for adapter in self.plugged:
            adapter.vanish()


@dataclass
class Scene:
    """Radios over fake adapters, and what they told."""

    clock: FakeClock
    source: FakeSource
    radios: Radios = field(init=False)
    wanted: Callable[[str], bool] = field(default=lambda _: True)
    up: dict[str, Transport] = field(default_factory=dict)
    lost: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, clock: FakeClock, *adapters: FakeAdapter, places: int = 7, memory: RadioMemory | None = None
    ) -> "Scene":
        """A scene with these adapters."""
        source = FakeSource(*adapters)
        scene = cls(clock, source)
        scene.radios = Radios(
            ["fake"],
            now_ms=clock.now_ms,
            wanted=scene.is_wanted,
            on_link=scene.up.__setitem__,
            on_lost=scene.on_lost,
            on_silent=scene.asked.append,
            places=places,
            memory=memory,
            monotonic_s=clock.monotonic_s,
            random=Random(1),  # noqa: S311  the same jitter every time
            sources=[source],
        )
        return scene

    def is_wanted(self, mac: str) -> bool:
        return self.wanted(mac)

    def on_lost(self, mac: str, reason: str) -> None:
        self.up.pop(mac, None)
        self.lost.append((mac, reason))

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        for _ in range(40):
            await asyncio.sleep(0)
            self.radios.tick()

    async def let(self, seconds: float, *heard: tuple[FakeAdapter, str], step_s: float = 0.1) -> None:
        """Time passes, and these pens are heard by these adapters whenever they have no link."""
        end_s = self.clock.s + seconds
        while self.clock.s < end_s - 1e-9:
            self.clock.s += min(step_s, end_s - self.clock.s)
            for adapter, mac in heard:
                if mac not in self.up:
                    adapter.hear(mac)
            await self.settle()

    def reason(self, mac: str) -> str:
        """The code of a pen without a link."""
        state = self.radios.state(mac)
        return getattr(state, "reason", type(state).__name__)


Begin: TypeAlias = Callable[[Scene], Awaitable[Scene]]


def mac(number: int) -> str:
    """A pen's."""
    return f"9C:7B:D2:50:00:{number:02X}"
