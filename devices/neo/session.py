"""One link to one Neo pen, without I/O: notifications in, events out; what it wants to say waits in `data_to_send`.

Theory of operation. `start` asks for the version; the pen's hello (0x81) opens the link, and nothing before it is taken
for anything: it may be what an earlier link left behind. Then the session asks for the settings, gives the password if
one is needed and may be risked, sets the pen's clock, asks for all notes, and says `Ready` when the pen agrees. One
request is under way at a time; others wait. `tick` repeats or gives up what got no answer.

Copies of notifications are stopped before framing: on a pen that counts its events, a notification equal to the one
directly before it is a copy (see `inlet`). Copies that come later are known by their count.

A passive session only listens, from the first byte on: it takes ink without a hello and never says anything.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

from devices.errors import PenProtocolError
from devices.events import (
    Answered,
    Battery,
    MemoryListed,
    Oddity,
    PagesListed,
    PasswordState,
    PenEvent,
    PenSettings,
    PowerOff,
    Ready,
    Unanswered,
    Version,
)
from devices.neo.framing import REPLY_BIT, Fault, Frame
from devices.neo.inlet import Inlet
from devices.neo.memory import Memory
from devices.neo.messages import (
    DEFAULT_FORCE_MAX,
    LowBattery,
    NotesOfInterest,
    PowerOffNotice,
    SettingsReply,
    SettingsRequest,
    VersionReply,
    VersionRequest,
)
from devices.neo.messages_control import (
    PasswordChangeReply,
    PasswordReply,
    PasswordRequest,
    PasswordStatus,
    SetSetting,
    SettingAnswer,
)
from devices.neo.messages_deletion import DeleteNotes, DeletePages
from devices.neo.messages_memory import (
    MemoryChunk,
    MemoryNotesReply,
    MemoryPagesReply,
    TransferReply,
)
from devices.neo.requests import ANSWER_TIMEOUT_MS, Asked, Requests
from devices.neo.strokes import STROKE_COMMANDS, Strokes
from devices.neo.wire import Message

APP_PROTOCOL: Final = "2.18"
"""The highest version that the session knows; pens send counted strokes from 2.12."""

HELLO_TIMEOUT_MS: Final = 2_000
TRIES: Final = 3
SAFETY_MARGIN: Final = 3
"""A password is not sent with fewer attempts left than this: the last wrong one erases the pen."""

NO_PASSWORD: Final = "0000"  # noqa: S105  the pen's word for having none
_COUNTING_FROM: Final = 2.12
_PLAIN_REPLIES: Final = frozenset(
    message.COMMAND | REPLY_BIT for message in (NotesOfInterest, DeleteNotes, DeletePages)
)


_Status: TypeAlias = Literal["accepted", "needed", "reset", "error"]
_STATUS: Final[dict[int, _Status]] = {
    PasswordStatus.WRONG: "needed",
    PasswordStatus.ACCEPTED: "accepted",
    PasswordStatus.RESET: "reset",
}


class NeoSession:
    """The session of one link; a new link needs a new one.

    Args:
        password: The pen's password, if it is known. Sent once at most in the life of a session.
        mac_expected: As AA:BB:CC:DD:EE:FF; a pen that says otherwise in its hello makes an Oddity `other_pen`.
        lenient: A passive session.
    """

    def __init__(self, *, password: str | None = None, mac_expected: str | None = None, lenient: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        """`duplicates`, `stale`, `frames_cut`, `frames_damaged`, `frames_too_long`, `noise`, `lost`, `unknown`,
        `malformed`, `bad_sum`, `bad_times`, `dots_without_down`, `broken`, `chunks_refused`: how often each was met."""
        self.version: Version | None = None
        self.settings: PenSettings | None = None
        self.is_ready = False
        self._password = None if password in {"", NO_PASSWORD} else password
        self._mac_expected = mac_expected
        self._passive = lenient
        self._inlet = Inlet(self.counts)
        self._strokes = Strokes(self.counts, passive=lenient)
        self._hello: bytes | None = None
        self._is_open = lenient
        self._requests = Requests()
        self._memory = Memory(self.counts, self._requests.say, passive=lenient)
        self._attempts_used = 0
        self._attempts_max = 0
        self._now_ms = 0
        self._replies: dict[int, Callable[[bytes], list[PenEvent]]] = {
            VersionReply.COMMAND: self._on_version,
            SettingsReply.COMMAND: self._on_settings,
            PasswordReply.COMMAND: self._on_password,
            PasswordChangeReply.COMMAND: self._on_password_change,
            SettingAnswer.COMMAND: self._on_setting,
            MemoryNotesReply.COMMAND: self._on_memory_notes,
            MemoryPagesReply.COMMAND: self._on_memory_pages,
            TransferReply.COMMAND: self._on_transfer,
        }
        self._events: dict[int, Callable[[bytes], list[PenEvent]]] = {
            LowBattery.COMMAND: self._on_low_battery,
            PowerOffNotice.COMMAND: self._on_power_off,
            MemoryChunk.COMMAND: self._on_chunk,
        }

    def start(self, *, now_ms: int) -> None:
        """Begin the handshake; call it once, when notifications are on."""
        self._now_ms = now_ms
        self._handshake(VersionRequest(app_version="inkgate", protocol=APP_PROTOCOL), timeout_ms=HELLO_TIMEOUT_MS)

    def receive(self, data: bytes, *, now_ms: int) -> Iterator[PenEvent]:
        """Take one notification; gives what it ended. Never raises, whatever the bytes."""
        if self._is_open and self._inlet.is_idle:
            dot = self._strokes.quick_dot(data)
            if dot is not None:
                self._inlet.previous = data
                return iter((dot,))
        self._now_ms = now_ms
        if self._is_copy(data):
            self._inlet.leave_out(data)
            return iter(())
        events: list[PenEvent] = []
        for found in self._inlet.feed(data):
            events += self._on_fault(found) if isinstance(found, Fault) else self._on_frame(found)
        return iter(events)

    def data_to_send(self) -> bytes:
        """The bytes that wait to be written, whole frames; they are given once."""
        return self._requests.take()

    def ask(self, request: Message, *, now_ms: int) -> None:
        """Send a request when its turn comes; the answer comes as `Answered` or its own event, or as `Unanswered`.

        Raises:
            ValueError: It is a password; `offer_password` guards the attempts.
        """
        if isinstance(request, PasswordRequest):
            raise ValueError("a password goes by offer_password, which guards the attempts")  # noqa: TRY004  a rule, no type
        self._requests.ask(Asked(request), now_ms=now_ms)

    def offer_password(self, password: str, *, now_ms: int) -> Iterator[PenEvent]:
        """Try a password that a person gave; refused where too few attempts are left."""
        self._now_ms = now_ms
        self._password = None if password in {"", NO_PASSWORD} else password
        return iter(self._try_password())

    def hold_memory(self, *, hold: bool, now_ms: int) -> None:
        """While held, acknowledgements of chunks wait, 10 s each at most, so that live ink has the air for itself."""
        self._memory.hold(hold=hold, now_ms=now_ms)

    def stop_memory(self, *, now_ms: int) -> None:
        """Tell the pen, with the acknowledgement that is next or waits, to stop its transfer; then `TransferEnded`."""
        self._memory.stop(now_ms=now_ms)

    def leave_memory(self) -> None:
        """Answer nothing more of the transfer under way, so that the pen does not take it for finished."""
        self._memory.forget()

    def tick(self, *, now_ms: int) -> Iterator[PenEvent]:
        """Repeat or give up what got no answer; call it now and then."""
        self._now_ms = now_ms
        events = self._memory.tick(now_ms=now_ms)
        asked = self._requests.overdue(now_ms=now_ms)
        if asked is None:
            return iter(events)
        if asked.is_handshake and isinstance(asked.message, SetSetting):
            self._handshake(NotesOfInterest())  # a pen that says nothing about its clock may still write
        self._requests.done(now_ms=now_ms)
        return iter((*events, Unanswered(asked.message.COMMAND)))

    def link_lost(self) -> Iterator[PenEvent]:
        """The link is gone: an open stroke ends here."""
        self._requests.clear()
        self._memory.forget()
        return iter(self._strokes.broken("link_lost"))

    def _is_copy(self, data: bytes) -> bool:
        if not self._inlet.is_twin(data):
            return False
        if not self._is_open:
            return not self._inlet.is_idle  # slices of a hello; whole frames are stale anyhow
        if not self._strokes.is_counting:
            return False
        # Two requests of one kind may have equal answers, one directly after the other.
        return not (self._inlet.is_idle and self._requests.is_awaited(data[1]))

    def _on_fault(self, fault: Fault) -> list[PenEvent]:
        self.counts["noise" if fault.kind == "noise" else f"frames_{fault.kind}"] += 1
        if not self._is_open:
            return []
        command = None if fault.kind == "noise" or not fault.data else fault.data[0]
        if command == MemoryChunk.COMMAND:
            self._memory.missed()
        return [Oddity(fault.kind, command, fault.data)]

    def _on_frame(self, frame: Frame) -> list[PenEvent]:
        command, result, payload = frame
        if not self._is_open and not (command == VersionReply.COMMAND and self._requests.is_awaited(command)):
            self.counts["stale"] += 1
            return []
        if command in STROKE_COMMANDS:
            return self._strokes.take(command, payload, self._now_ms)
        try:
            if result is not None and (command in self._replies or command in _PLAIN_REPLIES):
                return self._on_reply(command, result, payload)
            if command in self._events:
                return self._events[command](payload)
        except PenProtocolError as error:
            self.counts["malformed"] += 1
            return [Oddity("malformed", command, error.data)]
        self.counts["unknown"] += 1
        return [Oddity("unknown", command, payload)]

    def _on_reply(self, command: int, result: int, payload: bytes) -> list[PenEvent]:
        asked = self._requests.under_way if self._requests.is_awaited(command) else None
        if result:
            events = self._on_refusal(command, bytes((result,)) + payload)
            if asked is not None and asked.is_handshake and asked.tries_left:
                return events  # `tick` asks again
        elif command in self._replies:
            events = self._replies[command](payload)
        else:
            events = [Answered(command & ~REPLY_BIT, ok=True, payload=payload)]
        if asked is not None:
            if asked.is_handshake:
                events += self._after(asked.message, ok=not result)
            self._requests.done(now_ms=self._now_ms)
        return events

    def _on_refusal(self, command: int, told: bytes) -> list[PenEvent]:
        events: list[PenEvent] = [Answered(command & ~REPLY_BIT, ok=False, payload=told)]
        if command == PasswordReply.COMMAND and not self._passive:
            events.append(PasswordState("error", self._attempts_used, self._attempts_max))
        return events

    def _after(self, message: Message, *, ok: bool) -> list[PenEvent]:
        """The next step of the handshake; those after the settings and the password are taken where they are read."""
        match message:
            case VersionRequest() if ok:
                self._handshake(SettingsRequest())
            case SettingsRequest() if ok:
                return self._try_password()
            case SetSetting():
                self._strokes.clock_is(self._now_ms)
                self._handshake(NotesOfInterest())
            case NotesOfInterest() if ok:
                self.is_ready = True
                return [Ready()]
            case _:
                pass
        return []

    def _handshake(self, message: Message, *, tries: int = TRIES, timeout_ms: int = ANSWER_TIMEOUT_MS) -> None:
        self._requests.ask(Asked(message, tries, timeout_ms, is_handshake=True), now_ms=self._now_ms)

    def _try_password(self) -> list[PenEvent]:
        if self.settings is None or self._passive:
            return []
        if not self.settings.locked:
            self._handshake(SetSetting.clock(self._now_ms))
            return []
        if self._password is None:
            return [PasswordState("needed", self._attempts_used, self._attempts_max)]
        if self._attempts_max - self._attempts_used < SAFETY_MARGIN:
            return [PasswordState("refused_to_send", self._attempts_used, self._attempts_max)]
        self._attempts_used += 1  # until the pen says better: no answer must not look like no attempt
        self._handshake(PasswordRequest(self._password), tries=1)
        self._password = None
        return []

    def _on_version(self, payload: bytes) -> list[PenEvent]:
        if payload == self._hello:
            self.counts["duplicates"] += 1
            return []
        if self._hello is not None and not self._passive:
            return [Oddity("second_hello", VersionReply.COMMAND, payload)]
        told = VersionReply.unpack(payload)
        self._hello = payload
        self._is_open = True
        mac = told.mac.hex(":").upper()
        self.version = Version(mac, told.model, told.firmware, told.protocol, told.name, told.device_type)
        self._strokes.starts_here = True
        self._strokes.is_counting = _number(told.protocol) >= _COUNTING_FROM
        if self._mac_expected not in {None, mac}:
            return [self.version, Oddity("other_pen", VersionReply.COMMAND, payload)]
        return [self.version]

    def _on_settings(self, payload: bytes) -> list[PenEvent]:
        told = SettingsReply.unpack(payload)
        self.settings = PenSettings(
            locked=told.locked,
            attempts_used=told.attempts_used,
            attempts_max=told.attempts_max,
            clock_ms=told.clock_ms,
            auto_off_min=told.auto_off_min,
            force_max=told.force_max or DEFAULT_FORCE_MAX,
            memory_percent=told.memory_percent,
            battery_percent=told.battery_percent,
            charging=told.charging,
            hover=told.hover,
            beep=told.beep,
            stores_offline=told.stores_offline,
        )
        self._attempts_used, self._attempts_max = told.attempts_used, told.attempts_max
        self._strokes.force_max_is(self.settings.force_max)
        if self._passive:
            self._strokes.clock_is(told.clock_ms)
        return [self.settings]

    def _on_password(self, payload: bytes) -> list[PenEvent]:
        told = PasswordReply.unpack(payload)
        self._attempts_used, self._attempts_max = told.attempts_used, told.attempts_max
        status: _Status = _STATUS.get(told.status, "error")
        if status == "accepted" and self.settings is not None and self.settings.locked:
            self.settings = self.settings._replace(locked=False)
            self._try_password()  # goes on: nothing is locked any more
        return [PasswordState(status, told.attempts_used, told.attempts_max)]

    def _on_password_change(self, payload: bytes) -> list[PenEvent]:
        changed = PasswordChangeReply.unpack(payload).changed
        return [Answered(PasswordChangeReply.COMMAND & ~REPLY_BIT, ok=changed, payload=payload)]

    def _on_setting(self, payload: bytes) -> list[PenEvent]:
        told = SettingAnswer.unpack(payload)
        return [Answered(SetSetting.COMMAND, ok=not told.status, payload=payload)]

    def _on_memory_notes(self, payload: bytes) -> list[PenEvent]:
        return [MemoryListed(MemoryNotesReply.unpack(payload).notes)]

    def _on_memory_pages(self, payload: bytes) -> list[PenEvent]:
        told = MemoryPagesReply.unpack(payload)
        answered = Answered(MemoryPagesReply.COMMAND & ~REPLY_BIT, ok=True, payload=payload)
        return [answered, PagesListed(told.address, told.pages)]

    def _on_transfer(self, payload: bytes) -> list[PenEvent]:
        began = self._memory.begins(TransferReply.unpack(payload), now_ms=self._now_ms)
        return [Answered(TransferReply.COMMAND & ~REPLY_BIT, ok=True, payload=payload), *began]

    def _on_low_battery(self, payload: bytes) -> list[PenEvent]:
        return [Battery(LowBattery.unpack(payload).percent, charging=False)]

    def _on_power_off(self, payload: bytes) -> list[PenEvent]:
        notice = PowerOffNotice.unpack(payload)
        return [*self._strokes.broken("power_off"), PowerOff(notice.words)]

    def _on_chunk(self, payload: bytes) -> list[PenEvent]:
        events, is_refused = self._memory.take(payload, now_ms=self._now_ms)
        if is_refused:
            self._inlet.previous = b""  # the same chunk is wanted again, and then is no copy
        return events


def _number(protocol: str) -> float:
    """A protocol version as the SDKs compare it: 2.10 equals 2.1."""
    return float(protocol) if re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", protocol) else 0.0
