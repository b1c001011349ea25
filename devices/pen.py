"""A session and its link: the only place where they meet."""

from typing import NamedTuple

from devices.errors import LinkError
from devices.events import PenEvent
from devices.families import PenSession
from devices.transport import Transport


class Arrived(NamedTuple):
    """One event, and when what told it arrived."""

    at_ms: int
    """Milliseconds UTC by the box's clock."""
    event: PenEvent


class Pen:
    """One link to one pen. When the link is gone, the session ends what was open, once."""

    def __init__(self, transport: Transport, session: PenSession) -> None:
        self.transport = transport
        self.session = session
        self._unsent = b""
        self._told_lost = False

    def take(self, now_ms: int) -> list[Arrived]:
        """What the pen said since the last call, and what time alone brings about."""
        receive = self.session.receive
        out = [Arrived(at_ms, event) for at_ms, data in self.transport.take() for event in receive(data, now_ms=at_ms)]
        out += [Arrived(now_ms, event) for event in self.session.tick(now_ms=now_ms)]
        if not self.transport.is_open and not self._told_lost:
            self._told_lost = True
            out += [Arrived(now_ms, event) for event in self.session.link_lost()]
        return out

    @property
    def wants_to_write(self) -> bool:
        """Whether `flush` has something to do."""
        self._unsent += self.session.data_to_send()
        return bool(self._unsent)

    async def flush(self) -> None:
        """Write what the session wants to say; nothing is said on a link that is gone.

        Raises:
            LinkError: The link went.
        """
        self._unsent += self.session.data_to_send()
        data, self._unsent = self._unsent, b""
        if not data:
            return
        if not self.transport.is_open:
            raise LinkError("the link is gone")
        await self.transport.write(data)
