import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.events import Dot, Lost, Oddity, OfflineStroke, PageChanged, PenDown, PenEvent, PenUp, StrokeBroken
from gateway.strokes import OutOfMemory, PenClock, PenInk
from recognition.pages import PageAddress

PEN = "9C:7B:D2:00:00:01"
T0 = 1_700_000_000_000
PAGE5, PAGE6 = PageChanged(3, 27, 603, 5), PageChanged(3, 27, 603, 6)


def dot(at: int, x: int = 2025, y: int = 3050, force: int = 200) -> Dot:
    return Dot(T0 + at, x, y, force, 90, 100, 180)


def ink_of(*events: PenEvent, piece_dots: int = 400) -> PenInk:
    ink = PenInk(PEN, piece_dots=piece_dots)
    for event in events:
        ink.feed(getattr(event, "time_ms", T0), event)
    return ink


def test_a_stroke_is_one_piece_with_every_dot() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), dot(12), PenUp(T0 + 40, 2))
    (piece,) = ink.closed
    assert (piece.page, piece.down_ms, piece.ended, len(piece.rows)) == (PageAddress(3, 27, 603, 5), T0, "up", 2)
    assert piece.rows[1] == (2025, 3050, 200, 12, 90, 100, 180)
    assert not ink.losses


def test_one_stroke_on_two_pages_is_two_pieces_with_one_pen_down() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), PAGE6, dot(10, 5000, 1000), PenUp(T0 + 40, 2))
    first, second = ink.closed
    assert (first.page.page, first.ended, len(first.rows)) == (5, "page", 1)
    assert (second.page.page, second.ended, len(second.rows)) == (6, "up", 1)
    assert first.down_ms == second.down_ms
    assert first.up_ms == T0


def test_a_stroke_that_comes_back_to_a_page_has_pieces_of_different_numbers_there() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), PAGE6, dot(10), PAGE5, dot(20), PenUp(T0 + 40, 3))
    assert [(p.page.page, p.number) for p in ink.closed] == [(5, 0), (6, 0), (5, 1)]


def test_a_page_with_no_dot_after_it_makes_no_piece() -> None:
    assert ink_of(PenDown(T0, "pen", 0), PAGE5, PAGE6, PenUp(T0 + 40, 0)).closed == []


def test_a_stroke_without_pen_up_ends_inferred_when_the_next_begins() -> None:
    ink = ink_of(
        *(PenDown(T0, "pen", 0), PAGE5, dot(0), dot(10, force=0)),
        *(StrokeBroken("next_down"), PenDown(T0 + 900, "pen", 0), PAGE5, dot(900), PenUp(T0 + 950, 1)),
    )
    assert [(p.ended, len(p.rows)) for p in ink.closed] == [("inferred", 2), ("up", 1)]
    assert ink.closed[0].up_ms == T0 + 10
    assert not ink.losses


def test_a_dot_is_ink_too() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), PenUp(T0 + 8, 1))
    assert [len(p.rows) for p in ink.closed] == [1]


def test_a_gap_is_a_loss_with_its_page_and_its_time_and_the_stroke_goes_on() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), Lost(4), dot(12), PenUp(T0 + 90, 6))
    (loss,) = ink.losses
    assert (loss.from_ms, loss.to_ms, loss.events, loss.cause) == (T0, T0 + 12, 4, "counter_gap")
    assert loss.page == PageAddress(3, 27, 603, 5)
    assert [len(p.rows) for p in ink.closed] == [2]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_stroke_whose_page_is_among_lost_events_stands_on_the_page_before_and_its_gap_is_of_any_page(
    lost: int,
) -> None:
    first = (PenDown(T0, "pen", 0), PAGE5, dot(0), PenUp(T0 + 8, 1))
    down = (PenDown(T0 + 500, "pen", 0), Lost(1)) if lost == 1 else (Lost(2),)
    ink = ink_of(*first, *down, dot(510), PenUp(T0 + 520, 1))
    assert [p.page.page for p in ink.closed] == [5, 5]
    assert [(loss.events, loss.page) for loss in ink.losses] == [(lost, None)]


