"""Transfers out of a pen's memory."""

from devices.events import (
    Answered,
    Dot,
    Oddity,
    OfflineStroke,
    PageChanged,
    PagesListed,
    PenEvent,
    TransferBegan,
    TransferEnded,
)
from devices.neo.framing import Deframer, Frame, frame
from devices.neo.messages_ink import DotRecord
from devices.neo.messages_memory import (
    ChunkAck,
    MemoryChunk,
    MemoryPagesReply,
    MemoryPagesRequest,
    StoredStroke,
    TransferReply,
    TransferRequest,
    stored_dot,
)
from devices.neo.session import NeoSession
from devices.neo.wire import NoteAddress, to_frame
from tests.devices.neo.ready_bytes import BASE_MS, NOW_MS, fed, linked

NOTE = NoteAddress(3, 27, 603)


def stroke(page: int = 5) -> StoredStroke:
    records = [DotRecord(delta_ms=n, force=200 + n, x_hundredths=2025 + n, y_hundredths=3050) for n in range(3)]
    dots = tuple(stored_dot(record) for record in records)
    return StoredStroke(page=page, down_ms=BASE_MS, up_ms=BASE_MS + 40, dots=dots)


def chunk(packet: int, position: int, *, compress: bool = True) -> bytes:
    one = MemoryChunk.of([stroke(packet)], packet=packet, position=position, address=NOTE, compress=compress)
    return to_frame(one)


def answers(session: NeoSession) -> list[tuple[int | None, ChunkAck]]:
    found = Deframer().feed(session.data_to_send())
    return [(each.result, ChunkAck.unpack(each.payload)) for each in found if isinstance(each, Frame)]


def expected(page: int) -> OfflineStroke:
    return OfflineStroke(
        page=PageChanged(3, 27, 603, page),
        tip="pen",
        color=0xFF000000,
        down_ms=BASE_MS,
        up_ms=BASE_MS + 40,
        dots=tuple(Dot(BASE_MS + t, 2025 + n, 3050, 200 + n, 90, 90, 0) for n, t in enumerate((0, 1, 3))),
    )


def test_a_transfer_keeps_the_ink_in_the_pen_unless_told_otherwise() -> None:
    assert TransferRequest(address=NOTE).pack()[0] == 2


def test_chunks_become_strokes_and_each_is_acknowledged_with_a_stop_on_the_last() -> None:
    session = linked()
    session.ask(TransferRequest(address=NOTE), now_ms=NOW_MS)
    session.data_to_send()
    reply = TransferReply(2, 150, compressed=True)
    assert fed(session, to_frame(reply)) == [Answered(0x23, ok=True, payload=reply.pack()), TransferBegan(2, 150)]
    assert fed(session, chunk(0, 0), chunk(1, 2, compress=False)) == [expected(0), expected(1), TransferEnded(2, 0)]
    assert answers(session) == [(0, ChunkAck(0, go_on=True)), (0, ChunkAck(1, go_on=False))]


def test_a_chunk_cut_into_twenty_byte_slices_is_the_same() -> None:
    session = linked()
    whole = chunk(0, 2)
    assert fed(session, *(whole[n : n + 20] for n in range(0, len(whole), 20))) == [expected(0)]


def test_a_chunk_sent_again_is_acknowledged_again_and_is_no_new_ink() -> None:
    session = linked()
    assert fed(session, chunk(0, 0), frame(0x61, b"\x05"), chunk(0, 0))[0:1] == [expected(0)]
    assert len(answers(session)) == 2
    assert session.counts["duplicates"] == 1


def test_a_new_transfer_may_send_the_same_chunk_again() -> None:
    session = linked()
    reply = to_frame(TransferReply(1, 75, compressed=True))
    events = fed(session, reply, chunk(0, 2), reply, chunk(0, 2))
    assert sum(isinstance(event, OfflineStroke) for event in events) == 2


def test_a_dot_with_a_wrong_sum_is_asked_for_again_then_left_out_and_kept_raw() -> None:
    """The vendor's parser does not look at the sum."""
    session = linked()
    body = bytearray(stroke().pack())
    body[27 + 16 + 3] ^= 1  # the second dot's x
    hurt = MemoryChunk(
        packet=0,
        compressed=False,
        size_before=len(body),
        size_after=0,
        position=2,
        address=NOTE,
        strokes=1,
        data=bytes(body),
    )
    for _ in range(3):
        assert fed(session, to_frame(hurt)) == []
        assert answers(session) == [(1, ChunkAck(0, go_on=True))]
    kept, odd = fed(session, to_frame(hurt))
    assert isinstance(kept, OfflineStroke)
    assert [dot.time_ms - BASE_MS for dot in kept.dots] == [0, 3]
    assert odd == Oddity("bad_sum", 0x24, bytes(body[43:59]))
    assert answers(session) == [(0, ChunkAck(0, go_on=False))]
    assert session.counts == {"chunks_refused": 3, "bad_sum": 1}


