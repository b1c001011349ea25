"""What stays lost of a gap, and that a restart forgets nothing of it."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.gaps import SET_MS, SUPERVISION_MS, Gaps, Part, Window, shortened

TIMES = st.integers(0, 1_000_000)


def none(_: int) -> int | None:
    """Nothing lies in memory."""
    return None


def test_a_gap_without_live_ink_in_it_leaves_nothing() -> None:
    assert shortened((100, 900), [], none) == []


def test_an_end_that_was_seen_or_a_stroke_in_memory_shortens_whichever_is_first() -> None:
    part = Part(100, 600, 200)
    assert shortened((100, 900), [part], none) == [(100, 600)]
    assert shortened((100, 900), [part], lambda after_ms: after_ms + 50) == [(100, 250)]
    assert shortened((100, 900), [part], lambda _: 700) == [(100, 600)]


def test_an_end_that_nobody_saw_leaves_the_whole() -> None:
    assert shortened((100, 900), [Part(100, None, 100)], none) is None
    assert shortened((100, 900), [Part(100, 900, 100)], none) is None


@given(TIMES, TIMES, st.lists(st.tuples(TIMES, TIMES), max_size=5))
def test_what_is_left_covers_every_part(a: int, b: int, pairs: list[tuple[int, int]]) -> None:
    span = (min(a, b), max(a, b))
    parts = [Part(min(pair), max(pair), min(pair)) for pair in pairs]
    left = shortened(span, parts, none)
    for part in parts if left is not None else ():
        assert any(x <= part.from_ms and part.until_ms is not None and y >= part.until_ms for x, y in left or ())


def test_a_link_that_went_leaves_a_part_from_its_last_event_or_from_when_it_was_ready() -> None:
    gaps = Gaps()
    gaps.went("A", 9_000, last_ms=8_000, ready_ms=1_000)
    gaps.went("B", 9_000, last_ms=500, ready_ms=8_500)
    assert gaps.windows["A"].parts == [Part(8_000, 9_000 + SUPERVISION_MS, 8_000)]
    assert gaps.windows["B"].parts == [Part(8_500, 9_000 + SUPERVISION_MS, 8_500 + SET_MS)], (
        "what was in memory before this link's clock was set may tell a time that is a little late"
    )


def test_a_hello_without_a_ready_is_a_part_and_a_password_makes_it_none() -> None:
    gaps = Gaps()
    for pen in ("A", "B", "C"):
        gaps.hello(pen, 1_000)
    gaps.refused("B")
    assert gaps.ready("C") is None
    for pen in ("A", "B", "C"):
        gaps.went(pen, 2_000, last_ms=0, ready_ms=None)
    assert set(gaps.windows) == {"A"}


def test_a_restart_knows_what_was_open_and_trusts_evidence_only_since_the_box_last_lived() -> None:
    gaps = Gaps()
    gaps.want("A", 500)
    gaps.went("A", 2_000, last_ms=1_500, ready_ms=1_000)
    gaps.hello("B", 3_000)
    gaps.unhealable("C", 700)
    again = Gaps()
    again.from_text(gaps.to_text(), alive_ms=7_777)
    assert again.windows == {
        "A": Window(500, [Part(1_500, 2_000 + SUPERVISION_MS, 1_000 + SET_MS)]),
        "B": Window(3_000, [Part(3_000, None, 7_777)]),
        "C": Window(700, heals=False),
    }


def test_what_anyone_may_have_lost_is_asked_of_each_pen_once_also_by_the_box_after_this_one() -> None:
    gaps, part = Gaps(), Part(100, None, 900)
    gaps.anyone(part)
    gaps.hello("A", 1_000)
    assert gaps.windows["A"].parts == [part]
    again = Gaps()
    again.from_text(gaps.to_text(), alive_ms=900)
    again.ready("A")
    for pen in ("A", "B"):
        again.hello(pen, 2_000)
    assert {pen: window.parts for pen, window in again.windows.items()} == {"B": [part]}


def test_many_tries_to_link_make_no_endless_list() -> None:
    gaps = Gaps()
    for at_ms in range(1_000, 60_000, 1_000):
        gaps.hello("A", at_ms)
        gaps.went("A", at_ms + 500, last_ms=0, ready_ms=None)
    assert len(gaps.windows["A"].parts) <= 16
    assert gaps.windows["A"].parts[0].from_ms == 1_000
