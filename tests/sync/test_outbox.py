"""The box's end on disk, against real SQLite."""

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import outbox, sums
from sync.messages import NUMBER_REUSED, Announcement, Receipt, Result, digest, number, unpack
from sync.outbox import NOT_AUTHORIZED, Numbers
from tests.sync.samples import MADE_MS, Box, box_at, result


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_at(tmp_path / "box.db") as box:
        yield box


def _counting() -> Numbers:
    """Numbers with epochs 1, 2, 3 ..."""
    count = itertools.count(1)
    return Numbers(lambda size: next(count).to_bytes(size))


def _seal(box: Box, numbers: Numbers) -> int:
    with box.db.atomic():
        return outbox.seal(box.db, numbers, now_ms=MADE_MS)


def _book(box: Box, receipt: Receipt, numbers: Numbers) -> outbox.Booked:
    with box.db.atomic():
        return outbox.book(box.db, receipt, numbers)


def _ok(numbers: Numbers, low: int, high: int, generation: str = "g1", pos: int = 1) -> Receipt:
    return Receipt(v=1, epoch=numbers.epoch.hex(), ok=((low, high),), generation=generation, pos=pos)


def test_each_new_version_of_a_result_is_one_revision_more(box: Box) -> None:
    revisions = [outbox.put(box.db, result(1, value=value)) for value in ("1", "2", "2")]
    assert revisions == [1, 2, 3]
    rows = [json.loads(row) for (row,) in box.db.conn.execute("select row from fresh order by seq")]
    assert [row["rev"] for row in rows] == [1, 2, 3]
    assert [Result.from_body(row["body"]).rev for row in rows] == [1, 2, 3]
    assert box.db.conn.execute("select id, rev, day from result").fetchall() == [(result(1).id, 3, "2026-09-21")]


def test_a_result_keeps_a_higher_revision_that_it_brings(box: Box) -> None:
    assert [outbox.put(box.db, result(1, rev=rev)) for rev in (2, 2, 7)] == [2, 3, 7]


def test_a_grade_that_is_undone_leaves_no_outbox_row(box: Box) -> None:
    with contextlib.suppress(RuntimeError), box.db.atomic():
        outbox.put(box.db, result(1))
        raise RuntimeError
    assert box.depth().results == 0
    assert box.revisions() == {}


def test_sealing_takes_at_most_a_hundred_in_order_and_never_twice(box: Box) -> None:
    box.put(*(result(n) for n in range(250)))
    numbers = _counting()
    assert [_seal(box, numbers) for _ in range(4)] == [100, 100, 50, 0]
    offers = outbox.offerable(box.db, after_id=0, limit=10)
    assert [number(offer.payload)[1:] for offer in offers] == [(1, 100), (2, 100), (3, 50)]
    sealed = [row.id for offer in offers for row in unpack(offer.payload)]
    assert sealed == [result(n).id for n in range(250)]
    assert box.depth().fresh == 0


def test_what_is_offered_goes_by_id_and_stops_at_the_limit(box: Box) -> None:
    box.put(*(result(n) for n in range(500)))
    numbers = _counting()
    while _seal(box, numbers):
        pass
    assert [offer.id for offer in outbox.offerable(box.db, after_id=2, limit=2)] == [3, 4]
    one = outbox.waiting(box.db, 3)
    assert one is not None
    assert digest(one.payload) == box.db.conn.execute("select digest from envelope where id = 3").fetchone()[0]
    assert outbox.waiting(box.db, 9) is None


def test_only_a_receipt_ends_an_envelope_and_booking_it_twice_changes_nothing(box: Box) -> None:
    box.put(*(result(n) for n in range(150)))
    numbers = _counting()
    while _seal(box, numbers):
        pass
    booked = _book(box, _ok(numbers, 1, 2), numbers)
    assert (booked.ended, booked.receipted, booked.results) == ((1, 2), (1, 2), 150)
    assert _book(box, _ok(numbers, 1, 2), numbers) == outbox.Booked()
    assert box.states() == ["receipted"] * 2
    assert box.depth().results == 0
    assert outbox.made_ms(box.db, [2]) == [MADE_MS + n for n in range(100, 150)]


def test_a_receipt_of_another_epoch_ends_nothing(box: Box) -> None:
    box.put(result(1))
    numbers = _counting()
    _seal(box, numbers)
    other = Receipt(v=1, epoch="ff" * 8, ok=((1, 9),), generation="g1", pos=1)
    assert _book(box, other, numbers).ended == ()
    assert box.states() == ["waiting"]


