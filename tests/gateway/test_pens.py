from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from gateway import pens
from gateway.pens import Bindings, settle
from gateway.schema import migrations

A, B, C = "9C:7B:D2:00:00:0A", "9C:7B:D2:00:00:0B", "9C:7B:D2:00:00:0C"


@pytest.fixture
def db(tmp_path: Path) -> Database:
    made = Database(tmp_path / "box.db")
    migrations.apply(made)
    return made


def test_a_pen_alone_in_a_box_is_bound() -> None:
    assert settle([(A, 1), (B, 2)]).bound == {A: 1, B: 2}


def test_two_pens_in_one_box_bind_nothing() -> None:
    settled = settle([(A, 1), (B, 1), (C, 3)])
    assert settled.bound == {C: 3}
    assert [(c.pens, c.seats) for c in settled.conflicts] == [((A, B), (1,))]


def test_one_pen_in_two_boxes_binds_nothing() -> None:
    settled = settle([(A, 1), (A, 2)])
    assert settled.bound == {}
    assert [(c.pens, c.seats) for c in settled.conflicts] == [((A,), (1, 2))]


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(1, 4)), unique=True))
def test_no_claim_is_both_bound_and_in_conflict_and_none_is_forgotten(claims: list[tuple[str, int]]) -> None:
    settled = settle(claims)
    disputed = {pen for conflict in settled.conflicts for pen in conflict.pens}
    assert disputed.isdisjoint(settled.bound)
    assert disputed | set(settled.bound) == {pen for pen, _ in claims}
    assert len(set(settled.bound.values())) == len(settled.bound)


def test_a_second_pen_in_a_box_ends_what_the_first_had_bound_and_a_person_settles_it(db: Database) -> None:
    with db.atomic():
        pens.claim(db, join_ms=100, pen=A, seat=7, at_ms=110)
        assert pens.current(db) == {A: 7}
        assert pens.claim(db, join_ms=100, pen=B, seat=7, at_ms=120).conflicts
        assert pens.current(db) == {}
        pens.bind(db, pen=A, seat=7, at_ms=130, how="hand")
        pens.bind(db, pen=B, seat=8, at_ms=130, how="hand")
        assert pens.claims_of(db, 100).conflicts == ()
    assert pens.current(db) == {A: 7, B: 8}


def test_binding_anew_moves_no_ink_that_is_past(db: Database) -> None:
    with db.atomic():
        pens.bind(db, pen=A, seat=7, at_ms=1000, how="hand")
        pens.bind(db, pen=A, seat=8, at_ms=2000, how="hand")
        bindings = Bindings.load(db)
    assert [bindings.seat_of(A, at) for at in (999, 1000, 1999, 2000, 9999)] == [None, 7, 7, 8, 8]
    assert bindings.pens_of(7, 0, 5000) == [(A, 1000, 2000)]


def test_two_pens_swapped_by_hand_keep_their_own_ink(db: Database) -> None:
    with db.atomic():
        pens.bind(db, pen=A, seat=7, at_ms=0, how="card")
        pens.bind(db, pen=B, seat=8, at_ms=0, how="card")
        pens.bind(db, pen=A, seat=8, at_ms=500, how="hand")
        pens.bind(db, pen=B, seat=7, at_ms=500, how="hand")
        bindings = Bindings.load(db)
    assert (bindings.seat_of(A, 400), bindings.seat_of(B, 400)) == (7, 8)
    assert (bindings.seat_of(A, 600), bindings.seat_of(B, 600)) == (8, 7)


def test_a_forgotten_pen_has_no_seat_and_is_not_adopted(db: Database) -> None:
    with db.atomic():
        pens.bind(db, pen=A, seat=7, at_ms=0, how="card")
        assert pens.forget(db, pen=A, at_ms=10)
        assert not pens.forget(db, pen=A, at_ms=11)
    assert pens.current(db) == {}
    assert db["pen"].count_where("adopted_ms is not null") == 0


def test_the_seats_of_a_pen_in_a_span_are_those_that_held_it_at_some_moment_of_it() -> None:
    held = Bindings([(A, 1, 100, 200), (A, 2, 200, 300), (A, 1, 400, None), (B, 3, 0, None)])
    spans = ((0, 99), (0, 100), (199, 200), (200, 299), (300, 399), (300, 400), (0, 1_000))
    assert [held.seats_of(A, *span) for span in spans] == [set(), {1}, {1, 2}, {2}, set(), {1}, {1, 2}]
    assert held.seats_of(C, 0, 1_000) == set()
