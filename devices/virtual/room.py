"""A virtual classroom: dongles as sockets in a folder, pens on the air between, and the books of what was written."""

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from devices.virtual.air import Air
from devices.virtual.dongle import DEFAULT_PLACES, Dongle
from devices.virtual.gatt import PenOptions
from devices.virtual.pen import VirtualPen
from devices.virtual.port import HostPort
from devices.virtual.writing import Ledger

_MAC_PREFIX: Final = "9C:7B:D2:50:"
_WRONG_BY_MS: Final = 90_000
_BATTERY_PERCENT: Final = (35, 100)


def mac_of(number: int) -> str:
    """The MAC of pen 1, 2, ... of a room: 9C:7B:D2:50:00:01 and on."""
    return f"{_MAC_PREFIX}{number >> 8:02X}:{number & 0xFF:02X}"


class VirtualRoom:
    """Everything on the far side of the radio.

    Attributes:
        folder: Where the sockets hci0, hci1, ... are; each speaks H4 as a dongle on a serial line does.
        pens: The pens by MAC, in the order of their numbers.
        dongles: The dongles, in order.
        air: What is between.

    Args:
        retransmit: Share of the pens' packets that come whole connection events late, in their order.
        drop_at_host: Share of the pens' notifications that vanish at the host's socket, told as `host_dropped`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ledger: Ledger,
        pens: int = 48,
        adapters: int = 4,
        places: int = DEFAULT_PLACES,
        seed: int = 0,
        events_ms: float = 15.0,
        options: PenOptions | None = None,
        retransmit: float = 0.0,
        drop_at_host: float = 0.0,
    ) -> None:
        self.folder = folder
        self.pens: dict[str, VirtualPen] = {}
        self.dongles: list[Dongle] = []
        self.air = Air()
        self._ledger = ledger
        self._count, self._adapters, self._places = pens, adapters, places
        self._options = replace(
            options or PenOptions(), events_ms=events_ms, retransmit=retransmit, drop_at_host=drop_at_host, seed=seed
        )
        self._seed = seed
        self._servers: list[asyncio.Server] = []

    @property
    def sockets(self) -> list[Path]:
        """Where the dongles are opened, in order."""
        return [self.folder / f"hci{number}" for number in range(self._adapters)]

    @property
    def dots_in_pens(self) -> int:
        """How many dots all memories hold."""
        return sum(pen.memory.dots for pen in self.pens.values())

    async def start(self) -> None:
        """Open the sockets, then switch the pens on.

        Raises:
            OSError: A socket cannot be made; a path of more than 107 bytes is too long for one.
        """
        loop = asyncio.get_running_loop()
        for number, path in enumerate(self.sockets):
            address = f"00:1B:DC:00:00:{number:02X}"
            dongle = Dongle(
                path.name,
                self.air,
                public_address=address,
                places=self._places,
                supervision_s=self._options.supervision_s,
            )
            self.dongles.append(dongle)
            path.unlink(missing_ok=True)
            self._servers.append(await loop.create_unix_server(partial(HostPort, dongle), path))
        random = Random(self._seed)  # noqa: S311  # a room that can be repeated, not a secret
        for number in range(1, self._count + 1):
            options = self._made(random)
            pen = VirtualPen(self.air, mac_of(number), ledger=self._ledger, options=options)
            self.pens[pen.mac] = pen
            await pen.switch_on()

    async def stop(self) -> None:
        """Switch everything off and take the sockets away; what the pens keep stays readable."""
        for pen in self.pens.values():
            await pen.switch_off(reason=None)
        for server in self._servers:
            server.close()
        for dongle in self.dongles:
            dongle.close()
        for server in self._servers:
            await server.wait_closed()
        for path in self.sockets:
            path.unlink(missing_ok=True)
        self._servers.clear()
        self.dongles.clear()
        await asyncio.sleep(0)  # the ports' ends are told in the next turn

    def _made(self, random: Random) -> PenOptions:
        """One pen's own battery and, unless it is given, its clock: some seconds wrong."""
        clock_ms = self._options.clock_ms or time.time_ns() // 1_000_000 + random.randint(-_WRONG_BY_MS, _WRONG_BY_MS)
        return replace(self._options, clock_ms=clock_ms, battery_percent=random.randint(*_BATTERY_PERCENT))