def test_a_chunk_hurt_once_is_whole_the_second_time() -> None:
    session = linked()
    whole = chunk(0, 2)
    hurt = bytearray(whole)
    hurt[-10] ^= 0x04
    assert fed(session, bytes(hurt), whole) == [expected(0)]
    assert session.counts == {"chunks_refused": 1}


def test_a_chunk_that_never_inflates_is_kept_raw_in_the_end() -> None:
    session = linked()
    hurt = to_frame(
        MemoryChunk(
            packet=0, compressed=True, size_before=9, size_after=3, position=2, address=NOTE, strokes=1, data=b"xyz"
        )
    )
    assert fed(session, hurt, hurt, hurt, hurt) == [Oddity("malformed", 0x24, b"xyz")]


def test_whole_strokes_are_kept_where_the_last_one_is_cut() -> None:
    session = NeoSession(lenient=True)
    body = stroke(1).pack() + stroke(2).pack()[:-1]
    cut = MemoryChunk(
        packet=0,
        compressed=False,
        size_before=len(body),
        size_after=0,
        position=2,
        address=NOTE,
        strokes=2,
        data=body,
    )
    assert fed(session, to_frame(cut)) == [expected(1), Oddity("malformed", 0x24, stroke(2).pack()[:-1])]
    assert session.data_to_send() == b""


def test_a_stored_stroke_of_one_dot_is_one_dot() -> None:
    """One SDK makes three of it, another only a pen-up."""
    one = StoredStroke(page=5, down_ms=BASE_MS, up_ms=BASE_MS + 9, dots=stroke().dots[:1])
    (event,) = fed(linked(), to_frame(MemoryChunk.of([one], packet=0, position=2, address=NOTE)))
    assert isinstance(event, OfflineStroke)
    assert len(event.dots) == 1


def transferring(strokes: int = 3) -> NeoSession:
    """A session whose pen has said what it will send."""
    session = linked()
    fed(session, to_frame(TransferReply(strokes, 75 * strokes, compressed=True)))
    return session


def hurt(packet: int, position: int) -> bytes:
    """A chunk whose bytes arrive, and do not inflate."""
    chunk = MemoryChunk(
        packet=packet,
        compressed=True,
        size_before=9,
        size_after=3,
        position=position,
        address=NOTE,
        strokes=1,
        data=b"xyz",
    )
    return to_frame(chunk)


def ended(events: list[PenEvent]) -> list[TransferEnded]:
    return [event for event in events if isinstance(event, TransferEnded)]


def test_pages_are_listed() -> None:
    session = linked()
    session.ask(MemoryPagesRequest(NOTE), now_ms=NOW_MS)
    reply = MemoryPagesReply(NOTE, (5, 6))
    assert fed(session, to_frame(reply)) == [
        Answered(0x22, ok=True, payload=reply.pack()),
        PagesListed((3, 27, 603), (5, 6)),
    ]


def test_a_pen_with_nothing_to_send_says_so_and_no_end_follows() -> None:
    session = linked()
    assert fed(session, to_frame(TransferReply(0, 0, compressed=True)))[-1] == TransferBegan(0, 0)
    assert list(session.tick(now_ms=NOW_MS + 60_000)) == []


def test_what_stays_damaged_is_counted_at_the_end() -> None:
    session = transferring()
    events = fed(session, chunk(0, 0), *[hurt(1, 1)] * 4, chunk(2, 2))
    assert ended(events) == [TransferEnded(strokes=2, damaged=1)]


def test_a_chunk_that_the_pen_leaves_out_is_damage() -> None:
    assert ended(fed(transferring(), chunk(0, 0), chunk(2, 2))) == [TransferEnded(strokes=2, damaged=1)]


def test_a_chunk_out_of_the_middle_that_comes_again_later_is_no_new_ink() -> None:
    session = transferring()
    events = fed(session, chunk(0, 0), chunk(1, 1), chunk(0, 0), chunk(2, 2))
    assert [event for event in events if isinstance(event, OfflineStroke)] == [expected(0), expected(1), expected(2)]
    assert ended(events) == [TransferEnded(3, 0)]


