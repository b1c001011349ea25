"""The steps of emptying a memory, without a pen: what is asked on what was said."""

from devices.events import (
    Answered,
    Dot,
    MemoryListed,
    Oddity,
    OfflineStroke,
    PageChanged,
    PagesListed,
    PenEvent,
    TransferBegan,
    TransferEnded,
    Unanswered,
)
from devices.neo.drain import MOST_NOTES, MOST_PAGES, TRIES, Drain
from devices.neo.messages_deletion import DeletePages
from devices.neo.messages_memory import AfterTransfer, MemoryNotesRequest, MemoryPagesRequest, TransferRequest
from devices.neo.wire import NoteAddress

NOTE = NoteAddress(3, 27, 603)
DELETED = Answered(DeletePages.COMMAND, ok=True, payload=b"")
HURT = Oddity("bad_sum", 0x24, bytes(16))


def stroke(page: int = 1) -> OfflineStroke:
    """One stroke of one dot."""
    dot = Dot(1_000, 100, 200, 300, 90, 90, 0)
    return OfflineStroke(
        page=PageChanged(*NOTE, page), tip="pen", color=0xFF000000, down_ms=1_000, up_ms=1_000, dots=(dot,)
    )


def transferred(*strokes: OfflineStroke, told: int | None = None, damaged: int = 0) -> list[PenEvent]:
    """What a transfer brings."""
    count = len(strokes) if told is None else told
    return [TransferBegan(count, 43 * count), *strokes, TransferEnded(len(strokes), damaged)]


def at_page(*pages: int) -> Drain:
    """A drain that has asked for the first of these pages of one note."""
    drain = Drain()
    assert drain.request() == MemoryNotesRequest()
    assert drain.request() is None, "each request is given once"
    drain.take([MemoryListed((tuple(NOTE),))])  # type: ignore[arg-type]  # a tuple of three
    assert drain.request() == MemoryPagesRequest(NOTE)
    drain.take([PagesListed(tuple(NOTE), pages)])  # type: ignore[arg-type]  # as above
    assert drain.request() == TransferRequest(address=NOTE, pages=pages[:1], after=AfterTransfer.KEEP)
    return drain


def test_an_empty_memory_is_drained_whole_at_once() -> None:
    drain = Drain()
    drain.request()
    assert drain.take([MemoryListed(())]) == []
    assert (drain.is_ended, drain.whole, drain.why, drain.strokes) == (True, True, None, 0)


def test_a_page_is_deleted_only_when_it_is_durable_and_a_fresh_count_says_the_same() -> None:
    drain = at_page(7)
    assert drain.strokes_in_pen == 1, "a page that is listed holds one at least"
    assert len(drain.take(transferred(stroke(), stroke()))) == 2
    assert (drain.state, drain.request(), drain.strokes_in_pen) == ("committing", None, 2)
    drain.committed()
    assert drain.request() == TransferRequest(address=NOTE, pages=(7,), after=AfterTransfer.KEEP)
    assert drain.take([TransferBegan(2, 86)]) == []
    assert (drain.must_stop, drain.request()) == (False, None)
    assert drain.take([stroke()]) == [], "this transfer only counts"
    assert drain.must_stop
    drain.stopped()
    assert drain.request() == DeletePages(NOTE, (7,))
    drain.take([TransferEnded(1, 0)])
    assert drain.request() is None
    drain.take([DELETED])
    assert (drain.is_ended, drain.whole, drain.pages_deleted, drain.strokes_in_pen) == (True, True, 1, 0)


def test_a_count_of_none_needs_no_deletion() -> None:
    drain = at_page(7)
    drain.take(transferred(stroke()))
    drain.committed()
    drain.request()
    drain.take([TransferBegan(0, 0)])
    assert (drain.request(), drain.is_ended, drain.whole, drain.pages_deleted) == (None, True, True, 0)


def test_another_count_makes_the_page_be_transferred_again_and_it_is_kept_if_it_does_not_rest() -> None:
    drain = at_page(7, 8)
    before = drain.transfer
    for count in range(2, 2 + TRIES):
        drain.take(transferred(*[stroke()] * (count - 1)))
        drain.committed()
        drain.request()
        drain.take([TransferBegan(count, 43 * count)])
        if count < 1 + TRIES:
            assert drain.request() == TransferRequest(address=NOTE, pages=(7,), after=AfterTransfer.KEEP)
    assert drain.transfer >= before + TRIES
    assert drain.request() == TransferRequest(address=NOTE, pages=(8,), after=AfterTransfer.KEEP), "the rest goes on"
    assert (drain.whole, drain.why, drain.strokes_in_pen) == (False, "restless", 1 + TRIES + 1)


