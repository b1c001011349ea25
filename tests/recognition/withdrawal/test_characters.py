"""Overwriting, the redo box, undoing; and what must hold for any ink."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.ink import Stroke
from recognition.shapes import Shape, shape_of
from recognition.sheets import Box
from recognition.withdrawal import Roles, StrokeRole, character_roles
from tests.recognition.drawn import dense, joined, stroke, written, zigzag

_PLACE: Box = (22.0, 61.0, 27.0, 69.0)
_REDO: Box = (80.0, 60.0, 110.0, 70.0)


def _shapes(*groups: list[Stroke]) -> list[Shape]:
    return [shape_of(one) for one in joined(*groups)]


def _drawn(raw: list[list[tuple[float, float]]], *, pause_ms: float) -> list[Shape]:
    out, at_ms = [], 1000.0
    for points in raw:
        rows = dense(points, at_ms)
        out.append(shape_of(Stroke(rows, round(at_ms))))
        at_ms = float(rows[-1, 2]) + pause_ms
    return out


_any_ink = st.lists(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 40)), min_size=1, max_size=8), min_size=1, max_size=8
)


@pytest.mark.parametrize(("first", "second"), [("3", "5"), ("1", "7"), ("0", "4"), ("2", "6"), ("6", "9")])
def test_a_character_over_another_is_a_doubt_that_names_both(first: str, second: str) -> None:
    one, other = written(first, _PLACE, 1), written(second, _PLACE, 9)
    found = character_roles(_shapes(one, other))
    earlier, later = tuple(range(len(one))), tuple(range(len(one), len(one) + len(other)))
    assert (found.doubts, found.either) == (("maybe_overwritten",), (later, earlier))
    assert not found.taken_back


@pytest.mark.parametrize("character", "0123456789")
def test_a_character_drawn_again_over_itself_withdraws_the_older(character: str) -> None:
    one = written(character, _PLACE, 1)
    found = character_roles(_shapes(one, written(character, (22.1, 61.1, 27.1, 69.1), 9)))
    assert not found.doubts
    assert found.taken_back == tuple(range(len(one)))
    assert {found.strokes[k].why for k in found.taken_back} == {"overwritten"}


@pytest.mark.parametrize("text", ["4", "5", "A", "B", "D"])
@pytest.mark.parametrize("pause_ms", [100, 400, 650])
def test_the_strokes_of_one_character_do_not_overwrite_each_other(text: str, pause_ms: int) -> None:
    ink, at_ms = [], 1000.0
    for one in written(text, _PLACE, 1):
        points = one.points.copy()
        points[:, 2] += at_ms - points[0, 2]
        ink.append(Stroke(points, round(at_ms)))
        at_ms = float(points[-1, 2]) + pause_ms
    found = character_roles([shape_of(one) for one in ink])
    assert "maybe_overwritten" not in found.doubts
    assert not found.taken_back


def test_characters_side_by_side_do_not_overwrite_each_other() -> None:
    assert character_roles(_shapes(written("47", (22, 61, 32, 69), 1), written("8", (34, 61, 39, 69), 20))).doubts == ()


def test_ink_in_the_redo_box_has_its_role_and_replaces_nothing_that_stands() -> None:
    one, other = written("4", _PLACE, 1), written("7", (84, 61, 89, 69), 9)
    found = character_roles(_shapes(one, other), redo_box=_REDO)
    assert [stroke.role for stroke in found.strokes] == ["answer"] * len(one) + ["redo"] * len(other)
    assert found.doubts == ("both_boxes",)


def test_what_is_told_is_nothing_where_all_strokes_simply_stand() -> None:
    found = character_roles(_shapes(written("47", (22, 61, 32, 69), 1)))
    assert found.told == ()
    assert found.notices == ()
    assert set(found.strokes) == {StrokeRole()}


@pytest.mark.parametrize("kept", [(0,), (1,), (0, 1), (2,), (0, 1, 2)])
def test_a_kept_stroke_stands_and_the_rest_stays_as_it_was(kept: tuple[int, ...]) -> None:
    shapes = _shapes(written("47", (22, 61, 32, 69), 1)[:3], [zigzag((21, 61, 33, 69), 6, 6)])
    found = character_roles(shapes, keep=kept)
    assert set(kept) <= set(found.standing)
    lost = {0, 1, 2} - set(kept)
    assert {k for k in found.taken_back if k < 3} == lost
    assert found.strokes[3].role == ("withdrawn" if lost else "note")


@settings(max_examples=60, deadline=None)
@given(raw=_any_ink, pause_ms=st.sampled_from([50.0, 900.0, 3000.0]), redo=st.booleans())
def test_every_stroke_of_any_ink_has_one_role_and_who_took_it_back_came_later(
    *, raw: list[list[tuple[float, float]]], pause_ms: float, redo: bool
) -> None:
    shapes = _drawn(raw, pause_ms=pause_ms)
    found = character_roles(shapes, redo_box=(30, 0, 60, 20) if redo else None)
    assert len(found.strokes) == len(shapes)
    for number, one in enumerate(found.strokes):
        assert all(by > number for by in one.by)
    for either in found.either:
        assert either
        assert set(either) <= set(found.standing)
    assert bool(found.either) <= bool(found.doubts)


@settings(max_examples=60, deadline=None)
@given(_any_ink, st.sampled_from([50.0, 900.0, 3000.0]))
def test_with_everything_kept_nothing_is_taken_back_and_nothing_is_in_doubt(
    raw: list[list[tuple[float, float]]], pause_ms: float
) -> None:
    shapes = _drawn(raw, pause_ms=pause_ms)
    found = character_roles(shapes, keep=range(len(shapes)))
    assert (found.taken_back, found.doubts, found.either) == ((), (), ())
    assert found.standing == tuple(range(len(shapes)))


@settings(max_examples=60, deadline=None)
@given(_any_ink, st.sampled_from([50.0, 900.0, 3000.0]), st.data())
def test_keeping_what_was_withdrawn_gives_it_back(
    raw: list[list[tuple[float, float]]], pause_ms: float, data: st.DataObject
) -> None:
    shapes = _drawn(raw, pause_ms=pause_ms)
    before: Roles = character_roles(shapes)
    if before.taken_back:
        kept = data.draw(st.sampled_from(before.taken_back))
        after = character_roles(shapes, keep=(kept,))
        assert kept in after.standing


def test_roles_do_not_care_where_on_the_page_the_ink_is() -> None:
    shapes = _shapes(written("47", (22, 61, 32, 69), 1), [stroke("20,65.5>34,64.5", 6)])
    moved = [Shape(one.xy + np.array([70.0, 110.0]), one.begin_ms, one.end_ms) for one in shapes]
    assert character_roles(moved) == character_roles(shapes)
