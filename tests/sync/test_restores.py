"""Disks that go back: of the box, of the district. The proof says what each lacks, in words and by id."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import sums
from sync.district.proof import judge, named
from sync.district.sqlite_store import SqliteStore
from tests.sync.rig import Rig, rig_in
from tests.sync.samples import Box, result

DAY = "2026-09-21"
HOUR_MS = 3_600_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        yield rig


def take_image(rig: Rig) -> Path:
    """An image of the box's disk while it runs, as a snapshot makes it."""
    image = rig.folder / "image.db"
    copy = sqlite3.connect(image)
    rig.box.db.conn.backup(copy)
    copy.close()
    return image


def put_back(rig: Rig, image: Path) -> None:
    """The gateway is killed, and the image is put back under it."""
    rig.hub.cut("box-1")
    rig.box.close()
    for name in ("box.db", "box.db-wal", "box.db-shm"):
        (rig.folder / name).unlink(missing_ok=True)
    image.rename(rig.folder / "box.db")
    rig.box = Box(rig.folder / "box.db")
    rig.start_box()


def compared(rig: Rig) -> dict[str, str]:
    """What `prove --against` names: (id: in a word)."""
    store = SqliteStore(rig.folder / "district.db", None)
    store.open()
    found = named(sums.rows_of(rig.box.db, DAY), store.rows_of("box-1", DAY))
    store.close()
    return {one.id: one.what for one in found}


async def test_a_box_restored_from_an_image_ten_seconds_old_loses_and_doubles_nothing(rig: Rig) -> None:
    rig.start_district()
    for number in range(30):
        rig.box.put(result(number), result(number % 7, rev=1, value="corrected"))
        await rig.run(500)
    image = take_image(rig)
    for number in range(30, 50):
        rig.box.put(result(number), result(number % 5, value=f"of the lost seconds {number}"))
        await rig.run(500)
    await rig.drain(10_000)
    before = rig.in_district()
    put_back(rig, image)
    for number in (*range(40, 60), *range(5)):
        rig.box.put(result(number, value=f"after the restore {number}"))
        await rig.run(300)
    await rig.drain(HOUR_MS)
    ours, theirs = rig.box.revisions(), rig.in_district()
    assert {code: theirs[code] for code in ours} == ours, "the box's own content ends above the district's"
    assert all(
        theirs[code] > before[code] for code in before if code in ours and code in {result(n).id for n in range(5)}
    )
    lost = {result(n).id for n in range(30, 40)}
    assert compared(rig) == dict.fromkeys(lost, "district_only")
    assert rig.publisher.status().raised > 0
    assert rig.publisher.status().foreign == 0


async def test_a_restored_box_that_writes_nothing_new_is_told_what_the_district_kept(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(*(result(n) for n in range(10)))
    await rig.drain(10_000)
    image = take_image(rig)
    rig.box.put(result(1, value="newer"), result(11))
    await rig.drain(10_000)
    put_back(rig, image)
    await rig.run(10_000)
    assert compared(rig) == {result(1).id: "district_newer", result(11).id: "district_only"}
    known = sums.known(rig.box.db)
    assert known is not None
    (day,) = judge(sums.sums_of(rig.box.db), known.proof, [])
    assert (day.verdict, day.box and day.box.rows, day.district and day.district.rows) == ("different", 10, 11)
    assert rig.publisher.status().reason is None, "what the district kept is no alarm"


async def test_what_waited_in_the_image_is_repeated_and_stays_once(rig: Rig) -> None:
    rig.box.put(*(result(n) for n in range(120)))
    await rig.run(1_000)
    rig.box.put(result(121))
    image = take_image(rig)
    rig.start_district()
    await rig.drain(10_000)
    put_back(rig, image)
    assert rig.box.depth().results == 121
    await rig.drain(HOUR_MS)
    assert rig.in_district() == rig.box.revisions()
    assert compared(rig) == {}
    assert (rig.publisher.status().raised, rig.publisher.status().foreign) == (0, 0)


async def test_a_district_restored_from_a_backup_gets_back_what_was_receipted_beyond_it(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(*(result(n) for n in range(30)))
    await rig.drain(10_000)
    await rig.kill_district()
    backup = (rig.folder / "district.db").read_bytes()
    rig.start_district()
    for number in range(30, 60):
        rig.box.put(result(number), result(number - 30, value="newer"))
        await rig.run(400)
    await rig.drain(10_000)
    await rig.run(5_000)
    await rig.kill_district()
    for name in ("district.db-wal", "district.db-shm"):
        (rig.folder / name).unlink(missing_ok=True)
    (rig.folder / "district.db").write_bytes(backup)
    assert set(compared(rig).values()) == {"box_only", "box_newer"}
    rig.start_district()
    await rig.run(1_000)
    await rig.drain(HOUR_MS)
    await rig.run(5_000)
    assert compared(rig) == {}
    known = sums.known(rig.box.db)
    assert known is not None
    unsettled = sums.unsettled(rig.box.db, known.proof).values()
    assert [one.verdict for one in judge(sums.sums_of(rig.box.db), known.proof, list(unsettled))] == ["equal"]
    store = SqliteStore(rig.folder / "district.db", None)
    assert len(store.open().generations) == 2
    store.close()