def test_a_hurt_stroke_is_not_given_out_and_its_page_stays_while_the_next_is_drained() -> None:
    drain = at_page(7, 8)
    given = drain.take([TransferBegan(3, 129), stroke(), stroke(), HURT, HURT, stroke(), TransferEnded(2, 2)])
    assert len(given) == 2
    assert drain.must_leave, "an acknowledged end would let a pen forget that deletes though it should not"
    drain.left()
    drain.committed()
    assert drain.request() == TransferRequest(address=NOTE, pages=(8,), after=AfterTransfer.KEEP)
    drain.take(transferred(stroke(8)))
    drain.committed()
    drain.request()
    drain.take(transferred(stroke(8)))
    assert drain.request() == DeletePages(NOTE, (8,))
    drain.take([DELETED])
    assert (drain.is_ended, drain.whole, drain.why, drain.strokes_in_pen) == (True, False, "hurt", 3)


def test_fewer_strokes_than_were_told_are_asked_for_again() -> None:
    drain = at_page(7)
    assert len(drain.take(transferred(stroke(), told=2, damaged=1))) == 1
    assert drain.request() == TransferRequest(address=NOTE, pages=(7,), after=AfterTransfer.KEEP)
    drain.take(transferred(stroke(), stroke()))
    drain.committed()
    assert (drain.state, drain.whole) == ("counting", True)


def test_an_end_of_an_older_transfer_is_not_taken_for_this_one() -> None:
    drain = at_page(7)
    drain.take([TransferEnded(5, 0), stroke()])
    assert (drain.state, drain.strokes) == ("transferring", 0)


def test_a_full_list_is_asked_for_again_and_one_that_does_not_shorten_is_said() -> None:
    notes = tuple((3, 27, n) for n in range(MOST_NOTES))
    drain = Drain()
    drain.request()
    drain.take([MemoryListed(notes)])
    for note in notes:
        assert drain.request() == MemoryPagesRequest(NoteAddress(*note))
        drain.take([PagesListed(note, (1,))])
        drain.request()
        drain.take([TransferBegan(0, 0)])
    assert drain.request() == MemoryNotesRequest()
    drain.take([MemoryListed(notes)])
    for note in notes:
        drain.request()
        drain.take([PagesListed(note, (1,))])
    assert (drain.is_ended, drain.whole, drain.why) == (True, False, "list_full")


def test_a_full_list_of_pages_is_asked_for_again() -> None:
    drain = at_page(*range(MOST_PAGES))
    for page in range(MOST_PAGES):
        drain.take([TransferBegan(0, 0)])
        if page < MOST_PAGES - 1:
            drain.request()
    assert drain.request() == MemoryPagesRequest(NOTE)
    drain.take([PagesListed((3, 27, 603), (500,))])
    assert drain.request() == TransferRequest(address=NOTE, pages=(500,), after=AfterTransfer.KEEP)


def test_a_pen_that_does_not_answer_is_asked_three_times() -> None:
    drain = Drain()
    for _ in range(TRIES):
        assert drain.request() == MemoryNotesRequest()
        drain.take([Unanswered(MemoryNotesRequest.COMMAND)])
    assert (drain.request(), drain.is_ended, drain.whole, drain.why) == (None, True, False, "unanswered")


def test_a_deletion_without_an_answer_is_counted_again() -> None:
    drain = at_page(7)
    drain.take(transferred(stroke()))
    drain.committed()
    drain.request()
    drain.take(transferred(stroke()))
    assert drain.request() == DeletePages(NOTE, (7,))
    drain.take([Unanswered(DeletePages.COMMAND)])
    assert drain.request() == TransferRequest(address=NOTE, pages=(7,), after=AfterTransfer.KEEP)
    drain.take([TransferBegan(0, 0)])
    assert (drain.is_ended, drain.whole, drain.strokes_in_pen) == (True, True, 0)


def test_what_is_refused_is_said() -> None:
    for command in (MemoryNotesRequest.COMMAND, MemoryPagesRequest.COMMAND, TransferRequest.COMMAND):
        drain = Drain()
        drain.request()
        if command != MemoryNotesRequest.COMMAND:
            drain.take([MemoryListed((tuple(NOTE),))])  # type: ignore[arg-type]  # a tuple of three
        if command == TransferRequest.COMMAND:
            drain.take([PagesListed((3, 27, 603), (1,))])
        drain.take([Answered(command, ok=False, payload=b"\x05")])
        assert (drain.is_ended, drain.whole, drain.why) == (True, False, "refused")


def test_a_refused_deletion_leaves_the_page_in_the_pen_and_misses_nothing() -> None:
    drain = at_page(7)
    drain.take(transferred(stroke()))
    drain.committed()
    drain.request()
    drain.take(transferred(stroke()))
    drain.request()
    drain.take([Answered(DeletePages.COMMAND, ok=False, payload=b"\x05")])
    assert (drain.is_ended, drain.whole, drain.why, drain.strokes_in_pen) == (True, True, "refused", 1)
