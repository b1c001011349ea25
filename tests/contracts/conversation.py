"""One link to a pen as a contract sees it: requests out, frames in, nothing hidden by a session."""

import asyncio
from collections.abc import Callable

from devices.neo.framing import Deframer, Frame
from devices.neo.messages import NotesOfInterest, SettingsReply, SettingsRequest, VersionReply, VersionRequest
from devices.neo.messages_control import PasswordReply, PasswordRequest, PasswordStatus, SetSetting
from devices.neo.wire import Message, to_frame
from devices.transport import Transport

ANSWER_S = 5.0
SAFE_ATTEMPTS = 3
PROTOCOL = "2.18"
COUNTED = range(0x69, 0x6E)
"""The commands that share the counter."""

PEN_UP = 0x6A
_REPLY = 0x80


class Conversation:
    """Talks over a transport, in the pen's own words."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.frames: list[Frame] = []
        self._deframer = Deframer()

    async def until(self, condition: Callable[[], object], *, seconds: float = ANSWER_S) -> None:
        """Take what arrives until something is true; TimeoutError if it does not become so."""
        async with asyncio.timeout(seconds):
            while True:
                for arrival in self.transport.take():
                    self.frames += [each for each in self._deframer.feed(arrival.data) if isinstance(each, Frame)]
                if condition():
                    return
                await asyncio.sleep(0.005)

    def of(self, command: int) -> list[Frame]:
        """All frames so far of one command."""
        return [frame for frame in self.frames if frame.command == command]

    async def ask(self, message: Message) -> Frame:
        """Send a request and wait for what answers it."""
        answer = message.COMMAND | _REPLY
        before = len(self.of(answer))
        await self.transport.write(to_frame(message))
        await self.until(lambda: len(self.of(answer)) > before)
        return self.of(answer)[-1]

    async def hello(self) -> VersionReply:
        """Who the pen is."""
        asked = VersionRequest(app_version="contract", protocol=PROTOCOL)
        return VersionReply.unpack((await self.ask(asked)).payload)

    async def settings(self) -> SettingsReply:
        """How it is set."""
        return SettingsReply.unpack((await self.ask(SettingsRequest())).payload)

    async def make_ready(self, *, now_ms: int, password: str | None) -> None:
        """Do the whole handshake; never gives a password that was not told."""
        await self.hello()
        settings = await self.settings()
        if settings.locked:
            assert password is not None, "the pen is locked: give --password-file"
            left = settings.attempts_max - settings.attempts_used
            assert left > SAFE_ATTEMPTS, f"{left} attempts left: the last wrong one erases the pen"
            reply = PasswordReply.unpack((await self.ask(PasswordRequest(password))).payload)
            assert reply.status == PasswordStatus.ACCEPTED, f"password refused, {reply.attempts_used} attempts used"
        assert not (await self.ask(SetSetting.clock(now_ms))).result
        assert not (await self.ask(NotesOfInterest())).result

    def counts(self) -> list[int]:
        """The counter of every counted event so far."""
        return [frame.payload[0] for frame in self.frames if frame.command in COUNTED]

    def ups(self) -> int:
        """How many strokes have ended."""
        return len(self.of(PEN_UP))
