from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway import results
from gateway.errors import BadSetting
from gateway.figures import Figures
from gateway.identity import installation
from gateway.machine import Marks
from gateway.settings import BoxSettings, Settings, SyncSettings
from gateway.store import Store
from gateway.uplink import Uplink
from sync import outbox
from sync.messages import Receipt
from tests.gateway.rig import Clock
from tests.gateway.test_results import CONTEXT, GRADED
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
        replace(Settings(), sync=SyncSettings(broker="a:1883,b")),
        replace(Settings(), sync=SyncSettings(ca_file="/nowhere/ca.crt")),
        replace(Settings(), sync=SyncSettings(cert_file="box.crt")),
    ],
    ids=[
        "box.id",
        "box.school",
        "broker without port",
        "broker with a word for its port",
        "second broker without port",
        "no such authority",
        "certificate without key",
    ],
)
async def test_settings_that_make_no_topic_or_address_are_refused_by_name(store: Store, settings: Settings) -> None:
    with pytest.raises(BadSetting, match=r"\[box\] or \[sync\]"):
        uplink(store, settings)


async def test_a_copied_disk_is_an_alarm_until_it_is_enrolled(store: Store) -> None:
    await store.run(lambda db: installation(db, lambda salt: Marks(frozenset({f"{salt} a"}), "")))
    await store.run(lambda db: installation(db, lambda salt: Marks(frozenset({f"{salt} b"}), "")))
    link = uplink(store, Settings())
    assert link.alarms() == ["identity.twin_disk"]
    assert link.view()["alarms"] == ["identity.twin_disk"]
    assert await link.enrol()
    assert link.alarms() == []
    assert uplink(store, Settings()).alarms() == []


async def test_what_was_refused_is_offered_again_on_request(store: Store) -> None:
    link = uplink(store, Settings())

    def refuse(db: Database) -> None:
        outbox.put(db, result(1))
        outbox.seal(db, outbox.Numbers(), now_ms=MADE_MS)
        outbox.refuse(db, 1, "sync.not_authorized")

    await store.run(refuse)
    assert await link.retry() == 1
    assert (await store.run(outbox.depth)).waiting == 1


async def test_a_revision_that_the_outbox_raises_has_its_grade_in_the_same_transaction(store: Store) -> None:
    link = uplink(store, Settings())
    await store.run(lambda db: results.write(db, CONTEXT, GRADED, now_ms=MADE_MS))
    (code,) = store.reader.execute("select id from grade").fetchone()
    conflict = Receipt(v=1, conflict=((code, 1),), digests=(("aa" * 16, "bb" * 16),))
    booked, _ = await link._run(lambda db: ([outbox.book(db, conflict, outbox.Numbers())], []))
    assert booked[0].raised == 1
    query = "select g.rev, g.why, r.rev from grade g join result r using (id) order by 1"
    rows = store.reader.execute(query).fetchall()
    assert [tuple(row) for row in rows] == [(1, '["ok"]', 2), (2, '["ok", "raised"]', 2)]
