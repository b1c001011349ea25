"""Fields that many Neo messages share: padded text, page addresses, and the check of a payload's length."""

import struct
from typing import ClassVar, Final, NamedTuple, Protocol

from devices.errors import PenProtocolError
from devices.neo.framing import REPLY_BIT, frame

_ADDRESS: Final = struct.Struct("<II")
ADDRESS_BYTES: Final = 8


class Message(Protocol):
    """What can be sent: a command number and a payload."""

    COMMAND: ClassVar[int]

    def pack(self) -> bytes:
        """The payload."""


class NoteAddress(NamedTuple):
    """Which note (book) on which paper."""

    section: int
    owner: int
    note: int

    def pack(self) -> bytes:
        """Owner u24, section u8, note u32."""
        return _ADDRESS.pack(self.owner | self.section << 24, self.note)


def note_address(payload: bytes, at: int = 0) -> NoteAddress:
    """Read owner u24, section u8, note u32; the caller has checked the length."""
    paper, note = _ADDRESS.unpack_from(payload, at)
    return NoteAddress(paper >> 24, paper & 0xFFFFFF, note)


def to_frame(message: Message, *, result: int = 0) -> bytes:
    """The bytes to send; `result` is used where the command is a reply or an acknowledgement (0x80 and up)."""
    return frame(message.COMMAND, message.pack(), result=result if message.COMMAND & REPLY_BIT else None)


def need(payload: bytes, size: int, name: str) -> None:
    """Refuse a payload shorter than `size` bytes; a longer one is a newer pen's and is read as far as known.

    Raises:
        PenProtocolError: It is too short.
    """
    if len(payload) < size:
        raise PenProtocolError(f"{name} takes {size} bytes or more, not {len(payload)}", data=payload)


def text(raw: bytes) -> str:
    """Text up to the first NUL; what is no UTF-8 becomes a replacement sign."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def padded(value: str, size: int) -> bytes:
    """Text in exactly `size` bytes, cut or filled with NUL."""
    return value.encode()[:size].ljust(size, b"\0")
