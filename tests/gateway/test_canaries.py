"""Field case 32: names and numbers of pupils stand in one table, and nowhere else: no log, no topic, no thread."""

import asyncio
import base64
import json
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gateway import control
from gateway.clock import now_ms
from gateway.errors import GatewayError
from sync import outbox
from sync.messages import unpack
from sync.outbox import Numbers
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO, PAGE1, Q1, mac

CANARIES = ("金丝雀甲", "CANARY-0001", "Canary Two", "CANARY-0002")
ROSTER = "座号,姓名,学籍号\n1,金丝雀甲,CANARY-0001\n2,Canary Two,CANARY-0002\n"


def forms() -> list[bytes]:
    """Every way that a canary may be written in."""
    out = []
    for canary in CANARIES:
        raw = [canary.encode(code) for code in ("utf-8", "gb18030", "utf-16-le")]
        out += [*raw, canary.encode("unicode_escape"), quote(canary).encode(), json.dumps(canary)[1:-1].encode()]
        out += [one.hex().encode() for one in raw] + [base64.b64encode(one).rstrip(b"=")[:-1] for one in raw]
    return out


def assert_silent(where: str, said: bytes | str) -> None:
    data = said if isinstance(said, bytes) else said.encode()
    found = [form for form in forms() if form in data]
    assert not found, f"a canary sings in {where}"


@pytest.fixture
async def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[House]:
    caplog.set_level(logging.DEBUG)
    house = House(tmp_path)
    await house.box.take_up()
    await house.ask("roster_import", content=base64.b64encode(ROSTER.encode()).decode())
    await house.ask("pens_bind", pairs=[[mac(1), 1], [mac(2), 2]])
    yield house
    await house.close()


async def a_lesson(house: House) -> None:
    for seat in (1, 2):
        await house.link(mac(seat))
    await house.ask("lesson_start", text=DEMO)
    house.links[mac(1)].stroke(now_ms(), PAGE1, Q1, Q1)
    await house.beat()
    await house.drop(mac(2))
    await house.ask("pens_forget", pen=mac(1))
    house.box.desk._stop_s = 0.01
    await house.ask("lesson_stop")


async def test_the_scan_finds_what_it_looks_for() -> None:
    for form in forms():
        with pytest.raises(AssertionError):
            assert_silent("here", b"before " + form + b" after")


async def test_a_lesson_leaves_no_name_in_logs_answers_threads_or_rows(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await a_lesson(house)
    said: dict[str, Any] = {}
    for errand in ("status", "pens_list", "lesson_list", "sync_status"):
        said[errand] = await house.ask(errand)
        assert_silent(errand, json.dumps(said[errand], ensure_ascii=False))
    assert_silent("the log", caplog.text)
    assert_silent("threads", "".join(thread.name for thread in threading.enumerate()))
    assert_silent("tasks", "".join(task.get_name() for task in asyncio.all_tasks()))
    tables = [row[0] for row in house.rows("select name from sqlite_master where type = 'table'")]
    for table in tables:
        if table != "pupil":
            assert_silent(table, repr(house.rows(f"select * from {table}")))  # noqa: S608  the store's own names
    assert house.rows("select count(*) from pupil") == [(2,)]


async def test_what_is_sent_to_the_district_has_no_name_and_no_number(house: House) -> None:
    await a_lesson(house)
    await house.store.run(lambda db: outbox.seal(db, Numbers(), now_ms=now_ms()))
    payloads = [row[0] for row in house.rows("select payload from envelope")]
    assert payloads
    for payload in payloads:
        assert_silent("an envelope", bytes(payload))
        assert_silent("an envelope's rows", repr(unpack(bytes(payload))))


async def test_a_refused_import_and_a_failing_errand_tell_no_name(
    house: House, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    bad = ROSTER + "1,金丝雀甲,CANARY-0001\n"
    server = await control.serve(tmp_path, house.handlers)
    requests: tuple[dict[str, Any], ...] = (
        {"do": "roster_import", "content": base64.b64encode(bad.encode()).decode()},
        {"do": "roster_import", "content": {"name": CANARIES[0]}},
        {"do": "pens_bind", "pairs": [["9C:7B:D2:00:00:01", 9999]], "who": CANARIES[0]},
        {"do": "lesson_start", "text": CANARIES[0]},
    )
    for request in requests:
        with pytest.raises(GatewayError) as refused:
            await asyncio.to_thread(control.ask, tmp_path, **request)
        assert_silent("an error", str(refused.value))
    server.close()
    assert_silent("the log", caplog.text)


async def test_files_beside_the_store_are_named_for_nobody(house: House) -> None:
    await a_lesson(house)
    for path in house.settings.box.folder.rglob("*"):
        assert_silent("a file's name", path.name)
        if path.suffix == ".key":
            assert_silent(path.name, path.read_bytes())
