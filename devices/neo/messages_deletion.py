"""Messages of the Neo protocol 2.x that delete from the pen's memory (neo-protocol 6.5).

Sent only once the ink is durable elsewhere, and never by the session itself.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.neo.wire import ADDRESS_BYTES, NoteAddress, need, note_address


@dataclass(frozen=True, slots=True)
class DeleteNotes:
    """Deletes whole notes of one paper; at most 255."""

    COMMAND: ClassVar[int] = 0x25
    _HEAD: ClassVar[struct.Struct] = struct.Struct("<IB")

    section: int
    owner: int
    notes: tuple[int, ...]

    def pack(self) -> bytes:
        """5 bytes, and 4 for each note."""
        return struct.pack(f"<IB{len(self.notes)}I", self.owner | self.section << 24, len(self.notes), *self.notes)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read it. Raises PenProtocolError if shorter than its own count says."""
        need(payload, cls._HEAD.size, cls.__name__)
        paper, count = cls._HEAD.unpack_from(payload)
        need(payload, cls._HEAD.size + 4 * count, cls.__name__)
        return cls(paper >> 24, paper & 0xFFFFFF, struct.unpack_from(f"<{count}I", payload, cls._HEAD.size))


@dataclass(frozen=True, slots=True)
class DeleteNotesReply:
    """Which notes are gone."""

    COMMAND: ClassVar[int] = 0xA5

    notes: tuple[int, ...]

    def pack(self) -> bytes:
        """1 byte, and 4 for each note."""
        return struct.pack(f"<B{len(self.notes)}I", len(self.notes), *self.notes)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read it. Raises PenProtocolError if shorter than its own count says."""
        need(payload, 1, cls.__name__)
        need(payload, 1 + 4 * payload[0], cls.__name__)
        return cls(struct.unpack_from(f"<{payload[0]}I", payload, 1))


@dataclass(frozen=True, slots=True)
class DeletePages:
    """Deletes pages of one note; at most 255."""

    COMMAND: ClassVar[int] = 0x27

    address: NoteAddress
    pages: tuple[int, ...]

    def pack(self) -> bytes:
        """9 bytes, and 4 for each page."""
        return self.address.pack() + struct.pack(f"<B{len(self.pages)}I", len(self.pages), *self.pages)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read it. Raises PenProtocolError if shorter than its own count says."""
        need(payload, ADDRESS_BYTES + 1, cls.__name__)
        need(payload, ADDRESS_BYTES + 1 + 4 * payload[8], cls.__name__)
        return cls(note_address(payload), struct.unpack_from(f"<{payload[8]}I", payload, 9))


@dataclass(frozen=True, slots=True)
class DeletePagesReply:
    """The pages are gone, by the frame's result; what the payload holds is in no source and is kept as it came."""

    COMMAND: ClassVar[int] = 0xA7

    payload: bytes = b""

    def pack(self) -> bytes:
        """As it came."""
        return self.payload

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Keep it."""
        return cls(payload)
