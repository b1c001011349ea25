import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import PenProtocolError
from devices.events import PageChanged
from devices.neo.framing import FRAME_LIMIT_BYTES, Deframer, Frame
from devices.neo.messages_ink import DotRecord
from devices.neo.messages_memory import (
    AfterTransfer,
    ChunkAck,
    MemoryChunk,
    Position,
    StoredStroke,
    TransferRequest,
    read_strokes,
    stored_dot,
)
from devices.neo.wire import NoteAddress
from devices.virtual.memory import FOR_EVER, STROKE_DOTS, Memory, Transfer

NOTE = NoteAddress(3, 27, 603)


def stroke(count: int, *, page: int = 5, down_ms: int = 1_000) -> StoredStroke:
    dot = stored_dot(DotRecord(delta_ms=10, force=200, x_hundredths=2025, y_hundredths=3050))
    return StoredStroke(page=page, down_ms=down_ms, up_ms=down_ms + 10 * count, dots=(dot,) * count)


def filled(*sizes: int, capacity: int = 1_000_000) -> Memory:
    memory = Memory(capacity)
    for number, size in enumerate(sizes):
        memory.keep(PageChanged(3, 27, 603, 5), stroke(size, down_ms=1_000 * number))
    return memory


def chunk(frames: list[bytes]) -> MemoryChunk:
    [frame] = Deframer().feed(b"".join(frames))
    assert isinstance(frame, Frame)
    return MemoryChunk.unpack(frame.payload)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.booleans())
def test_a_transfer_hands_over_all_strokes_in_order_and_whole(sizes: list[int], compress: bool) -> None:  # noqa: FBT001  # hypothesis gives it
    memory = filled(*sizes)
    transfer = Transfer(memory, TransferRequest(address=NOTE, compress=compress))
    frames, got, positions = transfer.first(), [], []
    while frames:
        piece = chunk(frames)
        strokes, rest = read_strokes(piece.body(), piece.strokes)
        assert rest == b""
        got += strokes
        positions.append(piece.position)
        frames = transfer.acknowledged(ChunkAck(piece.packet, go_on=True), result=0)
    assert [len(each.dots) for each in got] == sizes
    assert positions[-1] == Position.END
    assert transfer.reply().strokes == len(sizes)
    assert memory.dots == sum(sizes)


def test_a_refused_chunk_comes_again() -> None:
    transfer = Transfer(filled(10), TransferRequest(address=NOTE))
    first = transfer.first()
    assert transfer.acknowledged(ChunkAck(0, go_on=True), result=1) == first


def test_strokes_go_only_when_asked_and_after_the_last_acknowledgement() -> None:
    memory = filled(300, 300)
    transfer = Transfer(memory, TransferRequest(address=NOTE, after=AfterTransfer.DELETE))
    transfer.first()
    transfer.acknowledged(ChunkAck(0, go_on=True), result=0)
    assert memory.dots == 600
    transfer.acknowledged(ChunkAck(1, go_on=False), result=0)
    assert memory.dots == 0


def test_a_transfer_that_is_stopped_deletes_nothing() -> None:
    memory = filled(300, 300)
    transfer = Transfer(memory, TransferRequest(address=NOTE, after=AfterTransfer.DELETE))
    transfer.first()
    assert transfer.acknowledged(ChunkAck(0, go_on=False), result=0) == []
    assert memory.dots == 600


def test_nothing_to_hand_over_has_size_nought() -> None:
    transfer = Transfer(Memory(), TransferRequest(address=NOTE))
    assert (transfer.reply().size_bytes, transfer.first()) == (0, [])


def test_a_full_memory_takes_no_more() -> None:
    memory = filled(60, 60, capacity=100)
    assert memory.dots == 60
    assert memory.percent == 60


def test_notes_and_pages_are_listed_by_paper() -> None:
    memory = filled(1)
    memory.keep(PageChanged(3, 1013, 1, 7), stroke(1, page=7))
    assert memory.notes() == (NOTE, NoteAddress(3, 1013, 1))
    assert memory.notes((3, 1013)) == (NoteAddress(3, 1013, 1),)
    assert memory.pages(NOTE) == (5,)


def sums_right(frames: list[bytes]) -> bool:
    piece = chunk(frames)
    strokes, rest = read_strokes(piece.body(), piece.strokes)
    return not rest and all(dot.sum_ok for each in strokes for dot in each.dots)


