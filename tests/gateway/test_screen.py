"""What the pages are told: every seat and question adds up, and ink is told once, in order, as it is committed."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import now_ms
from gateway.dashboard.source import LiveChunk, QuestionView
from gateway.journal import Batch
from gateway.screen import PackedDots
from gateway.strokes import Piece
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO, FIELDS, PAGE1, PAGE2, Q1, UNKNOWN_PAPER, mac, piece

DOTS = st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255)))


@settings(max_examples=40)
@given(DOTS, DOTS)
def test_packed_dots_are_what_was_put_in(
    first: list[tuple[int, int, int, int]], more: list[tuple[int, int, int, int]]
) -> None:
    packed = PackedDots()
    packed.extend(first)
    copy = packed.copy()
    packed.extend(more)
    assert list(packed) == first + more
    assert list(copy) == first
    assert len(packed) == len(first) + len(more)
    assert [packed[i] for i in range(len(packed))] == first + more
    assert list(packed[1:3]) == (first + more)[1:3]
    if packed:
        assert packed[-1] == (first + more)[-1]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.fill(3)
    yield house
    await house.close()


async def begun(house: House) -> None:
    for seat in (1, 2):
        await house.link(mac(seat))
    await house.ask("lesson_start", text=DEMO)


def told(house: House, *, closed: Sequence[Piece] = (), open_: Sequence[Piece] = (), seq: int = 9) -> list[LiveChunk]:
    return house.box.screen.committed(Batch(seq, now_ms(), closed=list(closed), open=list(open_)))


async def test_without_a_lesson_the_seats_are_shown_and_no_ink_and_no_question(house: House) -> None:
    screen = house.box.screen
    assert [s.seat for s in screen.seats()] == [1, 2, 3]
    assert screen.questions() == []
    assert screen.pupil(1) is None
    assert screen.status().lesson is None
    assert told(house, closed=[piece(mac(1), PAGE1, Q1, now_ms())]) == []
    assert screen.snapshot() == (9, [])


async def test_a_stroke_is_told_in_chunks_as_it_grows(house: House) -> None:
    await begun(house)
    whole = piece(mac(1), PAGE1, Q1, now_ms(), dots=6)
    rows, whole.rows = whole.rows, []
    chunks = []
    for end in (2, 2, 5):
        whole.rows = rows[:end]
        chunks += told(house, open_=[whole])
    whole.rows = rows
    chunks += told(house, closed=[whole])
    assert [(len(c.dots), c.first, c.ended) for c in chunks] == [(2, True, False), (3, False, False), (1, False, True)]
    assert [dot[3] for chunk in chunks for dot in chunk.dots] == [0, 10, 10, 10, 10, 10]
    assert chunks[1].at_ms == whole.down_ms + 20
    ((stroke,),) = [house.box.screen.snapshot()[1]]
    assert [tuple(d) for d in stroke.dots] == [tuple(d) for c in chunks for d in c.dots]
    assert (stroke.seat, stroke.page, stroke.ended) == (1, 0, True)


async def test_dots_are_in_hundredths_of_a_millimetre_on_the_sheet_s_page(house: House) -> None:
    await begun(house)
    (chunk,) = told(house, closed=[piece(mac(1), PAGE2, (50.0, 60.0), now_ms(), dots=1)])
    x, y, force, since = chunk.dots[0]
    assert max(abs(x - 4800), abs(y - 5800)) <= 3
    assert (force, since, chunk.page) == (119, 0, 1)


async def test_a_stroke_whose_last_dots_are_told_already_still_ends(house: House) -> None:
    await begun(house)
    made = piece(mac(1), PAGE1, Q1, now_ms(), dots=3)
    told(house, open_=[made])
    (chunk,) = told(house, closed=[made])
    assert (len(chunk.dots), chunk.ended) == (0, True)
    assert house.box.screen.snapshot()[1][0].ended


async def test_ink_off_the_sheet_or_of_nobody_is_not_shown(house: House) -> None:
    await begun(house)
    at = now_ms()
    assert told(house, closed=[piece(mac(1), UNKNOWN_PAPER, Q1, at), piece(mac(99), PAGE1, Q1, at)]) == []


async def test_a_snapshot_does_not_grow_while_it_is_told(house: House) -> None:
    await begun(house)
    made = piece(mac(1), PAGE1, Q1, now_ms(), dots=6)
    rows, made.rows = made.rows, made.rows[:2]
    told(house, open_=[made])
    _, (before,) = house.box.screen.snapshot()
    made.rows = rows
    told(house, closed=[made])
    assert len(before.dots) == 2


async def test_a_new_lesson_begins_with_an_empty_page(house: House) -> None:
    await begun(house)
    told(house, closed=[piece(mac(1), PAGE1, Q1, now_ms())])
    await house.ask("lesson_stop")
    await house.ask("lesson_start", text=DEMO)
    assert house.box.screen.snapshot()[1] == []
    assert [s.ink_at_ms for s in house.box.screen.seats()] == [None, None, None]


def total(question: QuestionView) -> int:
    others = (question.unsure, question.nothing_yet, question.not_captured, question.no_pen, question.on_paper)
    return sum(bar.count for bar in question.bars) + sum(others)


async def test_every_question_adds_up_to_the_class_in_every_state(house: House) -> None:
    await begun(house)
    states = (
        *("not_handed_out", "no_pen", "not_captured", "blank"),
        *("answered", "unsure", "marked", "marked_on_paper_only"),
    )
    for state in states:
        for name in FIELDS:
            shown = {"state": state, "value": "7", "points": 0.0, "max_points": 1.0, "confidence": None}
            house.box.desk.grades[2, name] = {**shown, "reasons": [], "alternatives": [], "decided_by": "machine"}
        assert [total(q) for q in house.box.screen.questions()] == [3] * len(FIELDS), state


async def test_bars_show_each_option_and_whether_it_is_right(house: House) -> None:
    await begun(house)
    shown = {"state": "answered", "value": "C", "points": 1.0, "max_points": 1.0, "confidence": 0.9}
    house.box.desk.grades[1, "q8"] = {**shown, "reasons": [], "alternatives": [], "decided_by": "machine"}
    question = next(q for q in house.box.screen.questions() if q.field == "q8")
    assert [(b.value, b.count, b.right) for b in question.bars] == [
        ("A", 0, False),
        ("B", 0, False),
        ("C", 1, True),
        ("D", 0, False),
    ]
    assert question.key == "C"


async def test_a_seat_tells_its_pen_why_it_is_not_linked_and_how_far_the_answers_are(house: House) -> None:
    await begun(house)
    shown = {
        "value": "7",
        "points": 1.0,
        "max_points": 1.0,
        "confidence": 0.9,
        "reasons": ["r"],
        "alternatives": [],
        "decided_by": "machine",
    }
    house.box.desk.grades[1, "q1"] = {"state": "answered", **shown}
    house.box.desk.grades[1, "q2"] = {"state": "unsure", **shown}
    told(house, closed=[piece(mac(1), PAGE1, Q1, now_ms())])
    first, _, third = house.box.screen.seats()
    assert (first.pen, first.fields, first.answered, first.unsure, first.name) == ("00:01", 10, 1, 1, "name 1")
    assert first.ink_at_ms is not None
    assert (third.link, third.why.code) == ("down", "pen.not_heard")
    await house.ask("pens_forget", pen=mac(3))
    assert house.box.screen.seats()[2].why.code == "pen.not_bound"


async def test_a_pupil_s_answers_are_all_there_those_without_a_grade_too(house: House) -> None:
    await begun(house)
    shown = {
        "value": "7",
        "points": 1.0,
        "max_points": 1.0,
        "confidence": 0.9,
        "reasons": ["r"],
        "alternatives": [],
        "decided_by": "machine",
    }
    house.box.desk.grades[1, "q1"] = {"state": "answered", **shown}
    pupil = house.box.screen.pupil(1)
    assert pupil is not None
    assert [f.field for f in pupil.fields] == FIELDS
    assert (pupil.fields[0].state, pupil.fields[0].value, pupil.fields[0].reasons) == ("answered", "7", ("r",))
    assert pupil.fields[1].reasons == ("nothing_yet",)
    assert house.box.screen.pupil(99) is None


async def test_the_status_has_the_lesson_s_pages_and_how_the_box_does(house: House) -> None:
    await begun(house)
    await house.ask("pens_join", minutes=1)
    status = house.box.screen.status()
    assert status.lesson is not None
    assert [len(page.boxes) for page in status.lesson.pages] == [5, 5]
    assert status.lesson.pages[1].boxes[2].marks[0][0] == "A"
    assert (status.pens_linked, status.durable) == (2, True)
    assert status.join_until_ms is not None
    assert 0 < status.join_until_ms - now_ms() <= 60_000
