"""The two-sided proof from end to end: the district tells its sums by itself, and the box compares."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import outbox, sums
from sync.district.proof import judge
from sync.messages import Proof
from tests.sync.rig import TOPICS, Rig, rig_in
from tests.sync.samples import MADE_MS, result

DAY = "2026-09-21"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        yield rig


def told(rig: Rig) -> list[Proof]:
    """Every proof that the district told, in order."""
    return [Proof.from_json(payload) for topic, payload in rig.hub.published if topic == TOPICS.proof]


def verdicts(rig: Rig) -> list[tuple[str, str]]:
    """(day, verdict) as `sync prove` on the box judges."""
    known = sums.known(rig.box.db)
    assert known is not None
    unsettled = sums.unsettled(rig.box.db, known.proof)
    return [(one.day, one.verdict) for one in judge(sums.sums_of(rig.box.db), known.proof, list(unsettled.values()))]


async def test_the_box_knows_by_itself_that_the_district_has_everything(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(*(result(n) for n in range(250)))
    await rig.run(8_000)
    assert verdicts(rig) == [(DAY, "equal")]
    known = sums.known(rig.box.db)
    assert known is not None
    assert known.proof.pos == 3
    assert known.came_ms >= MADE_MS
    assert sums.unsettled(rig.box.db, known.proof) == {}


async def test_sums_are_told_at_most_every_three_seconds_and_only_when_something_came(rig: Rig) -> None:
    rig.start_district()
    await rig.run(1_000)
    first = len(told(rig))
    for number in range(60):
        rig.box.put(result(number))
        await rig.run(500)
    assert 8 <= len(told(rig)) - first <= 11
    await rig.run(4_000)
    before = len(told(rig))
    await rig.run(10_000)
    assert len(told(rig)) == before


async def test_a_box_that_comes_with_nothing_to_send_is_told_its_sums(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(result(1))
    await rig.run(5_000)
    await rig.kill_district()
    rig.hub.crash(wipe=True)
    await rig.run(500)
    rig.hub.up = True
    rig.start_district()
    before = len(told(rig))
    await rig.run(8_000)
    assert len(told(rig)) == before + 1
    assert told(rig)[-1].sums() == sums.sums_of(rig.box.db)


async def test_a_day_whose_results_are_under_way_is_not_called_different(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(result(1))
    await rig.run(5_000)
    await rig.kill_district()
    rig.box.put(result(2))
    assert verdicts(rig) == [(DAY, "waiting")]
    known = sums.known(rig.box.db)
    assert known is not None
    assert {one.why for one in sums.unsettled(rig.box.db, known.proof).values()} == {"waiting"}
    await rig.run(1_000)
    assert set(sums.unsettled(rig.box.db, None)) == {result(2).id}
    rig.start_district()
    await rig.run(10_000)
    assert verdicts(rig) == [(DAY, "equal")]


async def test_a_receipt_younger_than_the_proof_is_waited_for_and_not_an_alarm(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(result(1))
    await rig.run(5_000)
    rig.box.put(result(2))
    await rig.drain(1_000)
    known = sums.known(rig.box.db)
    assert known is not None
    assert [one.why for one in sums.unsettled(rig.box.db, known.proof).values()] == ["not_in_proof"]
    assert verdicts(rig) == [(DAY, "waiting")]


async def test_a_result_that_the_district_lost_behind_its_receipt_is_a_difference(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(*(result(n) for n in range(5)))
    await rig.run(5_000)
    await rig.kill_district()
    rig.box.db.conn.execute("update result set digest = zeroblob(16) where id = ?", (result(3).id,))
    rig.box.db.conn.commit()
    assert verdicts(rig) == [(DAY, "different")]


async def test_a_refused_result_excuses_no_difference_and_is_named(rig: Rig) -> None:
    rig.start_district()
    rig.box.put(result(1))
    await rig.run(5_000)
    await rig.kill_district()
    rig.box.put(result(2))
    await rig.run(1_000)
    with rig.box.db.atomic():
        newest = rig.box.db.conn.execute("select max(id) from envelope").fetchone()[0]
        assert outbox.refuse(rig.box.db, newest, "sync.not_authorized")
    assert verdicts(rig) == [(DAY, "different")]
    found = sums.unsettled(rig.box.db, None)
    assert [(one.id, one.why) for one in found.values()] == [(result(2).id, "sync.not_authorized")]


async def test_a_district_without_the_topic_and_an_access_list_without_it_leave_all_as_it_was(rig: Rig) -> None:
    rig.hub.refused_topics.add(TOPICS.proof)
    rig.start_district()
    rig.box.put(*(result(n) for n in range(5)))
    await rig.drain(10_000)
    await rig.run(5_000)
    assert rig.publisher.status().state == "online"
    assert sums.known(rig.box.db) is None
    assert rig.in_district() == rig.box.revisions()


async def test_an_older_proof_that_comes_late_changes_nothing(rig: Rig) -> None:
    newer = Proof.of({}, generation="g", pos=9, at_ms=1)
    older = Proof.of({}, generation="g", pos=3, at_ms=1)
    restored = Proof.of({}, generation="h", pos=2, at_ms=1)
    with rig.box.db.atomic():
        assert [sums.keep(rig.box.db, one, now_ms=1) for one in (newer, older, restored)] == [True, False, True]
    assert sums.known(rig.box.db) == sums.Known(restored, 1)
