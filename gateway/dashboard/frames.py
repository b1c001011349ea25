"""The binary frames of the live feed: packed once for all pages, and unpacked by whoever measures them. Pure.

A frame is a header and chunks; little-endian. Header: version u8, kind u8, chunks u16, seq u32, the seq that the feed
sent before u32, unused u32, box time u64 ms. Chunk: seat u16, page u8, flags u8 (1 first dots of a stroke, 2 stroke
ends), dots u16, unused u16, time of its first dot u64 ms. Dot: x u16, y u16 in hundredths of a millimetre, force u8,
ms since the dot before u8. What does not fit is clamped: this is for the eye, the store keeps the truth.
"""

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum, unique
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from gateway.dashboard.source import LiveChunk, LiveDot

VERSION: Final = 1
FIRST: Final = 1
ENDED: Final = 2
MOST_DOTS: Final = 4_000
"""Dots of one chunk; a longer run is cut into several."""

_HEAD: Final = struct.Struct("<BBHIIIQ")
_CHUNK: Final = struct.Struct("<HBBHHQ")
_DOT: Final = struct.Struct("<HHBB")


@unique
class Kind(IntEnum):
    """What a frame is."""

    LIVE = 1
    SNAPSHOT_BEGINS = 2
    """Forget all ink; what follows up to the end is everything there is."""
    SNAPSHOT_GOES_ON = 3
    SNAPSHOT_ENDS = 4


class Frame(NamedTuple):
    """An unpacked frame."""

    kind: Kind
    seq: int
    before: int
    box_ms: int
    chunks: list[LiveChunk]


def pack(kind: Kind, chunks: Iterable[LiveChunk], *, seq: int, before: int, box_ms: int) -> bytes:
    """One frame."""
    parts = [b""]
    for chunk in chunks:
        if len(chunk.dots) <= MOST_DOTS:
            parts.append(_pack_chunk(chunk))
        else:
            parts += map(_pack_chunk, _cut(chunk))
    parts[0] = _HEAD.pack(VERSION, kind, len(parts) - 1, seq & 0xFFFFFFFF, before & 0xFFFFFFFF, 0, box_ms)
    return b"".join(parts)


def unpack(frame: bytes) -> Frame:
    """Read one frame.

    Raises:
        ValueError: It is of another version, or cut.
    """
    if len(frame) < _HEAD.size or frame[0] != VERSION:
        raise ValueError("not a frame of this version")
    _, kind, count, seq, before, _, box_ms = _HEAD.unpack_from(frame)
    at, chunks = _HEAD.size, []
    for _ in range(count):
        if at + _CHUNK.size > len(frame):
            raise ValueError("the frame is cut")
        seat, page, flags, dots, _, at_ms = _CHUNK.unpack_from(frame, at)
        at += _CHUNK.size
        end = at + dots * _DOT.size
        if end > len(frame):
            raise ValueError("the frame is cut")
        ink = list(_DOT.iter_unpack(frame[at:end]))
        chunks.append(LiveChunk(seat, page, at_ms, ink, first=bool(flags & FIRST), ended=bool(flags & ENDED)))
        at = end
    return Frame(Kind(kind), seq, before, box_ms, chunks)


@lru_cache(maxsize=512)
def _layout(dots: int) -> struct.Struct:
    return struct.Struct("<" + "HHBB" * dots)


def _pack_chunk(chunk: LiveChunk) -> bytes:
    dots = chunk.dots
    flags = FIRST * chunk.first | ENDED * chunk.ended
    head = _CHUNK.pack(chunk.seat, min(chunk.page, 255), flags, len(dots), 0, chunk.at_ms)
    try:
        return head + _layout(len(dots)).pack(*chain.from_iterable(dots))
    except struct.error:
        return head + b"".join(_DOT.pack(*_clamped(dot)) for dot in dots)


def _clamped(dot: LiveDot) -> LiveDot:
    x, y, force, delta = dot
    return (
        min(max(int(x), 0), 0xFFFF),
        min(max(int(y), 0), 0xFFFF),
        min(max(int(force), 0), 0xFF),
        min(max(int(delta), 0), 0xFF),
    )


def _cut(chunk: LiveChunk) -> Iterable[LiveChunk]:
    at_ms, dots = chunk.at_ms, chunk.dots
    for start in range(0, len(dots), MOST_DOTS):
        part: Sequence[LiveDot] = dots[start : start + MOST_DOTS]
        last = start + MOST_DOTS >= len(dots)
        at_ms += part[0][3] if start else 0
        yield LiveChunk(
            chunk.seat, chunk.page, at_ms, part, first=chunk.first and not start, ended=chunk.ended and last
        )
        at_ms += sum(dot[3] for dot in part[1:])