def test_a_gap_between_strokes_that_may_have_held_a_whole_stroke_is_of_any_page() -> None:
    first = (PenDown(T0, "pen", 0), PAGE5, dot(0), PenUp(T0 + 8, 1))
    second = (PenDown(T0 + 500, "pen", 0), PAGE5, dot(510), PenUp(T0 + 520, 1))
    pages = [ink_of(*first, Lost(lost), *second).losses[0].page for lost in (3, 4)]
    assert pages == [PageAddress(3, 27, 603, 5), None]


def test_a_gap_before_the_pen_up_is_a_loss_too() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), Lost(2), PenUp(T0 + 90, 3))
    assert [(loss.to_ms, loss.events) for loss in ink.losses] == [(T0 + 90, 2)]


def test_a_gap_at_the_end_of_a_link_is_told_when_the_link_goes() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, dot(0), Lost(2))
    ink.link_went(T0 + 500)
    assert [loss.events for loss in ink.losses] == [2]
    assert [p.ended for p in ink.closed] == ["interrupted"]


def test_a_pen_without_a_clock_gets_the_time_of_arrival() -> None:
    ink = PenInk(PEN)
    for at, event in ((T0, PenDown(5000, "pen", 0)), (T0, PAGE5), (T0 + 5, Dot(5000, 1, 1, 9, 90, 90, 0))):
        ink.feed(at, event)
    ink.feed(T0 + 30, PenUp(5030, 1))
    (piece,) = ink.closed
    assert (piece.down_ms, piece.pen_ms, piece.time_known) == (T0, 5000, False)
    assert [o.kind for o in ink.oddities] == ["clock_never_set"]


def test_a_pen_whose_clock_jumped_gets_the_time_of_arrival_and_keeps_its_own_beside() -> None:
    ink = PenInk(PEN)
    hours = 7_200_000
    for at, event in ((T0, PenDown(T0 + hours, "pen", 0)), (T0, PAGE5), (T0, Dot(T0 + hours, 1, 1, 9, 90, 90, 0))):
        ink.feed(at, event)
    assert ink.open is not None
    assert (ink.open.down_ms, ink.open.pen_ms, ink.open.time_known) == (T0, T0 + hours, False)
    assert [o.kind for o in ink.oddities] == ["clock_jumped"]


def test_a_long_stroke_is_cut_and_all_its_pieces_share_one_pen_down() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), PAGE5, *(dot(i * 10) for i in range(25)), PenUp(T0 + 300, 25), piece_dots=10)
    assert [(p.number, len(p.rows), p.ended) for p in ink.closed] == [(0, 10, "cut"), (1, 10, "cut"), (2, 5, "up")]
    assert {p.down_ms for p in ink.closed} == {T0}


def test_a_dot_on_no_page_is_an_oddity_and_not_ink() -> None:
    ink = ink_of(PenDown(T0, "pen", 0), dot(0))
    assert ink.closed == []
    assert ink.open is None
    assert [o.kind for o in ink.oddities] == ["dot_without_page"]


def test_what_the_session_did_not_understand_is_kept() -> None:
    ink = ink_of(Oddity("unknown", 0x73, b"\x01\x02"))
    assert [(o.kind, o.command, o.payload) for o in ink.oddities] == [("unknown", 0x73, b"\x01\x02")]


EVENTS = st.one_of(
    st.builds(PenDown, st.integers(0, 2**64 - 1), st.sampled_from(["pen", "eraser"]), st.integers(0, 2**32 - 1)),
    st.sampled_from([PAGE5, PAGE6]),
    st.builds(
        Dot,
        st.integers(0, 2**64 - 1),
        *[st.integers(0, 65535)] * 3,
        st.integers(0, 255),
        st.integers(0, 255),
        st.just(0),
    ),
    st.builds(PenUp, st.integers(0, 2**64 - 1), st.none()),
    st.builds(Lost, st.integers(1, 255)),
    st.just(StrokeBroken("next_down")),
)


