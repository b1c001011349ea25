"""What a mark does to an older one, whatever it looks like on paper."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.withdrawal import Form, Mark, OptionRoles, option_roles
from recognition.withdrawal.options import HEAVY_MS

_FORMS: tuple[Form, ...] = ("tap", "line", "cross", "tick", "ring", "scribble", "other")


def _mark(number: int, form: Form, options: tuple[int, ...], at_ms: float) -> Mark:
    return Mark((number,), form, options, at_ms, at_ms + 200)


def _roles(*marks: tuple[Form, int, float], several: bool = False, keep: tuple[int, ...] = ()) -> OptionRoles:
    drawn = [_mark(number, form, (option,), at_ms) for number, (form, option, at_ms) in enumerate(marks)]
    return option_roles(drawn, strokes=len(drawn), options=4, several=several, keep=keep)


@pytest.mark.parametrize("form", [form for form in _FORMS if form != "tap"])
def test_any_first_mark_marks_its_option(form: Form) -> None:
    found = _roles((form, 1, 1000))
    assert (found.marked, found.roles.taken_back, found.roles.doubts) == ((1,), (), ())


@pytest.mark.parametrize("old", ["line", "cross", "tick", "ring", "scribble", "other"])
def test_a_later_scribble_takes_any_mark_back(old: Form) -> None:
    found = _roles((old, 1, 1000), ("scribble", 1, 9000))
    assert (found.marked, found.withdrawn, found.roles.taken_back) == ((), (1,), (0, 1))


@pytest.mark.parametrize("gap_ms", [0, HEAVY_MS - 1, HEAVY_MS])
@pytest.mark.parametrize("form", ["line", "cross", "tick", "ring", "scribble", "other"])
def test_nothing_within_two_seconds_is_a_withdrawal(form: Form, gap_ms: float) -> None:
    found = _roles(("tick", 1, 1000), (form, 1, 1200 + gap_ms))
    assert (found.marked, found.roles.taken_back, found.roles.doubts) == ((1,), (), ())


@pytest.mark.parametrize("form", ["line", "cross", "other"])
def test_what_may_strike_a_mark_is_a_doubt_alone_and_a_withdrawal_beside_one_other_mark(form: Form) -> None:
    alone = _roles(("tick", 1, 1000), (form, 1, 9000))
    assert (alone.marked, alone.roles.doubts) == ((1,), ("maybe_crossed_out",))
    beside = _roles(("tick", 1, 1000), (form, 1, 9000), ("tick", 2, 12000))
    assert (beside.marked, beside.withdrawn, beside.roles.taken_back) == ((2,), (1,), (0, 1))
    two = _roles(("tick", 1, 1000), (form, 1, 9000), ("tick", 2, 12000), ("tick", 3, 15000))
    assert (two.marked, two.roles.doubts) == ((1, 2, 3), ("maybe_crossed_out",))


def test_a_struck_mark_that_is_scribbled_over_too_is_withdrawn_with_its_strike() -> None:
    found = _roles(("tick", 1, 1000), ("line", 1, 9000), ("scribble", 1, 15000))
    assert (found.marked, found.roles.taken_back, found.roles.doubts) == ((), (0, 1, 2), ())


def test_a_scribble_that_began_before_the_mark_ended_is_a_doubt() -> None:
    assert _roles(("tick", 1, 1000), ("scribble", 1, 1100)).roles.doubts == ("order_only",)


_marks = st.lists(
    st.tuples(st.sampled_from(_FORMS), st.lists(st.integers(0, 3), max_size=2, unique=True), st.floats(0, 6000)),
    max_size=8,
)


def _history(raw: list[tuple[Form, list[int], float]]) -> list[Mark]:
    marks, at_ms = [], 0.0
    for number, (form, options, pause_ms) in enumerate(raw):
        at_ms += pause_ms
        marks.append(_mark(number, form, tuple(sorted(options)), at_ms))
        at_ms += 200
    return marks


@settings(max_examples=200, deadline=None)
@given(raw=_marks, several=st.booleans())
def test_an_option_is_never_both_marked_and_withdrawn_and_no_stroke_is_without_a_role(
    *, raw: list[tuple[Form, list[int], float]], several: bool
) -> None:
    marks = _history(raw)
    found = option_roles(marks, strokes=len(marks), options=4, several=several)
    assert not set(found.marked) & set(found.withdrawn)
    assert len(found.roles.strokes) == len(marks)
    for number, one in enumerate(found.roles.strokes):
        assert all(by > number for by in one.by)
        assert (one.role == "note") == (not marks[number].options)


@settings(max_examples=200, deadline=None)
@given(raw=_marks, several=st.booleans())
def test_with_every_mark_kept_none_is_taken_back(*, raw: list[tuple[Form, list[int], float]], several: bool) -> None:
    marks = _history(raw)
    found = option_roles(marks, strokes=len(marks), options=4, several=several, keep=range(len(marks)))
    assert (found.roles.taken_back, found.roles.doubts, found.withdrawn) == ((), (), ())
