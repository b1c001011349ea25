from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.figures import Durations, Figures, Together


def test_nothing_measured_is_no_figure() -> None:
    assert Durations().summary() == {"p50": None, "p99": None, "n": 0}


def test_the_median_and_the_99th_percentile_are_of_all_that_is_kept() -> None:
    durations = Durations()
    durations.extend(range(1, 100))
    durations.add(1000)
    assert durations.summary() == {"p50": 50, "p99": 99, "n": 100}


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_in_order_and_among_what_was_measured(values: list[float]) -> None:
    durations = Durations()
    durations.extend(values)
    said = durations.summary()
    assert said["p50"] is not None
    assert said["p99"] is not None
    assert round(min(values), 1) <= said["p50"] <= said["p99"] <= round(max(values), 1)


def test_the_longest_time_together_is_of_at_least_so_many() -> None:
    together = Together()
    for linked, at_ms in ((2, 0), (3, 1000), (1, 4000), (3, 5000), (0, 6000)):
        together.note(linked, at_ms)
    assert [together.longest_s(count, 9000) for count in (1, 2, 3, 4)] == [6.0, 4.0, 3.0, 0.0]


def test_a_time_that_still_runs_counts() -> None:
    together = Together()
    together.note(5, 0)
    assert together.longest_s(5, 7000) == 7.0
    together.note(6, 7000)
    assert together.longest_s(5, 9000) == 9.0
    assert together.longest_s(6, 9000) == 2.0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 1000)), max_size=30))
def test_more_together_is_never_longer_than_fewer(steps: list[tuple[int, int]]) -> None:
    together, at_ms = Together(), 0
    for linked, after_ms in steps:
        at_ms += after_ms
        together.note(linked, at_ms)
    spans = [together.longest_s(count, at_ms) for count in range(1, 8)]
    assert spans == sorted(spans, reverse=True)


def test_all_figures_are_there_from_the_start() -> None:
    summary = Figures().summary()
    assert summary["beats"] == summary["late_beats"] == 0
    assert all(summary[f"{name}_ms"] == {"p50": None, "p99": None, "n": 0} for name in ("air", "commit"))
