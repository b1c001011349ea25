"""From the radio to the links: which pens may be linked, the join window, and the rows that tell of every link.

A pen is linked when it is adopted, or while the join window is open. What a pen is known by before its hello is the MAC
it advertises; whose ink it is, its hello says.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlite_utils import Database

from devices.neo.messages import SettingsRequest
from devices.neo.messages_control import SetSetting, Setting
from devices.neo.session import NeoSession
from devices.pen import Pen
from devices.radios import Radios
from devices.transport import Connected, NowMs, Transport
from gateway import comeback
from gateway.alive import Seen
from gateway.comeback import SetBack
from gateway.errors import WrongUse
from gateway.identity import secret
from gateway.links import Change, Links, Live
from gateway.settings import Settings
from gateway.strokes import LossSeen

logger = logging.getLogger(__name__)

_SHOW_S: Final = 10.0
"""How long a pen shows itself when it is asked who it is."""
_SHOW_ARGB: Final = 0xFFF93610
_IN_FLIGHT_MS: Final = 1_000
"""A pen that wrote so short ago may have written more."""
_PLAIN_ARGB: Final = 0xFF000000


class Linking:
    """Radios, links and the join window. Lives in the loop's thread."""

    def __init__(self, settings: Settings, now_ms: NowMs) -> None:
        self._settings, self._now_ms = settings, now_ms
        self._password = secret(settings.pens.password_file, "the pens' password")
        self.links = Links(piece_dots=settings.ink.piece_dots)
        self.adopted: set[str] = set()
        self.join_from_ms: int | None = None
        self._join_until_ms = 0
        self._stopping = False
        self.refusing: Callable[[], bool] = lambda: False
        """Whether no pen is linked now, because its ink could not be kept."""
        self.wrap: Callable[[str, Transport], Transport] = lambda _mac, transport: transport
        """What stands around the transport of a new link."""
        self.set_back: SetBack | None = None
        """Where the store was found older than the box's last beat."""
        self._signal_dbm: dict[str, int] = {}
        self.radios = Radios(
            settings.radio.adapters,
            places=settings.radio.places,
            connect_timeout_s=settings.radio.connect_timeout_s,
            wanted=self.wanted,
            on_link=self._on_link,
            on_lost=self._on_lost,
            on_silent=self._on_silent,
            now_ms=now_ms,
        )

    async def start(self) -> None:
        """Open the adapters and begin to link."""
        await self.radios.start()

    async def stop(self) -> None:
        """Hang up and let the adapters go; a loss only for pens that were writing."""
        self._stopping = True
        self.links.take(self._now_ms())
        await self.links.hang_up(self._now_ms)
        await self.radios.stop()

    def wanted(self, mac: str) -> bool:
        """Whether a pen that is heard may be linked."""
        return not self.refusing() and (mac in self.adopted or self.join_left_s() > 0)

    async def refuse(self, reason: str) -> None:
        """Hang up on every pen, so that it keeps its ink itself; of those that were writing some was in flight."""
        now_ms = self._now_ms()
        self.links.take(now_ms)
        ending = list(self.links.live.items())
        for heard_as, live in ending:
            ink, state = live.ink, live.state
            if ink is not None and state is not None and (ink.open or now_ms - ink.last_ms < _IN_FLIGHT_MS):
                last_ms = min(ink.last_ms or now_ms, now_ms)
                self.links.lose(state.mac, LossSeen(last_ms, now_ms, None, "disk_full", None))
            self.links.lost(heard_as, reason, now_ms)
        await asyncio.gather(*(live.pen.transport.close() for _, live in ending), return_exceptions=True)

    def take(self, now_ms: int) -> None:
        """Take what arrived; close the join window when its time is over."""
        self.links.take(now_ms)
        if self.join_from_ms is not None and now_ms >= self._join_until_ms:
            self.join_from_ms = None
            self._release_strangers()

    def join(self, minutes: float) -> dict[str, Any]:
        """Open the join window for so long, or longer if it is open; 0 closes it."""
        now_ms = self._now_ms()
        if minutes <= 0:
            self._join_until_ms = now_ms
        else:
            self.join_from_ms = self.join_from_ms or now_ms
            self._join_until_ms = now_ms + round(minutes * 60_000)
        return {"join_open_s": self.join_left_s()}

    def write_window(self, db: Database) -> None:
        """Keep the join window in the store: a gateway that is started again goes on with it."""
        db.conn.execute(
            "insert into box(k, v) values ('join', ?) on conflict(k) do update set v = excluded.v",
            (f"{self.join_from_ms or 0} {self._join_until_ms}",),
        )

    def read_window(self, db: Database) -> None:
        """After a start: the join window as it was left."""
        row = db.conn.execute("select v from box where k = 'join'").fetchone()
        from_ms, until_ms = (int(part) for part in row[0].split()) if row is not None else (0, 0)
        if until_ms > self._now_ms():
            self.join_from_ms, self._join_until_ms = from_ms, until_ms

    def write_memory(self, db: Database) -> None:
        """Keep what was learnt of adapters: their names and places, and where pens live."""
        db.conn.execute(
            "insert into box(k, v) values ('radio', ?) on conflict(k) do update set v = excluded.v",
            (json.dumps(asdict(self.radios.memory)),),
        )

    def read_memory(self, db: Database) -> None:
        """After a start: what was learnt before."""
        row = db.conn.execute("select v from box where k = 'radio'").fetchone()
        for name, known in (json.loads(row[0]) if row is not None else {}).items():
            held = getattr(self.radios.memory, name, None)
            if isinstance(held, dict) and isinstance(known, dict):
                held.update(known)

    def join_left_s(self) -> float:
        """How long the join window is still open."""
        return max(0.0, (self._join_until_ms - self._now_ms()) / 1000) if self.join_from_ms is not None else 0.0

    def identify(self, pen: str) -> dict[str, Any]:
        """Make a pen show itself by light and beep."""
        live = self.links.of(pen)
        if live is None or live.state is None or not live.state.ready:
            raise WrongUse(f"Pen {pen} is not linked now, so it cannot show itself; `inkgate pens list` says why.")
        session = live.pen.session
        if not isinstance(session, NeoSession):
            raise WrongUse("This pen has no light and no beep; let somebody write with it: its row shows the ink.")
        beeps = session.settings is None or session.settings.beep
        self._show(live, on=True, beeps=True)
        loop = asyncio.get_running_loop()
        loop.call_later(_SHOW_S, lambda: self._show(live, on=False, beeps=beeps))
        return {"shows_itself_s": _SHOW_S}

    def _show(self, live: Live, *, on: bool, beeps: bool) -> None:
        now_ms = self._now_ms()
        live.pen.session.ask(SetSetting.led(_SHOW_ARGB if on else _PLAIN_ARGB), now_ms=now_ms)
        live.pen.session.ask(SetSetting.switch(Setting.BEEP, on=beeps), now_ms=now_ms)

    async def let_go(self, pen: str) -> None:
        """Hang up on a pen that is no longer ours."""
        live = self.links.of(pen)
        if live is not None:
            await live.pen.transport.close()

    def signal_dbm(self, mac: str) -> int | None:
        """How strong a pen was heard last, by whoever heard it best; a pen that is linked advertises no more."""
        heard = self.radios.hears(mac)
        if heard is not None and heard.rssi:
            self._signal_dbm[mac] = max(heard.rssi.values())
        return self._signal_dbm.get(mac)

    def write(self, db: Database, changes: Sequence[Change]) -> None:
        """The rows of what happened to links, inside the beat's transaction."""
        for change in changes:
            if change.kind == "hello":
                db.conn.execute(
                    "insert into pen(mac, model, firmware, name, first_ms) values (?,?,?,?,?)"
                    " on conflict(mac) do update"
                    " set model=excluded.model, firmware=excluded.firmware, name=excluded.name",
                    (change.mac, *(change.detail[k] for k in ("model", "firmware", "name")), change.at_ms),
                )
            elif change.kind == "gaps":
                comeback.keep(db, str(change.detail["text"]))
            elif change.kind == "link_up":
                db.conn.execute(
                    "insert into link(pen, adapter, from_ms) values (?,?,?)",
                    (change.mac, change.detail["adapter"], change.at_ms),
                )
            elif change.kind == "link_down":
                db.conn.execute(
                    "update link set to_ms = ?, reason = ? where pen = ? and to_ms is null",
                    (change.at_ms, change.detail["reason"], change.mac),
                )

    def open_windows(self, db: Database, lesson_from_ms: int, before: Seen | None = None) -> None:
        """After a start: where ink may be missing since the box before this one died (see `comeback`).

        Args:
            db: The store.
            lesson_from_ms: Since when a lesson runs; now, where none does.
            before: What that box left in the file beside the store.
        """
        self.set_back = comeback.take_up(db, self.links, self._now_ms(), lesson_from_ms, before)

    def note_stopped(self, db: Database, now_ms: int) -> None:
        """At a clean end: every link ends because we hung up."""
        db.conn.execute("update link set to_ms = ?, reason = 'stopped' where to_ms is null", (now_ms,))

    def _on_link(self, mac: str, transport: Transport) -> None:
        link = self.radios.links.get(mac)
        adapter = link.adapter if isinstance(link, Connected) else ""
        known = self.links.states.get(mac)
        refused = known is not None and known.password is not None
        session = self.radios.family(mac).session(password=None if refused else self._password)
        session.start(now_ms=self._now_ms())
        self.links.add(mac, Pen(self.wrap(mac, transport), session), adapter, self._now_ms())

    def _on_lost(self, mac: str, reason: str) -> None:
        if not self._stopping:
            self.links.lost(mac, reason, self._now_ms())

    def _on_silent(self, mac: str) -> None:
        """Nothing came for a while: ask the pen how it is; its answer shows that the link lives."""
        live = self.links.live.get(mac)
        if live is not None and isinstance(live.pen.session, NeoSession):
            live.pen.session.ask(SettingsRequest(), now_ms=self._now_ms())

    def _release_strangers(self) -> None:
        """The window is closed: pens that nobody bound are let go."""
        for mac, live in list(self.links.live.items()):
            if mac not in self.adopted:
                task = asyncio.ensure_future(live.pen.transport.close())
                task.add_done_callback(lambda t: t.exception())
