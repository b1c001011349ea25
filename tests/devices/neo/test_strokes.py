"""Live strokes through a session, with the field's own accidents."""

import pytest

from devices.events import (
    Dot,
    Hover,
    ImageError,
    Lost,
    Oddity,
    PageChanged,
    PenDown,
    PenUp,
    PowerOff,
    StrokeBroken,
    Version,
)
from devices.neo.framing import frame
from devices.neo.session import NeoSession
from tests.devices.neo.ready_bytes import (
    BASE_MS,
    D0,
    HELLO_FRAME,
    NOW_MS,
    P1,
    SETTINGS_FRAME,
    U4,
    X2,
    X3,
    dot,
    down,
    fed,
    linked,
)

BLACK = 0xFF000000
DOWN = PenDown(BASE_MS, "pen", BLACK)
PAGE_5 = PageChanged(3, 27, 603, 5)
DOT_2 = Dot(BASE_MS, 2025, 3050, 200, 90, 100, 180)
DOT_3 = Dot(BASE_MS + 12, 2075, 3100, 300, 90, 100, 180)
UP_4 = PenUp(BASE_MS + 40, 2)
STROKE = [DOWN, PAGE_5, DOT_2, DOT_3, UP_4]


def test_a_stroke_comes_out_as_the_pen_told_it() -> None:
    session = linked()
    assert fed(session, D0, P1, X2, X3, U4) == STROKE
    assert session.counts == {}


@pytest.mark.parametrize("copies", [2, 3])
def test_the_stack_hands_over_every_notification_more_than_once(copies: int) -> None:
    """Field case 1: hbldh/bleak#2002."""
    session = linked()
    told = [data for data in (D0, P1, X2, X3, U4) for _ in range(copies)]
    assert fed(session, *told) == STROKE
    assert session.counts == {"duplicates": 5 * (copies - 1)}


def test_copies_of_pieces_are_stopped_before_framing() -> None:
    session = linked()
    pieces = [bytes.fromhex(piece) for piece in ("c06c0e00030c2c", "0114001f004b00", "5a64b400c1")]
    assert fed(session, D0, P1, X2, *(piece for piece in pieces for _ in range(2)), U4) == STROKE
    assert session.counts == {"duplicates": 3}


def test_copies_that_come_late_are_no_ink_and_no_loss() -> None:
    session = linked()
    assert fed(session, D0, P1, X2, dot(3), dot(4), dot(3), dot(4), dot(5))[3:] == [
        Dot(BASE_MS + 10 * n, 2000, 3000, 100, 90, 100, 180) for n in (1, 2, 3)
    ]
    assert session.counts == {"duplicates": 2}


def test_late_copies_across_the_wrap_of_the_counter_are_known_too() -> None:
    session = linked()
    fed(session, D0, P1, *(dot(count) for count in range(2, 256)), dot(0), dot(1))
    assert fed(session, dot(255), dot(0), dot(1)) == []
    assert session.counts == {"duplicates": 3}


def test_an_equal_count_with_other_bytes_is_ink_and_kept() -> None:
    session = linked()
    assert len(fed(session, D0, P1, dot(2, x=20), dot(2, x=21), dot(3))) == 5
    assert session.counts == {}


def test_copies_of_the_hello_and_of_chunks_are_told_once() -> None:
    session = NeoSession()
    session.start(now_ms=NOW_MS)
    assert sum(isinstance(event, Version) for event in fed(session, HELLO_FRAME, HELLO_FRAME, HELLO_FRAME)) == 1
    chunk = frame(0x24, bytes.fromhex("00000000000000021b0000035b0200000000"))
    fed(session, chunk, chunk)
    assert session.counts["duplicates"] == 3


