"""A pen's memory: what it wrote while nobody listened, and how it hands that over (neo-protocol 6)."""

import zlib
from dataclasses import dataclass, replace
from typing import Final

from devices.events import PageChanged
from devices.neo.messages_memory import (
    NOTES_LISTED_AT_MOST,
    PAGES_LISTED_AT_MOST,
    AfterTransfer,
    ChunkAck,
    MemoryChunk,
    Position,
    StoredStroke,
    TransferReply,
    TransferRequest,
)
from devices.neo.wire import NoteAddress, to_frame

DEFAULT_CAPACITY_DOTS: Final = 1_000_000
STROKE_DOTS: Final = 1_000
"""A longer stroke is cut when it is stored: a chunk holds whole strokes, and even if every byte of it has to be escaped
its frame must stay shorter than a driver bears (32 KB)."""

FOR_EVER: Final = -1
_CHUNK_BODY_BYTES: Final = 4_096
_PERCENT: Final = 100


@dataclass(slots=True)
class MemoryFaults:
    """What a test may make the memory do wrong. Numbers are how often it happens yet; `FOR_EVER` has no end."""

    wrong_sums: int = 0
    """Chunks, repeated ones among them, in which a dot has a wrong sum."""
    wrong_zlib: int = 0
    """Packed chunks that do not inflate."""
    stalls: int = 0
    """Transfers of which nothing more comes after half of the chunks."""
    twice: int = 0
    """Chunks that are sent twice."""
    deletes_anyway: bool = False
    """What was handed over is gone, although the request said to keep it: the SDKs' default."""
    deletes_nothing: bool = False
    """Deletion is answered and not done."""
    full: bool = False
    """No stroke more is kept, and the memory says 100 %."""
    plain: bool = False
    """Chunks are not packed, although the request allows it."""

    def happens(self, name: str) -> bool:
        """Whether a fault that is counted happens now; it is one less then."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left != 0


@dataclass(frozen=True, slots=True)
class Kept:
    """One stroke in memory."""

    page: PageChanged
    stroke: StoredStroke

    @property
    def note(self) -> NoteAddress:
        """Which note it is on."""
        return NoteAddress(self.page.section, self.page.owner, self.page.note)


class Memory:
    """Strokes in the order they were written, up to a number of dots."""

    def __init__(self, capacity_dots: int = DEFAULT_CAPACITY_DOTS) -> None:
        self.capacity_dots = capacity_dots
        self.kept: list[Kept] = []
        self.faults = MemoryFaults()

    @property
    def dots(self) -> int:
        """How many dots are kept."""
        return sum(len(each.stroke.dots) for each in self.kept)

    @property
    def percent(self) -> int:
        """How full it is; 1 at least where anything is kept."""
        dots = self.capacity_dots if self.faults.full else self.dots
        return min(_PERCENT, -(-_PERCENT * dots // self.capacity_dots))

    def keep(self, page: PageChanged, stroke: StoredStroke) -> bool:
        """Keep a stroke; False where there is no room.

        Raises:
            ValueError: It has more than STROKE_DOTS dots; whoever writes cuts it.
        """
        if len(stroke.dots) > STROKE_DOTS:
            raise ValueError(f"a stroke in memory has {STROKE_DOTS} dots at most, not {len(stroke.dots)}")
        if self.faults.full or self.dots + len(stroke.dots) > self.capacity_dots:
            return False
        self.kept.append(Kept(page, stroke))
        return True

    def notes(self, paper: tuple[int, int] | None = None) -> tuple[NoteAddress, ...]:
        """Which notes have strokes, of one (section, owner) or of all; as many as a list has."""
        found = dict.fromkeys(each.note for each in self.kept)
        notes = [note for note in found if paper is None or (note.section, note.owner) == paper]
        return tuple(notes[:NOTES_LISTED_AT_MOST])

    def pages(self, note: NoteAddress) -> tuple[int, ...]:
        """Which pages of a note have strokes; as many as a list has."""
        return tuple(dict.fromkeys(each.page.page for each in self.kept if each.note == note))[:PAGES_LISTED_AT_MOST]

    def of(self, note: NoteAddress, pages: tuple[int, ...] = ()) -> list[Kept]:
        """The strokes of a note, or of some of its pages."""
        return [each for each in self.kept if each.note == note and (not pages or each.page.page in pages)]

    def delete(self, gone: list[Kept]) -> None:
        """Forget strokes on request."""
        if not self.faults.deletes_nothing:
            self.forget(gone)

    def forget(self, gone: list[Kept]) -> None:
        """Let strokes go; others written on the same page since stay."""
        ids = {id(each) for each in gone}
        self.kept = [each for each in self.kept if id(each) not in ids]


class Transfer:
    """One hand-over: a chunk at a time, the next one after the acknowledgement of the one before."""

    def __init__(self, memory: Memory, request: TransferRequest) -> None:
        self._memory, self._faults = memory, memory.faults
        self._strokes = memory.of(request.address, request.pages)
        self._delete = request.after == AfterTransfer.DELETE or self._faults.deletes_anyway
        self._compress = request.compress and not self._faults.plain
        self._chunks = self._cut(request.address)
        self._next = 0
        self._stalls_at = len(self._chunks) // 2 if self._chunks and self._faults.happens("stalls") else None

    def reply(self) -> TransferReply:
        """What will be sent."""
        size = sum(len(each.stroke.pack()) for each in self._strokes)
        return TransferReply(len(self._strokes), size, self._compress)

    def first(self) -> list[bytes]:
        """The first chunk as a frame; none where there is nothing to send."""
        return self._send()

    def acknowledged(self, ack: ChunkAck, *, result: int | None) -> list[bytes]:
        """What to send on an acknowledgement: the next chunk, the same again after a refusal, or nothing."""
        if not self._chunks or ack.packet != self._chunks[self._next].packet:
            return []
        if result:
            return self._send()
        if self._next + 1 < len(self._chunks):
            if not ack.go_on:
                self._chunks = []
                return []
            self._next += 1
            return self._send()
        self._finish()
        return []

    def _send(self) -> list[bytes]:
        if not self._chunks or (self._stalls_at is not None and self._next >= self._stalls_at):
            return []
        chunk = self._chunks[self._next]
        if self._faults.happens("wrong_sums"):
            chunk = _with_wrong_sum(chunk)
        if chunk.compressed and self._faults.happens("wrong_zlib"):
            chunk = replace(chunk, data=chunk.data[:-1] + bytes((chunk.data[-1] ^ 1,)))
        return [to_frame(chunk)] * (2 if self._faults.happens("twice") else 1)

    def _finish(self) -> None:
        self._chunks = []
        if self._delete:
            self._memory.forget(self._strokes)

    def _cut(self, address: NoteAddress) -> list[MemoryChunk]:
        groups: list[list[StoredStroke]] = []
        room = 0
        for each in self._strokes:
            size = len(each.stroke.pack())
            if not groups or size > room:
                groups.append([])
                room = _CHUNK_BODY_BYTES
            groups[-1].append(each.stroke)
            room -= size
        last = len(groups) - 1
        return [
            MemoryChunk.of(
                group,
                packet=number,
                position=Position.END if number == last else Position.MIDDLE if number else Position.START,
                address=address,
                compress=self._compress,
            )
            for number, group in enumerate(groups)
        ]


def _with_wrong_sum(chunk: MemoryChunk) -> MemoryChunk:
    """The same chunk, the sum of its last dot one off, packed again as it was."""
    body = chunk.body()
    body = body[:-1] + bytes((body[-1] ^ 1,))
    data = zlib.compress(body) if chunk.compressed else body
    return replace(chunk, data=data, size_after=len(data))
