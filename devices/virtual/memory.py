"""A pen's memory: what it wrote while nobody listened, and how it hands that over (neo-protocol 6)."""

from dataclasses import dataclass
from typing import Final

from devices.events import PageChanged
from devices.neo.messages_memory import (
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
_CHUNK_BODY_BYTES: Final = 4_096
_LARGEST_BODY_BYTES: Final = 0xFFFF
_PERCENT: Final = 100


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

    @property
    def dots(self) -> int:
        """How many dots are kept."""
        return sum(len(each.stroke.dots) for each in self.kept)

    @property
    def percent(self) -> int:
        """How full it is; 1 at least where anything is kept."""
        dots = self.dots
        return min(_PERCENT, -(-_PERCENT * dots // self.capacity_dots))

    def keep(self, page: PageChanged, stroke: StoredStroke) -> bool:
        """Keep a stroke; False where there is no room."""
        if self.dots + len(stroke.dots) > self.capacity_dots:
            return False
        self.kept.append(Kept(page, stroke))
        return True

    def notes(self, paper: tuple[int, int] | None = None) -> tuple[NoteAddress, ...]:
        """Which notes have strokes, of one (section, owner) or of all."""
        found = dict.fromkeys(each.note for each in self.kept)
        return tuple(note for note in found if paper is None or (note.section, note.owner) == paper)

    def pages(self, note: NoteAddress) -> tuple[int, ...]:
        """Which pages of a note have strokes."""
        return tuple(dict.fromkeys(each.page.page for each in self.kept if each.note == note))

    def of(self, note: NoteAddress, pages: tuple[int, ...] = ()) -> list[Kept]:
        """The strokes of a note, or of some of its pages."""
        return [each for each in self.kept if each.note == note and (not pages or each.page.page in pages)]

    def forget(self, gone: list[Kept]) -> None:
        """Let strokes go; others written on the same page since stay."""
        ids = {id(each) for each in gone}
        self.kept = [each for each in self.kept if id(each) not in ids]


class Transfer:
    """One hand-over: a chunk at a time, the next one after the acknowledgement of the one before."""

    def __init__(self, memory: Memory, request: TransferRequest) -> None:
        self._memory = memory
        self._strokes = memory.of(request.address, request.pages)
        self._delete = request.after == AfterTransfer.DELETE
        self._compress = request.compress
        self._chunks = self._cut(request)
        self._next = 0

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
        if not self._chunks:
            return []
        frame = to_frame(self._chunks[self._next])
        return [frame]

    def _finish(self) -> None:
        self._chunks = []
        if self._delete:
            self._memory.forget(self._strokes)

    def _cut(self, request: TransferRequest) -> list[MemoryChunk]:
        groups: list[list[StoredStroke]] = []
        room = 0
        for each in self._strokes:
            size = len(each.stroke.pack())
            if size > _LARGEST_BODY_BYTES:
                continue  # no chunk can carry it: the length field has two bytes
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
                address=request.address,
                compress=request.compress,
            )
            for number, group in enumerate(groups)
        ]
