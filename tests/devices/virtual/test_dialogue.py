"""Driver and virtual pen without an air between: what each fault of a memory comes to."""

import pytest

from devices.events import (
    Answered,
    Oddity,
    OfflineStroke,
    PageChanged,
    PagesListed,
    PenEvent,
    TransferBegan,
    TransferEnded,
)
from devices.neo.framing import Deframer, Frame
from devices.neo.messages_deletion import DeletePages
from devices.neo.messages_ink import DotRecord
from devices.neo.messages_memory import MemoryPagesRequest, StoredStroke, TransferRequest, stored_dot
from devices.neo.session import NeoSession
from devices.neo.wire import Message, NoteAddress
from devices.virtual.dialogue import Dialogue, PenClock, PenState
from devices.virtual.memory import FOR_EVER, Memory

NOTE = NoteAddress(3, 27, 603)
STROKES = 12
_BEAT_MS = 100
_LONG_MS = 30_000


class Link:
    """A session and a pen's dialogue, wired to each other; time passes when a test says so."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000
        self.memory = Memory()
        dot = stored_dot(DotRecord(delta_ms=10, force=200, x_hundredths=2025, y_hundredths=3050))
        for number in range(STROKES):
            page = 5 + number % 2
            stroke = StoredStroke(page=page, down_ms=1_000 * number, up_ms=1_000 * number + 900, dots=(dot,) * 90)
            self.memory.keep(PageChanged(*NOTE, page), stroke)
        self._pen = Dialogue(PenState(mac=bytes(6)), PenClock(lambda: self.now_ms / 1000), self.memory, lambda: None)
        self.session = NeoSession()
        self._deframer = Deframer()
        self.session.start(now_ms=self.now_ms)
        self.run()

    def run(self) -> list[PenEvent]:
        """Let both talk until neither has anything to say."""
        events: list[PenEvent] = []
        while data := self.session.data_to_send():
            for request in self._deframer.feed(data):
                for reply in self._pen.answer(request) if isinstance(request, Frame) else ():
                    events += self.session.receive(reply, now_ms=self.now_ms)
        return events

    def ask(self, request: Message) -> list[PenEvent]:
        """Ask, and let time pass until nothing more can come."""
        self.session.ask(request, now_ms=self.now_ms)
        events = self.run()
        for _ in range(_LONG_MS // _BEAT_MS):
            self.now_ms += _BEAT_MS
            events += self.session.tick(now_ms=self.now_ms)
            events += self.run()
        return events

    def transfer(self, *pages: int) -> list[PenEvent]:
        return self.ask(TransferRequest(address=NOTE, pages=pages))


@pytest.fixture
def link() -> Link:
    link = Link()
    assert link.session.is_ready
    return link


def strokes(events: list[PenEvent]) -> list[int]:
    return [event.down_ms for event in events if isinstance(event, OfflineStroke)]


def ended(events: list[PenEvent]) -> list[TransferEnded]:
    return [event for event in events if isinstance(event, TransferEnded)]


ALL = [1_000 * number for number in range(STROKES)]


def test_pages_are_listed_and_handed_over_one_or_all(link: Link) -> None:
    assert PagesListed(NOTE, (5, 6)) in link.ask(MemoryPagesRequest(NOTE))
    assert strokes(link.transfer(6)) == ALL[1::2]
    whole = link.transfer()
    assert strokes(whole) == ALL
    assert TransferBegan(STROKES, STROKES * (27 + 90 * 16)) in whole
    assert ended(whole) == [TransferEnded(STROKES, 0)]
    assert len(link.memory.kept) == STROKES


@pytest.mark.parametrize("fault", ["wrong_sums", "wrong_zlib"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_chunks_that_are_wrong_at_first_are_whole_in_the_end(link: Link, fault: str, times: int) -> None:
    setattr(link.memory.faults, fault, times)
    events = link.transfer()
    assert (strokes(events), ended(events)) == (ALL, [TransferEnded(STROKES, 0)])
    assert link.session.counts["chunks_refused"] == times


def test_sums_that_stay_wrong_are_damage_and_no_dot_of_them_is_ink(link: Link) -> None:
    link.memory.faults.wrong_sums = FOR_EVER
    events = link.transfer()
    bad = [event for event in events if isinstance(event, Oddity) and event.kind == "bad_sum"]
    assert ended(events) == [TransferEnded(STROKES - len(bad), len(bad))]
    assert sum(len(event.dots) for event in events if isinstance(event, OfflineStroke)) == 90 * STROKES - len(bad)


def test_chunks_that_never_inflate_are_damage(link: Link) -> None:
    link.memory.faults.wrong_zlib = FOR_EVER
    events = link.transfer()
    assert strokes(events) == []
    [end] = ended(events)
    assert end.damaged > 1
    assert len(link.memory.kept) == STROKES


def test_chunks_sent_twice_are_taken_once(link: Link) -> None:
    link.memory.faults.twice = FOR_EVER
    events = link.transfer()
    assert (strokes(events), ended(events)) == (ALL, [TransferEnded(STROKES, 0)])


def test_a_transfer_that_stalls_is_over_damaged_and_the_next_one_is_whole(link: Link) -> None:
    link.memory.faults.stalls = 1
    events = link.transfer()
    [end] = ended(events)
    assert (0 < end.strokes < STROKES, end.damaged) == (True, 1)
    again = link.transfer()
    assert (strokes(again), ended(again)) == (ALL, [TransferEnded(STROKES, 0)])


def test_a_transfer_held_most_of_the_time_goes_on_and_is_whole(link: Link) -> None:
    link.session.hold_memory(hold=True, now_ms=link.now_ms)
    events = link.transfer()
    assert 0 < len(strokes(events)) < STROKES
    assert ended(events) == []
    link.session.hold_memory(hold=False, now_ms=link.now_ms)
    assert strokes(events + link.run()) == ALL


def test_a_transfer_that_is_stopped_leaves_the_ink_in_the_pen_and_another_can_begin(link: Link) -> None:
    link.session.hold_memory(hold=True, now_ms=link.now_ms)
    link.session.ask(TransferRequest(address=NOTE), now_ms=link.now_ms)
    first = link.run()
    link.session.stop_memory(now_ms=link.now_ms)
    assert [*link.session.tick(now_ms=link.now_ms)] == [TransferEnded(len(strokes(first)), 0)]
    link.session.hold_memory(hold=False, now_ms=link.now_ms)
    assert strokes(link.transfer()) == ALL


def test_plain_chunks_are_taken_as_well(link: Link) -> None:
    link.memory.faults.plain = True
    assert strokes(link.transfer()) == ALL


def test_a_pen_that_deletes_although_it_was_asked_to_keep_has_nothing_afterwards(link: Link) -> None:
    link.memory.faults.deletes_anyway = True
    assert strokes(link.transfer()) == ALL
    assert link.transfer()[-1] == TransferBegan(0, 0)


def test_pages_are_deleted_and_no_others(link: Link) -> None:
    assert Answered(0x27, ok=True, payload=b"") in link.ask(DeletePages(NOTE, (5,)))
    assert strokes(link.transfer()) == ALL[1::2]


def test_a_deletion_that_is_answered_and_not_done_shows_in_the_next_count(link: Link) -> None:
    link.memory.faults.deletes_nothing = True
    assert Answered(0x27, ok=True, payload=b"") in link.ask(DeletePages(NOTE, (5,)))
    assert strokes(link.transfer()) == ALL
