"""Live strokes of one link: stroke messages in, pen events out. Knows counters and times, nothing of requests.

Theory of operation. A stroke is down, page, dots, up; a page may come again inside it. Dots carry only the time since
the dot before, so the reader keeps the pen's time as of the last thing told. Counted events share one byte: a count
that is not the next one is a copy if the same bytes came under it a short while ago, else a gap, and the gap is told
before the event that shows it. Nothing is filtered here: a dot is ink whatever its force, place or company.
"""

import struct
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from devices.errors import PenProtocolError
from devices.events import (
    CLOCK_NEVER_SET_MS,
    Dot,
    Hover,
    ImageError,
    Lost,
    Oddity,
    PageChanged,
    PenDown,
    PenEvent,
    PenUp,
    StrokeBroken,
    Tip,
)
from devices.neo.messages import DEFAULT_FORCE_MAX
from devices.neo.messages_ink import (
    CountedDot,
    CountedDown,
    CountedImageError,
    CountedPage,
    CountedUp,
    DotRecord,
    HoverDot,
    ImageErrorRecord,
    OldDot,
    OldPage,
    OldUpDown,
    PlainDot,
    ShortDot,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_DOT_START: Final = b"\xc0\x6c\x0e\x00"
_DOT_BYTES: Final = 19
_DOT: Final = struct.Struct("<BBHHHBBBBH")
_SPECIAL: Final = b"\xc0\xc1\x7d"

_COUNTED: Final = frozenset(
    (CountedDown.COMMAND, CountedUp.COMMAND, CountedPage.COMMAND, CountedDot.COMMAND, CountedImageError.COMMAND)
)
_UNCOUNTED: Final = frozenset(
    (
        OldUpDown.COMMAND,
        OldPage.COMMAND,
        OldDot.COMMAND,
        PlainDot.COMMAND,
        ShortDot.COMMAND,
        ImageErrorRecord.COMMAND,
    )
)
STROKE_COMMANDS: Final = _COUNTED | _UNCOUNTED | {HoverDot.COMMAND}

_LATEST_COPY: Final = 64
"""How many events late a copy may be; further behind the same count is a new round of the counter."""


class Strokes:
    """The stroke state of one link."""

    def __init__(self, counts: Counter[str], *, passive: bool) -> None:
        self._counts = counts
        self._passive = passive
        self._is_open = False
        self._page: PageChanged | None = None
        self._last_count: int | None = None
        self._next_count = -1
        self._seen: list[bytes | None] = [None] * 256
        self._time_ms = 0
        self._image_ms = 0
        self._force_max = DEFAULT_FORCE_MAX
        self.is_counting = False
        """Whether the pen numbers its events, as far as seen: then equal notifications are copies."""
        self.starts_here = False
        """Whether the link's first event is known to be the first: then a high first count is a gap too."""
        self._handlers: dict[int, Callable[[bytes, int], list[PenEvent]]] = {
            CountedDown.COMMAND: self._down,
            CountedUp.COMMAND: self._up,
            CountedPage.COMMAND: self._turn,
            CountedDot.COMMAND: self._counted_dot,
            CountedImageError.COMMAND: self._counted_error,
            OldUpDown.COMMAND: self._old_up_down,
            OldPage.COMMAND: self._old_turn,
            OldDot.COMMAND: self._old_dot,
            PlainDot.COMMAND: self._plain_dot,
            ShortDot.COMMAND: self._short_dot,
            ImageErrorRecord.COMMAND: self._old_error,
            HoverDot.COMMAND: self._hover,
        }

    def clock_is(self, pen_ms: int) -> None:
        """The pen's clock, as told or as set; an open stroke keeps its own time."""
        if not self._is_open:
            self._time_ms = pen_ms

    def force_max_is(self, force: int) -> None:
        """What the pen calls full force; stands in for the force of dots that carry none."""
        self._force_max = force

    def quick_dot(self, data: bytes) -> Dot | None:
        """The usual case, for speed: exactly one whole, unescaped dot, next in count, in an open stroke; else None.

        The caller knows that no frame is begun.
        """
        if len(data) != _DOT_BYTES or not self._is_open or not data.startswith(_DOT_START):
            return None
        # Start and end mark are the only special bytes: with them gone, 17 of 19 are left.
        if data[18] != 0xC1 or len(data.translate(None, _SPECIAL)) != _DOT_BYTES - 2:  # noqa: PLR2004  the end mark
            return None
        count, delta, force, x, y, fx, fy, tilt_x, tilt_y, twist = _DOT.unpack_from(data, 4)
        if count != self._next_count:
            return None
        self._last_count = count
        self._next_count = (count + 1) & 0xFF
        self._seen[count] = data
        self._time_ms = time_ms = self._time_ms + delta
        return Dot(time_ms, 100 * x + fx, 100 * y + fy, force, tilt_x, tilt_y, twist)

    def take(self, command: int, payload: bytes, now_ms: int) -> list[PenEvent]:
        """Take one stroke message; one that is too short still counts, and is kept raw."""
        events: list[PenEvent] = []
        if command in _COUNTED and payload:
            self.is_counting = True
            lost = self._count(payload[0], _as_sent(command, payload))
            if lost is None:
                self._counts["duplicates"] += 1
                return events
            if lost:
                self._counts["lost"] += lost
                events.append(Lost(lost))
        elif command in _UNCOUNTED:
            self.is_counting = False
        try:
            events += self._handlers[command](payload, now_ms)
        except PenProtocolError as error:
            self._counts["malformed"] += 1
            events.append(Oddity("malformed", command, error.data))
        return events

    def broken(self, reason: Literal["next_down", "link_lost", "power_off"]) -> list[PenEvent]:
        """End an open stroke that will get no pen-up."""
        if not self._is_open:
            return []
        self._is_open = False
        self._counts["broken"] += 1
        return [StrokeBroken(reason)]

    def _count(self, count: int, sent: bytes) -> int | None:
        """How many events were lost before this one; None if it is a copy."""
        lost = 0
        if self._last_count is None:
            # Real pens begin with 0, some with 1; a higher count on a fresh link hides lost events.
            lost = count if self.starts_here and count > 1 else 0
        elif count != self._next_count:
            lost = (count - self._next_count) & 0xFF
            if lost > 0xFF - _LATEST_COPY and self._seen[count] == sent:
                return None
            if count == self._last_count:
                lost = 0  # the same number on other ink: the pen's slip, and no sign of a hole
        self._last_count = count
        self._next_count = (count + 1) & 0xFF
        self._seen[count] = sent
        return lost

    def _down(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        down = CountedDown.unpack(payload)
        return self._begin(down.time_ms, down.tip, down.color)

    def _up(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        up = CountedUp.unpack(payload)
        return self._end(up.time_ms, up.dots_sent)

    def _turn(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        turned = CountedPage.unpack(payload)
        return self._to_page(PageChanged(*turned.address, turned.page))

    def _counted_dot(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        return self._dot(CountedDot.unpack(payload).dot, CountedDot.COMMAND, payload, now_ms)

    def _counted_error(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        return self._image_error(CountedImageError.unpack(payload).error)

    def _old_up_down(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        told = OldUpDown.unpack(payload)
        return self._end(told.time_ms, None) if told.up else self._begin(told.time_ms, told.tip, told.color)

    def _old_turn(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        turned = OldPage.unpack(payload)
        return self._to_page(PageChanged(*turned.address, turned.page))

    def _old_dot(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        return self._dot(OldDot.unpack(payload).dot, OldDot.COMMAND, payload, now_ms)

    def _plain_dot(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        return self._dot(self._with_force(PlainDot.unpack(payload)), PlainDot.COMMAND, payload, now_ms)

    def _short_dot(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        return self._dot(self._with_force(ShortDot.unpack(payload)), ShortDot.COMMAND, payload, now_ms)

    def _old_error(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        del now_ms
        return self._image_error(ImageErrorRecord.unpack(payload))

    def _hover(self, payload: bytes, now_ms: int) -> list[PenEvent]:
        near = HoverDot.unpack(payload)
        if self._is_open or self._passive:
            self._time_ms += near.delta_ms
            return [Hover(self._time_ms, near.x_hundredths, near.y_hundredths)]
        return [Hover(now_ms, near.x_hundredths, near.y_hundredths)]

    def _begin(self, time_ms: int, tip: int, color: int) -> list[PenEvent]:
        events = self.broken("next_down")
        self._is_open = True
        self._time_ms = self._image_ms = time_ms
        if time_ms < CLOCK_NEVER_SET_MS:
            self._counts["bad_times"] += 1
        name: Tip = "eraser" if tip == 1 else "pen"
        events.append(PenDown(time_ms, name, color))
        return events

    def _end(self, time_ms: int, dots_sent: int | None) -> list[PenEvent]:
        self._is_open = False
        self._time_ms = time_ms
        return [PenUp(time_ms, dots_sent)]

    def _to_page(self, page: PageChanged) -> list[PenEvent]:
        self._page = page
        return [page]

    def _dot(self, dot: DotRecord, command: int, payload: bytes, now_ms: int) -> list[PenEvent]:
        if not self._is_open:
            self._counts["dots_without_down"] += 1
            if not self._passive:
                if self._page is None:
                    return [Oddity("dot_without_down", command, payload)]
                # The pen's clock was set by the box: what the pen-down would have told is near enough now.
                self._time_ms = now_ms - dot.delta_ms
            self._is_open = True
        self._time_ms += dot.delta_ms
        self._image_ms = self._time_ms
        return [
            Dot(
                self._time_ms,
                dot.x_hundredths,
                dot.y_hundredths,
                dot.force,
                dot.tilt_x,
                dot.tilt_y,
                dot.twist,
            )
        ]

    def _with_force(self, dot: PlainDot) -> DotRecord:
        return DotRecord(
            delta_ms=dot.delta_ms,
            force=self._force_max,
            x_hundredths=dot.x_hundredths,
            y_hundredths=dot.y_hundredths,
        )

    def _image_error(self, error: ImageErrorRecord) -> list[PenEvent]:
        # A dot's time is told since the dot before, so an image error moves only the clock of image errors.
        self._image_ms = max(self._image_ms, self._time_ms) + error.delta_ms
        return [ImageError(self._image_ms)]


def _as_sent(command: int, payload: bytes) -> bytes:
    """The frame without escapes, as `quick_dot` keeps it too."""
    return b"\xc0" + bytes((command,)) + len(payload).to_bytes(2, "little") + payload + b"\xc1"
