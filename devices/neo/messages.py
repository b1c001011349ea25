"""Messages of the Neo protocol 2.x: hello, settings, notes of interest, power.

Passwords and changes of settings are in `messages_control`, strokes in `messages_ink`, the memory in `messages_memory`.

One class serves both ends: the driver packs requests and unpacks replies, the virtual pen does the reverse. `pack`
gives the payload of one frame and `unpack` reads it; `wire.to_frame` wraps it. All numbers are little-endian. Layouts:
neo-protocol 3 and 4. A payload longer than its table is a newer pen's and is read as far as known.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import ClassVar, Final, Self

from devices.neo.wire import ADDRESS_BYTES, NoteAddress, need, note_address, padded, text

DEVICE_TYPE_PEN: Final = 1
DEVICE_TYPE_WIRED: Final = 4
ALL_NOTES: Final = 0xFFFF
ANY_NOTE: Final = 0xFFFF_FFFF
DEFAULT_FORCE_MAX: Final = 852
"""Typical for real pens, and what a told 0 means."""


@unique
class Result(IntEnum):
    """The result byte of a reply."""

    OK = 0
    FAILED = 1
    NO_PERMISSION = 2
    NOT_ON_THIS_PEN = 3
    BAD_LENGTH = 4
    NOT_SUPPORTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRequest:
    """The app's hello; the pen chooses its stroke family by `protocol`."""

    COMMAND: ClassVar[int] = 0x01
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<16sH16s8s")
    _SHORT_BYTES: ClassVar[int] = 34

    app_version: str
    protocol: str
    """The highest version that the app knows; empty where an old app leaves it out."""
    connection_code: bytes = bytes(16)
    app_type: int = 0x1201

    def pack(self) -> bytes:
        """42 bytes."""
        code = self.connection_code[:16]
        return self._LAYOUT.pack(code, self.app_type, padded(self.app_version, 16), padded(self.protocol, 8))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 34 bytes or 42. Raises PenProtocolError if shorter."""
        need(payload, cls._SHORT_BYTES, cls.__name__)
        code, kind, version, protocol = cls._LAYOUT.unpack(payload[: cls._LAYOUT.size].ljust(cls._LAYOUT.size, b"\0"))
        return cls(connection_code=code, app_type=kind, app_version=text(version), protocol=text(protocol))


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionReply:
    """The pen's hello: who it is."""

    COMMAND: ClassVar[int] = 0x81
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<16s16s8s16sH6sBHBB")
    _SHORT_BYTES: ClassVar[int] = 64

    model: str
    firmware: str
    protocol: str
    name: str
    device_type: int = DEVICE_TYPE_PEN
    mac: bytes
    """Six bytes in display order."""
    pressure_sensor: int = 0
    company: int = 0
    product: int = 0
    color: int = 0

    def pack(self) -> bytes:
        """69 bytes."""
        return self._LAYOUT.pack(
            padded(self.model, 16),
            padded(self.firmware, 16),
            padded(self.protocol, 8),
            padded(self.name, 16),
            self.device_type,
            self.mac,
            self.pressure_sensor,
            self.company,
            self.product,
            self.color,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 64 bytes or more; what is missing of the last five counts as 0. Raises PenProtocolError if shorter."""
        need(payload, cls._SHORT_BYTES, cls.__name__)
        whole = payload[: cls._LAYOUT.size].ljust(cls._LAYOUT.size, b"\0")
        model, firmware, protocol, name, device_type, mac, *rest = cls._LAYOUT.unpack(whole)
        if device_type == DEVICE_TYPE_WIRED:
            rest[1:] = [0, 0, 0]  # a wired pen has its decoder's version text there
        return cls(
            model=text(model),
            firmware=text(firmware),
            protocol=text(protocol),
            name=text(name),
            device_type=device_type,
            mac=mac,
            pressure_sensor=rest[0],
            company=rest[1],
            product=rest[2],
            color=rest[3],
        )


@dataclass(frozen=True, slots=True)
class _Empty:
    """A message that is its command alone."""

    def pack(self) -> bytes:
        """No bytes."""
        return b""

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read nothing; bytes that a newer pen adds are left alone."""
        del payload
        return cls()


@dataclass(frozen=True, slots=True)
class SettingsRequest(_Empty):
    """Asks for the settings; the answer to every hello."""

    COMMAND: ClassVar[int] = 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsReply:
    """How the pen is set, how full it is, and whether it wants a password."""

    COMMAND: ClassVar[int] = 0x84
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<3BQHH8B2B16s3B20s")
    _SHORT_BYTES: ClassVar[int] = 23
    _CHARGING: ClassVar[int] = 0x80

    locked: bool = False
    attempts_max: int = 10
    attempts_used: int = 0
    clock_ms: int
    auto_off_min: int = 20
    force_max: int = DEFAULT_FORCE_MAX
    memory_percent: int = 0
    cap_off: bool = False
    auto_on: bool = True
    beep: bool = True
    hover: bool = False
    battery_percent: int = 100
    charging: bool = False
    stores_offline: bool = True
    sensitivity: int = 2
    local_name: str = ""

    def pack(self) -> bytes:
        """64 bytes."""
        return self._LAYOUT.pack(
            self.locked,
            self.attempts_max,
            self.attempts_used,
            self.clock_ms,
            self.auto_off_min,
            self.force_max,
            self.memory_percent,
            self.cap_off,
            self.auto_on,
            self.beep,
            self.hover,
            self.battery_percent | (self._CHARGING if self.charging else 0),
            self.stores_offline,
            self.sensitivity,
            0,
            0,
            padded(self.local_name, 16),
            0,
            0,
            0,
            bytes(20),
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 23 bytes or more. Raises PenProtocolError if shorter."""
        need(payload, cls._SHORT_BYTES, cls.__name__)
        whole = payload[: cls._LAYOUT.size].ljust(cls._LAYOUT.size, b"\0")
        fields = cls._LAYOUT.unpack(whole)
        return cls(
            locked=fields[0] == 1,
            attempts_max=fields[1],
            attempts_used=fields[2],
            clock_ms=fields[3],
            auto_off_min=fields[4],
            force_max=fields[5],
            memory_percent=fields[6],
            cap_off=bool(fields[7]),
            auto_on=bool(fields[8]),
            beep=bool(fields[9]),
            hover=bool(fields[10]),
            battery_percent=fields[11] & ~cls._CHARGING,
            charging=bool(fields[11] & cls._CHARGING),
            stores_offline=bool(fields[12]),
            sensitivity=fields[13],
            local_name=text(fields[16]),
        )


@dataclass(frozen=True, slots=True)
class NotesOfInterest:
    """Which notes the pen shall tell of; without it no stroke is sent."""

    COMMAND: ClassVar[int] = 0x11

    notes: tuple[NoteAddress, ...] | None = None
    """None means all; a note of ANY_NOTE means any of that paper."""

    def pack(self) -> bytes:
        """2 bytes, and 8 for each note."""
        if self.notes is None:
            return struct.pack("<H", ALL_NOTES)
        return struct.pack("<H", len(self.notes)) + b"".join(note.pack() for note in self.notes)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read them. Raises PenProtocolError if shorter than its own count says."""
        need(payload, 2, cls.__name__)
        count = int.from_bytes(payload[:2], "little")
        if count == ALL_NOTES:
            return cls()
        need(payload, 2 + ADDRESS_BYTES * count, cls.__name__)
        return cls(tuple(note_address(payload, 2 + ADDRESS_BYTES * n) for n in range(count)))


@dataclass(frozen=True, slots=True)
class NotesOfInterestReply(_Empty):
    """Notes taken: ink flows from here on."""

    COMMAND: ClassVar[int] = 0x91


@dataclass(frozen=True, slots=True)
class LowBattery:
    """The battery is low; told once, not from time to time."""

    COMMAND: ClassVar[int] = 0x61

    percent: int

    def pack(self) -> bytes:
        """1 byte."""
        return bytes((self.percent,))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 1 byte. Raises PenProtocolError if empty."""
        need(payload, 1, cls.__name__)
        return cls(payload[0])


@dataclass(frozen=True, slots=True)
class PowerOffNotice:
    """The pen is about to go."""

    COMMAND: ClassVar[int] = 0x62
    REASONS: ClassVar[tuple[str, ...]] = (
        "auto_power_off",
        "low_battery",
        "update_finished",
        "power_key",
        "cap",
        "system_error",
        "usb_plugged_in",
        "password_failures",
        "disconnected",
    )

    reason: int

    @property
    def words(self) -> str:
        """The reason by name; `reason_9` and so on for one not known."""
        return self.REASONS[self.reason] if self.reason < len(self.REASONS) else f"reason_{self.reason}"

    def pack(self) -> bytes:
        """1 byte."""
        return bytes((self.reason,))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 1 byte. Raises PenProtocolError if empty."""
        need(payload, 1, cls.__name__)
        return cls(payload[0])
