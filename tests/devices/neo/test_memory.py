"""Transfers out of a pen's memory."""

from devices.events import Answered, Dot, Oddity, OfflineStroke, PageChanged
from devices.neo.framing import Deframer, Frame, frame
from devices.neo.messages_ink import DotRecord
from devices.neo.messages_memory import ChunkAck, MemoryChunk, StoredStroke, TransferReply, TransferRequest, stored_dot
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
    assert fed(session, to_frame(reply)) == [Answered(0x23, ok=True, payload=reply.pack())]
    assert fed(session, chunk(0, 0), chunk(1, 2, compress=False)) == [expected(0), expected(1)]
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