@pytest.mark.parametrize("compress", [True, False])
def test_wrong_sums_come_so_often_as_was_asked_and_then_no_more(compress: bool) -> None:  # noqa: FBT001  # a parameter
    memory = filled(10)
    memory.faults.wrong_sums = 2
    transfer = Transfer(memory, TransferRequest(address=NOTE, compress=compress))
    found = [sums_right(transfer.first())]
    found += [sums_right(transfer.acknowledged(ChunkAck(0, go_on=True), result=1)) for _ in range(2)]
    assert found == [False, False, True]


def test_a_chunk_that_never_inflates() -> None:
    memory = filled(10)
    memory.faults.wrong_zlib = FOR_EVER
    transfer = Transfer(memory, TransferRequest(address=NOTE))
    for frames in (transfer.first(), *(transfer.acknowledged(ChunkAck(0, go_on=True), result=1) for _ in range(5))):
        with pytest.raises(PenProtocolError):
            chunk(frames).body()


def test_a_download_that_deletes_although_it_was_asked_to_keep() -> None:
    """What the vendor's SDKs ask for by default (neo-protocol 6.2)."""
    memory = filled(10)
    memory.faults.deletes_anyway = True
    transfer = Transfer(memory, TransferRequest(address=NOTE, after=AfterTransfer.KEEP))
    transfer.first()
    assert memory.dots == 10
    transfer.acknowledged(ChunkAck(0, go_on=False), result=0)
    assert memory.dots == 0


def test_a_chunk_sent_twice_and_the_next_one_once() -> None:
    memory = filled(300, 300)
    memory.faults.twice = 1
    transfer = Transfer(memory, TransferRequest(address=NOTE))
    first = transfer.first()
    assert first[0] == first[1]
    assert len(transfer.acknowledged(ChunkAck(0, go_on=True), result=0)) == 1
    assert transfer.acknowledged(ChunkAck(0, go_on=True), result=0) == []


def test_a_transfer_that_stops_in_the_middle_and_the_next_one_that_does_not() -> None:
    memory = filled(300, 300)
    memory.faults.stalls = 1
    stalled, whole = (Transfer(memory, TransferRequest(address=NOTE)) for _ in range(2))
    assert len(stalled.first()) == len(whole.first()) == 1
    assert stalled.acknowledged(ChunkAck(0, go_on=True), result=0) == []
    assert stalled.acknowledged(ChunkAck(1, go_on=True), result=1) == []
    assert len(whole.acknowledged(ChunkAck(0, go_on=True), result=0)) == 1


def test_deletion_that_is_not_done() -> None:
    memory = filled(10)
    memory.faults.deletes_nothing = True
    memory.delete(memory.of(NOTE))
    assert memory.dots == 10


def test_a_memory_that_says_it_is_full_takes_nothing() -> None:
    memory = filled(10)
    memory.faults.full = True
    assert not memory.keep(PageChanged(3, 27, 603, 5), stroke(1))
    assert (memory.percent, memory.dots) == (100, 10)


def test_plain_chunks_where_packed_ones_were_allowed() -> None:
    memory = filled(10)
    memory.faults.plain = True
    transfer = Transfer(memory, TransferRequest(address=NOTE, compress=True))
    assert not transfer.reply().compressed
    assert not chunk(transfer.first()).compressed


def test_a_stroke_that_no_chunk_could_carry_is_refused_aloud() -> None:
    with pytest.raises(ValueError, match="1000 dots"):
        filled(STROKE_DOTS + 1)


def test_the_longest_stroke_fits_a_frame_though_each_byte_were_escaped() -> None:
    [frame] = Transfer(filled(STROKE_DOTS), TransferRequest(address=NOTE, compress=False)).first()
    assert 2 * len(frame) <= FRAME_LIMIT_BYTES


def test_some_pages_of_a_note_hand_over_all_of_their_strokes_and_no_others() -> None:
    memory = Memory()
    for number, page in enumerate((5, 6, 7, 5)):
        memory.keep(PageChanged(3, 27, 603, page), stroke(2, page=page, down_ms=number))
    some = Transfer(memory, TransferRequest(address=NOTE, pages=(5, 7)))
    assert some.reply().strokes == 3
    assert Transfer(memory, TransferRequest(address=NOTE)).reply().strokes == 4


def test_lists_end_at_their_limit_and_go_on_when_what_they_told_is_gone() -> None:
    memory = Memory()
    for number in range(150):
        memory.keep(PageChanged(3, 27, 603, number), stroke(1, page=number))
        memory.keep(PageChanged(3, 27, 1_000 + number, 1), stroke(1, page=1))
    assert (len(memory.notes()), len(memory.pages(NOTE))) == (64, 128)
    memory.delete(memory.of(NOTE, memory.pages(NOTE)))
    assert memory.pages(NOTE) == tuple(range(128, 150))
