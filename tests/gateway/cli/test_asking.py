"""Commands against a running gateway: what they print, in words and as one document."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import control
from tests.gateway.box_rig import House
from tests.gateway.rig import mac
from tests.gateway.shell import Shell


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.fill()
    server = await control.serve(tmp_path, house.handlers)
    yield house
    server.close()
    await house.close()


@pytest.fixture
def shell(house: House, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(house, capsys)


@pytest.mark.slow
async def test_the_pens_are_listed_with_the_reason_of_each_that_is_not_linked(house: House, shell: Shell) -> None:
    await house.link(mac(1))
    found = await shell.document("inkgate.pens/1", "pens", "list")
    assert [(pen["mac"], pen["seat"]) for pen in found["pens"]] == [(mac(1), 1), (mac(2), 2)]
    code, out, _ = await shell.call("pens", "list")
    assert code == 0
    assert mac(2) in out
    assert "pen.not_heard" not in out, "a person reads a sentence, not a code"
    assert await shell.call("pens", "watch", "--seconds", "0.01") == (0, out, "")


async def test_pens_are_joined_bound_and_forgotten(house: House, shell: Shell, tmp_path: Path) -> None:
    assert (await shell.document("inkgate.join/1", "pens", "join", "--minutes", "3"))["join_open_s"] > 170
    assert (await shell.call("pens", "join", "--minutes", "0"))[0] == 0
    assert (await shell.call("pens", "bind", mac(9), "1"))[0] == 0
    assert house.box.seats.by_pen == {mac(9): 1, mac(2): 2}
    (tmp_path / "pens.csv").write_text(f"mac,seat\n{mac(1)},1\n\n{mac(3)},3\n", "utf-8")
    assert (await shell.call("pens", "bind", "--file", str(tmp_path / "pens.csv")))[0] == 0
    assert house.box.seats.by_pen == {mac(1): 1, mac(2): 2, mac(3): 3}
    assert house.rows("select how from binding where seat = 3") == [("file",)]
    assert (await shell.call("pens", "forget", mac(3)))[0] == 0
    for words in (("forget", mac(3)), ("bind", "x", "1"), ("bind", mac(1), "0"), ("identify", mac(1))):
        code, out, err = await shell.call("pens", *words)
        assert (code, out) == (2, "")
        assert err.startswith("inkgate: ")


async def test_the_status_is_told_in_lines_or_as_a_document_and_the_pin_on_request(house: House, shell: Shell) -> None:
    found = await shell.document("inkgate.status/1", "status")
    assert (found["linked"], found["lesson"], found["durable"]) == (0, None, True)
    house.box.beat.durable = False
    _, out, _ = await shell.call("status")
    assert "linked\t0" in out
    assert "! Ink cannot be written" in out
    assert house.box.pin in (await shell.call("status", "--pin"))[1]
    assert house.box.pin not in out


async def test_a_lesson_is_started_listed_and_stopped(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("revision = 0", "utf-8")
    code, _, err = await shell.call("lesson", "start", "--sheet", str(tmp_path / "bad.toml"))
    assert (code, "revision" in err) == (3, True)
    started = await shell.document("inkgate.lesson/1", "lesson", "start")
    code, _, err = await shell.call("lesson", "start")
    assert (code, "stop it first" in err) == (2, True)
    assert "runs" in (await shell.call("lesson", "list"))[1]
    stopped = await shell.document("inkgate.lesson/1", "lesson", "stop")
    assert (stopped["lesson"], stopped["answers"]) == (started["lesson"], 20)
    (row,) = (await shell.document("inkgate.lessons/1", "lesson", "list"))["lessons"]
    assert (row["answers"], row["seats"]) == (20, 2)
    assert (await shell.call("lesson", "stop"))[0] == 2
    found = await shell.document("inkgate.sync/1", "sync", "status")
    assert (found["fresh"], found["link"]["state"]) == (20, "offline")
    assert "20 results" in (await shell.call("sync", "status"))[1]


async def test_a_roster_goes_to_the_gateway_that_holds_the_store(house: House, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "class.csv").write_text("座号,姓名,学籍号\n1,甲一,L1\n2,乙二,L2\n3,丙三,L3\n", "utf-8")
    found = await shell.document("inkgate.roster/1", "roster", "import", str(tmp_path / "class.csv"))
    assert (found["added"], found["changed"]) == (1, 2)
    assert len(house.box.screen.seats()) == 3
