"""Messages of the Neo protocol 2.x about the pen's memory: lists, transfer, deletion (neo-protocol 6).

Transfer requests say themselves whether the pen deletes afterwards; the driver always asks it to keep, and deletes by
its own request once the ink is durable.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import ClassVar, Final, NamedTuple, Self

from devices.errors import PenProtocolError
from devices.neo.messages_ink import DotRecord
from devices.neo.wire import ADDRESS_BYTES, NoteAddress, need, note_address

BODY_LIMIT_BYTES: Final = 0x10000
"""No chunk can be longer: its size before compression is a u16."""

NOTES_LISTED_AT_MOST: Final = 64
PAGES_LISTED_AT_MOST: Final = 128
"""From protocol 2.15: a list of so many entries means that there may be more, and to ask again (neo-protocol 6.1)."""

_STROKE: Final = struct.Struct("<IQQBIH")
_DOT_BYTES: Final = 16
_CHUNK: Final = struct.Struct("<HBHHB8sH")
_PAPER: Final = struct.Struct("<I")
_ALL_PAPERS: Final = 0xFFFF_FFFF


@unique
class Position(IntEnum):
    """Where a chunk stands in its transfer."""

    START = 0
    MIDDLE = 1
    END = 2


@unique
class AfterTransfer(IntEnum):
    """What the pen does with strokes that it has sent."""

    DELETE = 1
    KEEP = 2


def _paper(section: int, owner: int) -> bytes:
    return _PAPER.pack(owner | section << 24)


def _numbers(payload: bytes, at: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{count}I", payload, at)


@dataclass(frozen=True, slots=True)
class MemoryNotesRequest:
    """Asks which notes lie in memory."""

    COMMAND: ClassVar[int] = 0x21

    paper: tuple[int, int] | None = None
    """(section, owner), or None for all."""

    def pack(self) -> bytes:
        """4 bytes."""
        return _PAPER.pack(_ALL_PAPERS) if self.paper is None else _paper(*self.paper)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 4 bytes. Raises PenProtocolError if shorter."""
        need(payload, _PAPER.size, cls.__name__)
        paper = _PAPER.unpack_from(payload)[0]
        return cls(None if paper == _ALL_PAPERS else (paper >> 24, paper & 0xFFFFFF))


@dataclass(frozen=True, slots=True)
class MemoryNotesReply:
    """Which notes lie in memory. From protocol 2.15, 64 of them mean: ask again."""

    COMMAND: ClassVar[int] = 0xA1

    notes: tuple[NoteAddress, ...]

    def pack(self) -> bytes:
        """2 bytes, and 8 for each note."""
        return struct.pack("<H", len(self.notes)) + b"".join(note.pack() for note in self.notes)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read them. Raises PenProtocolError if shorter than its own count says."""
        need(payload, 2, cls.__name__)
        count = int.from_bytes(payload[:2], "little")
        need(payload, 2 + ADDRESS_BYTES * count, cls.__name__)
        return cls(tuple(note_address(payload, 2 + ADDRESS_BYTES * n) for n in range(count)))


@dataclass(frozen=True, slots=True)
class MemoryPagesRequest:
    """Asks which pages of a note lie in memory."""

    COMMAND: ClassVar[int] = 0x22

    address: NoteAddress

    def pack(self) -> bytes:
        """8 bytes."""
        return self.address.pack()

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 8 bytes. Raises PenProtocolError if shorter."""
        need(payload, ADDRESS_BYTES, cls.__name__)
        return cls(note_address(payload))


@dataclass(frozen=True, slots=True)
class MemoryPagesReply:
    """Which pages of a note lie in memory. From protocol 2.15, 128 of them mean: ask again."""

    COMMAND: ClassVar[int] = 0xA2

    address: NoteAddress
    pages: tuple[int, ...]

    def pack(self) -> bytes:
        """10 bytes, and 4 for each page."""
        return self.address.pack() + struct.pack(f"<H{len(self.pages)}I", len(self.pages), *self.pages)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read them. Raises PenProtocolError if shorter than its own count says."""
        need(payload, ADDRESS_BYTES + 2, cls.__name__)
        count = int.from_bytes(payload[8:10], "little")
        need(payload, ADDRESS_BYTES + 2 + 4 * count, cls.__name__)
        return cls(note_address(payload), _numbers(payload, 10, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """Asks for the strokes of a note."""

    COMMAND: ClassVar[int] = 0x23
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BB8sI")

    address: NoteAddress
    pages: tuple[int, ...] = ()
    """Empty means the whole note."""
    after: int = AfterTransfer.KEEP
    compress: bool = True

    def pack(self) -> bytes:
        """14 bytes, and 4 for each page."""
        head = self._LAYOUT.pack(self.after, self.compress, self.address.pack(), len(self.pages))
        return head + struct.pack(f"<{len(self.pages)}I", *self.pages)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read it. Raises PenProtocolError if shorter than its own count says."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        after, compress, address, count = cls._LAYOUT.unpack_from(payload)
        need(payload, cls._LAYOUT.size + 4 * count, cls.__name__)
        pages = _numbers(payload, cls._LAYOUT.size, count)
        return cls(address=note_address(address), pages=pages, after=after, compress=compress == 1)


@dataclass(frozen=True, slots=True)
class TransferReply:
    """What will be sent; size 0 means that there is nothing."""

    COMMAND: ClassVar[int] = 0xA3
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<IIB")

    strokes: int
    size_bytes: int
    """Before compression."""
    compressed: bool

    def pack(self) -> bytes:
        """9 bytes."""
        return self._LAYOUT.pack(self.strokes, self.size_bytes, self.compressed)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 9 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        strokes, size, compressed = cls._LAYOUT.unpack_from(payload)
        return cls(strokes, size, compressed == 1)


class StoredDot(NamedTuple):
    """A dot in memory, and whether its sum was right."""

    dot: DotRecord
    sum_ok: bool
    raw: bytes
    """Its 16 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStroke:
    """A stroke in memory: 27 bytes of header and 16 for each dot."""

    page: int
    down_ms: int
    up_ms: int
    tip: int = 0
    color: int = 0xFF00_0000
    dots: tuple[StoredDot, ...]

    def pack(self) -> bytes:
        """Header and dots with right sums, the two unused bytes 0."""
        head = _STROKE.pack(self.page, self.down_ms, self.up_ms, self.tip, self.color, len(self.dots))
        return head + b"".join(_stored(each.dot) for each in self.dots)


