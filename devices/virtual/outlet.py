"""A pen's way out: frames gathered between connection events, sent as notifications, and lost with the link.

What the dongle does not acknowledge stays here; when the link goes, or too much has gathered, it is lost, and said so.
A packet that the air hurts is sent again at the next connection event; all behind it wait, as the link layer does it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from devices.virtual.dongle import Beam

_LONGEST_QUEUE: Final = 512
_SMALLEST_VALUE_BYTES: Final = 20
_SLICE_BYTES: Final = 20
_RETRY_S: Final = 0.005
_EARLY_S: Final = 0.0001


class Queued(NamedTuple):
    """One frame that waits for its connection event."""

    frame: bytes
    events: int
    """Counted events in it, 0 in a reply."""
    dots: int
    ends: bool = True
    """False where more of the same frame follows."""


@dataclass(slots=True)
class AirFaults:
    """What the air between a pen and its host does to notifications; the same seed does the same to the same ones."""

    retransmit: float = 0.0
    """Share of the packets, tries after the first among them, that come only at a later connection event."""
    drop_at_host: float = 0.0
    """Share of the notifications that the pen takes for delivered and that vanish before the host reads them."""
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311  # a play that can be repeated

    def is_hurt(self) -> bool:
        """Whether the next packet has to be sent again."""
        return self.random.random() < self.retransmit

    def vanishes(self) -> bool:
        """Whether the next notification vanishes."""
        return self.random.random() < self.drop_at_host


@dataclass(slots=True)
class OutletFaults:
    """What a test may make the way out do wrong."""

    lose_next: int = 0
    """So many of the next events vanish; the counter has counted them."""
    duplicate: bool = False
    """Each notification twice."""
    slices: bool = False
    """Notifications of 20 bytes, whatever the MTU."""
    joined: bool = False
    """As many frames in one notification as fit."""


class Outlet:
    """Frames in, notifications out, one grid of connection events a link."""

    def __init__(
        self,
        *,
        event_s: float,
        phase_s: float,
        dropped: Callable[[str, int, int], None],
        air: AirFaults | None = None,
    ) -> None:
        self._event_s, self._phase_s = event_s, phase_s
        self._late: list[Queued] = []
        self._late_until_s = 0.0
        self._is_torn = False
        self._dropped = dropped
        self._queue: list[Queued] = []
        self._beam: Beam | None = None
        self._value_bytes = _SMALLEST_VALUE_BYTES
        self._timer: asyncio.TimerHandle | None = None
        self._missing: dict[str, list[int]] = {}
        self.faults = OutletFaults()
        self.air = air or AirFaults()
        self.is_audible = True
        """False while the pen is out of range."""

    @property
    def is_open(self) -> bool:
        """Whether somebody subscribed."""
        return self._beam is not None

    def open(self, beam: Beam, *, mtu: int) -> None:
        """Somebody subscribed: from here on frames go this way."""
        self._beam = beam
        self._value_bytes = max(_SMALLEST_VALUE_BYTES, mtu - 3)
        self._is_torn = False

    def close(self, cause: str) -> None:
        """The link went: what waits is lost."""
        self._beam = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in self._late + self._queue:
            self._miss(cause, each)
        self._late.clear()
        self._queue.clear()
        self._tell()

    def next_event_s(self, at_s: float) -> float:
        """The first connection event not before a moment of the loop's clock."""
        if not self._event_s:
            return at_s
        beats = -(-(at_s - self._phase_s) // self._event_s)
        return self._phase_s + beats * self._event_s

    def put(self, frame: bytes, *, events: int = 0, dots: int = 0) -> None:
        """Take a frame for the next connection event."""
        queued = Queued(frame, events, dots)
        if events and self.faults.lose_next > 0:
            self.faults.lose_next -= events
            self._dropped("fault", events, dots)
        elif events and len(self._queue) >= _LONGEST_QUEUE:
            self._miss("not_acknowledged", queued)
        else:
            self._queue.append(queued)

    def flush_later(self, *, wait_s: float = 0.0) -> None:
        """Send at the next connection event, or at the first one after a wait."""
        if self._timer is None and (self._queue or self._late):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self.next_event_s(loop.time() + wait_s), self._on_event)

    def flush(self) -> None:
        """This is a connection event: send all that waits, or go on waiting while nobody acknowledges."""
        beam = self._beam
        if beam is None or not (self._queue or self._late):
            return
        if not (self.is_audible and beam.acknowledges):
            self.flush_later(wait_s=_RETRY_S)
            return
        if self._late and (early_s := self._late_until_s - asyncio.get_running_loop().time()) > _EARLY_S:
            self.flush_later(wait_s=early_s)
            return
        queue, self._queue = self._queue, []
        hurts = self.air.retransmit > 0
        values = self._late + self._values(queue)
        self._late = []
        for at, value in enumerate(values):
            if hurts and self.air.is_hurt():
                self._wait_with(values[at:])
                break
            self._send(beam, value)
        if "not_acknowledged" in self._missing:
            self._tell()

    def _wait_with(self, late: list[Queued]) -> None:
        """These come at the next connection event at the soonest."""
        now_s = asyncio.get_running_loop().time()
        self._late = late
        wait_s = self._event_s / 2 or _RETRY_S
        self._late_until_s = self.next_event_s(now_s + wait_s)
        self.flush_later(wait_s=wait_s)

    def _send(self, beam: Beam, value: Queued) -> None:
        """One notification, or its loss: a frame of which one piece vanishes is lost whole."""
        if not (self.air.drop_at_host or self._is_torn):
            beam.send(value.frame, events=value.events, dots=value.dots)
            if self.faults.duplicate:
                beam.send(value.frame)
            return
        vanishes = self.air.vanishes()
        if (vanishes or self._is_torn) and value.events:
            self._dropped("host_dropped", value.events, value.dots)
        if not vanishes:
            # What is told as dropped must not be told again if the host dies with the rest of the frame unread.
            events, dots = (0, 0) if self._is_torn else (value.events, value.dots)
            beam.send(value.frame, events=events, dots=dots)
            if self.faults.duplicate:
                beam.send(value.frame)
        self._is_torn = (vanishes or self._is_torn) and not value.ends

    def _on_event(self) -> None:
        self._timer = None
        self.flush()

    def _values(self, queue: list[Queued]) -> list[Queued]:
        """Notifications no longer than the link carries; an event counts with the last piece of its frame."""
        limit = min(_SLICE_BYTES, self._value_bytes) if self.faults.slices else self._value_bytes
        if self.faults.joined:
            queue = _joined(queue, limit)
        values: list[Queued] = []
        for each in queue:
            if len(each.frame) <= limit:
                values.append(each)
                continue
            pieces = [each.frame[at : at + limit] for at in range(0, len(each.frame), limit)]
            values.extend(Queued(piece, 0, 0, ends=False) for piece in pieces[:-1])
            values.append(Queued(pieces[-1], each.events, each.dots))
        return values

    def _miss(self, cause: str, queued: Queued) -> None:
        count = self._missing.setdefault(cause, [0, 0])
        count[0] += queued.events
        count[1] += queued.dots

    def _tell(self) -> None:
        missing, self._missing = self._missing, {}
        for cause, (events, dots) in missing.items():
            if events:
                self._dropped(cause, events, dots)


def _joined(queue: list[Queued], limit: int) -> list[Queued]:
    joined: list[Queued] = []
    for each in queue:
        if joined and len(joined[-1].frame) + len(each.frame) <= limit:
            last = joined[-1]
            joined[-1] = Queued(last.frame + each.frame, last.events + each.events, last.dots + each.dots)
        else:
            joined.append(each)
    return joined
