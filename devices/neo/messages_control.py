"""Messages of the Neo protocol 2.x that change something: password and settings (neo-protocol 3.4 to 4.1)."""

import struct
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import ClassVar, Final, Self

from devices.neo.wire import need, padded, text

PASSWORD_BYTES: Final = 16


@unique
class Setting(IntEnum):
    """What request 0x05 can change."""

    CLOCK = 1
    AUTO_OFF = 2
    CAP_OFF = 3
    AUTO_ON = 4
    BEEP = 5
    HOVER = 6
    STORE_OFFLINE = 7
    LED = 8
    FSR_SENSITIVITY = 9
    USB_MODE = 10
    DOWN_SAMPLING = 11
    LOCAL_NAME = 12
    FSC_SENSITIVITY = 13
    DATA_TRANSMISSION = 14
    BEEP_AND_LIGHT = 16
    ERASE_STORAGE = 17


@dataclass(frozen=True, slots=True)
class PasswordRequest:
    """A password, as text of at most 16 bytes. A wrong one too many erases the pen."""

    COMMAND: ClassVar[int] = 0x02

    password: str

    def pack(self) -> bytes:
        """16 bytes."""
        return padded(self.password, PASSWORD_BYTES)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 16 bytes. Raises PenProtocolError if shorter."""
        need(payload, PASSWORD_BYTES, cls.__name__)
        return cls(text(payload[:PASSWORD_BYTES]))


@unique
class PasswordStatus(IntEnum):
    """What became of a password."""

    WRONG = 0
    ACCEPTED = 1
    RESET = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class PasswordReply:
    """The answer to a password; its frame's result is 0 even for a wrong one."""

    COMMAND: ClassVar[int] = 0x82
    _BYTES: ClassVar[int] = 3

    status: int
    """A PasswordStatus; others are kept as they came."""
    attempts_used: int
    attempts_max: int

    def pack(self) -> bytes:
        """3 bytes."""
        return bytes((self.status, self.attempts_used, self.attempts_max))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 3 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._BYTES, cls.__name__)
        return cls(*payload[: cls._BYTES])


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """A new password for the old one. The driver never sends it by itself."""

    COMMAND: ClassVar[int] = 0x03
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<B16s16s")

    use: bool
    old: str
    new: str

    def pack(self) -> bytes:
        """33 bytes."""
        return self._LAYOUT.pack(self.use, padded(self.old, PASSWORD_BYTES), padded(self.new, PASSWORD_BYTES))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 33 bytes. Raises PenProtocolError if shorter."""
        need(payload, cls._LAYOUT.size, cls.__name__)
        use, old, new = cls._LAYOUT.unpack_from(payload)
        return cls(use == 1, text(old), text(new))


@dataclass(frozen=True, slots=True)
class PasswordChangeReply:
    """The answer to a change of password."""

    COMMAND: ClassVar[int] = 0x83
    _SHORT_BYTES: ClassVar[int] = 2

    attempts_used: int
    attempts_max: int
    status: int | None = None
    """0 changed, 1 old password wrong, 2 pen reset, 3 error; None below protocol 2.15, where coming at all means 0."""

    @property
    def changed(self) -> bool:
        """Whether the new password holds."""
        return not self.status

    def pack(self) -> bytes:
        """2 bytes, or 3 with a status."""
        head = bytes((self.attempts_used, self.attempts_max))
        return head if self.status is None else head + bytes((self.status,))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 2 bytes or 3. Raises PenProtocolError if shorter."""
        need(payload, cls._SHORT_BYTES, cls.__name__)
        return cls(*payload[:3])


@dataclass(frozen=True, slots=True)
class SetSetting:
    """Changes one setting."""

    COMMAND: ClassVar[int] = 0x05

    kind: int
    """A Setting."""
    value: bytes

    @classmethod
    def clock(cls, now_ms: int) -> Self:
        """The pen's clock, milliseconds UTC."""
        return cls(Setting.CLOCK, struct.pack("<Q", now_ms))

    @classmethod
    def switch(cls, kind: Setting, *, on: bool) -> Self:
        """One of the switches: BEEP, HOVER, STORE_OFFLINE, CAP_OFF, AUTO_ON, BEEP_AND_LIGHT."""
        return cls(kind, bytes((on,)))

    @classmethod
    def led(cls, argb: int) -> Self:
        """The LED's colour: bytes A, R, G, B."""
        return cls(Setting.LED, argb.to_bytes(4, "big"))

    def pack(self) -> bytes:
        """The kind, then its value."""
        return bytes((self.kind,)) + self.value

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read a kind and whatever follows. Raises PenProtocolError if empty."""
        need(payload, 1, cls.__name__)
        return cls(payload[0], payload[1:])


@dataclass(frozen=True, slots=True)
class SettingAnswer:
    """The answer to one change of a setting."""

    COMMAND: ClassVar[int] = 0x85

    kind: int
    status: int | None = 0
    """0 done; None from pens that send only the kind, where the frame's result is the answer."""

    def pack(self) -> bytes:
        """2 bytes, or 1 without a status."""
        return bytes((self.kind,) if self.status is None else (self.kind, self.status))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Read 1 byte or 2. Raises PenProtocolError if empty."""
        need(payload, 1, cls.__name__)
        return cls(payload[0], payload[1] if len(payload) > 1 else None)