def test_a_refused_envelope_is_kept_with_its_reason(box: Box) -> None:
    box.put(*(result(n) for n in range(3)))
    numbers = _counting()
    _seal(box, numbers)
    booked = _book(box, Receipt(v=1, epoch=numbers.epoch.hex(), refused=((1, "bad rows"),)), numbers)
    assert (booked.ended, booked.refused) == ((1,), ("bad rows",))
    depth = box.depth()
    assert (depth.waiting, depth.refused, depth.refused_results, depth.reasons) == (0, 1, 3, {"bad rows": 1})
    assert depth.results == 3


def test_an_envelope_with_an_unreadable_header_is_refused_by_its_digest(box: Box) -> None:
    box.put(result(1))
    numbers = _counting()
    _seal(box, numbers)
    named = digest(outbox.offerable(box.db, after_id=0, limit=1)[0].payload).hex()
    _book(box, Receipt(v=1, epoch="", refused=((named, "unknown version 1"),)), numbers)
    assert box.states() == ["refused"]


def test_a_number_that_was_taken_sends_the_same_rows_under_a_new_epoch(box: Box) -> None:
    box.put(*(result(n) for n in range(5)))
    numbers = _counting()
    _seal(box, numbers)
    old = numbers.epoch
    refusal = Receipt(v=1, epoch=old.hex(), refused=((1, NUMBER_REUSED),))
    _book(box, refusal, numbers)
    assert box.depth().fresh == 5
    _book(box, refusal, numbers)
    assert box.depth().fresh == 5
    assert _seal(box, numbers) == 5
    again = outbox.offerable(box.db, after_id=0, limit=5)
    assert [row.id for row in unpack(again[0].payload)] == [result(n).id for n in range(5)]
    assert number(again[0].payload).epoch != old


def test_a_conflict_about_our_own_content_is_answered_one_revision_higher(box: Box) -> None:
    box.put(result(1, value="ours"))
    numbers = _counting()
    _seal(box, numbers)
    conflict = Receipt(v=1, conflict=((result(1).id, 1),), digests=(("aa" * 16, "bb" * 16),))
    assert _book(box, conflict, numbers).raised == 1
    assert box.revisions() == {result(1).id: 2}
    assert box.depth().fresh == 1
    assert _book(box, conflict, numbers).raised == 0
    body = box.db.conn.execute("select body from result").fetchone()[0]
    assert (Result.from_body(body).value, Result.from_body(body).rev) == ("ours", 2)
    assert box.depth().raised == 1


def test_a_conflict_about_somebody_elses_copy_is_counted_and_nothing_is_sent(box: Box) -> None:
    box.put(result(1))
    numbers = _counting()
    _seal(box, numbers)
    ours = result(1).to_row().digest.hex()
    booked = _book(box, Receipt(v=1, conflict=((result(1).id, 1),), digests=((ours, "bb" * 16),)), numbers)
    assert (booked.raised, booked.foreign) == (0, 1)
    unknown = _book(box, Receipt(v=1, conflict=((result(9).id, 1),)), numbers)
    assert (unknown.raised, unknown.foreign) == (0, 1)
    depth = box.depth()
    assert (depth.fresh, depth.foreign) == (0, 2)


def test_a_conflict_without_digests_from_an_older_district_is_answered_too(box: Box) -> None:
    box.put(result(1))
    assert _book(box, Receipt(v=1, conflict=((result(1).id, 4),)), _counting()).raised == 1
    assert box.revisions() == {result(1).id: 5}


def test_a_restored_box_goes_above_the_district_and_a_late_old_revision_does_not(box: Box) -> None:
    box.put(result(1), result(2), result(2))
    behind = Receipt(v=1, behind=((result(1).id, 6), (result(2).id, 2)))
    assert _book(box, behind, _counting()).raised == 1
    assert box.revisions() == {result(1).id: 7, result(2).id: 2}


def _receipted(box: Box, many: int, generation: str = "g1") -> Numbers:
    """So many envelopes of one row, receipted at positions 1, 2, 3 ..."""
    numbers = _counting()
    for position in range(1, many + 1):
        box.put(result(position))
        _seal(box, numbers)
        _book(box, _ok(numbers, position, position, generation, position), numbers)
    return numbers


def _announce(box: Box, *generations: tuple[str, int]) -> int:
    with box.db.atomic():
        return outbox.announced(box.db, Announcement(generations=generations)).waiting_again


def test_a_restored_district_gets_what_it_no_longer_has(box: Box) -> None:
    _receipted(box, 5)
    assert _announce(box, ("g1", 0)) == 0
    assert _announce(box, ("g1", 0), ("g2", 3)) == 2
    assert box.states() == ["receipted"] * 3 + ["waiting"] * 2
    assert _announce(box, ("g1", 0), ("g2", 3)) == 0


