"""A whole box without an adapter: links are put in by hand, beats are given by the test."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from devices.adapters import Sighting
from devices.families import NEO
from devices.radios import Radios
from gateway import pens, roster
from gateway.app import App
from gateway.box import Box
from gateway.clock import now_ms
from gateway.roster import Pupil
from gateway.service import Service
from gateway.settings import BoxSettings, DiskSettings, PensSettings, RadioSettings, Settings
from gateway.store import Store
from tests.fakes.pen_link import PenLink
from tests.gateway.rig import KEY, mac


class House:
    """A box, its beats, its errands."""

    def __init__(self, folder: Path, *, password_file: str = "", disk: DiskSettings | None = None) -> None:
        self.settings = Settings(
            box=BoxSettings(folder=folder, language="en"),
            radio=RadioSettings(adapters=()),
            pens=PensSettings(password_file=password_file),
            disk=DiskSettings() if disk is None else disk,
        )
        self.store = Store(self.settings.database, mend=True)
        self.box = Box(self.settings, self.store, "00112233aabbccdd")
        self.app = App(self.box)
        self.handlers = Service(self.box).handlers()
        self.links: dict[str, PenLink] = {}

    @property
    def radios(self) -> Radios:
        """The box's radios, which no adapter feeds."""
        return self.box.linking.radios

    async def fill(self, seats: int = 2, **words: str) -> None:
        """Pupils at seats 1 to n, with pens 1 to n bound; `words` may give a name."""

        def work(db: Database) -> None:
            pupils = [Pupil(n, words.get("name", f"name {n}"), f"L{n}") for n in range(1, seats + 1)]
            roster.merge(db, pupils, key=KEY, now_ms=now_ms())
            for seat in range(1, seats + 1):
                pens.bind(db, pen=mac(seat), seat=seat, at_ms=now_ms() - 60_000, how="card")

        await self.store.run(work)
        await self.box.take_up()

    async def link(self, pen: str, *, heard_as: str | None = None, **more: Any) -> PenLink:  # noqa: ANN401  PenLink's
        """A pen is linked and its handshake is over."""
        link = PenLink(pen, at_ms=now_ms(), **more)
        known_as = heard_as or pen
        self.radios._heard("AA", Sighting(known_as, NEO, -60, "pen", None))
        self.box.linking._on_link(known_as, link)
        self.links[pen] = link
        for _ in range(6):
            await self.beat()
        return link

    async def beat(self) -> None:
        """One beat, and what it set going."""
        await self.app.beat(now_ms())
        await asyncio.sleep(0)
        for live in self.box.linking.links.live.values():
            if live.flushing is not None:
                await live.flushing

    async def drop(self, pen: str, *, heard_as: str | None = None) -> None:
        """A link goes."""
        self.links[pen].is_open = False
        self.box.linking._on_lost(heard_as or pen, "link.lost")
        await self.beat()

    async def ask(self, do: str, **request: Any) -> Any:  # noqa: ANN401  as the control socket
        """An errand."""
        said: Mapping[str, Any] = await self.handlers[do](request)
        return said

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What is committed."""
        return [tuple(row) for row in self.store.reader.execute(query, values)]

    async def close(self) -> None:
        """Let the store go."""
        await self.box.linking.links.hang_up(now_ms)
        await asyncio.to_thread(self.store.close)
