"""Which sums are told, and how rarely."""

from itertools import pairwise

from sync.district.proofs import EVERY_MS, Proofs
from sync.district.store import Sums
from sync.messages import DaySum, Proof
from sync.topics import BoxTopics

BOX = BoxTopics("d1", "s1", "box-1")
ONE = Sums("g", 7, {"box-1": {"2026-09-21": DaySum(3, "0" * 32)}})


def tell(proofs: Proofs, sums: Sums, *, at_ms: int, took_ms: int = 0) -> list[tuple[str, Proof]]:
    boxes = proofs.due(at_ms)
    told = proofs.told(boxes, sums, began_ms=at_ms, now_ms=at_ms + took_ms, at_ms=99)
    return [(topic, Proof.from_json(payload)) for topic, payload in told]


def test_a_changed_box_is_told_its_sums_with_their_moment() -> None:
    proofs = Proofs(0)
    assert proofs.due(0) == []
    proofs.changed(BOX)
    expected = Proof(v=1, generation="g", pos=7, at_ms=99, days=(("2026-09-21", 3, "0" * 32),))
    assert tell(proofs, ONE, at_ms=0) == [(BOX.proof, expected)]


def test_what_was_told_is_told_again_only_when_it_changed_or_the_connection_is_new() -> None:
    proofs, told = Proofs(0), []
    for turn, sums in enumerate((ONE, ONE, ONE._replace(pos=8), ONE._replace(generation="h", pos=8))):
        proofs.changed(BOX)
        told.append(len(tell(proofs, sums, at_ms=turn * EVERY_MS)))
    proofs.begin_again()
    assert [*told, len(tell(proofs, ONE._replace(generation="h", pos=8), at_ms=9 * EVERY_MS))] == [1, 0, 1, 1, 1]


def test_reading_takes_a_twentieth_of_the_time_at_most() -> None:
    proofs = Proofs(0)
    proofs.changed(BOX)
    tell(proofs, ONE, at_ms=0, took_ms=1_000)
    proofs.changed(BOX)
    assert proofs.due(20_999) == []
    assert proofs.due(21_000) == ["box-1"]


def test_a_district_of_many_boxes_is_read_a_hundred_at_a_time_and_everyone_has_a_turn() -> None:
    proofs, heard, now_ms = Proofs(0), 0, 0
    for number in range(250):
        proofs.changed(BoxTopics("d1", "s1", f"b{number}"))
    while proofs.due(now_ms):
        heard += len(tell(proofs, Sums("g", 1, {}), at_ms=now_ms))
        now_ms += EVERY_MS
    assert (heard, now_ms) == (250, 3 * EVERY_MS)


def test_a_box_without_results_is_told_that_there_are_none() -> None:
    proofs = Proofs(0)
    proofs.changed(BOX)
    ((_, proof),) = tell(proofs, Sums("g", 0, {}), at_ms=0)
    assert proof.sums() == {}


def test_what_a_broker_may_have_forgotten_is_told_again_ever_more_rarely() -> None:
    proofs, told_ms = Proofs(0), []
    proofs.changed(BOX)
    for now_ms in range(0, 1_000_000, EVERY_MS):
        told_ms += [now_ms] * len(tell(proofs, ONE, at_ms=now_ms))
    waits = [later - before for before, later in pairwise(told_ms)]
    assert waits == [15_000, 30_000, 60_000, 120_000, 240_000, 300_000]
    proofs.changed(BOX)
    assert len(tell(proofs, ONE._replace(pos=8), at_ms=1_010_000)) == 1
    assert proofs.due(1_010_000 + 14_000) == []
    assert len(tell(proofs, ONE._replace(pos=8), at_ms=1_010_000 + 15_000)) == 1
