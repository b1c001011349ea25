"""What a pen answers: hello, settings, password, notes of interest, memory (neo-protocol 3, 4 and 6).

Packs what the driver unpacks, with the same message classes. No I/O and no clock of its own: `pen.py` feeds it what the
driver wrote and sends what it answers.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from devices.errors import PenProtocolError
from devices.neo.framing import Frame, frame, short_error
from devices.neo.messages import (
    NotesOfInterest,
    NotesOfInterestReply,
    Result,
    SettingsReply,
    SettingsRequest,
    VersionReply,
    VersionRequest,
)
from devices.neo.messages_control import (
    PasswordReply,
    PasswordRequest,
    PasswordStatus,
    SetSetting,
    Setting,
    SettingAnswer,
)
from devices.neo.messages_deletion import DeleteNotes, DeleteNotesReply, DeletePages, DeletePagesReply
from devices.neo.messages_memory import (
    ChunkAck,
    MemoryNotesReply,
    MemoryNotesRequest,
    MemoryPagesReply,
    MemoryPagesRequest,
    TransferRequest,
)
from devices.neo.wire import Message, NoteAddress, to_frame
from devices.virtual.memory import Memory, Transfer

COUNTED_FROM: Final = 2.12
"""The protocol version, as the vendor's own code compares it, from which events are counted."""

ATTEMPTS_MAX: Final = 10
_REPLY: Final = 0x80


class PenClock:
    """A pen's own clock: wrong or unset until it is set over the air, then running on from there."""

    def __init__(self, monotonic_s: Callable[[], float], *, start_ms: int = 0) -> None:
        self._monotonic_s = monotonic_s
        self._base_ms, self._base_s = start_ms, monotonic_s()

    def now_ms(self) -> int:
        """Milliseconds, as the pen thinks."""
        return self._base_ms + int(1000 * (self._monotonic_s() - self._base_s))

    def set(self, now_ms: int) -> None:
        """Run on from this moment."""
        self._base_ms, self._base_s = now_ms, self._monotonic_s()


@dataclass(slots=True, kw_only=True)
class PenState:
    """What a pen knows of itself; outlives links."""

    mac: bytes
    """Six bytes in display order."""
    model: str = "NWP-F80"
    firmware: str = "1.03.0052"
    protocol: str = "2.18"
    name: str = "Neosmartpen"
    password: str | None = None
    attempts_used: int = 0
    battery_percent: int = 90
    charging: bool = False
    beep: bool = True
    hover: bool = False
    stores_offline: bool = True
    auto_off_min: int = 20
    local_name: str = ""
    led_argb: int = 0
    identified: int = 0
    """How often it was asked to show itself by its LED or its beep."""
    short_errors: bool = False
    """A fault: refuse without a length field, as some firmware does."""


