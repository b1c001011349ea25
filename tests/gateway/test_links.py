"""Whose ink it is, and what a link that goes leaves behind: over real sessions and a real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from devices.neo.session import NeoSession
from devices.pen import Pen
from gateway.clock import now_ms
from gateway.links import Links
from recognition.ink import unpack
from tests.devices.neo.ready_bytes import BASE_MS
from tests.fakes.pen_link import PenLink
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO, PAGE1, PAGE2, Q1, UNKNOWN_PAPER, mac

D0 = "c0690e00000068e5cf8b01000000000000ffc1"
P1 = "c06b0d00011b0000035b02000005000000c1"
X2 = "c06c0e000200c80014001e0019325a64b400c1"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.close()


async def at_base(house: House) -> PenLink:
    """A pen whose clock and ours say 1700000000000: the field's ready bytes."""
    link = PenLink(mac(1), at_ms=BASE_MS)
    session = NeoSession()
    session.start(now_ms=BASE_MS)
    house.box.linking.links.add(mac(1), Pen(link, session), "AA", BASE_MS)
    for _ in range(6):
        await house.app.beat(BASE_MS)
        for live in house.box.linking.links.live.values():
            if live.flushing is not None:
                await live.flushing
    return link


async def written(house: House, link: PenLink, *lines: str) -> list[tuple[object, ...]]:
    link.hex(*lines)
    await house.app.beat(BASE_MS)
    return house.rows("select page, down_ms, dots, ended, up_ms from ink order by id")


# -- field case 8


async def test_ink_is_of_the_pen_that_its_link_said_hello_with_and_not_of_what_was_heard(house: House) -> None:
    await house.fill()
    link = await house.link(mac(8), heard_as="70:00:00:00:00:01", name="p07")
    link.stroke(now_ms(), PAGE1, Q1)
    await house.beat()
    assert house.rows("select pen from ink") == [(mac(8),)]


async def test_two_links_that_swap_their_pens_keep_ink_apart_by_hello(house: House) -> None:
    await house.fill()
    seventh, eighth = await house.link(mac(8), heard_as="A"), await house.link(mac(7), heard_as="B")
    seventh.stroke(now_ms(), PAGE1, Q1)
    eighth.stroke(now_ms(), PAGE1, Q1, Q1)
    await house.beat()
    assert house.rows("select pen, dots from ink order by pen") == [(mac(7), 2), (mac(8), 1)]


async def test_a_stranger_is_linked_in_the_join_window_only_and_its_ink_is_nobodys(house: House) -> None:
    await house.fill()
    linking = house.box.linking
    assert linking.wanted(mac(1))
    assert not linking.wanted(mac(0x99))
    await house.ask("pens_join", minutes=5)
    assert linking.wanted(mac(0x99))
    await house.ask("lesson_start", text=DEMO)
    link = await house.link(mac(0x99))
    link.stroke(now_ms(), PAGE1, Q1)
    await house.beat()
    assert house.box.desk.answers is not None
    assert house.box.desk.answers.marked == {}
    assert house.box.screen.snapshot()[1] == []
    await house.ask("pens_join", minutes=0)
    await house.beat()
    assert not link.is_open, "who was not bound is let go"
    assert not linking.wanted(mac(0x99))


# -- field cases 10, 11, 12


async def test_one_stroke_on_two_pages_is_two_pieces_and_no_ink_between(house: House) -> None:
    link = await at_base(house)
    rows = await written(
        *(house, link, D0, P1, X2),
        *("c06b0d00031b0000035b02000006000000c1", "c06c0e00040cd20032000a0000005a64b400c1"),
        "c06a1300052868e5cf8b01000002000200020002000200c1",
    )
    assert rows == [(5, BASE_MS, 1, "page", BASE_MS), (6, BASE_MS, 1, "up", BASE_MS + 12)]


async def test_the_same_page_number_of_another_note_is_another_page(house: House) -> None:
    await house.fill()
    link = await house.link(mac(1))
    link.down(now_ms(), PAGE1)
    link.dot(*Q1)
    link.turn(PAGE1._replace(note=4200))
    link.dot(*Q1)
    link.up()
    await house.beat()
    assert house.rows("select note, page, ended from ink order by id") == [(4100, 1, "page"), (4200, 1, "up")]


async def test_ink_on_a_page_that_no_sheet_knows_is_kept(house: House) -> None:
    await house.fill()
    link = await house.link(mac(1))
    link.stroke(now_ms(), UNKNOWN_PAPER, (20, 30), (21, 31))
    await house.beat()
    assert house.rows("select section, owner, note, page, dots from ink") == [(3, 27, 603, 5, 2)]


