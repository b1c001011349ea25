"""The link card in the room: a tick in a seat's box binds the pen that made it, and only in the join window."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.card import CardWatch
from gateway.clock import now_ms
from gateway.journal import Batch
from recognition.sheets import bundled, load
from tests.gateway.box_rig import House
from tests.gateway.rig import CARD, PAGE1, Clock, mac, piece

BOXES = {about.seat or 0: about.box_mm for about in load(bundled("link-card")).pages[0].fields}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.close()


def middle(seat: int) -> tuple[float, float]:
    left, top, right, bottom = BOXES[seat]
    return (left + right) / 2, (top + bottom) / 2


async def tick(house: House, pen: str, seat: int) -> None:
    link = house.links.get(pen) or await house.link(pen)
    x, y = middle(seat)
    link.stroke(now_ms(), CARD, (x - 2, y), (x, y + 2), (x + 3, y - 3))
    await house.beat()


def bound(house: House) -> dict[str, int]:
    return house.box.seats.by_pen


async def test_a_tick_binds_its_pen_to_the_seat_and_the_pen_is_ours_from_then_on(house: House) -> None:
    await house.ask("pens_join", minutes=5)
    await tick(house, mac(7), 7)
    assert bound(house) == {mac(7): 7}
    assert mac(7) in house.box.linking.adopted
    assert house.rows("select pen, seat, how, to_ms from binding") == [(mac(7), 7, "card", None)]


async def test_a_tick_outside_the_join_window_binds_nothing_and_is_kept_as_ink(house: House) -> None:
    await house.fill(1)
    await tick(house, mac(1), 7)
    assert bound(house) == {mac(1): 1}
    assert house.rows("select count(*) from ink") == [(1,)]


async def test_a_second_tick_of_the_same_pen_in_the_same_box_changes_nothing(house: House) -> None:
    await house.ask("pens_join", minutes=5)
    for _ in range(3):
        await tick(house, mac(7), 7)
    assert house.rows("select count(*) from claim") == house.rows("select count(*) from binding") == [(1,)]


async def test_two_pens_in_one_box_are_shown_bind_nothing_and_are_settled_by_hand(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.ask("pens_join", minutes=5)
    with caplog.at_level(logging.WARNING):
        await tick(house, mac(1), 3)
        await tick(house, mac(2), 3)
    assert bound(house) == {}
    assert (await house.ask("pens_list"))["conflicts"] == [{"pens": [mac(1), mac(2)], "seats": [3]}]
    assert "conflict" in caplog.text
    await house.ask("pens_bind", pairs=[[mac(2), 3]])
    assert bound(house) == {mac(2): 3}
    assert (await house.ask("pens_list"))["conflicts"] == []


async def test_one_pen_in_two_boxes_is_a_conflict_too(house: House) -> None:
    await house.ask("pens_join", minutes=5)
    await tick(house, mac(1), 3)
    await tick(house, mac(1), 4)
    assert bound(house) == {}
    assert (await house.ask("pens_list"))["conflicts"] == [{"pens": [mac(1)], "seats": [3, 4]}]


async def test_another_join_window_begins_anew(house: House) -> None:
    await house.ask("pens_join", minutes=5)
    await tick(house, mac(1), 3)
    await house.ask("pens_join", minutes=0)
    await house.beat()
    await house.ask("pens_join", minutes=5)
    await tick(house, mac(1), 4)
    assert bound(house) == {mac(1): 4}


async def test_ink_between_boxes_or_on_another_page_claims_nothing(house: House) -> None:
    watch = CardWatch(house.store, Clock())
    assert watch.seat_of(piece(mac(1), CARD, middle(5), 1)) == 5
    assert watch.seat_of(piece(mac(1), PAGE1, middle(5), 1)) is None
    left, top, right, _ = BOXES[1]
    assert watch.seat_of(piece(mac(1), CARD, ((right + BOXES[2][0]) / 2, top), 1)) is None
    assert watch.seat_of(piece(mac(1), CARD, (left, 5), 1)) is None


async def test_every_seat_has_a_box_that_is_its_own(house: House) -> None:
    watch = CardWatch(house.store, Clock())
    assert {seat: watch.seat_of(piece(mac(1), CARD, middle(seat), 1)) for seat in BOXES} == {s: s for s in BOXES}


async def test_a_tick_of_one_dot_is_a_tick(house: House) -> None:
    watch = CardWatch(house.store, Clock())
    x, y = middle(9)
    assert watch.seat_of(piece(mac(1), CARD, (x + 2, y + 2), 1, dots=1)) == 9


async def test_a_tick_out_of_a_pens_memory_counts_only_if_it_was_made_in_this_window(house: House) -> None:
    clock = Clock()
    watch = CardWatch(house.store, clock)
    from_ms = clock.ms - 60_000
    old = piece(mac(1), CARD, middle(5), from_ms - 1, how="memory")
    unknown = piece(mac(2), CARD, middle(6), from_ms + 1, how="memory")
    unknown.time_known = False
    made_now = piece(mac(3), CARD, middle(7), from_ms + 1, how="memory")
    assert await watch.take(Batch(1, clock.ms, closed=[old, unknown, made_now]), from_ms)
    assert watch.settled.bound == {mac(3): 7}
