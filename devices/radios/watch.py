"""The adapters: looked for, listened to, known by address however they are called."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from devices.adapters import AdapterSource, AdapterState, RadioAdapter, Sighting
from devices.errors import LinkError
from devices.radios.known import KnownAdapter

logger = logging.getLogger(__name__)

OnHeard: TypeAlias = Callable[[str, Sighting], object]
"""Address of the adapter, and what it heard."""

_LISTEN_AGAIN_S: Final = 1.0


class AdapterWatch:
    """All adapters of all settings.

    Attributes:
        adapters: Every adapter seen since the start, by address.
    """

    def __init__(
        self,
        sources: Sequence[AdapterSource],
        *,
        names: dict[str, str],
        counts: Counter[str],
        on_heard: OnHeard,
        on_change: Callable[[str], object],
    ) -> None:
        self._sources = sources
        self._names, self._counts = names, counts
        self._on_heard, self._on_change = on_heard, on_change
        self.adapters: dict[str, KnownAdapter] = {}
        self._closed = False

    async def run(self) -> None:
        """Look at every source, again and again; cancelled, it stops listening but leaves the adapters open."""
        watching = [asyncio.create_task(self._watch(source)) for source in self._sources]
        try:
            await asyncio.gather(*watching)
        finally:
            listening = [a.listener for a in self.adapters.values() if a.listener is not None]
            for task in [*watching, *listening]:
                task.cancel()
            await asyncio.gather(*watching, *listening, return_exceptions=True)

    async def close(self) -> None:
        """Let all adapters go: none of them counts as lost."""
        self._closed = True
        await asyncio.gather(*(source.close() for source in self._sources))

    def present(self, address: str) -> RadioAdapter | None:
        """The adapter of this address, if it is there now."""
        known = self.adapters.get(address)
        return known.present if known is not None else None

    def states(self) -> list[tuple[str, str, AdapterState]]:
        """Address (empty if never seen), present or last name, and state of every adapter."""
        out: list[tuple[str, str, AdapterState]] = []
        for source in self._sources:
            mine = [a for a in self.adapters.values() if a.spec == source.spec]
            for a in mine:
                state: AdapterState = "up" if a.present is not None else source.troubles.get(a.address, "lost")
                out.append((a.address, a.name, state))
            for where, trouble in source.troubles.items():
                if where not in self.adapters and (not mine or trouble == "off"):
                    out.append(("", where, trouble))
        return out

    async def _watch(self, source: AdapterSource) -> None:
        while True:
            try:
                there = await source.look()
            except Exception:  # the edge of a task: one source that fails must not stop the others
                logger.exception("looking for adapters of %s failed", source.spec)
                there = []
            self._seen(source, there)
            gone = [adapter.gone for adapter in there]
            if gone:
                await asyncio.wait(gone, timeout=source.pause_s, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(source.pause_s)

    def _seen(self, source: AdapterSource, there: Sequence[RadioAdapter]) -> None:
        for known in self.adapters.values():
            lives = known.present in there and known.present is not None and not known.present.gone.done()
            if known.spec == source.spec and known.present is not None and not lives:
                self._vanished(known)
        for adapter in there:
            if not adapter.gone.done():
                self._appeared(source, adapter)

    def _appeared(self, source: AdapterSource, adapter: RadioAdapter) -> None:
        known = self.adapters.setdefault(adapter.address, KnownAdapter(adapter.address, adapter.name, source.spec))
        if known.present is not None:
            return
        if self._names.get(adapter.address, adapter.name) != adapter.name:
            self._counts["radio_renames"] += 1
            logger.info("adapter %s is %s now", adapter.address, adapter.name)
        self._names[adapter.address] = known.name = adapter.name
        known.present, known.spec = adapter, source.spec
        known.listener = asyncio.create_task(self._listen(adapter))
        adapter.gone.add_done_callback(lambda _: self._gone(adapter))
        logger.info("adapter %s (%s) is up", adapter.address, adapter.name)
        self._on_change(adapter.address)

    def _gone(self, adapter: RadioAdapter) -> None:
        known = self.adapters[adapter.address]
        if known.present is adapter and not self._closed:
            self._vanished(known)

    def _vanished(self, known: KnownAdapter) -> None:
        known.present = None
        listener, known.listener = known.listener, None
        if listener is not None:
            listener.cancel()
        self._counts["radio_lost"] += 1
        logger.warning("adapter %s (%s) is gone", known.address, known.name)
        self._on_change(known.address)

    async def _listen(self, adapter: RadioAdapter) -> None:
        """Listen as long as the adapter is there; one that refuses is asked again."""

        def heard(sighting: Sighting) -> None:
            self._on_heard(adapter.address, sighting)

        try:
            while not adapter.gone.done():
                try:
                    await adapter.start_scanning(heard)
                except LinkError as error:
                    logger.warning("%s does not scan: %s", adapter.name, error)
                    await asyncio.sleep(_LISTEN_AGAIN_S)
                else:
                    await asyncio.wait({adapter.gone})  # to await it alone would cancel it with us
        finally:
            with contextlib.suppress(LinkError):
                await adapter.stop_scanning()