async def test_a_pen_up_that_never_comes_ends_the_stroke_at_its_last_dot_and_the_next_is_whole(house: House) -> None:
    link = await at_base(house)
    rows = await written(
        *(house, link, D0, P1, X2, "c06c0e00030a000014001e00324b5a64b400c1"),
        *("c0690e0004846be5cf8b01000000000000ffc1", "c06b0d00051b0000035b02000005000000c1"),
        *("c06c0e000600dc0019001e0000325a64b400c1", "c06a130007b66be5cf8b01000001000100010001000100c1"),
    )
    assert rows == [(5, BASE_MS, 2, "inferred", BASE_MS + 10), (5, BASE_MS + 900, 1, "up", BASE_MS + 900)]
    assert house.rows("select count(*) from loss") == [(0,)], "counts have no hole: nothing is lost"
    (first,) = unpack(house.rows("select packed from ink order by id")[0][0])
    assert first[1, 2] == 0, "a dot without force is ink"


async def test_a_dot_is_an_answer_too(house: House) -> None:
    link = await at_base(house)
    rows = await written(
        *(house, link, D0, P1, "c06c0e000200c80016001f0000005a64b400c1"),
        "c06a1300030868e5cf8b01000001000100010001000100c1",
    )
    assert rows == [(5, BASE_MS, 1, "up", BASE_MS)]
    packed = house.rows("select packed from ink")[0][0]
    assert np.vstack(unpack(packed)).shape == (1, 7)


# -- links that go


async def test_a_link_that_goes_in_mid_stroke_ends_it_and_opens_a_window_that_closes_when_the_pen_is_back(
    house: House,
) -> None:
    await house.fill()
    link = await house.link(mac(1))
    began_ms = now_ms()
    link.down(began_ms, PAGE2)
    link.dot(*Q1)
    await house.beat()
    await house.drop(mac(1))
    assert house.rows("select dots, ended from ink") == [(1, "interrupted")]
    assert house.box.linking.links.windows.keys() == {mac(1)}
    assert house.rows("select count(*) from loss") == [(0,)]
    await house.link(mac(1))
    ((pen, from_ms, to_ms, cause),) = house.rows("select pen, from_ms, to_ms, cause from loss")
    assert (pen, cause) == (mac(1), "link_lost")
    assert began_ms <= from_ms <= to_ms <= now_ms()
    assert house.box.linking.links.windows == {}


async def test_a_link_that_went_before_ink_flowed_opens_no_window() -> None:
    links = Links(piece_dots=400)
    session = NeoSession()
    session.start(now_ms=BASE_MS)
    links.add("A", Pen(PenLink(mac(1), at_ms=BASE_MS), session), "AA", BASE_MS)
    links.lost("A", "link.lost", BASE_MS)
    links.lost("A", "link.lost", BASE_MS)
    assert links.windows == {}
    assert links.changes == []
    await links.hang_up(now_ms)


async def test_a_window_that_is_open_at_the_end_is_a_loss(house: House) -> None:
    await house.fill()
    await house.link(mac(1))
    await house.drop(mac(1))
    house.box.linking.links.close_windows(now_ms())
    await house.beat()
    assert house.rows("select cause from loss") == [("link_lost",)]


async def test_a_pen_that_comes_late_to_a_lesson_has_a_gap_from_the_start_to_its_link(house: House) -> None:
    await house.fill()
    await house.link(mac(2))
    await house.ask("lesson_start", text=DEMO)
    await house.link(mac(1))
    await house.ask("lesson_stop")
    query = "select distinct s.seat, g.state from newest_grade g join lesson_seat s on s.pupil = g.pupil order by 1"
    assert house.rows(query) == [(1, "not_captured"), (2, "blank")]


async def test_a_spare_pen_that_is_bound_before_it_is_linked_has_a_gap_until_its_link(house: House) -> None:
    await house.fill(1)
    await house.link(mac(1))
    await house.ask("lesson_start", text=DEMO)
    await house.ask("pens_bind", pairs=[[mac(9), 1]])
    assert house.box.linking.links.windows.keys() == {mac(9)}
    await house.link(mac(9))
    assert house.rows("select pen, cause from loss") == [(mac(9), "memory_unread")]


async def test_a_pen_tells_of_itself_and_a_low_battery_is_seen(house: House) -> None:
    await house.fill()
    link = await house.link(mac(1))
    state = house.box.linking.links.states[mac(1)]
    assert (state.model, state.firmware, state.battery_percent, state.ready) == ("NWP-F51", "1.05", 80, True)
    link.hex("c0610100" + "0a" + "c1")
    await house.beat()
    assert state.battery_percent == 10
    assert house.box.linking.links.is_low(mac(1))
    assert house.rows("select model, firmware, name from pen where mac = '9C:7B:D2:00:00:01'") == [
        ("NWP-F51", "1.05", "Smartpen")
    ]


async def test_a_pen_that_wants_a_password_is_linked_and_its_ink_does_not_flow(house: House) -> None:
    await house.fill()
    await house.link(mac(1), locked_with="4711")
    state = house.box.linking.links.states[mac(1)]
    assert (state.ready, state.password) == (False, "needed")
    assert house.box.linking.links.ready_count == 0
