"""Chunks of a pen's memory: stored strokes out, acknowledgements back.

A chunk that does not inflate, whose strokes do not fill it, or with a dot whose sum is wrong is asked for again, three
times at most; then whatever is whole in it is taken and the rest is kept raw. A dot with a wrong sum is never passed
for ink. The pen keeps what it sent: deleting is a request of its own, made when the ink is durable.

The pen sends a chunk when the one before it is acknowledged, so an acknowledgement that waits keeps the air free for
live ink. A chunk that does not come is asked for once more, and where none comes the transfer is over.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from devices.errors import PenProtocolError
from devices.events import Dot, Oddity, OfflineStroke, PageChanged, PenEvent, TransferBegan, TransferEnded
from devices.neo.messages import Result
from devices.neo.messages_memory import ChunkAck, MemoryChunk, Position, StoredStroke, TransferReply, read_strokes
from devices.neo.wire import to_frame

MOST_RETRIES: Final = 3

HOLD_MS: Final = 10_000
"""No acknowledgement waits longer: an SDK's patience is 20 s (neo-protocol 6.3), a pen's is not known."""

ASK_AGAIN_MS: Final = 10_000
STALLED_MS: Final = 20_000
"""Silence after which a chunk is asked for once more, and after which the transfer is over."""


class Taken(NamedTuple):
    """What a chunk came to."""

    events: list[PenEvent]
    is_refused: bool = False
    """Whether the same chunk is asked for again."""


class Memory:
    """One link's transfers.

    Args:
        say: Sends the bytes of an acknowledgement.
        passive: Only listen: nothing is acknowledged or asked for again.
    """

    def __init__(self, counts: Counter[str], say: Callable[[bytes], None], *, passive: bool) -> None:
        self._counts, self._say = counts, say
        self._passive = passive
        self._retries_left = self._retries = 0 if passive else MOST_RETRIES
        self._is_running = False
        self._is_held = self._must_stop = self._has_stopped = False
        self._waiting: tuple[ChunkAck, Result] | None = None
        self._waits_until_ms = 0
        self._quiet_since_ms = 0
        self._asked_again = False
        self._next_packet = self._strokes = self._damaged = 0
        self._last: bytes | None = None
        self._known: set[int] = set()

    def begins(self, reply: TransferReply, *, now_ms: int) -> list[PenEvent]:
        """A new transfer: its packet numbers start again, and nothing of an older one is left."""
        self.forget()
        self._is_running = bool(reply.strokes or reply.size_bytes)
        self._quiet_since_ms = now_ms
        return [TransferBegan(reply.strokes, reply.size_bytes)]

    def forget(self) -> None:
        """The link went, or another transfer begins; whether memory is held is not forgotten by the latter."""
        self._is_running = self._must_stop = self._has_stopped = self._asked_again = False
        self._waiting = None
        self._next_packet = self._strokes = self._damaged = 0
        self._last = None
        self._known.clear()
        self._retries_left = self._retries

    def hold(self, *, hold: bool, now_ms: int) -> None:
        """Let acknowledgements wait, each HOLD_MS at most, or send the one that waits."""
        self._is_held = hold
        if not hold:
            self._release(now_ms)

    def stop(self, *, now_ms: int) -> None:
        """Tell the pen with the next acknowledgement that no more is wanted; with the one that waits, if one does."""
        if not self._is_running:
            return
        self._must_stop = True
        if self._waiting is not None:
            self._waiting = ChunkAck(self._waiting[0].packet, go_on=False), Result.OK
            self._has_stopped = True
            self._release(now_ms)

    def tick(self, *, now_ms: int) -> list[PenEvent]:
        """Let go an acknowledgement that waited long enough; ask for a chunk that does not come, then give up."""
        if self._waiting is not None and now_ms >= self._waits_until_ms:
            self._release(now_ms)
        elif self._has_stopped:
            return self._ended()
        elif self._is_running and self._waiting is None:
            quiet_ms = now_ms - self._quiet_since_ms
            if quiet_ms >= STALLED_MS:
                self._damaged += 1
                return self._ended()
            if quiet_ms >= ASK_AGAIN_MS and not self._asked_again:
                self._asked_again = True
                self.missed()
        return []

    def missed(self) -> None:
        """A chunk did not come, or only as broken bytes: ask for it again."""
        if self._is_running and self._waiting is None and self._retries_left and not self._passive:
            self._retries_left -= 1
            self._last = None
            self._counts["chunks_refused"] += 1
            self._say(to_frame(ChunkAck(self._next_packet, go_on=True), result=Result.FAILED))

    def take(self, payload: bytes, *, now_ms: int) -> Taken:
        """Take one chunk. Never raises."""
        try:
            chunk = MemoryChunk.unpack(payload)
        except PenProtocolError as error:
            self._counts["malformed"] += 1
            return Taken([Oddity("malformed", MemoryChunk.COMMAND, error.data)])
        self._quiet_since_ms, self._asked_again = now_ms, False
        is_last = chunk.position == Position.END or self._must_stop
        ack = ChunkAck(chunk.packet, go_on=not is_last)
        if payload == self._last or (self._is_running and hash(payload) in self._known):
            # Our acknowledgement was lost, not the chunk.
            self._counts["duplicates"] += 1
            if self._waiting is None:
                self._answer(ack, now_ms=now_ms)
            return Taken([])
        events, is_whole = _read(chunk)
        if not is_whole and self._retries_left and not self._must_stop:
            self._retries_left -= 1
            self._counts["chunks_refused"] += 1
            self._answer(ChunkAck(chunk.packet, go_on=True), Result.FAILED, now_ms=now_ms)
            return Taken([], is_refused=True)
        self._retries_left = self._retries
        self._last = payload
        self._counts.update(event.kind for event in events if isinstance(event, Oddity))
        self._book(chunk, payload, events)
        self._answer(ack, now_ms=now_ms)
        if is_last and self._is_running:
            events += self._ended()
        return Taken(events)

    def _book(self, chunk: MemoryChunk, payload: bytes, events: list[PenEvent]) -> None:
        """Count a chunk that is taken: whole strokes and damage, also chunks that were left out before it."""
        if not self._is_running:
            return
        self._known.add(hash(payload))
        self._damaged += max(0, chunk.packet - self._next_packet)
        self._next_packet = chunk.packet + 1
        for event, after in zip(events, [*events[1:], None], strict=True):
            if isinstance(event, OfflineStroke):
                is_hurt = isinstance(after, Oddity) and after.kind == "bad_sum"
                self._strokes += not is_hurt
            else:
                self._damaged += 1

    def _ended(self) -> list[PenEvent]:
        self._is_running = self._must_stop = self._has_stopped = False
        return [TransferEnded(self._strokes, self._damaged)]

    def _answer(self, ack: ChunkAck, result: Result = Result.OK, *, now_ms: int) -> None:
        if self._passive:
            return
        if self._is_held and self._waiting is None:
            self._waits_until_ms = now_ms + HOLD_MS
        self._waiting = ack, result
        if not self._is_held:
            self._release(now_ms)

    def _release(self, now_ms: int) -> None:
        if self._waiting is not None:
            ack, result = self._waiting
            self._waiting = None
            self._quiet_since_ms = now_ms
            self._say(to_frame(ack, result=result))


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
