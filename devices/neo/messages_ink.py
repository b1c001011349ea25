"""Messages of the Neo protocol 2.x that carry live strokes (neo-protocol 5).

Two families: below protocol 2.12 events are uncounted (0x63 to 0x68), from 2.12 they share one counter byte (0x69 to
0x6D), by which a lost event shows. x and y are whole hundredths of a pattern unit: on the wire whole units u16 and
hundredths u8 stand apart. Payloads longer than their table are read as far as known.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.neo.wire import NoteAddress, need, note_address


@dataclass(frozen=True, slots=True, kw_only=True)
class DotRecord:
    """The 13 bytes of a dot, the same live and in memory."""

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BHHHBBBBH")

    delta_ms: int
    """Since the dot before; the first one since the pen-down."""
    force: int
    x_hundredths: int
    y_hundredths: int
    tilt_x: int = 90
    """Degrees 0 to 180, 90 is upright; so is tilt_y."""
    tilt_y: int = 90
    twist: int = 0
    """Degrees 0 to 359."""

    def pack(self) -> bytes:
        """13 bytes."""
        x, fx = divmod(self.x_hundredths, 100)
        y, fy = divmod(self.y_hundredths, 100)
        return self.LAYOUT.pack(self.delta_ms, self.force, x, y, fx, fy, self.tilt_x, self.tilt_y, self.twist)

    @classmethod
    def read(cls, payload: bytes, at: int) -> Self:
        """Read at an offset; the caller has checked the length."""
        delta, force, x, y, fx, fy, tilt_x, tilt_y, twist = cls.LAYOUT.unpack_from(payload, at)
        return cls(
            delta_ms=delta,
            force=force,
            x_hundredths=100 * x + fx,
            y_hundredths=100 * y + fy,
            tilt_x=tilt_x,
            tilt_y=tilt_y,
            twist=twist,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OldUpDown:
    """Pen-down or pen-up of the uncounted family. On an up, tip and colour mean nothing."""

    COMMAND: ClassVar[int] = 0x63
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BQBI")

    up: bool
    time_ms: int
    tip: int = 0
    color: int = 0xFF00_0000

    def pack(self) -> bytes:
        """14 bytes."""
        return self._LAYOUT.pack(self.up, self.time_ms, self.tip, self.color)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 14 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        up, time_ms, tip, color = cls._LAYOUT.unpack_from(payload)
        return cls(up=up != 0, time_ms=time_ms, tip=tip, color=color)


@dataclass(frozen=True, slots=True)
class OldPage:
    """Where the dots that follow are, uncounted family."""

    COMMAND: ClassVar[int] = 0x64
    _BYTES: ClassVar[int] = 12

    address: NoteAddress
    page: int

    def pack(self) -> bytes:
        """12 bytes."""
        return self.address.pack() + self.page.to_bytes(4, "little")

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 12 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._BYTES, cls.__name__)
        return cls(note_address(payload), int.from_bytes(payload[8:12], "little"))


@dataclass(frozen=True, slots=True)
class OldDot:
    """A dot of the uncounted family."""

    COMMAND: ClassVar[int] = 0x65

    dot: DotRecord

    def pack(self) -> bytes:
        """13 bytes."""
        return self.dot.pack()

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 13 bytes. Raises PenProtocolError if shorter."""
        need(payload, DotRecord.LAYOUT.size, cls.__name__)
        return cls(DotRecord.read(payload, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainDot:
    """A dot without force or tilt, uncounted."""

    COMMAND: ClassVar[int] = 0x66
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BHHBB")

    delta_ms: int
    x_hundredths: int
    y_hundredths: int

    def pack(self) -> bytes:
        """7 bytes."""
        x, fx = divmod(self.x_hundredths, 100)
        y, fy = divmod(self.y_hundredths, 100)
        return self._LAYOUT.pack(self.delta_ms, x, y, fx, fy)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 7 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        delta, x, y, fx, fy = cls._LAYOUT.unpack_from(payload)
        return cls(delta_ms=delta, x_hundredths=100 * x + fx, y_hundredths=100 * y + fy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortDot(PlainDot):
    """As PlainDot, for positions below 256 units."""

    COMMAND: ClassVar[int] = 0x67
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BBBBB")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoverDot(PlainDot):
    """The tip near the paper; uncounted, sent only where hover is switched on."""

    COMMAND: ClassVar[int] = 0x6F


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageErrorRecord:
    """One camera image that could not be decoded, uncounted."""

    COMMAND: ClassVar[int] = 0x68
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BHBBBHBBB")
    _SHORT_BYTES: ClassVar[int] = 9

    delta_ms: int
    force: int = 0
    brightness: int = 0
    exposure: int = 0
    decoder_ms: int = 0
    labels: int = 0
    error: int = 0
    code_class: int = 0
    errors: int = 0

    def pack(self) -> bytes:
        """11 bytes."""
        return self._LAYOUT.pack(
            self.delta_ms,
            self.force,
            self.brightness,
            self.exposure,
            self.decoder_ms,
            self.labels,
            self.error,
            self.code_class,
            self.errors,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 9 bytes (older pens) or 11. Raises PenProtocolError if shorter."""
        need(payload, cls._SHORT_BYTES, cls.__name__)
        names = ("delta_ms", "force", "brightness", "exposure", "decoder_ms", "labels", "error", "code_class", "errors")
        fields = cls._LAYOUT.unpack(payload[: cls._LAYOUT.size].ljust(cls._LAYOUT.size, b"\0"))
        return cls(**dict(zip(names, fields, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDown:
    """Pen-down."""

    COMMAND: ClassVar[int] = 0x69
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BQBI")

    count: int
    """The counter, 0 to 255 and then 0 again, shared by all counted events of a link."""
    time_ms: int
    tip: int = 0
    """0 pen, 1 eraser."""
    color: int = 0xFF00_0000
    """ARGB."""

    def pack(self) -> bytes:
        """14 bytes."""
        return self._LAYOUT.pack(self.count, self.time_ms, self.tip, self.color)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 14 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        count, time_ms, tip, color = cls._LAYOUT.unpack_from(payload)
        return cls(count=count, time_ms=time_ms, tip=tip, color=color)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedUp:
    """Pen-up, with what the camera saw of the stroke."""

    COMMAND: ClassVar[int] = 0x6A
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BQ5H")

    count: int
    time_ms: int
    dots_sent: int
    images_taken: int = 0
    images_processed: int = 0
    images_decoded: int = 0
    images_sent: int = 0

    def pack(self) -> bytes:
        """19 bytes."""
        return self._LAYOUT.pack(
            self.count,
            self.time_ms,
            self.dots_sent,
            self.images_taken,
            self.images_processed,
            self.images_decoded,
            self.images_sent,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 19 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        count, time_ms, dots, taken, processed, decoded, sent = cls._LAYOUT.unpack_from(payload)
        return cls(
            count=count,
            time_ms=time_ms,
            dots_sent=dots,
            images_taken=taken,
            images_processed=processed,
            images_decoded=decoded,
            images_sent=sent,
        )


@dataclass(frozen=True, slots=True)
class CountedPage:
    """Where the dots that follow are; in every stroke after the pen-down, and again when the page changes."""

    COMMAND: ClassVar[int] = 0x6B
    _BYTES: ClassVar[int] = 13

    count: int
    address: NoteAddress
    page: int

    def pack(self) -> bytes:
        """13 bytes."""
        return bytes((self.count,)) + self.address.pack() + self.page.to_bytes(4, "little")

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 13 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._BYTES, cls.__name__)
        return cls(payload[0], note_address(payload, 1), int.from_bytes(payload[9:13], "little"))


@dataclass(frozen=True, slots=True)
class CountedDot:
    """A dot."""

    COMMAND: ClassVar[int] = 0x6C
    _BYTES: ClassVar[int] = 14

    count: int
    dot: DotRecord

    def pack(self) -> bytes:
        """14 bytes."""
        return bytes((self.count,)) + self.dot.pack()

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 14 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._BYTES, cls.__name__)
        return cls(payload[0], DotRecord.read(payload, 1))


@dataclass(frozen=True, slots=True)
class CountedImageError:
    """One camera image that could not be decoded."""

    COMMAND: ClassVar[int] = 0x6D
    _BYTES: ClassVar[int] = 12

    count: int
    error: ImageErrorRecord

    def pack(self) -> bytes:
        """12 bytes."""
        return bytes((self.count,)) + self.error.pack()

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 12 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._BYTES, cls.__name__)
        return cls(payload[0], ImageErrorRecord.unpack(payload[1:]))
