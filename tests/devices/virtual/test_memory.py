import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.events import PageChanged
from devices.neo.framing import Deframer, Frame
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
from devices.virtual.memory import Memory, Transfer

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