def test_a_pen_that_does_not_count_keeps_its_equal_dots() -> None:
    session = linked()
    old_down = bytes.fromhex("c0630e00000068e5cf8b01000000000000ffc1")
    old_page = bytes.fromhex("c0640c001b0000035b02000005000000c1")
    old_dot = bytes.fromhex("c0650d0000c80014001e0019325a64b400c1")
    old_up = bytes.fromhex("c0630e00012868e5cf8b01000000000000ffc1")
    assert fed(session, old_down, old_page, old_dot, old_dot, old_up) == [
        DOWN,
        PAGE_5,
        DOT_2,
        DOT_2,
        PenUp(BASE_MS + 40, None),
    ]
    assert session.counts == {}


def test_the_first_thing_a_new_link_says_may_be_the_last_thing_of_the_old_one() -> None:
    """Field case 2: weliem/bluez_inc#47, OpenDisplay/py-opendisplay#155."""
    first = linked()
    half = bytes.fromhex("c06c0e00030c2c01")
    assert fed(first, D0, P1, X2, half) == [DOWN, PAGE_5, DOT_2]
    assert list(first.link_lost()) == [StrokeBroken("link_lost")]
    assert list(first.link_lost()) == []

    second = NeoSession()
    assert fed(second, half[-3:], X2) == []
    assert second.counts["stale"] == 1
    second.start(now_ms=NOW_MS)
    assert fed(second, X2) == []
    events = fed(second, HELLO_FRAME, SETTINGS_FRAME, D0, P1, X2, X3, U4)
    assert events[2:] == STROKE
    assert second.counts["stale"] == 2
    assert second.counts["lost"] == 0


def test_a_hello_before_the_box_has_asked_is_stale() -> None:
    session = NeoSession()
    assert fed(session, HELLO_FRAME, D0, P1) == []
    assert session.counts == {"stale": 3}
    assert session.version is None


def test_a_frame_that_is_cut_short_costs_one_event_and_is_told_as_one() -> None:
    """Field case 3: MightyPork/TinyFrame#16."""
    session = linked()
    cut = bytes.fromhex("c06c0e00030c2c0114c06c0e00040d360115001f0000325a64b400c1")
    up = bytes.fromhex("c06a1300052868e5cf8b01000003000300030003000300c1")
    events = fed(session, D0, P1, X2, cut, up)
    assert [event for event in events if not isinstance(event, Oddity)] == [
        DOWN,
        PAGE_5,
        DOT_2,
        Lost(1),
        Dot(BASE_MS + 13, 2100, 3150, 310, 90, 100, 180),
        PenUp(BASE_MS + 40, 3),
    ]
    assert Oddity("cut", 0x6C, bytes.fromhex("6c0e00030c2c0114")) in events
    assert session.counts["frames_cut"] == 1
    assert session.counts["lost"] == 1


@pytest.mark.parametrize(
    ("hurt", "kind"),
    [
        (bytes.fromhex("c06c0d00030c2c0114001f004b005a64b400c1"), "frames_damaged"),
        (bytes.fromhex("c06c0e00030cc1"), "frames_damaged"),
        (bytes.fromhex("c06c0e00030c2c0114001f004b005a64b400") + bytes(40_000), "frames_too_long"),
        (bytes.fromhex("ff00ff6c0e00030c2c0114001f004b005a64b400c1"), "noise"),
    ],
    ids=["wrong length", "end mark in the payload", "no end mark", "no start mark"],
)
def test_a_hurt_frame_is_one_loss_and_the_next_is_whole(hurt: bytes, kind: str) -> None:
    session = linked()
    events = fed(session, D0, P1, X2, hurt, dot(4))
    assert [type(event) for event in events if not isinstance(event, Oddity)] == [PenDown, PageChanged, Dot, Lost, Dot]
    assert session.counts[kind] == 1


def test_a_clock_that_jumps_leaves_order_and_times_as_told() -> None:
    """Field case 7: tuhiproject/tuhi#37."""
    session = linked()
    times = (5000, BASE_MS + 7_200_000, BASE_MS)
    told = [data for n, at in enumerate(times) for data in (down(3 * n, at), _page(3 * n + 1), dot(3 * n + 2))]
    events = fed(session, *told)
    assert [event.time_ms for event in events if isinstance(event, PenDown)] == list(times)
    assert [event.time_ms for event in events if isinstance(event, Dot)] == [at + 10 for at in times]
    assert session.counts["bad_times"] == 1


