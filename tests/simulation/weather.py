"""What befalls a lesson: drawn from its seed, one thing after another, other kinds in one lesson than in the next."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.simulation.district import CLIENT as DISTRICT_CLIENT
from tests.simulation.drive import Drive
from tests.simulation.gateway import CLIENT
from tests.simulation.world import Forecast, World

KINDS: Final = (
    "pen_out_of_range",
    "pen_switched_off",
    "gateway_killed",
    "gateway_killed_in_a_write",
    "gateway_stopped",
    "box_restored",
    "box_disk_full",
    "line_cut",
    "broker_killed",
    "broker_wiped",
    "district_killed",
    "district_killed_in_a_write",
    "district_disk_full",
    "district_restored",
)
_MOST_STATEMENTS: Final = 40


def forecast(seed: int) -> Forecast:
    """Draw one lesson's weather."""
    chance = Random(f"{seed}/forecast")  # noqa: S311  the same weather for the same seed
    kinds = sorted(chance.sample(KINDS, chance.randrange(2, 7)))
    return Forecast(
        pens=chance.randrange(2, 5),
        lesson_s=chance.uniform(50.0, 110.0),
        beat_hz=chance.choice((3.0, 5.0, 8.0)),
        every_s=chance.uniform(1.5, 6.0),
        kinds=(*kinds, "backup") if {"box_restored", "district_restored"} & set(kinds) else tuple(kinds),
        air_retransmitted=chance.choice((0.0, 0.02, 0.1)),
        air_dropped=chance.choice((0.0, 0.001, 0.01)),
        air_doubled=chance.choice((0.0, 0.0, 0.02)),
        broker_drop=chance.choice((0.0, 0.05, 0.2)),
        broker_double=chance.choice((0.0, 0.1)),
        broker_slowest_s=chance.choice((0.02, 0.2, 2.0)),
        homework_dots=chance.choice((0, 0, 0, 260)),
    )


@dataclass(frozen=True, slots=True)
class _Backup:
    """What somebody copied away."""

    box: bytes
    district: bytes


class Weather:
    """Blows until the lesson is over."""

    def __init__(self, world: World) -> None:
        self._world, self._loop, self._history = world, world.loop, world.history
        self._chance = world.chance("weather")
        self._backups: list[_Backup] = []
        self._events: dict[str, Callable[[], None]] = {
            "pen_out_of_range": self._pen_out_of_range,
            "pen_switched_off": self._pen_switched_off,
            "gateway_killed": self._gateway_killed,
            "gateway_killed_in_a_write": lambda: self._will_die(world.box_drive, "gateway"),
            "gateway_stopped": self._gateway_stopped,
            "box_restored": self._box_restored,
            "box_disk_full": lambda: self._fill(world.box_drive, "gateway"),
            "line_cut": self._line_cut,
            "broker_killed": lambda: self._broker_killed(wipe=False),
            "broker_wiped": lambda: self._broker_killed(wipe=True),
            "district_killed": self._district_killed,
            "district_killed_in_a_write": lambda: self._will_die(world.district_drive, "district"),
            "district_disk_full": lambda: self._fill(world.district_drive, "district"),
            "district_restored": self._district_restored,
            "backup": self._backup,
        }

    async def blow(self) -> None:
        """One thing after another."""
        told = self._world.forecast
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / told.every_s))
            if self._loop.now_s > told.lesson_s:
                return
            self._events[self._chance.choice(told.kinds)]()

    def _pen_out_of_range(self) -> None:
        pen = self._chance.choice(self._world.pens)
        seconds = self._chance.uniform(1.0, 15.0)
        self._history.note(pen.name, f"is out of range for {seconds:.1f} s")
        self._world.out_of_range(pen, seconds)

    def _pen_switched_off(self) -> None:
        pen = self._chance.choice(self._world.pens)
        if pen.is_on:
            pen.switch_off()
            self._loop.call_later(self._chance.uniform(1.0, 10.0), pen.switch_on)

    def _gateway_killed(self) -> None:
        if self._world.gateway is not None:
            self._world.gateway.die()

    def _gateway_stopped(self) -> None:
        gateway = self._world.gateway
        if gateway is not None and gateway.is_up:
            self._world.keep(gateway.stop())

    def _district_killed(self) -> None:
        if self._world.district is not None:
            self._world.district.die()

    def _will_die(self, drive: Drive, who: str) -> None:
        statements = self._chance.randrange(1, _MOST_STATEMENTS)
        self._history.note(who, f"will die at its statement number {statements} from now")
        drive.die_at(statements)

    def _fill(self, drive: Drive, who: str) -> None:
        seconds = self._chance.uniform(0.5, 5.0)
        self._history.note(who, f"has no room on its disk for {seconds:.1f} s")
        drive.fill(is_full=True)
        self._loop.call_later(seconds, lambda: drive.fill(is_full=False))

    def _line_cut(self) -> None:
        self._world.broker.cut(self._chance.choice((CLIENT, DISTRICT_CLIENT)))

    def _broker_killed(self, *, wipe: bool) -> None:
        broker = self._world.broker
        if broker.is_up:
            broker.die(wipe=wipe)
            self._loop.call_later(self._chance.uniform(0.5, 8.0), broker.start)

    def _backup(self) -> None:
        self._history.note("backup", f"number {len(self._backups)} is made of box and district")
        self._backups.append(_Backup(self._world.box_drive.image(), self._world.district_drive.image()))

    def _box_restored(self) -> None:
        if self._backups:
            number = self._chance.randrange(len(self._backups))
            self._world.restore_box(self._backups[number].box, f"backup {number}")

    def _district_restored(self) -> None:
        if self._backups:
            number = self._chance.randrange(len(self._backups))
            self._world.restore_district(self._backups[number].district, f"backup {number}")