def test_the_lowest_of_several_restores_counts(box: Box) -> None:
    _receipted(box, 5)
    assert _announce(box, ("g1", 0), ("g2", 4), ("g3", 2)) == 3


def test_a_district_that_forgot_a_whole_generation_gets_all_of_it(box: Box) -> None:
    _receipted(box, 3, "g2")
    assert _announce(box, ("g1", 0), ("g3", 50)) == 3


def test_an_empty_announcement_says_nothing(box: Box) -> None:
    _receipted(box, 2)
    assert _announce(box) == 0


def test_what_the_access_list_refused_waits_again_when_a_person_says_so(box: Box) -> None:
    box.put(result(1), result(2))
    numbers = _counting()
    _seal(box, numbers)
    assert outbox.refuse(box.db, 1, NOT_AUTHORIZED)
    assert not outbox.refuse(box.db, 1, NOT_AUTHORIZED)
    assert box.depth().reasons == {NOT_AUTHORIZED: 1}
    assert outbox.readmit(box.db) == 1
    assert box.states() == ["waiting"]


def test_what_the_broker_refused_and_the_district_has_is_receipted(box: Box) -> None:
    box.put(result(1))
    numbers = _counting()
    _seal(box, numbers)
    outbox.refuse(box.db, 1, NOT_AUTHORIZED)
    assert _book(box, _ok(numbers, 1, 1), numbers).receipted == (1,)


def test_depth_tells_the_age_of_the_oldest_whether_fresh_or_sealed(box: Box) -> None:
    assert box.depth().oldest_ms is None
    box.put(result(7))
    assert box.depth().oldest_ms == MADE_MS + 7
    _seal(box, _counting())
    assert box.depth().oldest_ms == MADE_MS


def test_the_box_can_prove_its_side_by_day_and_name_rows(box: Box) -> None:
    later = msgspec.structs.replace(result(2), at_ms=MADE_MS + 86_400_000)
    box.put(result(1), later)
    side = sums.sums_of(box.db)
    assert {day: one.rows for day, one in side.items()} == {"2026-09-21": 1, "2026-09-22": 1}
    assert side["2026-09-21"].xor == result(1).to_row().digest.hex()
    assert sums.rows_of(box.db, "2026-09-22") == {later.id: (1, later.to_row().digest)}


def test_the_outbox_shares_its_file_with_other_tables_called_meta(tmp_path: Path) -> None:
    with box_at(tmp_path / "box.db") as box:
        box.db.conn.execute("drop table meta")
        box.db.conn.execute("create table meta(k text primary key, v text not null)")
        box.put(result(1))
        for _ in range(2):
            _book(box, Receipt(v=1, conflict=((result(5).id, 1),)), _counting())
        assert box.depth().foreign == 2


def test_no_number_comes_twice_in_a_life_or_over_two() -> None:
    one, other = Numbers(), Numbers()
    taken = [one.take() for _ in range(3)] + [other.take() for _ in range(3)]
    one.renew()
    taken.append(one.take())
    assert len(set(taken)) == 7
    assert [eseq for _, eseq in taken] == [1, 2, 3, 1, 2, 3, 1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["put", "seal", "ok", "reused"])), max_size=30))
def test_every_result_is_receipted_or_waits_whatever_is_said(steps: list[tuple[int, str]]) -> None:
    with box_at(Path(":memory:")) as box:
        numbers = _counting()
        stored: dict[str, int] = {}
        for which, what in steps:
            if what == "put":
                box.put(result(which))
            elif what == "seal":
                _seal(box, numbers)
            elif offers := outbox.offerable(box.db, after_id=0, limit=10):
                offer = offers[which % len(offers)]
                told = number(offer.payload)
                if what == "ok":
                    for row in unpack(offer.payload):
                        stored[row.id] = max(row.rev, stored.get(row.id, 0))
                    receipt = Receipt(v=1, epoch=told.epoch.hex(), ok=((told.eseq, told.eseq),))
                else:
                    refused = ((told.eseq, NUMBER_REUSED),)
                    receipt = Receipt(v=1, epoch=told.epoch.hex(), refused=refused)
                _book(box, receipt, numbers)
        while _seal(box, numbers):
            pass
        for offer in outbox.offerable(box.db, after_id=0, limit=1000):
            for row in unpack(offer.payload):
                stored[row.id] = max(row.rev, stored.get(row.id, 0))
        assert stored == box.revisions()