def _page(count: int, page: int = 5, note: int = 603) -> bytes:
    return frame(0x6B, bytes((count, 27, 0, 0, 3)) + note.to_bytes(4, "little") + page.to_bytes(4, "little"))


def test_a_hole_in_the_counts_is_told_before_the_dot_that_shows_it() -> None:
    """Field case 9: bluez/bluez#539."""
    session = linked()
    late = bytes.fromhex("c06c0e00070c2c0114001f004b005a64b400c1")
    up = bytes.fromhex("c06a1300085a68e5cf8b01000006000600060006000600c1")
    assert fed(session, D0, P1, X2, late, up) == [DOWN, PAGE_5, DOT_2, Lost(4), DOT_3, PenUp(BASE_MS + 90, 6)]


@pytest.mark.parametrize(
    "turned",
    [PageChanged(3, 27, 603, 6), PageChanged(3, 27, 604, 5), PageChanged(3, 27, 9999, 1)],
    ids=["next page", "same number, other note", "unknown paper"],
)
def test_one_stroke_on_two_pages_tells_both(turned: PageChanged) -> None:
    """Field case 10: xournalpp/xournalpp#4491."""
    session = linked()
    across = bytes.fromhex("c06c0e00040cd20032000a0000005a64b400c1")
    up = bytes.fromhex("c06a1300052868e5cf8b01000002000200020002000200c1")
    events = fed(session, D0, P1, X2, _page(3, turned.page, turned.note), across, up)
    assert events == [
        DOWN,
        PAGE_5,
        DOT_2,
        turned,
        Dot(BASE_MS + 12, 5000, 1000, 210, 90, 100, 180),
        PenUp(BASE_MS + 40, 2),
    ]


def test_a_page_with_no_dot_after_it_is_told_too() -> None:
    assert fed(linked(), D0, P1, X2, _page(3, 6), _page(4, 7))[3:] == [
        PageChanged(3, 27, 603, 6),
        PageChanged(3, 27, 603, 7),
    ]


def test_the_pen_up_never_comes_and_the_next_stroke_begins() -> None:
    """Field case 11: xournalpp/xournalpp#2984."""
    told = [
        "c06c0e00030a000014001e00324b5a64b400c1",
        "c0690e0004846be5cf8b01000000000000ffc1",
        "c06b0d00051b0000035b02000005000000c1",
        "c06c0e000600dc0019001e0000325a64b400c1",
        "c06a130007b66be5cf8b01000001000100010001000100c1",
    ]
    events = fed(linked(), D0, P1, X2, *(bytes.fromhex(each) for each in told))
    assert events == [
        DOWN,
        PAGE_5,
        DOT_2,
        Dot(BASE_MS + 10, 2050, 3075, 0, 90, 100, 180),
        StrokeBroken("next_down"),
        PenDown(BASE_MS + 900, "pen", BLACK),
        PAGE_5,
        Dot(BASE_MS + 900, 2500, 3050, 220, 90, 100, 180),
        PenUp(BASE_MS + 950, 1),
    ]


def test_power_off_in_mid_stroke_ends_the_stroke() -> None:
    assert fed(linked(), D0, P1, X2, frame(0x62, b"\x03"))[3:] == [StrokeBroken("power_off"), PowerOff("power_key")]
    assert fed(linked(), D0, P1, X2, X3, U4, frame(0x62, b"\x04"))[5:] == [PowerOff("cap")]


def test_a_dot_is_an_answer_too() -> None:
    """Field case 12: flxzt/rnote#28."""
    told = ["c06c0e000200c80016001f0000005a64b400c1", "c06a1300030868e5cf8b01000001000100010001000100c1"]
    assert fed(linked(), D0, P1, *(bytes.fromhex(each) for each in told)) == [
        DOWN,
        PAGE_5,
        Dot(BASE_MS, 2200, 3100, 200, 90, 100, 180),
        PenUp(BASE_MS + 8, 1),
    ]


