"""Ink: a stroke in millimetres, and the packed form of raw dots for store and wire (version 1).

Packed ink is the byte 0x01, then zlib of varints: strokes, channels, the dots of each stroke, then one plane a channel
through the whole batch. x and y are second differences inside a stroke, the other planes are steps from the dot before.
A varint is LEB128, zigzag everywhere except counts. Integers: x, y in hundredths of a pattern unit, force as the pen
gave it, t in ms; then, where there are more channels, tilt x, tilt y, twist.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.errors import InkError

VERSION: Final = 1
MIN_CHANNELS: Final = 4
MAX_CHANNELS: Final = 7
MAX_DOTS: Final = 1_000_000
"""Dots in one batch; more is refused by both sides, so that damaged ink cannot ask for endless memory."""

_MAX_RAW_BYTES: Final = 32 * 1024 * 1024
_MAX_VARINT_BYTES: Final = 9
_SHIFTS: Final = np.arange(0, 70, 7, dtype=np.int64)
_HUNDREDTH_WEIGHTS: Final = np.array([31, 17, 1], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """The ink of one pen-down on one page."""

    points: NDArray[np.float32]
    """Shape (n, 4), n >= 1: x from the left and y from the top of the page in mm, t in ms, force 0..1."""
    pen_down_ms: int = 0
    """When the pen came down, ms UTC: with pen and page its identity."""


def dot_sum(rows: NDArray[np.int64]) -> int:
    """Sum over the dots of 31 x + 17 y + force modulo 2**32; x, y in hundredths of a unit. (n, >= 3) in.

    It does not care how a stroke was cut into pieces.
    """
    return int(rows[:, :3].sum(axis=0) @ _HUNDREDTH_WEIGHTS) & 0xFFFFFFFF


def pack(strokes: Sequence[NDArray[np.int64]]) -> bytes:
    """Pack strokes, each (n, 4..7) with n >= 1 and as many channels as the others.

    Raises:
        InkError: A stroke has another shape, two values are too far apart, or there are too many dots.
    """
    lengths = [len(stroke) for stroke in strokes]
    if not lengths:
        return b"\x01" + zlib.compress(bytes((0, MIN_CHANNELS)), 6)
    rows = strokes[0] if len(lengths) == 1 else _concatenated(strokes)
    if rows.ndim != 2 or not MIN_CHANNELS <= rows.shape[1] <= MAX_CHANNELS:  # noqa: PLR2004  # rows and columns
        raise InkError(f"a stroke is (dots, {MIN_CHANNELS} to {MAX_CHANNELS} channels)")
    dots, channels = rows.shape
    if min(lengths) < 1 or dots > MAX_DOTS:
        raise InkError(f"a stroke has at least one dot, a batch at most {MAX_DOTS}")
    steps = np.empty((channels, dots), np.int64)
    steps[:, 0] = rows[0]
    np.subtract(rows[1:].T, rows[:-1].T, out=steps[:, 1:])
    _to_changes(steps[:2], lengths)
    zigzag = ((steps << 1) ^ (steps >> 63)).ravel()
    counts = b"".join(map(_count, (len(lengths), channels, *lengths)))
    return b"\x01" + _deflated(counts + _varints(zigzag))


def unpack(packed: bytes) -> list[NDArray[np.int64]]:
    """Read packed ink; the same strokes that were packed.

    Raises:
        InkError: These are not the bytes of packed ink, whole and with nothing after them.
    """
    values = _from_varints(_inflated(packed))
    if len(values) < 2:  # noqa: PLR2004  # the two counts
        raise InkError("packed ink lacks its counts")
    count, channels = int(values[0]), int(values[1])
    if not MIN_CHANNELS <= channels <= MAX_CHANNELS or not 0 <= count <= len(values) - 2:
        raise InkError("packed ink has impossible counts")
    lengths = values[2 : 2 + count].tolist()
    dots = sum(lengths)
    if dots > MAX_DOTS or (lengths and min(lengths) < 1) or len(values) != 2 + count + dots * channels:
        raise InkError("packed ink is longer or shorter than its counts say")
    if not lengths:
        return []
    zigzag = values[2 + count :]
    steps = ((zigzag >> 1) ^ -(zigzag & 1)).reshape(channels, dots)
    _from_changes(steps[:2], lengths)
    rows = np.ascontiguousarray(np.cumsum(steps, axis=1).T)
    return [rows] if count == 1 else np.split(rows, np.cumsum(lengths)[:-1])


def _deflated(raw: bytes) -> bytes:
    # Steps are small numbers with few repeats: what zlib's strategy for filtered data is for; 2 to 6 % smaller.
    deflater = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    return deflater.compress(raw) + deflater.flush()


def _concatenated(strokes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    try:
        return np.concatenate(strokes)
    except ValueError:
        raise InkError("the strokes of a batch have equal channels") from None


def _to_changes(steps: NDArray[np.int64], lengths: list[int]) -> None:
    """Steps -> changes of steps, in place, for each stroke from its third dot on."""
    if len(lengths) == 1:
        steps[:, 2:] -= steps[:, 1:-1].copy()
        return
    starts = np.cumsum(lengths) - lengths
    longer = starts[np.array(lengths) > 1]
    plain = np.concatenate([starts, longer + 1])
    kept = steps[:, plain]
    steps[:, 1:] -= steps[:, :-1].copy()
    steps[:, plain] = kept


def _from_changes(steps: NDArray[np.int64], lengths: list[int]) -> None:
    """Changes of steps -> steps, in place, for each stroke from its third dot on."""
    if len(lengths) == 1:
        np.cumsum(steps[:, 1:], axis=1, out=steps[:, 1:])
        return
    starts = np.cumsum(lengths) - lengths
    firsts = steps[:, starts]
    steps[:, starts] = 0
    sums = np.cumsum(steps, axis=1)
    sums -= np.repeat(sums[:, starts], lengths, axis=1)
    steps[:] = sums
    steps[:, starts] = firsts


def _count(value: int) -> bytes:
    """LEB128 of one value >= 0."""
    out = bytearray()
    while value > 127:  # noqa: PLR2004  # one byte holds seven bits
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varints(values: NDArray[np.int64]) -> bytes:
    """LEB128 of values >= 0."""
    # A negative one, that is a step past 62 bits, is the largest of all when seen as unsigned.
    largest = int(values.view(np.uint64).max())
    if largest < 128:  # noqa: PLR2004  # one byte holds seven bits
        return values.astype(np.uint8).tobytes()
    width = -(-largest.bit_length() // 7)
    if width > _MAX_VARINT_BYTES:
        raise InkError("two values are too far apart for packed ink")
    shifted = values[:, None] >> _SHIFTS[:width]
    wanted = shifted > 0
    wanted[:, 0] = True
    groups = (shifted & 127).astype(np.uint8)
    groups[:, :-1] |= wanted[:, 1:].view(np.uint8) << 7
    return groups[wanted].tobytes()


def _inflated(packed: bytes) -> bytes:
    if not packed or packed[0] != VERSION:
        raise InkError("this is no packed ink of version 1")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed[1:], _MAX_RAW_BYTES)
    except zlib.error:
        raise InkError("packed ink is damaged") from None
    if not inflater.eof or inflater.unused_data:
        raise InkError("packed ink is cut short, too long or has something after it")
    return raw


def _from_varints(raw: bytes) -> NDArray[np.int64]:
    """All LEB128 values of these bytes."""
    data = np.frombuffer(raw, np.uint8)
    if not len(data) or data[-1] >= 128:  # noqa: PLR2004  # the mark that more follows
        raise InkError("packed ink is cut short")
    last = data < 128  # noqa: PLR2004  # the mark that more follows
    if last.all():
        return data.astype(np.int64)
    ends = np.flatnonzero(last)
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    sizes = ends - starts + 1
    if sizes.max() > _MAX_VARINT_BYTES:
        raise InkError("packed ink has a number without end")
    places = np.arange(len(data)) - np.repeat(starts, sizes)
    return np.add.reduceat((data & 127).astype(np.int64) << (places * 7), starts)
