"""Chunks of a pen's memory: stored strokes out, acknowledgements back.

A chunk that does not inflate, whose strokes do not fill it, or with a dot whose sum is wrong is asked for again, three
times at most; then whatever is whole in it is taken and the rest is kept raw. A dot with a wrong sum is never passed
for ink. The pen keeps what it sent: deleting is a request of its own, made when the ink is durable.
"""

from collections import Counter
from typing import Final, NamedTuple

from devices.errors import PenProtocolError
from devices.events import Dot, Oddity, OfflineStroke, PageChanged, PenEvent
from devices.neo.messages import Result
from devices.neo.messages_memory import ChunkAck, MemoryChunk, Position, StoredStroke, read_strokes
from devices.neo.wire import to_frame

MOST_RETRIES: Final = 3


class Taken(NamedTuple):
    """What a chunk came to."""

    events: list[PenEvent]
    answer: bytes
    """The acknowledgement, ready to send."""
    is_refused: bool = False
    """Whether the same chunk is asked for again."""


class Memory:
    """One link's transfers."""

    def __init__(self, counts: Counter[str], *, passive: bool) -> None:
        self._counts = counts
        self._retries_left = self._retries = 0 if passive else MOST_RETRIES
        self._last: bytes | None = None

    def begins(self) -> None:
        """A new transfer: its packet numbers start again."""
        self._last = None
        self._retries_left = self._retries

    def take(self, payload: bytes) -> Taken:
        """Take one chunk. Never raises."""
        try:
            chunk = MemoryChunk.unpack(payload)
        except PenProtocolError as error:
            self._counts["malformed"] += 1
            return Taken([Oddity("malformed", MemoryChunk.COMMAND, error.data)], b"")
        ack = ChunkAck(chunk.packet, go_on=chunk.position != Position.END)
        if payload == self._last:
            # Our acknowledgement was lost, not the chunk.
            self._counts["duplicates"] += 1
            return Taken([], to_frame(ack))
        events, is_whole = _read(chunk)
        if not is_whole and self._retries_left:
            self._retries_left -= 1
            self._counts["chunks_refused"] += 1
            again = ChunkAck(chunk.packet, go_on=True)
            return Taken([], to_frame(again, result=Result.FAILED), is_refused=True)
        self._retries_left = self._retries
        self._last = payload
        self._counts.update(event.kind for event in events if isinstance(event, Oddity))
        return Taken(events, to_frame(ack))


def _read(chunk: MemoryChunk) -> tuple[list[PenEvent], bool]:
    try:
        body = chunk.body()
    except PenProtocolError as error:
        return [Oddity("malformed", MemoryChunk.COMMAND, error.data)], False
    strokes, rest = read_strokes(body, chunk.strokes)
    events: list[PenEvent] = []
    is_whole = not rest and len(strokes) == chunk.strokes
    for stroke in strokes:
        events.append(_event(stroke, chunk))
        bad = [Oddity("bad_sum", MemoryChunk.COMMAND, dot.raw) for dot in stroke.dots if not dot.sum_ok]
        is_whole = is_whole and not bad
        events += bad
    if rest or len(strokes) != chunk.strokes:
        events.append(Oddity("malformed", MemoryChunk.COMMAND, rest))
    return events, is_whole


def _event(stroke: StoredStroke, chunk: MemoryChunk) -> OfflineStroke:
    time_ms = stroke.down_ms
    dots = []
    for dot, sum_ok, _ in stroke.dots:
        time_ms += dot.delta_ms
        if sum_ok:
            dots.append(Dot(time_ms, dot.x_hundredths, dot.y_hundredths, dot.force, dot.tilt_x, dot.tilt_y, dot.twist))
    return OfflineStroke(
        page=PageChanged(*chunk.address, stroke.page),
        tip="eraser" if stroke.tip == 1 else "pen",
        color=stroke.color,
        down_ms=stroke.down_ms,
        up_ms=stroke.up_ms,
        dots=tuple(dots),
    )
