"""Ink to fields: field cases 10, 15 and 19."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognition.fields import assign, field_of
from recognition.ink import Stroke
from recognition.sheets import SheetPage, bundled, load
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


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.floats(0, 80), st.floats(30, 95)), min_size=1, max_size=5), max_size=8))
def test_no_stroke_is_ever_dropped(raw: list[list[tuple[float, float]]]) -> None:
    ink = [Stroke(dense(points, 900 * k), 900 * k) for k, points in enumerate(raw)]
    found = assign(ink, PAPER)
    assert {k for where in found.fields.values() for k in where} | set(found.notes) == set(range(len(ink)))
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
