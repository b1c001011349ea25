"""The doctor, on a box where nothing is as it should be: one sentence and one cure a finding."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import control, doctor
from gateway.backup import join_aside
from gateway.disk import Disk
from gateway.doctor import Finding, examine
from gateway.settings import BoxSettings, DiskSettings, RadioSettings, Settings, SyncSettings
from gateway.store import Store
from tests.gateway.box_rig import House
from tests.gateway.small_disk import fill_up, small_disk
from tests.gateway.stores import filled, hurt


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


def test_a_clock_that_was_never_set_is_a_fault_with_its_cure_and_the_lesson_runs_all_the_same() -> None:
    """Field case 13."""
    (found,) = doctor._clock(Settings(), trusted=lambda: False)
    assert (found.id, found.verdict) == ("clock", "fail")
    assert "not set" in found.sentence
    assert found.cure
    (found,) = doctor._clock(Settings(), trusted=lambda: True)
    assert found.verdict == "ok"


@pytest.mark.slow
def test_a_disk_that_is_short_of_room_is_told_with_its_cure(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 8) as folder:
        keep = DiskSettings(low_mb=3, reserve_mb=1)
        settings = replace(on(folder), disk=keep)
        Store(settings.database).close()
        watched = Disk(folder, low_mb=keep.low_mb, reserve_mb=keep.reserve_mb)
        watched.look()
        assert examined(settings)["disk"].verdict == "ok"
        fill_up(folder, leave_bytes=2 << 20)
        watched.look()
        assert examined(settings)["disk.low"].verdict == "fail"
        fill_up(folder)
        watched.look()
        found = examined(settings)["disk.full"]
        assert (found.verdict, "by itself" in found.cure) == ("fail", True)


def test_a_damaged_store_that_was_put_aside_is_told_until_it_is_joined(tmp_path: Path) -> None:
    path = filled(tmp_path)
    hurt(path, "zeroed")
    assert examined(on(tmp_path))["database"].verdict == "fail"
    Store(path, mend=True).close()
    found = examined(on(tmp_path))
    assert found["database"].verdict == "ok"
    assert (found["store.damaged"].verdict, "--salvage" in found["store.damaged"].cure) == ("fail", True)
    join_aside(path)
    assert "store.damaged" not in examined(on(tmp_path))