@dataclass(slots=True)
class Dialogue:
    """The pen's end of one link's requests. A new link is a new dialogue."""

    state: PenState
    clock: PenClock
    memory: Memory
    erased: Callable[[], None]
    """Called when a wrong password too many has erased the pen."""
    ready: bool = False
    """Ink may be sent: notes of interest were told (0x11)."""
    counted: bool = False
    """The driver asked for the counted family."""
    _authorised: bool = field(init=False)
    _transfer: Transfer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._authorised = self.state.password is None

    def answer(self, request: Frame) -> list[bytes]:
        """Frames to send for one frame of the driver."""
        handler = self._HANDLERS.get(request.command)
        if handler is None:
            return self._refuse(request.command, Result.NOT_SUPPORTED)
        if not self._authorised and request.command not in self._BEFORE_PASSWORD:
            return self._refuse(request.command, Result.NO_PERMISSION)
        try:
            return handler(self, request)
        except PenProtocolError:
            return self._refuse(request.command, Result.BAD_LENGTH)

    def _refuse(self, command: int, result: Result) -> list[bytes]:
        if command >= _REPLY:
            return []  # an acknowledgement is not answered
        if self.state.short_errors:
            return [short_error(command | _REPLY, result)]
        return [frame(command | _REPLY, b"", result=result)]

    def _version(self, request: Frame) -> list[bytes]:
        asked = VersionRequest.unpack(request.payload)
        try:
            self.counted = float(asked.protocol) >= COUNTED_FROM
        except ValueError:
            self.counted = False
        state = self.state
        reply = VersionReply(
            model=state.model, firmware=state.firmware, protocol=state.protocol, name=state.name, mac=state.mac
        )
        return _framed(reply)

    def _settings(self, request: Frame) -> list[bytes]:
        SettingsRequest.unpack(request.payload)
        state = self.state
        return _framed(
            SettingsReply(
                locked=state.password is not None,
                attempts_max=ATTEMPTS_MAX,
                attempts_used=state.attempts_used,
                clock_ms=self.clock.now_ms(),
                auto_off_min=state.auto_off_min,
                memory_percent=self.memory.percent,
                beep=state.beep,
                hover=state.hover,
                battery_percent=state.battery_percent,
                charging=state.charging,
                stores_offline=state.stores_offline,
                local_name=state.local_name,
            )
        )

    def _password(self, request: Frame) -> list[bytes]:
        state = self.state
        if state.password is None or PasswordRequest.unpack(request.payload).password == state.password:
            self._authorised = True
            state.attempts_used = 0
            return _framed(PasswordReply(PasswordStatus.ACCEPTED, 0, ATTEMPTS_MAX))
        state.attempts_used += 1
        if state.attempts_used < ATTEMPTS_MAX:
            return _framed(PasswordReply(PasswordStatus.WRONG, state.attempts_used, ATTEMPTS_MAX))
        state.password, state.attempts_used = None, 0
        self.erased()
        return _framed(PasswordReply(PasswordStatus.RESET, ATTEMPTS_MAX, ATTEMPTS_MAX))

    def _set(self, request: Frame) -> list[bytes]:
        asked = SetSetting.unpack(request.payload)
        state, value = self.state, asked.value
        if asked.kind == Setting.CLOCK:
            self.clock.set(struct.unpack("<Q", value[:8].ljust(8, b"\0"))[0])
        elif asked.kind == Setting.BEEP:
            state.beep = any(value)
            state.identified += state.beep
        elif asked.kind == Setting.HOVER:
            state.hover = any(value)
        elif asked.kind == Setting.STORE_OFFLINE:
            state.stores_offline = any(value)
        elif asked.kind == Setting.LED:
            state.led_argb = int.from_bytes(value[:4], "big")
            state.identified += 1
        elif asked.kind == Setting.BEEP_AND_LIGHT:
            state.identified += 1
        elif asked.kind == Setting.AUTO_OFF:
            state.auto_off_min = int.from_bytes(value[:2], "little")
        elif asked.kind == Setting.LOCAL_NAME:
            state.local_name = value[1:17].split(b"\0", 1)[0].decode("utf-8", "replace")
        return _framed(SettingAnswer(asked.kind, 0))

    def _interest(self, request: Frame) -> list[bytes]:
        NotesOfInterest.unpack(request.payload)
        self.ready = True
        return _framed(NotesOfInterestReply())

    def _notes(self, request: Frame) -> list[bytes]:
        return _framed(MemoryNotesReply(self.memory.notes(MemoryNotesRequest.unpack(request.payload).paper)))

    def _pages(self, request: Frame) -> list[bytes]:
        address = MemoryPagesRequest.unpack(request.payload).address
        return _framed(MemoryPagesReply(address, self.memory.pages(address)))

    def _transfer_asked(self, request: Frame) -> list[bytes]:
        self._transfer = Transfer(self.memory, TransferRequest.unpack(request.payload))
        return _framed(self._transfer.reply()) + self._transfer.first()

    def _chunk_acknowledged(self, request: Frame) -> list[bytes]:
        ack = ChunkAck.unpack(request.payload)
        return self._transfer.acknowledged(ack, result=request.result) if self._transfer else []

    def _delete(self, request: Frame) -> list[bytes]:
        asked = DeleteNotes.unpack(request.payload)
        for note in asked.notes:
            self.memory.delete(self.memory.of(NoteAddress(asked.section, asked.owner, note)))
        return _framed(DeleteNotesReply(asked.notes))

    def _delete_pages(self, request: Frame) -> list[bytes]:
        asked = DeletePages.unpack(request.payload)
        if asked.pages:
            self.memory.delete(self.memory.of(asked.address, asked.pages))
        return _framed(DeletePagesReply())

    _HANDLERS: ClassVar[dict[int, Callable[["Dialogue", Frame], list[bytes]]]] = {
        VersionRequest.COMMAND: _version,
        SettingsRequest.COMMAND: _settings,
        PasswordRequest.COMMAND: _password,
        SetSetting.COMMAND: _set,
        NotesOfInterest.COMMAND: _interest,
        MemoryNotesRequest.COMMAND: _notes,
        MemoryPagesRequest.COMMAND: _pages,
        TransferRequest.COMMAND: _transfer_asked,
        ChunkAck.COMMAND: _chunk_acknowledged,
        DeleteNotes.COMMAND: _delete,
        DeletePages.COMMAND: _delete_pages,
    }
    _BEFORE_PASSWORD: ClassVar[frozenset[int]] = frozenset(
        {VersionRequest.COMMAND, SettingsRequest.COMMAND, PasswordRequest.COMMAND}
    )


def _framed(message: Message) -> list[bytes]:
    return [to_frame(message)]