def test_while_memory_is_held_the_acknowledgement_waits() -> None:
    session = transferring()
    session.hold_memory(hold=True, now_ms=NOW_MS)
    assert fed(session, chunk(0, 0)) == [expected(0)]
    assert session.data_to_send() == b""
    session.hold_memory(hold=False, now_ms=NOW_MS + 900)
    assert answers(session) == [(0, ChunkAck(0, go_on=True))]


def test_no_acknowledgement_is_held_longer_than_ten_seconds() -> None:
    """The pen may give up after 20."""
    session = transferring()
    session.hold_memory(hold=True, now_ms=NOW_MS)
    for packet in (0, 1):
        came_ms = NOW_MS + 10_000 * packet
        fed(session, chunk(packet, packet), now_ms=came_ms)
        list(session.tick(now_ms=came_ms + 9_999))
        assert session.data_to_send() == b""
        list(session.tick(now_ms=came_ms + 10_000))
        assert answers(session) == [(0, ChunkAck(packet, go_on=True))]


def test_a_refusal_waits_too() -> None:
    session = transferring()
    session.hold_memory(hold=True, now_ms=NOW_MS)
    fed(session, hurt(0, 0))
    assert session.data_to_send() == b""
    session.hold_memory(hold=False, now_ms=NOW_MS)
    assert answers(session) == [(1, ChunkAck(0, go_on=True))]


def test_a_transfer_that_stalls_asks_once_more_and_ends_damaged() -> None:
    session = transferring()
    fed(session, chunk(0, 0))
    answers(session)
    assert list(session.tick(now_ms=NOW_MS + 9_999)) == []
    assert session.data_to_send() == b""
    assert list(session.tick(now_ms=NOW_MS + 10_000)) == []
    assert answers(session) == [(1, ChunkAck(1, go_on=True))]
    assert list(session.tick(now_ms=NOW_MS + 19_999)) == []
    assert list(session.tick(now_ms=NOW_MS + 20_000)) == [TransferEnded(strokes=1, damaged=1)]
    assert list(session.tick(now_ms=NOW_MS + 60_000)) == []
    assert session.data_to_send() == b""


def test_a_held_transfer_is_not_stalled() -> None:
    session = transferring()
    session.hold_memory(hold=True, now_ms=NOW_MS)
    fed(session, chunk(0, 0), now_ms=NOW_MS + 15_000)
    assert list(session.tick(now_ms=NOW_MS + 25_000)) == []
    assert list(session.tick(now_ms=NOW_MS + 44_999)) == []
    assert list(session.tick(now_ms=NOW_MS + 45_000)) == [TransferEnded(strokes=1, damaged=1)]


def test_a_new_transfer_starts_clean() -> None:
    session = transferring()
    fed(session, chunk(0, 0), *[hurt(1, 1)] * 4)
    session.data_to_send()
    events = fed(session, to_frame(TransferReply(1, 75, compressed=True)), chunk(0, 2))
    assert ended(events) == [TransferEnded(1, 0)]


def test_a_chunk_broken_on_the_way_is_asked_for_again_at_once() -> None:
    session = transferring()
    whole = chunk(0, 0)
    fed(session, whole[:30], to_frame(TransferReply(0, 0, compressed=True))[:1], frame(0x61, b"\x05"))
    assert answers(session) == [(1, ChunkAck(0, go_on=True))]
    assert fed(session, whole) == [expected(0)]


def test_a_transfer_is_stopped_with_the_next_acknowledgement() -> None:
    session = transferring()
    fed(session, chunk(0, 0))
    answers(session)
    session.stop_memory(now_ms=NOW_MS)
    assert fed(session, chunk(1, 1)) == [expected(1), TransferEnded(2, 0)]
    assert answers(session) == [(0, ChunkAck(1, go_on=False))]


def test_a_held_transfer_is_stopped_at_once() -> None:
    session = transferring()
    session.hold_memory(hold=True, now_ms=NOW_MS)
    fed(session, chunk(0, 0))
    session.stop_memory(now_ms=NOW_MS)
    assert answers(session) == [(0, ChunkAck(0, go_on=False))]
    assert list(session.tick(now_ms=NOW_MS)) == [TransferEnded(1, 0)]
    session.stop_memory(now_ms=NOW_MS)
    assert list(session.tick(now_ms=NOW_MS)) == []


def test_a_link_that_went_forgets_its_transfer() -> None:
    session = transferring()
    session.hold_memory(hold=True, now_ms=NOW_MS)
    fed(session, chunk(0, 0))
    assert list(session.link_lost()) == []
    session.hold_memory(hold=False, now_ms=NOW_MS)
    assert list(session.tick(now_ms=NOW_MS + 60_000)) == []
    assert session.data_to_send() == b""
