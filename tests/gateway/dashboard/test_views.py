from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.source import AnswerState, Said, SeatView, StatusView
from gateway.dashboard.views import (
    STILL_MS,
    WRITING_MS,
    TileState,
    box_message,
    counted,
    question,
    seats_message,
    tile_state,
)

NOW = 10_000_000
LIVE = SeatView(seat=1, link="live", why=Said("ok"), fields=4)
ANSWERS = st.lists(
    st.tuples(st.sampled_from(get_args(AnswerState)), st.sampled_from(["7", "8", "", None])), max_size=60
)
SEATS = st.builds(
    SeatView,
    seat=st.integers(1, 60),
    link=st.sampled_from(["live", "connecting", "down"]),
    fields=st.integers(0, 10),
    answered=st.integers(0, 10),
    unsure=st.integers(0, 10),
    not_captured=st.integers(0, 3),
    ink_at_ms=st.none() | st.integers(NOW - 2 * STILL_MS, NOW),
)


@given(ANSWERS)
def test_what_a_question_counts_adds_up_to_the_class(answers: list[tuple[AnswerState, str | None]]) -> None:
    view = question(field="q1", prompt={}, kind="number", key="7", right=["7"], answers=answers)
    assert counted(view) == len(answers)


@given(st.lists(SEATS, max_size=60))
def test_what_the_wall_counts_adds_up_to_the_class(seats: list[SeatView]) -> None:
    message = seats_message(seats, NOW)
    assert sum(message.counts.values()) == len(message.tiles) == len(seats)


def test_every_state_of_an_answer_stands_under_its_own_name() -> None:
    answers: list[tuple[AnswerState, str | None]] = [(state, "7") for state in get_args(AnswerState)]
    view = question(field="q1", prompt={}, kind="number", key="7", right=["7"], answers=answers)
    assert [(bar.value, bar.count, bar.right) for bar in view.bars] == [("7", 2, True)]
    rest = (view.unsure, view.nothing_yet, view.not_captured, view.no_pen, view.on_paper)
    assert rest == (1, 2, 1, 1, 1)


def test_bars_are_by_number_and_right_only_where_the_key_may_be_shown() -> None:
    answers: list[tuple[AnswerState, str | None]] = [("answered", value) for value in ("8", "8", "7", "07")]
    shown = question(field="q", prompt={}, kind="number", key="7", right=["7", "07"], answers=answers)
    assert [(bar.value, bar.right) for bar in shown.bars] == [("8", False), ("07", True), ("7", True)]
    hidden = question(field="q", prompt={}, kind="number", key=None, right=["7"], answers=answers)
    assert {bar.right for bar in hidden.bars} == {None}


@pytest.mark.parametrize(
    ("seat", "state"),
    [
        (LIVE, "waiting"),
        (replace(LIVE, ink_at_ms=NOW - WRITING_MS + 1), "writing"),
        (replace(LIVE, ink_at_ms=NOW - WRITING_MS), "paused"),
        (replace(LIVE, ink_at_ms=NOW - STILL_MS), "still"),
        (replace(LIVE, ink_at_ms=NOW - STILL_MS, answered=4), "done"),
        (replace(LIVE, ink_at_ms=NOW - STILL_MS, answered=3, unsure=1), "ask"),
        (replace(LIVE, ink_at_ms=NOW - STILL_MS, answered=3, not_captured=1), "gap"),
        (replace(LIVE, link="down", ink_at_ms=NOW), "down"),
        (replace(LIVE, link="connecting"), "connecting"),
        (replace(LIVE, link="down", answered=4, ink_at_ms=NOW), "done"),
        (replace(LIVE, fields=0), "waiting"),
    ],
)
def test_a_tile_says_what_a_teacher_would_want_to_know_first(seat: SeatView, state: TileState) -> None:
    assert tile_state(seat, NOW) == state


def test_the_box_says_its_own_troubles_first() -> None:
    status = StatusView(lesson=None, durable=False, clock_set=False, warnings=[Said("disk.low", {"percent": 3})])
    codes = [warning.code for warning in box_message(status, 48).warnings]
    assert codes == ["store.not_durable", "clock.not_set", "disk.low"]


def test_the_age_of_the_outbox_is_told_in_minutes_so_that_it_changes_seldom() -> None:
    assert box_message(StatusView(lesson=None, outbox_oldest_s=179), 1).outbox_oldest_min == 2
    assert box_message(StatusView(lesson=None), 1).outbox_oldest_min is None
