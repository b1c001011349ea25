"""A pen reached through the real central side: an adapter of ours or BlueZ's, a scan, a fresh link."""

import asyncio
import time

from devices.adapters import AdapterSource, AdapterSpec, RadioAdapter, Sighting
from devices.ble import source_of
from devices.errors import LinkError
from devices.transport import Transport

FIND_S = 20.0
CONNECT_S = 15.0
TRIES = 3


class PenOnAdapter:
    """One pen by MAC, over one adapter setting: `bluez:hci0`, `unix:PATH`, `serial:PORT,1000000`."""

    def __init__(self, spec: str, mac: str, *, password: str | None = None) -> None:
        self.mac, self.password = mac, password
        self._source: AdapterSource = source_of(AdapterSpec(spec), "contract", _now_ms)

    async def connect(self) -> Transport:
        """A fresh link; tries three times, because a first connect often fails on real radios."""
        for left in reversed(range(TRIES)):
            try:
                adapter = await self._adapter()
                return await adapter.connect(await self._heard(adapter), timeout_s=CONNECT_S, on_lost=_ignore)
            except LinkError:
                if not left:
                    raise
        raise AssertionError("no try was made")

    async def close(self) -> None:
        """Let the adapter go."""
        await self._source.close()

    async def _adapter(self) -> RadioAdapter:
        adapters = await self._source.look()
        assert adapters, f"no adapter at {self._source.spec}: {self._source.troubles}"
        return adapters[0]

    async def _heard(self, adapter: RadioAdapter) -> Sighting:
        found: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()

        def heard(sighting: Sighting) -> None:
            if sighting.mac == self.mac and not found.done():
                found.set_result(sighting)

        await adapter.start_scanning(heard)
        try:
            async with asyncio.timeout(FIND_S):
                return await found
        except TimeoutError as error:
            raise LinkError(
                f"{self.mac} was not heard in {FIND_S:.0f} s: is it on, and not linked elsewhere?"
            ) from error
        finally:
            await adapter.stop_scanning()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _ignore(_link: object) -> None:
    """The suite looks at the transport itself."""
