"""The beat: nothing is shown or read before it is durable; what could not be written is written once, later."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clock import now_ms
from gateway.reading import Answer
from tests.gateway.box_rig import House
from tests.gateway.rig import CARD, DEMO, PAGE1, Q1, Q2, mac


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.close()


async def refuse_writes(house: House, *, refuse: bool) -> None:
    await house.store.run(lambda db: db.conn.execute(f"pragma query_only = {int(refuse)}"))


async def lesson(house: House) -> None:
    await house.fill()
    for seat in (1, 2):
        await house.link(mac(seat))
    await house.ask("lesson_start", text=DEMO)


def shown(house: House) -> int:
    return sum(len(stroke.dots) for stroke in house.box.screen.snapshot()[1])


async def test_ink_is_stored_then_shown_then_waits_for_the_reader(house: House) -> None:
    await lesson(house)
    house.links[mac(1)].stroke(now_ms(), PAGE1, Q1, Q1, Q1)
    await house.beat()
    assert house.rows("select pen, dots, ended from ink") == [(mac(1), 3, "up")]
    assert shown(house) == 3
    assert (1, "q1") in house.box.desk.answers.marked  # type: ignore[union-attr]  # a lesson runs


async def test_an_open_stroke_is_durable_and_shown_before_the_pen_lifts(house: House) -> None:
    await lesson(house)
    pen = house.links[mac(1)]
    pen.down(now_ms(), PAGE1)
    pen.dot(*Q1)
    await house.beat()
    assert house.rows("select count(*) from journal") == [(1,)]
    assert shown(house) == 1
    pen.dot(*Q1)
    pen.up()
    await house.beat()
    assert house.rows("select count(*) from journal") == [(0,)]
    assert house.rows("select dots from ink") == [(2,)]
    assert shown(house) == 2


async def test_a_beat_that_cannot_be_committed_shows_nothing_and_keeps_everything(house: House) -> None:
    await lesson(house)
    first, second = house.links[mac(1)], house.links[mac(2)]
    second.down(now_ms(), PAGE1)
    second.dot(*Q2)
    await house.beat()
    before = house.box.beat.seq
    await refuse_writes(house, refuse=True)
    first.stroke(now_ms(), PAGE1, Q1, Q1)
    second.dot(*Q2)
    await house.beat()
    first.stroke(now_ms() + 50, PAGE1, Q1, Q1, Q1)
    second.lose(3)
    second.dot(*Q2)
    second.up()
    await house.beat()
    await house.beat()
    assert (house.box.beat.seq, shown(house)) == (before, 1)
    assert house.rows("select count(*) from ink") == [(0,)]
    assert [w["code"] for w in (await house.ask("status"))["warnings"]] == ["store.not_durable"]

    await refuse_writes(house, refuse=False)
    await house.beat()
    assert not (await house.ask("status"))["warnings"]
    assert house.rows("select pen, dots from ink order by pen, dots") == [(mac(1), 2), (mac(1), 3), (mac(2), 3)]
    assert house.rows("select events, cause from loss") == [(3, "counter_gap")]
    assert house.rows("select count(*) from journal") == [(0,)]
    assert shown(house) == 8
    await house.beat()
    assert shown(house) == 8, "nothing twice"
    assert house.rows("select count(*) from ink") == [(3,)]


async def test_news_of_links_wait_too_while_nothing_can_be_written(house: House) -> None:
    await lesson(house)
    await refuse_writes(house, refuse=True)
    await house.drop(mac(1))
    await house.link(mac(1))
    await refuse_writes(house, refuse=False)
    await house.beat()
    rows = house.rows("select pen, to_ms is null, reason from link order by id")
    assert [row[1:] for row in rows if row[0] == mac(1)] == [(0, "link.lost"), (1, None)]
    assert house.rows("select count(*) from loss where cause = 'link_lost'") == [(1,)]


async def test_a_grade_that_cannot_be_written_does_not_end_the_gateway_and_is_written_later(house: House) -> None:
    await lesson(house)
    house.links[mac(1)].stroke(now_ms(), PAGE1, Q1, Q1, Q1)
    await house.beat()
    desk = house.box.desk
    assert desk.answers is not None
    desk.answers.marked[1, "q1"].due_ms = 0
    desk.reader.version = "fake/1"
    await house.beat()
    await refuse_writes(house, refuse=True)
    desk.reader._on_answer(Answer(1, "7", 0.97, True, (), (), "fake/1"))
    await house.beat()
    await house.beat()
    assert house.box.beat.durable is False
    assert desk.grades == {}
    await refuse_writes(house, refuse=False)
    await house.beat()
    assert house.rows("select state, value, rev from grade") == [("answered", "7", 1)]
    assert house.box.screen.status().durable


async def test_a_claim_on_the_card_survives_a_store_that_cannot_be_written(house: House) -> None:
    await house.ask("pens_join", minutes=5)
    pen = await house.link(mac(7))
    pen.stroke(now_ms(), CARD, (20, 35), (22, 38), (25, 40))
    await refuse_writes(house, refuse=True)
    await house.beat()
    assert house.box.seats.by_pen == {}
    await refuse_writes(house, refuse=False)
    await house.beat()
    assert house.box.seats.by_pen == {mac(7): 1}


async def test_a_start_goes_on_after_the_last_number_and_with_what_was_open(tmp_path: Path) -> None:
    house = House(tmp_path)
    await lesson(house)
    house.links[mac(1)].stroke(now_ms(), PAGE1, Q1, Q1)
    await house.beat()
    await house.close()
    again = House(tmp_path)
    await again.box.take_up()
    assert shown(again) == 2, "the pages have the lesson's ink again"
    assert again.box.desk.answers is not None
    await again.close()
