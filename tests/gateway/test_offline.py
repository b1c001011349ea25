"""Errands while no gateway runs: the same answers, the same refusals."""

import base64
from pathlib import Path

import pytest

from gateway.errors import FoundProblems, Missing, NotRunning, StoreBusy
from gateway.offline import do_offline
from gateway.settings import BoxSettings, Settings
from gateway.store import Store

ROSTER = base64.b64encode("座号,姓名,学籍号\n01,甲一,L1\n".encode("gb18030")).decode()


def at(folder: Path) -> Settings:
    return Settings(box=BoxSettings(folder=folder))


def test_a_roster_is_imported_into_a_store_that_is_made_for_it(tmp_path: Path) -> None:
    settings = at(tmp_path / "box")
    assert do_offline(settings, "roster_import", content=ROSTER)["added"] == 1
    again = do_offline(settings, "roster_import", content=ROSTER)
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)
    assert do_offline(settings, "lesson_list") == {"lessons": []}
    assert do_offline(settings, "sync_status")["link"] == {"state": "not_running"}


def test_a_roster_with_a_fault_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(FoundProblems):
        do_offline(at(tmp_path / "box"), "roster_import", content="")
    assert not (tmp_path / "box").exists()


def test_without_a_store_there_is_nothing_to_list_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="roster import"):
        do_offline(at(tmp_path / "box"), "lesson_list")
    assert not (tmp_path / "box").exists()


def test_what_needs_the_gateway_says_so(tmp_path: Path) -> None:
    settings = at(tmp_path)
    do_offline(settings, "roster_import", content=ROSTER)
    with pytest.raises(NotRunning, match="inkgate run"):
        do_offline(settings, "lesson_start", text="")


def test_a_store_that_is_in_use_is_not_touched(tmp_path: Path) -> None:
    settings = at(tmp_path)
    store = Store(settings.database)
    with pytest.raises(StoreBusy):
        do_offline(settings, "roster_import", content=ROSTER)
    store.close()
    do_offline(settings, "lesson_list")
