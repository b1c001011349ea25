from gateway.dashboard.feed import MAILBOX_CAP, Feed, Mailbox
from gateway.dashboard.frames import MOST_DOTS, Kind, unpack
from gateway.dashboard.source import LiveChunk, StrokeView

CHUNK = LiveChunk(1, 0, 5, [(1, 2, 3, 0)], first=True)


def _feed() -> Feed:
    return Feed(lambda: 1_000)


def _frames(mailbox: Mailbox) -> list[bytes]:
    out = []
    while (message := mailbox.take()) is not None:
        assert isinstance(message, bytes)
        out.append(message)
    return out


async def test_every_page_gets_the_same_bytes() -> None:
    feed = _feed()
    pages = [feed.join() for _ in range(5)]
    feed.publish(7, [CHUNK])
    frames = [page.take() for page in pages]
    assert all(frame is frames[0] for frame in frames)


async def test_a_frame_names_the_one_before_it_also_when_nobody_looked_on() -> None:
    feed = _feed()
    feed.publish(3, [CHUNK])
    page = feed.join()
    feed.publish(4, [])
    feed.publish(5, [CHUNK])
    (frame,) = [unpack(f) for f in _frames(page)]
    assert (frame.before, frame.seq, frame.box_ms) == (3, 5, 1_000)


async def test_a_slow_page_is_emptied_sees_the_hole_and_its_neighbour_misses_nothing() -> None:
    feed = _feed()
    slow, quick = feed.join(), feed.join()
    slow.snapshot_wanted = quick.snapshot_wanted = False
    taken = 0
    for seq in range(1, 10 * MAILBOX_CAP):
        feed.publish(seq, [CHUNK])
        taken += len(_frames(quick))
        assert len(slow) <= MAILBOX_CAP
    assert taken == 10 * MAILBOX_CAP - 1
    assert slow.emptied
    assert slow.snapshot_wanted
    assert not quick.snapshot_wanted
    assert unpack(_frames(slow)[0]).before > 0


async def test_a_text_is_told_once_until_it_says_something_new() -> None:
    feed = _feed()
    page = feed.join()
    for text in ("a", "a", "b"):
        feed.tell("seats", text)
    assert [page.take(), page.take(), page.take()] == ["a", "b", None]
    assert feed.texts() == ["b"]


async def test_a_page_that_left_gets_nothing() -> None:
    feed = _feed()
    page = feed.join()
    feed.leave(page)
    feed.publish(1, [CHUNK])
    assert (len(page), feed.pages) == (0, 0)


async def test_a_snapshot_holds_all_strokes_in_order_in_parts_that_let_others_in() -> None:
    strokes = [StrokeView(n % 48, 0, n, [(n % 60_000, i, 5, 1) for i in range(300)], n % 3 != 0) for n in range(100)]
    frames = [unpack(frame) for frame in _feed().snapshot_frames(9, strokes)]
    assert [frames[0].kind, frames[-1].kind] == [Kind.SNAPSHOT_BEGINS, Kind.SNAPSHOT_ENDS]
    assert {frame.seq for frame in frames} == {9}
    chunks = [chunk for frame in frames for chunk in frame.chunks]
    assert [(c.seat, c.at_ms, c.dots, c.ended) for c in chunks] == [(s.seat, s.at_ms, s.dots, s.ended) for s in strokes]
    assert all(sum(len(c.dots) for c in frame.chunks) < 2 * MOST_DOTS for frame in frames)


async def test_another_lesson_makes_every_page_take_a_snapshot() -> None:
    feed = _feed()
    page = feed.join()
    page.snapshot_wanted = False
    feed.restart()
    assert page.snapshot_wanted
