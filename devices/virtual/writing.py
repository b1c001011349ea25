"""A stroke while it is written: in the words of the protocol as it is sent, and in the truth as it was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from devices.events import PageChanged
from devices.neo.messages_ink import (
    CountedDot,
    CountedDown,
    CountedPage,
    CountedUp,
    DotRecord,
    OldDot,
    OldPage,
    OldUpDown,
)
from devices.neo.messages_memory import StoredStroke, stored_dot
from devices.neo.wire import NoteAddress, to_frame
from devices.virtual.motion import MotionDot

Truth = dict[str, object]
"""One line of truth.jsonl (design 4)."""

Ledger = Callable[[Truth], None]

_COUNTER: Final = 256
_SUM: Final = 1 << 32


@dataclass(slots=True)
class Run:
    """One stroke, or the part of it that is wholly live or wholly in memory."""

    page: PageChanged
    down_ms: int
    """By the pen's own clock."""
    live: bool
    up_ms: int = field(init=False)
    """The time of the last dot so far."""
    dots: int = 0
    total: int = 0
    records: list[DotRecord] = field(default_factory=list)
    """Only where it goes to memory."""

    def __post_init__(self) -> None:
        self.up_ms = self.down_ms

    def add(self, dot: MotionDot, *, delta_ms: int) -> DotRecord:
        """Take a dot, `delta_ms` after the one before."""
        _, x, y, force, tilt_x, tilt_y, twist = dot
        record = DotRecord(
            delta_ms=delta_ms, force=force, x_hundredths=x, y_hundredths=y, tilt_x=tilt_x, tilt_y=tilt_y, twist=twist
        )
        self.up_ms += delta_ms
        self.dots += 1
        self.total += 31 * x + 17 * y + force
        if not self.live:
            self.records.append(record)
        return record

    def stored(self) -> StoredStroke:
        """As the memory keeps it."""
        dots = tuple(stored_dot(record) for record in self.records)
        return StoredStroke(page=self.page.page, down_ms=self.down_ms, up_ms=self.up_ms, dots=dots)

    def truth(self, mac: str) -> Truth:
        """Its line of truth."""
        how: Literal["live", "memory"] = "live" if self.live else "memory"
        return {
            "kind": "stroke",
            "pen": mac,
            "page": list(self.page),
            "down_ms": self.down_ms,
            "up_ms": self.up_ms,
            "dots": self.dots,
            "sum": self.total % _SUM,
            "how": how,
        }


@dataclass(slots=True)
class Speech:
    """The stroke events of one link, in the family that the driver asked for. The counter starts at 0 with the link."""

    counted: bool
    count: int = 0

    def down(self, time_ms: int) -> bytes:
        """Pen-down."""
        if not self.counted:
            return to_frame(OldUpDown(up=False, time_ms=time_ms))
        return to_frame(CountedDown(count=self._next(), time_ms=time_ms))

    def page(self, page: PageChanged) -> bytes:
        """Where the dots that follow are."""
        address = NoteAddress(page.section, page.owner, page.note)
        if not self.counted:
            return to_frame(OldPage(address, page.page))
        return to_frame(CountedPage(self._next(), address, page.page))

    def dot(self, record: DotRecord) -> bytes:
        """One dot."""
        return to_frame(CountedDot(self._next(), record) if self.counted else OldDot(record))

    def up(self, run: Run) -> bytes:
        """Pen-up."""
        if not self.counted:
            return to_frame(OldUpDown(up=True, time_ms=run.up_ms))
        dots = run.dots
        return to_frame(
            CountedUp(
                count=self._next(),
                time_ms=run.up_ms,
                dots_sent=dots,
                images_taken=dots,
                images_processed=dots,
                images_decoded=dots,
                images_sent=dots,
            )
        )

    def _next(self) -> int:
        count = self.count
        self.count = (count + 1) % _COUNTER
        return count
