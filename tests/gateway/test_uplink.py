from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import BadSetting
from gateway.figures import Figures
from gateway.settings import BoxSettings, Settings, SyncSettings
from gateway.store import Store
from gateway.uplink import Uplink
from sync import outbox
from tests.gateway.rig import Clock
from tests.sync.samples import MADE_MS, result


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "gateway.db")
    yield store
    store.close()


def uplink(store: Store, settings: Settings, now_ms: Clock | None = None) -> Uplink:
    return Uplink(settings, store, Figures(), now_ms or Clock())


async def test_depth_and_age_are_of_what_is_committed(store: Store) -> None:
    now_ms = Clock(MADE_MS + 12_000)
    link = uplink(store, Settings(), now_ms)
    await store.run(lambda db: [outbox.put(db, result(n)) for n in range(3)])
    assert link.depth == 0
    link.look()
    assert (link.depth, link.oldest_s) == (3, 12)
    now_ms.ms = MADE_MS - 60_000
    link.look()
    assert link.oldest_s == 0, "a clock that was set back makes no negative age"


async def test_nothing_is_connected_before_it_runs(store: Store) -> None:
    assert uplink(store, Settings()).view()["state"] == "offline"


@pytest.mark.parametrize(
    "settings",
    [
        replace(Settings(), box=BoxSettings(id="no spaces allowed/#")),
        replace(Settings(), box=BoxSettings(school="")),
        replace(Settings(), sync=SyncSettings(broker="nonsense")),
        replace(Settings(), sync=SyncSettings(broker="host:port")),
    ],
    ids=["box.id", "box.school", "broker without port", "broker with a word for its port"],
)
async def test_settings_that_make_no_topic_or_address_are_refused_by_name(store: Store, settings: Settings) -> None:
    with pytest.raises(BadSetting, match=r"\[box\] or \[sync\]"):
        uplink(store, settings)
