"""What a session wants of its pen: one request under way, the others in a queue, the bytes that wait to be written."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from devices.neo.framing import REPLY_BIT
from devices.neo.messages_control import SetSetting, Setting
from devices.neo.wire import Message, to_frame

ANSWER_TIMEOUT_MS: Final = 5_000


@dataclass(slots=True)
class Asked:
    """A request, waiting to be sent or to be answered."""

    message: Message
    tries_left: int = 1
    timeout_ms: int = ANSWER_TIMEOUT_MS
    is_handshake: bool = False
    due_ms: int = 0

    @property
    def reply_command(self) -> int:
        """The command of its answer."""
        return self.message.COMMAND | REPLY_BIT


class Requests:
    """The way to the pen. A request that gets no answer is repeated as often as it may be, then given up."""

    def __init__(self) -> None:
        self.under_way: Asked | None = None
        self._queue: deque[Asked] = deque()
        self._out = bytearray()

    def ask(self, asked: Asked, *, now_ms: int) -> None:
        """Send it when its turn comes; what belongs to the handshake comes first."""
        if asked.is_handshake:
            self._queue.appendleft(asked)
        else:
            self._queue.append(asked)
        self._next(now_ms)

    def say(self, data: bytes) -> None:
        """Send what awaits no answer."""
        self._out += data

    def take(self) -> bytes:
        """The bytes that wait, once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def is_awaited(self, command: int) -> bool:
        """Whether this reply answers the request under way."""
        return self.under_way is not None and self.under_way.reply_command == command

    def done(self, *, now_ms: int) -> None:
        """The request under way is answered."""
        self.under_way = None
        self._next(now_ms)

    def overdue(self, *, now_ms: int) -> Asked | None:
        """Repeat the request under way if its time is over; gives it back if it was repeated often enough."""
        asked = self.under_way
        if asked is None or now_ms < asked.due_ms:
            return None
        if asked.tries_left:
            self._send(asked, now_ms)
            return None
        return asked

    def clear(self) -> None:
        """Want nothing more."""
        self.under_way = None
        self._queue.clear()
        self._out.clear()

    def _next(self, now_ms: int) -> None:
        if self.under_way is None and self._queue:
            self.under_way = self._queue.popleft()
            self._send(self.under_way, now_ms)

    def _send(self, asked: Asked, now_ms: int) -> None:
        asked.tries_left -= 1
        asked.due_ms = now_ms + asked.timeout_ms
        if isinstance(asked.message, SetSetting) and asked.message.kind == Setting.CLOCK:
            asked.message = SetSetting.clock(now_ms)  # it may have waited
        self._out += to_frame(asked.message)
