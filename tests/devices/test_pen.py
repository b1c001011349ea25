"""Where session and link meet: nothing arrives twice, nothing is written on a dead link, an end is told once."""

from collections import Counter
from collections.abc import Iterator

import pytest

from devices.errors import LinkError
from devices.events import Oddity, PenEvent, StrokeBroken, Unanswered
from devices.neo.wire import Message
from devices.pen import Arrived, Pen
from devices.transport import Arrival


class FakeSession:
    """Says of each notification that it is odd; wants to say what it is given."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.out = b""
        self.late = 0

    def start(self, *, now_ms: int) -> None:
        self.out += b"hello"
        del now_ms

    def receive(self, data: bytes, *, now_ms: int) -> Iterator[PenEvent]:
        del now_ms
        yield Oddity("unknown", None, data)
        self.out += b"!"

    def data_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def ask(self, request: Message, *, now_ms: int) -> None:
        del request, now_ms

    def tick(self, *, now_ms: int) -> Iterator[PenEvent]:
        del now_ms
        if self.late:
            self.late = 0
            yield Unanswered(4)

    def offer_password(self, password: str, *, now_ms: int) -> Iterator[PenEvent]:
        del password, now_ms
        yield from ()

    def link_lost(self) -> Iterator[PenEvent]:
        yield StrokeBroken("link_lost")


class FakeLink:
    """A link that can go."""

    def __init__(self) -> None:
        self.is_open = True
        self.arrived: list[Arrival] = []
        self.written: list[bytes] = []

    def take(self) -> list[Arrival]:
        out, self.arrived = self.arrived, []
        return out

    async def write(self, data: bytes) -> None:
        if not self.is_open:
            raise LinkError("gone")
        self.written.append(data)

    async def close(self) -> None:
        self.is_open = False


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def test_each_event_carries_when_its_notification_arrived(link: FakeLink, session: FakeSession) -> None:
    link.arrived = [Arrival(10, b"a"), Arrival(20, b"b")]
    pen = Pen(link, session)
    assert pen.take(33) == [Arrived(10, Oddity("unknown", None, b"a")), Arrived(20, Oddity("unknown", None, b"b"))]
    assert pen.take(66) == []


def test_what_time_alone_brings_about_comes_too(link: FakeLink, session: FakeSession) -> None:
    session.late = 1
    assert Pen(link, session).take(33) == [Arrived(33, Unanswered(4))]


def test_a_link_that_went_gives_its_last_ink_then_its_end_once(link: FakeLink, session: FakeSession) -> None:
    pen = Pen(link, session)
    link.arrived, link.is_open = [Arrival(10, b"last")], False
    assert [event for _, event in pen.take(33)] == [Oddity("unknown", None, b"last"), StrokeBroken("link_lost")]
    assert pen.take(66) == []


async def test_what_the_session_wants_to_say_is_written_whole_and_once(link: FakeLink, session: FakeSession) -> None:
    pen = Pen(link, session)
    session.start(now_ms=0)
    assert pen.wants_to_write
    link.arrived = [Arrival(1, b"x")]
    pen.take(2)
    await pen.flush()
    await pen.flush()
    assert link.written == [b"hello!"]
    assert not pen.wants_to_write


async def test_nothing_is_written_on_a_link_that_is_gone(link: FakeLink, session: FakeSession) -> None:
    pen = Pen(link, session)
    session.start(now_ms=0)
    await link.close()
    with pytest.raises(LinkError):
        await pen.flush()
    assert link.written == []
