"""The judge finds every fault that is planted, and none where there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.dashboard.frames import Kind
from tests.chaos.evidence import PEN, Evidence
from tests.chaos.judge import judge
from tests.chaos.running import in_flight


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """A stroke of each kind, each where it may be: stored, in the pen, inside a loss; two results."""
    made = Evidence(tmp_path)
    first = made.wrote(1_000)
    made.stored(1_000, first)
    made.shown(1_000, first)
    drained = made.wrote(20_000, how="memory")
    made.stored(20_000, drained, how="memory")
    made.wrote(40_000, how="memory")
    made.in_pen(40_000, 10)
    half = made.wrote(60_000)
    made.stored(60_000, half[:4])
    made.loss(60_040, 63_000)
    made.result("r1")
    made.result("r2", rev=3)
    return made


def test_a_run_that_kept_its_promise_has_no_fault(evidence: Evidence) -> None:
    verdict = judge(evidence.files())
    assert verdict.faults == []
    assert not any(verdict.lost.values())
    counts = verdict.counts
    assert counts["dots_written"] == 40
    assert (counts["dots_stored"], counts["dots_in_pens"], counts["dots_in_losses"]) == (24, 10, 6)
    assert verdict.in_flight == [(60_120, 6)]
    assert (counts["shown_dots"], counts["results_in_district"]) == (10, 2)


def test_ink_whose_time_is_that_of_its_late_arrival_is_still_the_stroke_that_was_written(evidence: Evidence) -> None:
    evidence.stored(80_000, evidence.wrote(80_000), late_ms=2_285)
    assert judge(evidence.files()).faults == []


def lost_live(e: Evidence) -> None:
    e.wrote(80_000)


def healed_loss(e: Evidence) -> None:
    e.wrote(80_000)
    e.loss(79_000, 81_000, healed=True)


def gone_from_the_pen(e: Evidence) -> None:
    e.wrote(80_000, how="memory")


def gone_from_the_pen_inside_a_loss(e: Evidence) -> None:
    e.wrote(80_000, how="memory")
    e.loss(79_000, 81_000)


def other_dots(e: Evidence) -> None:
    rows = e.wrote(80_000)
    rows[3, 0] += 1
    e.stored(80_000, rows)


def twice(e: Evidence) -> None:
    rows = e.wrote(80_000)
    e.stored(80_000, rows)
    e.stored(80_000, rows, how="memory")


def invented(e: Evidence) -> None:
    rows = e.wrote(80_000)
    e.truth.pop()
    e.stored(80_000, rows)


def dropped(e: Evidence) -> None:
    e.truth.append({"kind": "dropped", "pen": PEN, "events": 3, "dots": 2, "at_ms": 80_000, "cause": "host_gone"})


def shown_and_gone(e: Evidence) -> None:
    rows = e.wrote(80_000)
    e.loss(79_000, 81_000)
    e.shown(80_000, rows)


def not_delivered(e: Evidence) -> None:
    e.result("r9", district=None)


def strange(e: Evidence) -> None:
    e.result("r9", box=None)


def other_content(e: Evidence) -> None:
    e.result("r9", box="a", district="b")


def doubled(e: Evidence) -> None:
    e.result("r9")
    e.result("r9", box=None)


@pytest.mark.parametrize(
    ("plant", "name", "count"),
    [
        (lost_live, "dots_lost_unexplained", 10),
        (healed_loss, "dots_lost_unexplained", 10),
        (gone_from_the_pen, "dots_lost_unexplained", 10),
        (gone_from_the_pen_inside_a_loss, "dots_lost_unexplained", 10),
        (other_dots, "dots_lost_unexplained", 10),
        (twice, "dots_doubled", 10),
        (invented, "dots_never_written", 10),
        (dropped, "drops_unexplained", 3),
        (shown_and_gone, "shown_dots_missing", 10),
        (not_delivered, "results_missing", 1),
        (strange, "results_strange", 1),
        (other_content, "results_differ", 1),
        (doubled, "results_doubled", 1),
    ],
)
def test_a_planted_fault_is_found_and_counted(
    evidence: Evidence, plant: Callable[[Evidence], None], name: str, count: int
) -> None:
    plant(evidence)
    verdict = judge(evidence.files())
    assert verdict.faults
    assert {k: v for k, v in verdict.lost.items() if v} == {name: count}


def test_only_the_span_of_an_image_is_forgiven_what_was_shown(evidence: Evidence) -> None:
    shown_and_gone(evidence)
    assert judge(evidence.files(), forgive_shown_ms=(79_000, 90_000)).counts["shown_dots_forgiven"] == 10
    assert judge(evidence.files(), forgive_shown_ms=(90_000, 99_000)).lost["shown_dots_missing"] == 10


def test_a_snapshot_is_not_the_live_feed(evidence: Evidence) -> None:
    rows = evidence.wrote(80_000)
    evidence.loss(79_000, 81_000)
    evidence.shown(80_000, rows, kind=Kind.SNAPSHOT_ENDS)
    assert judge(evidence.files()).faults == []


def test_dots_in_flight_belong_to_the_last_death_before_them() -> None:
    assert in_flight([(5_000, 3), (5_500, 2), (30_000, 7), (1, 9)], [4_000, 29_000]) == [5, 7]
