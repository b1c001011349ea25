"""The errands, as commands and pages ask for them, over a whole box."""

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import cli
from gateway.clock import now_ms
from gateway.errors import FoundProblems, WrongUse
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO, FIELDS, PAGE1, Q1, mac

ROSTER = "座号,姓名,学籍号\n01,甲一,L1\n02,乙二,L2\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.box.take_up()
    yield house
    await house.close()


def content(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_an_import_is_on_the_pages_at_once_and_a_second_changes_nothing(house: House) -> None:
    said = await house.ask("roster_import", content=content(ROSTER))
    assert said == {"pupils": 2, "added": 2, "changed": 0, "removed": 0, "would_leave_seats": []}
    assert [(s.seat, s.name) for s in house.box.screen.seats()] == [(1, "甲一"), (2, "乙二")]
    said = await house.ask("roster_import", content=content(ROSTER))
    assert (said["added"], said["changed"], said["removed"]) == (0, 0, 0)


async def test_who_is_missing_in_a_file_leaves_only_when_told(house: House) -> None:
    await house.ask("roster_import", content=content(ROSTER))
    fewer = content(ROSTER.rpartition("02")[0])
    assert (await house.ask("roster_import", content=fewer))["would_leave_seats"] == [2]
    assert len(house.box.screen.seats()) == 2
    assert (await house.ask("roster_import", content=fewer, remove_missing=True))["removed"] == 1
    assert [s.seat for s in house.box.screen.seats()] == [1]


async def test_a_roster_with_a_fault_changes_nothing(house: House) -> None:
    await house.ask("roster_import", content=content(ROSTER))
    with pytest.raises(FoundProblems) as found:
        await house.ask("roster_import", content=content(ROSTER.replace("02,", "01,")))
    assert "甲一" not in str(found.value)
    assert house.rows("select count(*) from pupil") == [(2,)]


async def test_pens_are_bound_all_or_none(house: House) -> None:
    assert await house.ask("pens_bind", pairs=[[mac(1), 1], [mac(2).lower(), "2"]]) == {"bound": 2}
    assert house.box.seats.by_pen == {mac(1): 1, mac(2): 2}
    for pairs in (
        [[mac(3), 3], ["nonsense", 4]],
        [[mac(3), 3], [mac(4), 0]],
        [[mac(3), 3], [mac(4), "x"]],
        [[mac(3), 3], [mac(4), 1000]],
        [[mac(3), 3], [mac(3), 4]],
        [[mac(3), 3], [mac(4), 3]],
    ):
        with pytest.raises(WrongUse):
            await house.ask("pens_bind", pairs=pairs)
    assert house.box.seats.by_pen == {mac(1): 1, mac(2): 2}
    assert house.rows("select count(*) from binding") == [(2,)]


async def test_the_list_of_pens_has_the_bound_by_seat_then_the_heard(house: House) -> None:
    await house.ask("pens_bind", pairs=[[mac(2), 1], [mac(1), 2]])
    await house.link(mac(2))
    listed = (await house.ask("pens_list"))["pens"]
    assert [(row["seat"], row["mac"]) for row in listed] == [(1, mac(2)), (2, mac(1))]
    assert listed[0]["model"] == "NWP-F51"
    assert listed[1]["reason"] == "pen.not_heard"
    assert all(row["adopted"] for row in listed)
    assert [row["memory"] for row in listed] == [{"strokes": 0, "percent": 0, "why": None}, None]


async def test_the_status_counts_what_there_is(house: House) -> None:
    await house.ask("roster_import", content=content(ROSTER))
    await house.ask("pens_bind", pairs=[[mac(1), 1], [mac(2), 2]])
    await house.link(mac(1))
    lesson = (await house.ask("lesson_start", text=DEMO))["lesson"]
    house.links[mac(1)].stroke(now_ms(), PAGE1, Q1, Q1)
    await house.beat()
    said = await house.ask("status")
    assert (said["lesson"], said["linked"], said["bound"], said["dots"]) == (lesson, 1, 2, 2)
    assert said["committed_seq"] == house.box.beat.seq - 1 > 0
    assert set(said["linked_together_s"]) == {"1", "2"}
    assert said["warnings"] == []
    assert said["reader_pid"] is None
    assert (said["pens_with_memory"], said["strokes_in_pens"]) == (0, 0)
    assert said["store_set_back"] is None


async def test_a_lesson_from_start_to_list(house: House) -> None:
    await house.ask("roster_import", content=content(ROSTER))
    started = await house.ask("lesson_start", text=DEMO)
    assert (started["sheet"], started["seats"]) == ("maths-2-demo", 2)
    (runs,) = (await house.ask("lesson_list"))["lessons"]
    assert runs["stopped_ms"] is None
    stopped = await house.ask("lesson_stop")
    assert stopped == {"lesson": started["lesson"], "answers": 2 * len(FIELDS), "seconds": stopped["seconds"]}
    (ended,) = (await house.ask("lesson_list"))["lessons"]
    assert (ended["answers"], ended["seats"]) == (2 * len(FIELDS), 2)
    assert ended["stopped_ms"] >= ended["started_ms"]
    sync = await house.ask("sync_status")
    assert (sync["fresh"], sync["waiting"], sync["refused"]) == (2 * len(FIELDS), 0, 0)
    assert sync["oldest_s"] >= 0
    assert sync["link"]["state"] == "offline"


async def test_a_sheet_with_faults_is_told_by_its_places_and_starts_nothing(house: House) -> None:
    await house.ask("roster_import", content=content(ROSTER))
    with pytest.raises(FoundProblems, match="field q1, kind"):
        await house.ask("lesson_start", text=DEMO.replace('kind = "digit"', 'kind = "digits"', 1))
    assert (await house.ask("lesson_list"))["lessons"] == []


async def test_the_page_s_address_and_pin_are_told_to_whoever_may_ask_the_socket(house: House) -> None:
    said = await house.ask("page")
    assert said["pin"] == house.box.pin
    assert len(said["pin"]) >= 4


async def test_every_errand_that_commands_ask_for_is_there(house: House) -> None:
    asking = re.compile(r"(?:control\.ask|ask_or_do)\([^\"]*\"(\w+)\"")
    asked = {
        name for path in Path(cli.__file__).parent.glob("*.py") for name in asking.findall(path.read_text("utf-8"))
    }
    assert len(asked) > 9
    assert asked <= house.handlers.keys()


async def test_the_uplink_tells_the_depth_of_the_outbox(house: House) -> None:
    await house.ask("roster_import", content=content(ROSTER))
    await house.ask("lesson_start", text=DEMO)
    house.box.uplink.look()
    assert (house.box.uplink.depth, house.box.uplink.oldest_s) == (0, None)
    await house.ask("lesson_stop")
    house.box.uplink.look()
    assert house.box.uplink.depth == 2 * len(FIELDS)
    assert house.box.uplink.oldest_s == 0
    assert house.box.screen.status().outbox_depth == 2 * len(FIELDS)
