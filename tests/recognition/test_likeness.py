"""Answers that look alike stand together; nothing else does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recognition.likeness import MOST_APART, RIVAL, Doubtful, clusters, distances

SHAPES = {
    "one": [[(5, 0), (5, 10)]],
    "seven": [[(0, 0), (8, 0), (3, 12)]],
    "cross": [[(0, 0), (8, 8)], [(8, 0), (0, 8)]],
    "four": [[(6, 0), (0, 7), (9, 7)], [(6, 3), (6, 12)]],
}


def ink(
    name: str, *, scale: float = 1.0, move: float = 0.0, backwards: bool = False
) -> tuple[NDArray[np.float64], ...]:
    made = []
    for corners in SHAPES[name]:
        points = np.array(corners, float)
        along = np.linspace(0, len(points) - 1, 40)
        xy = np.column_stack([np.interp(along, range(len(points)), points[:, k]) for k in (0, 1)])
        made.append((xy[::-1] if backwards else xy) * scale + move)
    return tuple(made)


def doubtful(
    shape: str = "seven",
    *,
    field: str = "q1",
    value: str | None = "7",
    rival: tuple[str, float] | None = None,
    reasons: tuple[str, ...] = ("low_confidence",),
    scale: float = 1.0,
) -> Doubtful:
    others = () if rival is None else (rival,)
    return Doubtful(field, value, others, reasons, ink(shape, scale=scale))


def test_the_same_shape_is_near_wherever_and_however_large_it_stands_and_in_whatever_direction_it_was_drawn() -> None:
    inks = [ink("seven"), ink("seven", scale=2.5), ink("seven", move=90), ink("seven", backwards=True)]
    assert distances(inks).max() < 0.02


def test_different_shapes_are_far_apart() -> None:
    apart = distances([ink(name) for name in SHAPES])
    assert (apart[~np.eye(len(SHAPES), dtype=bool)] > MOST_APART).all()


def test_answers_that_look_alike_are_one_group() -> None:
    answers = [doubtful(), doubtful("one", value="1"), doubtful(scale=1.4), doubtful(scale=0.7)]
    assert clusters(answers) == [(0, 2, 3), (1,)]


@pytest.mark.parametrize(
    "other",
    [
        doubtful(field="q2"),
        doubtful(value="1"),
        doubtful(value=None),
        doubtful(rival=("9", RIVAL)),
        doubtful(reasons=("low_confidence", "ink_missing")),
        doubtful("cross"),
    ],
    ids=["another field", "another value", "read as nothing", "another rival", "doubtful for more", "another shape"],
)
def test_what_differs_in_more_than_the_hand_stands_apart(other: Doubtful) -> None:
    assert clusters([doubtful(rival=("1", 0.4)), other]) == [(0,), (1,)]


def test_a_rival_that_nobody_takes_for_possible_sets_nobody_apart() -> None:
    assert clusters([doubtful(rival=("1", 0.4)), doubtful(rival=("9", RIVAL / 2)), doubtful()]) == [(0, 1, 2)]


def test_two_rivals_never_meet_in_a_group_by_way_of_an_answer_without_one() -> None:
    groups = clusters([doubtful(rival=("1", 0.4)), doubtful(), doubtful(rival=("9", 0.4))])
    assert not any({0, 2} <= set(group) for group in groups)


def test_what_nobody_could_read_or_has_no_ink_at_hand_stands_alone() -> None:
    bare = Doubtful("q1", "7", (), (), ())
    assert clusters([doubtful(value=None), doubtful(value=None), bare, bare]) == [(0,), (1,), (2,), (3,)]


def test_no_answers_are_no_groups() -> None:
    assert clusters([]) == []


@given(
    st.lists(
        st.builds(
            doubtful,
            st.sampled_from(sorted(SHAPES)),
            field=st.sampled_from(["q1", "q2"]),
            value=st.sampled_from(["7", "1", None]),
            rival=st.sampled_from([None, ("1", 0.5), ("4", 0.3), ("9", 0.01)]),
            scale=st.floats(0.5, 2),
        ),
        max_size=12,
    ),
    st.floats(0, 1),
)
def test_every_answer_is_in_one_group_and_every_pair_of_a_group_may_be_decided_together(
    answers: list[Doubtful], most_apart: float
) -> None:
    groups = clusters(answers, most_apart=most_apart)
    assert sorted(k for group in groups for k in group) == list(range(len(answers)))
    for group in groups:
        members = [answers[k] for k in group]
        assert len({one.field for one in members}) == 1
        assert len({one.value for one in members}) == 1
        assert len({one.rival for one in members} - {None}) <= 1
        assert distances([one.strokes for one in members]).max() <= most_apart + 1e-6
