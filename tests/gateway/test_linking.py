"""Which pens may be linked, how long the join window is open, and what the store knows of links after a crash."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.neo.messages_control import Setting
from gateway import clock
from gateway.errors import GatewayError, WrongUse
from gateway.linking import Linking
from gateway.settings import PensSettings, RadioSettings, Settings
from tests.gateway.box_rig import House
from tests.gateway.rig import PAGE1, Q1, Clock, mac


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.close()


def linking_at(now_ms: Clock) -> Linking:
    return Linking(Settings(radio=RadioSettings(adapters=())), now_ms)


async def test_the_join_window_is_open_as_long_as_it_was_said() -> None:
    now_ms = Clock()
    linking = linking_at(now_ms)
    assert not linking.wanted(mac(1))
    assert linking.join(10) == {"join_open_s": 600.0}
    now_ms.ms += 599_999
    linking.take(now_ms())
    assert linking.wanted(mac(1))
    now_ms.ms += 1
    assert not linking.wanted(mac(1))
    linking.take(now_ms())
    assert linking.join_from_ms is None


async def test_a_window_that_is_opened_again_is_the_same_window_and_stays_open_longer() -> None:
    now_ms = Clock()
    linking = linking_at(now_ms)
    linking.join(1)
    began_ms = linking.join_from_ms
    now_ms.ms += 30_000
    assert linking.join(1) == {"join_open_s": 60.0}
    assert linking.join_from_ms == began_ms
    assert linking.join(0) == {"join_open_s": 0.0}
    assert not linking.wanted(mac(1))


async def test_a_gateway_that_is_started_again_goes_on_with_the_window(house: House) -> None:
    await house.ask("pens_join", minutes=5)
    now_ms = Clock(clock.now_ms())
    again = linking_at(now_ms)
    await house.store.run(again.read_window)
    assert 290 < again.join_left_s() <= 300
    assert again.join_from_ms == house.box.linking.join_from_ms
    now_ms.ms += 301_000
    late = linking_at(now_ms)
    await house.store.run(late.read_window)
    assert late.join_from_ms is None


async def test_pens_that_a_crash_cut_off_may_have_lost_ink_since_the_last_that_is_known(house: House) -> None:
    await house.fill()
    pen = await house.link(mac(1))
    await house.link(mac(2))
    pen.stroke(clock.now_ms(), PAGE1, Q1, Q1)
    await house.beat()
    last_ms = house.rows("select max(up_ms) from ink")[0][0]
    again = linking_at(Clock(clock.now_ms() + 5_000))
    await house.store.run(lambda db: again.open_windows(db, clock.now_ms() + 5_000))
    assert again.links.windows.keys() == {mac(1), mac(2)}
    assert again.links.windows[mac(1)] == last_ms
    assert house.rows("select distinct reason from link") == [("crash",)]


async def test_a_clean_end_is_no_loss(house: House) -> None:
    await house.fill()
    await house.link(mac(1))
    await house.store.run(lambda db: house.box.linking.note_stopped(db, clock.now_ms()))
    again = linking_at(Clock(clock.now_ms() + 5_000))
    await house.store.run(lambda db: again.open_windows(db, clock.now_ms() + 5_000))
    assert again.links.windows == {}
    assert house.rows("select reason from link") == [("stopped",)]


async def test_each_link_is_a_row_with_its_adapter_and_why_it_ended(house: House) -> None:
    await house.fill()
    await house.link(mac(1))
    await house.drop(mac(1))
    await house.link(mac(1))
    assert house.rows("select pen, reason from link order by id") == [(mac(1), "link.lost"), (mac(1), None)]


async def test_a_pen_shows_itself_when_it_is_asked_who_it_is(house: House) -> None:
    await house.fill()
    link = await house.link(mac(1))
    before = len(link.settings_made)
    assert await house.ask("pens_identify", pen=mac(1).lower().replace(":", "-")) == {"shows_itself_s": 10.0}
    for _ in range(4):
        await house.beat()
    assert {made.kind for made in link.settings_made[before:]} == {Setting.LED, Setting.BEEP}


async def test_a_pen_that_is_not_linked_cannot_show_itself(house: House) -> None:
    with pytest.raises(WrongUse, match="pens list"):
        await house.ask("pens_identify", pen=mac(1))


async def test_a_pen_that_is_forgotten_is_let_go_and_its_ink_stays(house: House) -> None:
    await house.fill()
    link = await house.link(mac(1))
    link.stroke(clock.now_ms(), PAGE1, Q1)
    await house.beat()
    await house.ask("pens_forget", pen=mac(1))
    assert not link.is_open
    assert not house.box.linking.wanted(mac(1))
    assert house.rows("select count(*) from ink") == [(1,)]
    with pytest.raises(WrongUse, match="adopted"):
        await house.ask("pens_forget", pen=mac(1))


async def test_a_password_of_a_file_opens_a_locked_pen_and_a_wrong_one_is_tried_once_ever(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("4711\n", "utf-8")
    house = House(tmp_path / "box", password_file=str(tmp_path / "password"))
    await house.fill()
    right = await house.link(mac(1), locked_with="4711")
    assert house.box.linking.links.states[mac(1)].ready
    tried = [(await house.link(mac(2), locked_with="0815")).passwords_tried]
    await house.drop(mac(2))
    tried.append((await house.link(mac(2), locked_with="0815")).passwords_tried)
    assert (right.passwords_tried, tried) == (["4711"], [["4711"], []]), "the last wrong one erases the pen"
    assert house.box.seats.radio_of(mac(2)).link == "down"
    await house.close()


async def test_a_password_s_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="cannot be read"):
        Linking(Settings(pens=PensSettings(password_file=str(tmp_path / "none"))), Clock())