@given(st.lists(EVENTS, max_size=60))
def test_whatever_a_pen_says_every_dot_on_a_page_is_in_a_piece(events: list[PenEvent]) -> None:
    ink = PenInk(PEN, piece_dots=7)
    for at, event in enumerate(events):
        ink.feed(T0 + at, event)
    ink.link_went(T0 + len(events))
    dots = sum(isinstance(e, Dot) for e in events)
    kept = sum(len(p.rows) for p in ink.closed) + sum(o.kind == "dot_without_page" for o in ink.oddities)
    assert kept == dots
    assert sum(loss.events or 0 for loss in ink.losses) == sum(e.events for e in events if isinstance(e, Lost))
    assert all(loss.from_ms <= loss.to_ms for loss in ink.losses)
    assert all(0 <= p.pen_ms <= 2**62 for p in ink.closed)


# -- out of memory


def offline(down_ms: int, dots: int, *, page: int = 1, x: int = 100) -> OfflineStroke:
    """A stroke in a pen's memory."""
    made = tuple(Dot(down_ms + 10 * i, x, 200, 300, 90, 90, 0) for i in range(dots))
    up_ms = down_ms + 10 * (dots - 1)
    where = PageChanged(3, 27, 603, page)
    return OfflineStroke(page=where, tip="pen", color=0, down_ms=down_ms, up_ms=up_ms, dots=made)


def test_a_stroke_out_of_memory_keeps_its_time_and_is_cut_like_a_live_one() -> None:
    made = OutOfMemory("A", piece_dots=4, wrong=None).pieces(offline(T0 - 60_000, 10), transfer=1, at_ms=T0)
    assert [(p.number, len(p.rows), p.ended, p.how, p.time_known) for p in made] == [
        (0, 4, "cut", "memory", True),
        (1, 4, "cut", "memory", True),
        (2, 2, "up", "memory", True),
    ]
    assert {p.down_ms for p in made} == {p.pen_ms for p in made} == {T0 - 60_000}
    assert made[1].rows[0][3] == 40, "ms since the pen-down of the stroke"
    assert [p.twin for p in made] == [0, 1, 0], "a pen that rests makes pieces that are alike"


def test_a_repeated_transfer_counts_its_twins_anew() -> None:
    reader = OutOfMemory("A", piece_dots=400, wrong=None)
    first = [reader.pieces(offline(T0, 3), transfer=1, at_ms=T0)[0] for _ in range(2)]
    again = [reader.pieces(offline(T0, 3), transfer=2, at_ms=T0)[0] for _ in range(2)]
    assert [p.twin for p in first] == [p.twin for p in again] == [0, 1]
    assert [p.number for p in first] == [p.number for p in again] == [0, 1]


@pytest.mark.parametrize(
    ("pen_ms", "wrong", "down_ms", "known"),
    [
        (T0 - 5_000, None, T0 - 5_000, True),
        (300, None, T0, False),  # a clock that was never set
        (T0 + 9_000, None, T0, False),  # nobody wrote that yet
        (300, PenClock(T0 - 100, 10_300), T0 - 10_100, False),  # ten seconds before the hello that showed it wrong
        (T0 - 70_000, PenClock(T0 - 100, T0 - 60_100), T0 - 10_000, False),
        (T0 - 50, PenClock(T0 - 100, T0 - 60_100), T0 - 50, True),  # since the clock was set
        (T0 - 50, PenClock(T0 - 100, T0 + 60_000), T0 - 60_150, False),  # before or after: nobody knows
    ],
)
def test_a_time_from_before_the_clock_was_set_is_not_known(
    pen_ms: int, wrong: PenClock | None, down_ms: int, *, known: bool
) -> None:
    (made,) = OutOfMemory("A", piece_dots=400, wrong=wrong).pieces(offline(pen_ms, 2), transfer=1, at_ms=T0)
    assert (made.down_ms, made.time_known, made.pen_ms) == (down_ms, known, pen_ms)
