"""Frames of the Neo protocol 2.x: bytes of a link to whole frames and back.

A frame is C0, body, C1. Inside the body every C0, C1 and 7D is sent as 7D followed by the byte XOR 20. The body is
command u8, result u8 in replies only, length u16, payload. A BLE notification says nothing about frames: one frame may
span many notifications and one notification may hold many frames, so the stream may be cut anywhere.

Refuses to guess: a frame whose length field contradicts its payload is a fault, never half a message.
"""

import re
import struct
from typing import Final, Literal, NamedTuple

FRAME_LIMIT_BYTES: Final = 32_768
"""The longest body as sent, escapes included; a longer one has lost its end mark."""

FAULT_BYTES: Final = 64
"""How much of a fault's bytes is kept."""

_START: Final = 0xC0
_EDGE: Final = re.compile(rb"[\xc0\xc1]")
_ESCAPED: Final = re.compile(rb"\x7d(.)", re.DOTALL)
_TO_ESCAPE: Final = re.compile(rb"[\xc0\xc1\x7d]")
_LENGTH: Final = struct.Struct("<H")

_EVENTS: Final = frozenset((0x24, 0x32, *range(0x60, 0x70), 0x73, 0x76, 0x77, *range(0x78, 0x80)))
REPLY_BIT: Final = 0x80
"""Set in the commands of replies and acknowledgements; a reply is its request's command with this bit."""
_SHORT_REPLY_BYTES: Final = 2


class Frame(NamedTuple):
    """One whole frame, unescaped."""

    command: int
    result: int | None
    """The result byte of a reply or an acknowledgement; None in requests and events."""
    payload: bytes


class Fault(NamedTuple):
    """Bytes that are no frame."""

    kind: Literal["noise", "cut", "too_long", "damaged"]
    """`noise`: outside a frame; `cut`: a new frame began inside it; `too_long`: no end mark came; `damaged`: the length
    field and the payload disagree, or there is no command."""
    data: bytes
    """The first 64 bytes at most, as received."""


def frame(command: int, payload: bytes, *, result: int | None = None) -> bytes:
    """Wrap a payload; `result` makes it a reply or an acknowledgement."""
    head = bytes((command,)) if result is None else bytes((command, result))
    body = head + _LENGTH.pack(len(payload)) + payload
    return b"\xc0" + _TO_ESCAPE.sub(_escape, body) + b"\xc1"


def short_error(command: int, result: int) -> bytes:
    """The error reply without a length field, as some firmware sends it."""
    return b"\xc0" + _TO_ESCAPE.sub(_escape, bytes((command, result))) + b"\xc1"


class Deframer:
    """Finds the frames in one direction of one link. Never raises, however the bytes are cut or hurt."""

    def __init__(self) -> None:
        self._body: bytearray | None = None
        self._noise = bytearray()
        self.noise_bytes = 0
        """All bytes skipped outside frames."""

    @property
    def is_idle(self) -> bool:
        """Whether no frame is begun."""
        return self._body is None

    def copy(self) -> "Deframer":
        """Another one that stands at the same place of the stream."""
        other = Deframer()
        other._body = None if self._body is None else bytearray(self._body)
        other._noise = bytearray(self._noise)
        other.noise_bytes = self.noise_bytes
        return other

    def feed(self, data: bytes) -> list[Frame | Fault]:
        """Take the next bytes; gives every frame and fault that ends in them, in order."""
        found: list[Frame | Fault] = []
        at = 0
        while at < len(data):
            at = self._outside(data, at, found) if self._body is None else self._inside(self._body, data, at, found)
        return found

    def _outside(self, data: bytes, at: int, found: list[Frame | Fault]) -> int:
        start = data.find(_START, at)
        end = len(data) if start < 0 else start
        self.noise_bytes += end - at
        self._noise += data[at : min(end, at + FAULT_BYTES - len(self._noise))]
        if start < 0:
            return end
        if self._noise:
            # Told when the next frame begins and not when it arrives, so that a cut inside noise changes nothing.
            found.append(Fault("noise", bytes(self._noise)))
            self._noise.clear()
        self._body = bytearray()
        return start + 1

    def _inside(self, body: bytearray, data: bytes, at: int, found: list[Frame | Fault]) -> int:
        edge = _EDGE.search(data, at, at + FRAME_LIMIT_BYTES + 1 - len(body))
        end = edge.start() if edge else min(len(data), at + FRAME_LIMIT_BYTES + 1 - len(body))
        body += data[at:end]
        if len(body) > FRAME_LIMIT_BYTES:
            found.append(Fault("too_long", bytes(body[:FAULT_BYTES])))
            self._body = None
            return end
        if edge is None:
            return end
        if data[end] == _START:
            if body:
                found.append(Fault("cut", bytes(body[:FAULT_BYTES])))
            self._body = bytearray()
        else:
            found.append(_parse(bytes(body)))
            self._body = None
        return end + 1


def _escape(match: re.Match[bytes]) -> bytes:
    return bytes((0x7D, match[0][0] ^ 0x20))


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes((match[1][0] ^ 0x20,))


def _parse(raw: bytes) -> Frame | Fault:
    body = _ESCAPED.sub(_unescape, raw) if b"\x7d" in raw else raw
    if not body:
        return Fault("damaged", b"")
    command = body[0]
    if command < REPLY_BIT:
        parsed = _with_length(body, 1)
        if parsed is None and command not in _EVENTS:
            parsed = _with_length(body, 2)  # whatever is no event is a reply, says the vendor's parser
    elif len(body) == _SHORT_REPLY_BYTES and body[1] != 0:
        return Frame(command, body[1], b"")
    else:
        parsed = _with_length(body, 2)
    return parsed or Fault("damaged", raw[:FAULT_BYTES])


def _with_length(body: bytes, at: int) -> Frame | None:
    start = at + _LENGTH.size
    if len(body) < start or _LENGTH.unpack_from(body, at)[0] != len(body) - start:
        return None
    return Frame(body[0], body[1] if at > 1 else None, body[start:])
