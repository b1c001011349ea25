"""What the ink tells about how a page was worked on."""

from dataclasses import fields
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from recognition.evidence import ARRIVAL_ERROR_MS, CLOCK_ERROR_MS, PAUSE_MS, Evidence, Written, evidence_of

ROOT: Final = Path(__file__).parents[2]
T0: Final = 1_800_000_000_000


def at(field: str | None, down_s: float, up_s: float, *, time_known: bool = True) -> Written:
    return Written(field=field, down_ms=T0 + round(1000 * down_s), up_ms=T0 + round(1000 * up_s), time_known=time_known)


# q1 is begun at 10 s, left for q2 at 20 s, taken up again at 40 s; q2 has a pause of 8 s.
SCRIPT: Final = (
    at("q1", 10.0, 11.5),
    at("q1", 12.0, 14.0),
    at("q2", 20.0, 21.0),
    at("q2", 29.0, 30.5),
    at("q1", 40.0, 43.0),
)


def test_a_scripted_page_gives_its_known_times_back() -> None:
    found = evidence_of(SCRIPT)
    q1, q2 = found["q1"], found["q2"]
    assert (q1.first_touch_ms - T0, q2.first_touch_ms - T0) == (10_000, 20_000)
    assert (q1.on_question_ms, q2.on_question_ms) == (7_000, 10_500)
    assert (q1.revisits, q2.revisits) == (1, 0)
    assert (q1.pauses, q2.pauses, q2.longest_pause_ms) == (0, 1, 8_000)
    assert [(name, one.order) for name, one in found.items()] == [("q1", 1), ("q2", 2)]


def test_every_error_of_a_script_with_known_times_is_within_half_a_second() -> None:
    assert all(one.complete for one in evidence_of(SCRIPT).values())
    assert all(max(one.first_touch_error_ms, one.on_question_error_ms) <= 500 for one in evidence_of(SCRIPT).values())


def test_the_way_back_between_two_visits_is_no_time_on_the_question_and_no_pause() -> None:
    assert evidence_of(SCRIPT)["q1"].longest_pause_ms == 0
    assert evidence_of(SCRIPT)["q1"].on_question_ms < 43_000 - 10_000


def test_a_note_in_the_margin_ends_no_visit() -> None:
    found = evidence_of([at("q1", 1, 2), at(None, 3, 4), at("q1", 5, 6)])
    assert list(found) == ["q1"]
    assert found["q1"].revisits == 0


def test_silence_a_millisecond_short_of_a_pause_is_none() -> None:
    long, short = PAUSE_MS / 1000, (PAUSE_MS - 1) / 1000
    assert evidence_of([at("q", 0, 1), at("q", 1 + long, 9)])["q"].pauses == 1
    assert evidence_of([at("q", 0, 1), at("q", 1 + short, 9)])["q"].pauses == 0


def test_a_gap_before_the_first_touch_makes_it_a_span() -> None:
    found = evidence_of(SCRIPT, [(T0 + 5_000, T0 + 8_000)])["q1"]
    assert (found.first_touch_least_ms, found.first_touch_ms) == (T0 + 5_000, T0 + 10_000)
    assert not found.complete


def test_a_gap_may_all_have_been_writing_but_no_time_is_counted_twice() -> None:
    gap = (T0 + 13_000, T0 + 16_000)
    found = evidence_of(SCRIPT, [gap])["q1"]
    assert found.on_question_ms == 7_000
    assert found.on_question_most_ms == 7_000 + 2_000


def test_a_time_of_arrival_has_a_larger_error() -> None:
    found = evidence_of([at("q", 1, 2, time_known=False)])["q"]
    assert found.first_touch_error_ms == ARRIVAL_ERROR_MS > CLOCK_ERROR_MS


def test_no_ink_gives_no_evidence() -> None:
    assert evidence_of([]) == {}
    assert evidence_of([at(None, 1, 2)], [(T0, T0 + 1)]) == {}


strokes = st.builds(
    lambda name, down, long: at(name, down, down + long),
    st.sampled_from(["a", "b", None]),
    st.integers(0, 40),
    st.integers(0, 5),
)


@given(st.lists(strokes, max_size=12), st.randoms(use_true_random=False))
def test_the_order_in_which_strokes_come_changes_nothing(made: list[Written], dice: object) -> None:
    again = list(made)
    dice.shuffle(again)  # type: ignore[attr-defined]  # hypothesis types its dice as an object
    assert evidence_of(again) == evidence_of(made)


@given(st.lists(strokes, max_size=12))
def test_times_are_never_negative_and_the_most_is_never_less_than_the_least(made: list[Written]) -> None:
    gap = (T0 + 100_000, T0 + 101_000)
    for one in evidence_of(made, [gap]).values():
        assert 0 <= one.on_question_ms <= one.on_question_most_ms
        assert one.first_touch_least_ms <= one.first_touch_ms


def test_no_fact_and_no_table_speaks_of_mood_stress_or_attention() -> None:
    names = " ".join(f.name for f in fields(Evidence)) + (ROOT / "gateway" / "schema.py").read_text("utf-8")
    assert not [word for word in ("mood", "stress", "attention", "focus", "emotion") if word in names]
