"""Ink to fields: field cases 10, 15 and 19."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.fields import assign, field_of
from recognition.ink import Stroke
from recognition.sheets import Box, Field, Kind, SheetPage, bundled, load
from tests.recognition.drawn import (
    CROSS_B,
    CROSS_C,
    PAPER,
    dense,
    joined,
    ring,
    stroke,
    strokes,
    written,
    zigzag,
)

_REDO: Box = (80, 60, 110, 70)
_SCRATCH: Box = (120, 100, 190, 150)


def _signs(*tops: float) -> tuple[Field, ...]:
    """Boxes of 8 x 8 mm for a tick or a cross, under each other."""
    return tuple(Field(id=f"t{k}", kind="truefalse", page=1, box_mm=(150, y, 158, y + 8)) for k, y in enumerate(tops))


_MORE = SheetPage(
    1,
    (210, 297),
    (
        Field(id="F", kind="number", page=1, box_mm=(20, 60, 60, 70), redo_box_mm=_REDO),
        Field(id="G", kind="number", page=1, box_mm=(20, 78, 60, 88)),
        *_signs(30, 40, 50),
    ),
    scratch=(_SCRATCH,),
)


def test_ink_in_its_box_is_of_that_field_alone() -> None:
    ink = joined(written("74", (22, 61, 32, 69), 1), written("8", (22, 79, 27, 87), 9))
    found = assign(ink, PAPER)
    assert found.fields == {"F": (0, 1, 2), "G": (3,)}
    assert (found.offered_to, found.outside, found.notes, found.fits) == ({}, frozenset(), (), True)
    assert [field_of(one, PAPER) for one in ink] == [("F",)] * 3 + [("G",)]


def test_a_number_between_two_boxes_is_offered_to_both() -> None:
    found = assign(written("12", (25, 71.5, 33, 76.5), 1), PAPER)
    assert found.fields == {"F": (0, 1), "G": (0, 1)}
    assert found.offered_to == {"F": ("G",), "G": ("F",)}
    assert all(set(field_of(one, PAPER)) == {"F", "G"} for one in written("12", (25, 71.5, 33, 76.5), 1))


def test_a_number_right_of_its_box_is_of_that_field_with_a_note() -> None:
    found = assign(written("12", (62, 61, 70, 69), 1), PAPER)
    assert (found.fields, found.offered_to, found.outside) == ({"F": (0, 1)}, {}, frozenset({"F"}))


def test_a_new_answer_above_its_scratched_box_is_of_that_field() -> None:
    ink = joined(
        written("47", (22, 61, 32, 69), 1), [zigzag((21, 61, 33, 69), 6, 6)], written("74", (22, 52, 30, 58), 8)
    )
    assert assign(ink, PAPER).fields == {"F": tuple(range(len(ink)))}


def test_a_new_answer_that_lies_in_the_field_above_is_offered_to_both() -> None:
    boxes: tuple[Box, ...] = ((20, 60, 60, 70), (20, 75, 60, 85))
    page = SheetPage(
        1, (210, 297), tuple(Field(id="AB"[k], kind="number", page=1, box_mm=box) for k, box in enumerate(boxes))
    )
    first = joined(written("5", (52, 61, 57, 69), 1), written("12", (22, 76, 32, 84), 9))
    found = assign(joined(first, [zigzag((21, 76, 33, 84), 6, 15)], written("21", (22, 66, 32, 73), 18)), page)
    assert found.offered_to == {"A": ("B",), "B": ("A",)}
    beside = assign(joined(first, [zigzag((21, 76, 33, 84), 6, 15)], written("21", (22, 69, 32, 74), 18)), page)
    assert beside.offered_to == {}
    assert len(beside.fields["B"]) == 5


def test_ink_near_a_scratch_that_comes_later_is_of_no_field_for_that() -> None:
    ink = joined(written("47", (22, 61, 32, 69), 1), [zigzag((21, 61, 33, 69), 6, 6)])
    later = joined(ink, written("8", (22, 79, 27, 87), 9), written("3", (90, 56, 95, 64), 15))
    assert assign(later, PAPER).notes == (len(later) - 1,)


def test_a_late_addition_beside_its_field_is_of_the_field_that_it_touches() -> None:
    ink = joined(
        written("7", (53, 61, 59, 69), 1), written("8", (22, 79, 27, 87), 9), [stroke("58.5,68.5>70,68.5>76,66", 30)]
    )
    assert assign(ink, PAPER).fields["F"] == (0, 2)


def test_a_late_addition_between_two_fields_is_offered_to_both() -> None:
    ink = joined(
        written("7", (22, 61, 27, 69), 1), written("8", (22, 79, 27, 87), 9), written("1", (40, 71.5, 44, 76.5), 30)
    )
    found = assign(ink, PAPER)
    assert set(found.offered_to) == {"F", "G"}


def test_ink_in_a_redo_box_is_of_its_field_and_from_inside() -> None:
    ink = joined(written("47", (22, 61, 32, 69), 1), written("74", (84, 61, 94, 69), 9))
    found = assign(ink, _MORE)
    assert (found.fields, found.offered_to, found.outside) == ({"F": tuple(range(len(ink)))}, {}, frozenset())
    assert all(field_of(one, _MORE) == ("F",) for one in ink)


def test_rough_work_is_of_no_field_and_makes_nobody_unsure() -> None:
    rough = joined(written("12", (130, 110, 140, 118), 1), [zigzag((129, 110, 141, 118), 6, 9)])
    ink = joined(rough, written("5", (22, 61, 27, 69), 20))
    found = assign(ink, _MORE)
    count = len(rough)
    assert found.scratch == tuple(range(count))
    assert found.fields == {"F": tuple(range(count, len(ink)))}
    assert (found.offered_to, found.notes, found.fits) == ({}, (), True)
    assert all(field_of(one, _MORE) == () for one in rough)


def test_much_rough_work_says_nothing_of_how_the_page_fits() -> None:
    rough = joined(*(written("12", (122, 102 + 9 * k, 132, 109 + 9 * k), 10 * k + 1) for k in range(5)))
    found = assign(joined(rough, written("5", (22, 61, 27, 69), 90)), _MORE)
    assert found.fits
    assert len(found.scratch) == len(rough)


def test_ink_across_the_border_of_a_scratch_area_and_a_field_makes_the_field_unsure() -> None:
    page = SheetPage(1, (210, 297), _MORE.fields[1:2], scratch=((62, 78, 100, 88),))
    found = assign(written("11", (58.5, 79, 62, 87), 1), page)
    assert found.fields["G"] == (0, 1)
    assert found.offered_to == {"G": ()}
    assert found.scratch == ()


def test_a_number_across_the_border_of_two_fields_is_offered_to_both() -> None:
    boxes: tuple[Box, ...] = ((20, 60, 60, 70), (60.5, 60, 100, 70))
    cases: tuple[tuple[Kind, dict[str, tuple[str, ...]]], ...] = (
        ("number", {"A": ("B",), "B": ("A",)}),
        ("digit", {}),
    )
    for kind, offered in cases:
        fields = tuple(Field(id="AB"[k], kind=kind, page=1, box_mm=box) for k, box in enumerate(boxes))
        assert assign(written("11", (58, 61, 62, 69), 1), SheetPage(1, (210, 297), fields)).offered_to == offered


def test_a_page_of_scratch_areas_alone_has_rough_work_and_notes() -> None:
    page = SheetPage(1, (210, 297), (), scratch=(_SCRATCH,))
    found = assign(joined([stroke("130,110>140,120")], [stroke("10,10>14,14", 9)]), page)
    assert (found.scratch, found.notes, found.fields) == ((0,), (1,), {})


def test_a_tick_is_of_the_box_in_which_its_corner_is_however_far_its_tail_goes() -> None:
    found = assign([stroke("151,53>153,56.5>165,31")], _MORE)
    assert (found.fields, found.offered_to) == ({"t2": (0,)}, {})


def test_a_tick_whose_corner_slipped_into_the_next_box_is_offered_to_both() -> None:
    found = assign([stroke("151,46>153,50.4>160,38")], _MORE)
    assert set(found.offered_to) == {"t1", "t2"}


def test_quick_ticks_in_a_column_are_each_of_their_own_box() -> None:
    ink = strokes(("151,34>153,38.7>162,27", 1), ("151,44>153,48.7>162,37", 1.8), ("151,54>153,58.7>162,47", 2.6))
    found = assign(ink, _MORE)
    assert (found.fields, found.offered_to) == ({"t0": (0,), "t1": (1,), "t2": (2,)}, {})


def test_a_round_character_is_no_tick() -> None:
    """Its lowest point lies in the box below; most of it does not."""
    found = assign(written("0", (151, 41, 157, 50.5), 1), _MORE)
    assert found.fields == {"t1": (0,)}


def test_marks_that_leave_their_boxes_stay_in_their_field() -> None:
    for ink in (
        strokes((CROSS_B[0], 1), (CROSS_B[1], 1.3)),
        [stroke("33.5,41.5>41.5,44.0>52,38")],
        [ring(32.5, 42.5, 6, 6, 1)],
    ):
        assert set(assign(ink, PAPER).fields) == {"choice"}
        assert all(field_of(one, PAPER) == ("choice",) for one in ink)


def test_ink_far_from_every_box_is_a_note_and_is_kept() -> None:
    ink = joined(written("3", (150, 150, 155, 158), 1), [stroke("5,5", 4)])
    found = assign(ink, PAPER)
    assert (found.fields, found.notes) == ({}, (0, 1))
    assert field_of(ink[0], PAPER) == ()


def test_a_stroke_of_one_dot_is_kept_in_its_field() -> None:
    found = assign([stroke("30,65")], PAPER)
    assert found.fields == {"F": (0,)}
    assert field_of(stroke("30,65"), PAPER) == ("F",)


def test_the_order_of_strokes_is_kept() -> None:
    ink = joined(written("4", (22, 61, 27, 69), 1), strokes((CROSS_C[0], 5)), written("7", (29, 61, 34, 69), 9))
    assert assign(ink, PAPER).fields == {"F": (0, 1, 3), "choice": (2,)}


def test_quick_jumps_between_fields_do_not_mix_them() -> None:
    ink = joined(written("7", (22, 62, 27, 69), 1), written("8", (22, 79, 27, 86), 1.6))
    assert assign(ink, PAPER).fields == {"F": (0,), "G": (1,)}


def test_a_page_shifted_by_one_option_is_refused_as_not_fitting() -> None:
    page = load(bundled("demo")).pages[1]
    ink: list[Stroke] = []
    at_s = 1.0
    for about in page.fields:
        if about.choices:
            box = about.choices[-1].box_mm or about.box_mm
            ink.append(stroke(f"{box[0] + 1},{box[1] + 4}>{box[0] + 3},{box[1] + 7}>{box[0] + 7},{box[1]}", at_s))
        else:
            left, top, right, bottom = about.box_mm
            ink += written("56", (left + 2, top + 1, right - 2, bottom - 1), at_s)
        at_s += 8
    assert assign(ink, page).fits
    moved = []
    for one in ink:
        points = one.points.copy()
        points[:, 1] += 12
        moved.append(Stroke(points, one.pen_down_ms))
    assert not assign(moved, page).fits


def test_a_page_without_fields_has_only_notes() -> None:
    assert assign([stroke("1,1")], SheetPage(1, (210, 297), ())).notes == (0,)
    assert field_of(stroke("1,1"), SheetPage(1, (210, 297), ())) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 200), st.floats(20, 155)), min_size=1, max_size=5), max_size=8),
    st.sampled_from([PAPER, _MORE]),
)
def test_no_stroke_is_ever_dropped(raw: list[list[tuple[float, float]]], page: SheetPage) -> None:
    ink = [Stroke(dense(points, 900 * k), 900 * k) for k, points in enumerate(raw)]
    found = assign(ink, page)
    placed = {k for where in found.fields.values() for k in where}
    assert placed | set(found.notes) | set(found.scratch) == set(range(len(ink)))
    assert not placed & (set(found.notes) | set(found.scratch))
    assert all(list(where) == sorted(where) for where in found.fields.values())


@pytest.mark.parametrize("seat", [1, 7, 60])
def test_a_tick_on_the_link_card_is_of_one_seat(seat: int) -> None:
    page = load(bundled("link-card")).pages[0]
    left, top, right, bottom = page.fields[seat - 1].box_mm
    tick = stroke(f"{left + 6},{top + 8}>{left + 10},{bottom - 3}>{right + 3},{top - 4}")
    assert field_of(tick, page) == (f"seat-{seat}",)


def test_an_affine_takes_paper_to_the_sheets_page() -> None:
    text = bundled("demo").replace(
        "page = 2\n\n[[field]]", "page = 2\naffine = [[0.97, 0, 2], [0, 0.97, 3]]\n\n[[field]]", 1
    )
    sheet = load(text)
    placed = sheet.place(sheet.address_of(1))
    assert placed is not None
    np.testing.assert_allclose(placed[1] @ [100, 200, 1], [99, 197])
