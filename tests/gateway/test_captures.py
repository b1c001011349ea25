"""One capture at a time, over a whole box."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.capture import Capture, read_capture, replayed, session_for
from devices.events import Dot, PenEvent, Ready, Version
from gateway.clock import now_ms
from gateway.errors import WrongUse
from tests.gateway.box_rig import House
from tests.gateway.rig import PAGE1, mac


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.fill()
    yield house
    await house.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.capture"


def events_of(capture: Capture) -> list[PenEvent]:
    return [arrived.event for arrived in replayed(capture, session_for(capture))]


def dots_in(capture: Capture) -> int:
    return sum(isinstance(event, Dot) for event in events_of(capture))


async def test_a_pen_that_is_not_linked_is_recorded_from_its_next_link(house: House, path: Path) -> None:
    said = await house.ask("capture_start", path=str(path), pen=mac(1), seconds=60)
    assert said == {"state": "waiting"}
    await house.link(mac(2))
    assert not path.exists(), "it is another pen"  # noqa: ASYNC240  # nothing else runs in this loop
    link = await house.link(mac(1))
    link.stroke(now_ms(), PAGE1, (30, 30), (31, 30), (32, 30))
    await house.beat()
    await house.drop(mac(1))
    said = await house.ask("capture_stop")
    assert (said["state"], said["why"], said["pen"], said["begins"]) == ("ended", "link_lost", mac(1), "link")
    capture = read_capture(path)
    told = events_of(capture)
    assert Ready() in told
    assert [event.mac for event in told if isinstance(event, Version)] == [mac(1)]
    assert dots_in(capture) == 3
    assert said["came"] == sum(record.kind == "<" for record in capture.records)
    assert await house.ask("capture_status") == {"state": "idle"}


async def test_any_pen_will_do_where_none_is_named_but_only_one(house: House, path: Path) -> None:
    await house.ask("capture_start", path=str(path))
    await house.link(mac(2))
    await house.link(mac(1))
    assert (await house.ask("capture_stop"))["pen"] == mac(2)
    assert Ready() in events_of(read_capture(path))


async def test_a_pen_that_is_linked_is_recorded_from_now_on_and_no_dot_of_it_is_missed(
    house: House, path: Path
) -> None:
    link = await house.link(mac(1))
    link.down(now_ms(), PAGE1)
    link.dot(30, 30)
    await house.beat()
    said = await house.ask("capture_start", path=str(path), pen=mac(1).lower(), seconds=60)
    assert (said["state"], said["begins"]) == ("recording", "middle")
    link.dot(31, 30)
    link.dot(32, 30)
    link.up()
    await house.beat()
    assert (await house.ask("capture_stop"))["why"] == "stopped"
    link.stroke(now_ms(), PAGE1, (40, 40))
    await house.beat()
    assert dots_in(read_capture(path)) == 2
    await house.drop(mac(1))
    assert house.rows("select sum(dots) from ink") == [(4,)], "the box itself went on as ever"


async def test_a_second_capture_waits_for_the_end_of_the_first(house: House, path: Path, tmp_path: Path) -> None:
    await house.ask("capture_start", path=str(path))
    with pytest.raises(WrongUse, match="already"):
        await house.ask("capture_start", path=str(tmp_path / "b.capture"))
    await house.ask("capture_stop")
    assert (await house.ask("capture_start", path=str(tmp_path / "b.capture")))["state"] == "waiting"
    await house.ask("capture_stop")


@pytest.mark.parametrize("name", ["there", "no/such/folder/c", "."])
async def test_a_file_that_is_there_or_cannot_be_is_refused(house: House, tmp_path: Path, name: str) -> None:
    (tmp_path / "there").write_text("a bug report")
    with pytest.raises(WrongUse):
        await house.ask("capture_start", path=str(tmp_path / name))
    with pytest.raises(WrongUse):
        await house.ask("capture_start", path=name)
    assert (tmp_path / "there").read_text() == "a bug report"
    assert await house.ask("capture_status") == {"state": "idle"}


async def test_a_file_that_cannot_be_made_when_the_pen_comes_does_not_cost_its_link(house: House, path: Path) -> None:
    await house.ask("capture_start", path=str(path), pen=mac(1))
    path.write_text("somebody was quicker")  # noqa: ASYNC240  # nothing else runs in this loop
    await house.link(mac(1))
    assert house.box.linking.links.ready_count == 1
    assert await house.ask("capture_status") == {"state": "idle"}


async def test_a_capture_ends_by_itself_when_its_time_is_over(house: House, path: Path) -> None:
    await house.link(mac(1))
    house.box.captures.start(path, pen=mac(1), seconds=0.001)
    while house.box.captures.status()["state"] == "recording":
        await house.beat()
    assert house.box.captures.status()["why"] == "stopped"
    assert house.box.linking.links.ready_count == 1