def test_a_stroke_without_any_dot_is_down_and_up() -> None:
    assert [type(event) for event in fed(linked(), down(0), frame(0x6A, bytes((1,)) + bytes(18)))] == [PenDown, PenUp]


def test_dots_without_a_pen_down_are_ink_by_the_boxs_clock_where_the_page_is_known() -> None:
    session = linked()
    fed(session, D0, P1, X2, X3, U4)
    events = fed(session, dot(7, 10), dot(8, 12), now_ms=BASE_MS + 5000)
    assert [type(event) for event in events] == [Lost, Dot, Dot]
    assert [event.time_ms for event in events if isinstance(event, Dot)] == [BASE_MS + 5000, BASE_MS + 5012]
    assert session.counts["dots_without_down"] == 1


def test_a_dot_without_pen_down_and_without_page_is_kept_raw() -> None:
    session = linked()
    assert fed(session, dot(0)) == [Oddity("dot_without_down", 0x6C, dot(0)[4:-1])]


def test_a_link_that_begins_with_a_high_count_has_lost_what_came_before() -> None:
    assert fed(linked(), dot(3))[0] == Lost(3)
    for silent in (0, 1):
        assert fed(linked(), down(silent)) == [DOWN]


@pytest.mark.parametrize(
    ("counts", "lost"),
    [((0, 1, 2, 255, 0), 252), ((0, 1, 2, 2 + 5), 4), ((0, 1, 254, 255, 0, 1), 252), ((0, 1, 0), 254)],
)
def test_gaps_are_counted_with_the_wrap_and_the_wrap_is_none(counts: tuple[int, ...], lost: int) -> None:
    session = linked()
    told = [down(counts[0]), _page(counts[1]), *(dot(count, x=30 + n) for n, count in enumerate(counts[2:]))]
    assert sum(event.events for event in fed(session, *told) if isinstance(event, Lost)) == lost
    assert session.counts["lost"] == lost


def test_every_round_of_the_counter_is_silent() -> None:
    session = linked()
    events = fed(session, down(0), _page(1), *(dot(count & 0xFF, count % 7) for count in range(2, 1000)))
    assert len(events) == 1000
    assert session.counts == {}


def test_image_errors_count_and_leave_the_time_of_dots_alone() -> None:
    error = bytes.fromhex("c06d0c00030c6f005028073700030102c1")
    events = fed(linked(), D0, P1, X2, error, dot(4, 12))
    assert events[3:] == [ImageError(BASE_MS + 12), Dot(BASE_MS + 12, 2000, 3000, 100, 90, 100, 180)]


def test_hover_is_no_ink_and_has_no_count() -> None:
    hover = bytes.fromhex("c06f07000c14001e001932c1")
    assert fed(linked(), hover, D0, P1, X2) == [Hover(NOW_MS, 2025, 3050), DOWN, PAGE_5, DOT_2]


def test_dots_without_force_are_ink_at_full_force() -> None:
    plain, short = frame(0x66, bytes((5, 20, 0, 30, 0, 25, 50))), frame(0x67, bytes((5, 20, 30, 25, 50)))
    assert fed(linked(), D0, P1, plain, short)[2:] == [
        Dot(BASE_MS + 5, 2025, 3050, 852, 90, 90, 0),
        Dot(BASE_MS + 10, 2025, 3050, 852, 90, 90, 0),
    ]


def test_a_message_too_short_for_its_table_still_counts() -> None:
    session = linked()
    assert fed(session, D0, frame(0x6B, b"\x01\x02"), X2)[1:] == [Oddity("malformed", 0x6B, b"\x01\x02"), DOT_2]
    assert session.counts == {"malformed": 1}


def test_an_eraser_is_told_as_one() -> None:
    red = bytes.fromhex("c0690e00000068e5cf8b010000010000ffffc1")
    assert fed(linked(), red) == [PenDown(BASE_MS, "eraser", 0xFFFF0000)]
