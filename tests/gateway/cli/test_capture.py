"""`capture record` against a running gateway, and `capture replay` of what it wrote."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.capture import Header, Record, to_line
from gateway import control
from gateway.cli import program
from gateway.cli.decode import decode_lines
from gateway.clock import now_ms
from tests.devices.neo.ready_bytes import CLOCK_FRAME, D0, HELLO_FRAME, NOTES_FRAME, P1, SETTINGS_FRAME, U4, X2, X3
from tests.gateway.box_rig import House
from tests.gateway.rig import PAGE1, mac

START_MS = 1_700_000_000_000
STROKE = (D0, P1, X2, X3, U4)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.fill()
    server = await control.serve(tmp_path, house.handlers)
    yield house
    server.close()
    await house.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.capture"


def written(path: Path, *notifications: bytes, begins: Any = "link", family: str = "Neo") -> Path:  # noqa: ANN401  as Header
    header = Header(pen=mac(1), family=family, started_ms=START_MS, begins=begins)
    lines = [to_line(Record(START_MS + n, "<", data), START_MS) for n, data in enumerate(notifications)]
    path.write_text(header.to_line() + "".join(lines))
    return path


def replay(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> tuple[int, str, str]:
    code = program(["capture", "replay", str(path), *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_replay_prints_the_events_as_decode_does(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = replay(capsys, written(path, *STROKE, begins="middle"))
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == list(decode_lines(data.hex() for data in STROKE))


def test_a_replay_tells_what_was_odd(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handshake = (HELLO_FRAME, SETTINGS_FRAME, CLOCK_FRAME, NOTES_FRAME)
    whole = written(path, *handshake, b"noise", *STROKE, X3, X3, b"\xc0\x6c\xc1")
    whole.write_text(whole.read_text() + '[99,"<","c0')
    code, _, err = replay(capsys, whole)
    assert code == 0
    assert "noise 1" in err
    assert "cut short" in err
    code, out, _ = replay(capsys, whole, "--json")
    document = json.loads(out)
    assert (code, document["schema"]) == (0, "inkgate.capture.replay/1")
    assert (document["pen"], document["begins"], document["ends"], document["cut"]) == (mac(1), "link", "stopped", True)
    assert (document["came"], document["written"]) == (13, 0)
    assert document["events"]["Dot"] == 2
    assert document["odd"]["noise"] == 1


def test_a_file_that_is_no_capture_is_exit_3_and_names_the_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("座号,姓名\n")
    code, out, err = replay(capsys, path)
    assert (code, out) == (3, "")
    assert "line 1" in err
    whole = written(path, *STROKE)
    whole.write_text(whole.read_text().replace('[1,"<"', '[1,"?"'))
    code, _, err = replay(capsys, whole)
    assert (code, "line 3" in err) == (3, True)


def test_a_file_that_is_not_there_is_wrong_use(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(capsys, path)[0] == 2


def test_pens_of_an_unknown_family_need_their_plug_in(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = replay(capsys, written(path, family="Quill"))
    assert code == 69
    assert "Quill" in err


def test_without_a_gateway_nothing_is_recorded(tmp_path: Path, path: Path) -> None:
    assert program(["--set", f"box.folder={tmp_path}", "capture", "record", str(path)]) == 69
    assert not path.exists()


def test_the_help_says_what_a_capture_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert program(["capture", "record", "--help"]) == 0
    assert "child's handwriting" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
async def test_a_link_is_recorded_until_it_ends_and_can_be_replayed(
    house: House, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = await house.link(mac(1))
    at = ("--set", f"box.folder={house.settings.box.folder}", "--set", "box.language=en")
    call = asyncio.create_task(asyncio.to_thread(program, [*at, "capture", "record", str(path), "--pen", mac(1)]))
    async with asyncio.timeout(10):
        while house.box.captures.status()["state"] != "recording":  # noqa: ASYNC110  # the command asks by a socket
            await asyncio.sleep(0.01)
    link.stroke(now_ms(), PAGE1, (30, 30), (31, 30))
    await house.beat()
    await house.drop(mac(1))
    assert await call == 0
    assert mac(1) in capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600  # noqa: ASYNC240  # nothing else runs in this loop
    assert "name 1" not in path.read_text()  # noqa: ASYNC240  # as above
    code, out, _ = replay(capsys, path)
    assert code == 0
    assert [json.loads(line)["event"] for line in out.splitlines()].count("dot") == 2


@pytest.mark.slow
async def test_a_pen_that_never_comes_is_exit_69_and_leaves_no_file(house: House, path: Path) -> None:
    at = ("--set", f"box.folder={house.settings.box.folder}")
    words = [*at, "capture", "record", str(path), "--pen", mac(9), "--seconds", "0.3"]
    assert await asyncio.to_thread(program, words) == 69
    assert not path.exists()  # noqa: ASYNC240  # nothing else runs in this loop
    assert house.box.captures.status() == {"state": "idle"}
