"""The doctor, on a box where nothing is as it should be: one sentence and one cure a finding."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import control
from gateway.doctor import Finding, examine
from gateway.settings import BoxSettings, RadioSettings, Settings, SyncSettings
from gateway.store import Store
from tests.gateway.box_rig import House


def examined(settings: Settings) -> dict[str, Finding]:
    return {found.id: found for found in examine(settings)}


def on(folder: Path, *adapters: str, broker: str = "127.0.0.1:1") -> Settings:
    return replace(
        Settings(),
        box=BoxSettings(folder=folder),
        radio=RadioSettings(adapters=adapters),
        sync=SyncSettings(broker=broker),
    )


def test_a_new_box_has_no_store_no_gateway_and_no_broker_and_none_of_it_is_a_failure(tmp_path: Path) -> None:
    found = examined(on(tmp_path / "not" / "there" / "yet"))
    assert (found["database"].verdict, found["gateway"].verdict, found["broker"].verdict) == (
        "skipped",
        "skipped",
        "warn",
    )
    assert found["python"].verdict == found["disk"].verdict == "ok"
    assert not (tmp_path / "not").exists(), "looking makes nothing"
    assert all(f.cure for f in found.values() if f.verdict in {"warn", "fail"})


def test_a_store_that_is_hurt_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    settings = on(tmp_path)
    Store(settings.database).close()
    assert examined(settings)["database"].verdict == "ok"
    settings.database.write_bytes(b"no database" * 1000)
    assert examined(settings)["database"].verdict == "fail"
    assert settings.database.read_bytes() == b"no database" * 1000


def test_each_adapter_is_looked_for_where_its_setting_says(tmp_path: Path) -> None:
    (tmp_path / "hci").touch()
    found = examine(on(tmp_path, f"unix:{tmp_path}/hci", f"serial:{tmp_path}/ttyUSB9,1000000"))
    assert [f.verdict for f in found if f.id == "radio"] == ["ok", "fail"]


def test_a_broker_that_answers_is_found_and_a_setting_that_is_none_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert examined(on(tmp_path, broker=f"127.0.0.1:{port}"))["broker"].verdict == "ok"
    assert examined(on(tmp_path, broker="nowhere"))["broker"].verdict == "warn"


@pytest.mark.slow
async def test_a_running_gateway_s_warnings_are_findings(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.box.take_up()
    house.box.beat.durable = False
    server = await control.serve(tmp_path, house.handlers)
    found = await asyncio.to_thread(examined, on(tmp_path))
    assert found["gateway"].verdict == "ok"
    assert found["gateway.store.not_durable"].verdict == "fail"
    server.close()
    await house.close()