def stored_dot(dot: DotRecord) -> StoredDot:
    """A dot as the memory holds it."""
    return StoredDot(dot, sum_ok=True, raw=_stored(dot))


def _stored(dot: DotRecord) -> bytes:
    summed = dot.pack() + b"\0\0"
    return summed + bytes((sum(summed) & 0xFF,))


def read_strokes(body: bytes, count: int) -> tuple[list[StoredStroke], bytes]:
    """Read `count` strokes of a chunk's body. Returns them and the bytes that are left: none, where all is well.

    A stroke whose header announces more dots than there are bytes stays in what is left, whole.
    """
    strokes: list[StoredStroke] = []
    at = 0
    while len(strokes) < count and at + _STROKE.size <= len(body):
        page, down_ms, up_ms, tip, color, dots = _STROKE.unpack_from(body, at)
        end = at + _STROKE.size + _DOT_BYTES * dots
        if end > len(body):
            break
        stored = tuple(_read_dot(body, n) for n in range(at + _STROKE.size, end, _DOT_BYTES))
        strokes.append(StoredStroke(page=page, down_ms=down_ms, up_ms=up_ms, tip=tip, color=color, dots=stored))
        at = end
    return strokes, body[at:]


def _read_dot(body: bytes, at: int) -> StoredDot:
    raw = body[at : at + _DOT_BYTES]
    return StoredDot(DotRecord.read(raw, 0), sum_ok=sum(raw[:-1]) & 0xFF == raw[-1], raw=raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryChunk:
    """One piece of a transfer: whole strokes of one note."""

    COMMAND: ClassVar[int] = 0x24

    packet: int
    """From 0 up."""
    compressed: bool
    size_before: int
    size_after: int
    """Length of the data as sent; pens that send plain data may write 0."""
    position: int
    address: NoteAddress
    strokes: int
    data: bytes

    @classmethod
    def of(
        cls,
        strokes: list[StoredStroke],
        *,
        packet: int,
        position: int,
        address: NoteAddress,
        compress: bool = True,
    ) -> Self:
        """Pack whole strokes; their body must stay below 64 KB."""
        body = b"".join(stroke.pack() for stroke in strokes)
        data = zlib.compress(body) if compress else body
        return cls(
            packet=packet,
            compressed=compress,
            size_before=len(body),
            size_after=len(data),
            position=position,
            address=address,
            strokes=len(strokes),
            data=data,
        )

    def pack(self) -> bytes:
        """18 bytes and the data."""
        return (
            _CHUNK.pack(
                self.packet,
                self.compressed,
                self.size_before,
                self.size_after,
                self.position,
                self.address.pack(),
                self.strokes,
            )
            + self.data
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 18 bytes and the data. Raises PenProtocolError if shorter."""
        need(payload, _CHUNK.size, cls.__name__)
        packet, compressed, before, after, position, address, strokes = _CHUNK.unpack_from(payload)
        return cls(
            packet=packet,
            compressed=compressed == 1,
            size_before=before,
            size_after=after,
            position=position,
            address=note_address(address),
            strokes=strokes,
            data=payload[_CHUNK.size :],
        )

    def body(self) -> bytes:
        """The strokes as bytes, at most 64 KB however well they were packed.

        Raises:
            PenProtocolError: The data do not inflate.
        """
        if not self.compressed:
            return self.data
        inflate = zlib.decompressobj()
        try:
            body = inflate.decompress(self.data, BODY_LIMIT_BYTES)
        except zlib.error as error:
            raise PenProtocolError(f"chunk {self.packet} does not inflate: {error}", data=self.data) from error
        if not inflate.eof:
            raise PenProtocolError(f"chunk {self.packet} is cut or too long", data=self.data)
        return body


@dataclass(frozen=True, slots=True)
class ChunkAck:
    """The driver has a chunk. Its frame's result 1 asks for it again."""

    COMMAND: ClassVar[int] = 0xA4
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<HB")

    packet: int
    go_on: bool

    def pack(self) -> bytes:
        """3 bytes."""
        return self._LAYOUT.pack(self.packet, self.go_on)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 3 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        packet, go_on = cls._LAYOUT.unpack_from(payload)
        return cls(packet, go_on == 1)
