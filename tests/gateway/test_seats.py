"""Why a seat's pen is or is not linked: every reason has a word, a code of the catalogue, and its numbers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.transport import Connected, Connecting, Disconnected
from gateway.words import LANGUAGES, say
from tests.gateway.box_rig import House
from tests.gateway.rig import mac


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.fill()
    yield house
    await house.close()


async def standing(house: House, **more: Any) -> None:  # noqa: ANN401  PenLink's
    link = await house.link(mac(1), **more)
    house.radios.links[mac(1)] = Connected("AA", 1, link)


def seen(house: House) -> tuple[str, str]:
    radio = house.box.seats.radio_of(mac(1))
    for language in LANGUAGES:
        if radio.code != "ok":
            assert say(radio.code, language, **radio.detail) != radio.code, f"{radio.code} has no sentence"
    return radio.link, radio.code


async def test_a_pen_that_nobody_hears_is_down_and_not_heard(house: House) -> None:
    assert seen(house) == ("down", "pen.not_heard")


async def test_a_pen_whose_ink_flows_is_live_on_its_adapter(house: House) -> None:
    await standing(house)
    radio = house.box.seats.radio_of(mac(1))
    assert seen(house) == ("live", "ok")
    assert (radio.adapter, radio.battery_percent) == ("AA", 80)


async def test_a_link_without_a_hello_is_connecting(house: House) -> None:
    await standing(house)
    house.box.linking.links.states[mac(1)].ready = False
    assert seen(house) == ("connecting", "radio.connecting")
    house.radios.links[mac(1)] = Connecting("AA", 1, 2)
    assert seen(house) == ("connecting", "radio.connecting")


async def test_a_pen_that_wants_a_password_says_so(house: House) -> None:
    await standing(house, locked_with="4711")
    assert seen(house) == ("down", "pen.password_needed")


async def test_a_low_battery_is_live_with_a_word(house: House) -> None:
    await standing(house)
    house.box.linking.links.states[mac(1)].battery_percent = 9
    assert seen(house) == ("live", "pen.battery_low")
    assert house.box.seats.radio_of(mac(1)).detail == {"percent": 9}


@pytest.mark.parametrize(("why", "code"), [("low_battery", "pen.battery_empty"), ("button", "pen.power_off")])
async def test_a_pen_that_said_why_it_goes_is_believed(house: House, why: str, code: str) -> None:
    await standing(house)
    house.box.linking.links.states[mac(1)].power_off = why
    house.radios.links[mac(1)] = Disconnected("link.lost", 1, {})
    assert seen(house) == ("down", code)


async def test_a_full_radio_is_told_with_its_numbers(house: House) -> None:
    house.radios.links[mac(1)] = Disconnected("radio.full", 1, {"used": 5, "places": 5})
    assert seen(house) == ("down", "radio.full")
    assert house.box.seats.radio_of(mac(1)).detail == {"used": 5, "places": 5}


async def test_a_seat_has_the_pen_that_is_bound_to_it_now(house: House) -> None:
    assert house.box.seats.pen_of(1) == mac(1)
    await house.ask("pens_bind", pairs=[[mac(2), 1]])
    assert (house.box.seats.pen_of(1), house.box.seats.pen_of(2)) == (mac(2), None)
