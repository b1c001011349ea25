"""The box's clock. The only place that asks what time it is.

Two clocks are kept apart. The *wall* is what the system says: it may be years off, and it may jump. The *box's time* is
what every row and every timer goes by: the boot's monotonic clock plus an offset that was taken once and holds for the
whole boot, so that it never jumps and never goes back, also over a restart of the gateway in the middle of a lesson.
When the wall is set at last, no row is rewritten: a row with the offset between the two is added, and with it any time
of that boot can be told as it really was. A new offset is taken at a start that finds no lesson running.
"""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sqlite_utils import Database

_NOT_BEFORE_MS: Final = 1_735_689_600_000
"""2025-01-01 UTC: a clock before the program was written was never set."""

_SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")

STEP_MS: Final = 1_000
"""A wall that is further from the box's time than this was set anew."""
_NEWS_MS: Final = STEP_MS // 2
"""What is told may be so far off for want of a row, and so far again for want of a correction: a step together."""
_ROW: Final = "clock/"


def now_ms() -> int:
    """Milliseconds UTC by the wall."""
    return time.time_ns() // 1_000_000


def is_trusted() -> bool:
    """Whether the wall may be believed: set at all, and by a time service where one is known."""
    if now_ms() < _NOT_BEFORE_MS:
        return False
    return _SYNCHRONISED.exists() or not _SYNCHRONISED.parent.exists()


def monotonic_ms() -> int:
    """Milliseconds since the boot, also those that the box slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_id() -> str:
    """Which boot this is; empty where the system does not say."""
    with suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return ""


class System(Protocol):
    """What the box's time is made of."""

    def wall_ms(self) -> int:
        """Milliseconds UTC by the wall."""

    def monotonic_ms(self) -> int:
        """Milliseconds since the boot."""

    def boot_id(self) -> str:
        """Which boot this is."""

    def is_trusted(self) -> bool:
        """Whether the wall may be believed."""


class Machine:
    """The clocks of this machine."""

    wall_ms = staticmethod(now_ms)
    monotonic_ms = staticmethod(monotonic_ms)
    boot_id = staticmethod(boot_id)
    is_trusted = staticmethod(is_trusted)


@dataclass(frozen=True, slots=True)
class Offset:
    """One row of what is known of the clocks of a boot, as it was at `at_ms` of the box's time."""

    boot: str
    at_ms: int
    offset_ms: int
    """The box's time less the monotonic clock."""
    ahead_ms: int
    """The wall less the box's time."""
    synced: bool
    """Whether the wall could be believed."""


class BoxClock:
    """The box's time. Made once in a process; `anchor` before anything else asks for the time."""

    def __init__(self, system: System | None = None) -> None:
        self._system: System = Machine() if system is None else system
        self._offset_ms = self._system.wall_ms() - self._system.monotonic_ms()
        self._rows: list[Offset] = []

    def now_ms(self) -> int:
        """Milliseconds of the box's time: it never jumps."""
        return self._system.monotonic_ms() + self._offset_ms

    def is_trusted(self) -> bool:
        """Whether the box's time is the true one: the wall may be believed, and agrees."""
        return self._system.is_trusted() and abs(self._ahead_ms()) <= STEP_MS

    def is_set(self) -> bool:
        """Whether the true time is known: of the box's own time too, by the offset."""
        return self._system.is_trusted()

    def anchor(self, db: Database) -> None:
        """Take the offset: this boot's where a lesson runs, else from the wall, never before what is stored."""
        self._rows = [_offset(text) for text in _texts(db)]
        newest_ms = _newest_ms(db)
        boot = self._system.boot_id()
        mine = [row for row in self._rows if row.boot == boot and boot]
        running = db.conn.execute("select 1 from lesson where stopped_ms is null").fetchone() is not None
        monotonic_ms, wall_ms = self._system.monotonic_ms(), self._system.wall_ms()
        if mine and (running or not self._system.is_trusted()):
            self._offset_ms = mine[-1].offset_ms
        else:
            self._offset_ms = wall_ms - monotonic_ms
        if not self._system.is_trusted() or running:
            # Without a believed wall what is stored is the best that is known of the time.
            self._offset_ms = max(self._offset_ms, newest_ms + 1 - monotonic_ms)
        self.kept(self.note(db))

    def has_news(self) -> bool:
        """Whether the wall has been set, or has jumped, since the newest row."""
        last = self._rows[-1] if self._rows else None
        return (
            last is None
            or last.offset_ms != self._offset_ms
            or last.boot != self._system.boot_id()
            or last.synced != self._system.is_trusted()
            or abs(last.ahead_ms - self._ahead_ms()) > _NEWS_MS
        )

    def note(self, db: Database) -> list[Offset]:
        """Add the row that says how wall and box's time stand to each other, if that is new. Returns all rows."""
        if not self.has_news():
            return self._rows
        row = Offset(
            self._system.boot_id(), self.now_ms(), self._offset_ms, self._ahead_ms(), self._system.is_trusted()
        )
        said = {"boot": row.boot, "at_ms": row.at_ms, "offset_ms": row.offset_ms, "ahead_ms": row.ahead_ms}
        text = json.dumps({**said, "clock_synced": row.synced})
        db.conn.execute("insert into box(k, v) values (?, ?)", (f"{_ROW}{len(self._rows):06}", text))
        return [*self._rows, row]

    def kept(self, rows: list[Offset]) -> None:
        """What `note` returned is committed."""
        self._rows = rows

    def told_ms(self, at_ms: int) -> int:
        """A box's time as it really was, as far as is known now: for whatever leaves the box and for people."""
        mine = [row for row in self._rows if row.at_ms <= at_ms] or self._rows[:1]
        if not mine:
            return at_ms
        anchor = mine[-1]
        same = [
            row for row in self._rows if row.synced and (row.boot, row.offset_ms) == (anchor.boot, anchor.offset_ms)
        ]
        if not same or abs(same[-1].ahead_ms) <= _NEWS_MS:
            return at_ms
        return at_ms + same[-1].ahead_ms

    def _ahead_ms(self) -> int:
        return self._system.wall_ms() - self.now_ms()


def offsets(db: Database) -> list[Offset]:
    """All rows, oldest first."""
    return [_offset(text) for text in _texts(db)]


def _texts(db: Database) -> list[str]:
    found = db.conn.execute("select v from box where k >= ? and k < ? order by k", (_ROW, _ROW + "~"))
    return [str(row[0]) for row in found]


def _offset(text: str) -> Offset:
    said = json.loads(text)
    return Offset(said["boot"], said["at_ms"], said["offset_ms"], said["ahead_ms"], said["clock_synced"])


def _newest_ms(db: Database) -> int:
    """The newest time of the box that its rows know; 0 for an empty store."""
    queries = (
        "select up_ms from ink order by id desc limit 1",
        "select to_ms from loss order by id desc limit 1",
        "select coalesce(to_ms, from_ms) from link order by id desc limit 1",
        "select max(coalesce(stopped_ms, started_ms)) from lesson",
        "select at_ms from grade order by rowid desc limit 1",
        "select max(from_ms) from binding",
        "select cast(substr(v, instr(v, ' ') + 1) as int) from box where k = 'beat'",
    )
    found = [db.conn.execute(query).fetchone() for query in queries]
    return max((row[0] for row in found if row is not None and row[0] is not None), default=0)
