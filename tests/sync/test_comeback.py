"""Who threw us out, and when to try again."""

from sync.broker import REASON_TAKEN_OVER, Backoff, Gone
from sync.comeback import Comeback
from sync.status import LOST, TWIN

TAKEN = Gone(REASON_TAKEN_OVER, "taken over")
CUT = Gone(0, "cut")
MINUTE = 60_000


def comeback() -> Comeback:
    return Comeback(0, Backoff(chance=lambda: 0.5))


def test_one_take_over_is_this_box_itself_back_after_a_dead_line() -> None:
    back = comeback()
    assert back.lost(TAKEN, since_ms=0, now_ms=20_000) == LOST
    assert back.retry_ms == 20_500
    assert not back.twin(20_000)


def test_the_second_take_over_within_a_minute_is_a_twin_and_waits_a_minute() -> None:
    back = comeback()
    back.lost(TAKEN, since_ms=0, now_ms=1_000)
    assert back.lost(TAKEN, since_ms=1_500, now_ms=MINUTE) == TWIN
    assert back.retry_ms == 2 * MINUTE
    assert back.twin(2 * MINUTE)


def test_two_take_overs_with_more_than_a_minute_between_are_no_twin() -> None:
    back = comeback()
    back.lost(TAKEN, since_ms=0, now_ms=1_000)
    assert back.lost(TAKEN, since_ms=1_500, now_ms=MINUTE + 1_001) == LOST


def test_a_twin_that_comes_back_each_time_stays_an_alarm_with_a_minute_between_tries() -> None:
    back, now_ms = comeback(), 0
    reasons, tries = [], 0
    while now_ms < 20 * MINUTE:
        now_ms = back.retry_ms + 1_000
        reasons.append(back.lost(TAKEN, since_ms=back.retry_ms, now_ms=now_ms))
        tries += 1
    assert reasons[0] == LOST
    assert set(reasons[1:]) == {TWIN}
    assert tries <= 22


def test_the_alarm_goes_when_five_minutes_passed_without_the_twin() -> None:
    back = comeback()
    back.lost(TAKEN, since_ms=0, now_ms=0)
    back.lost(TAKEN, since_ms=500, now_ms=1_000)
    assert back.twin(5 * MINUTE)
    assert not back.twin(6 * MINUTE)
    assert back.lost(TAKEN, since_ms=2 * MINUTE, now_ms=7 * MINUTE) == LOST


def test_lines_that_die_at_once_wait_ever_longer_and_one_that_held_begins_small() -> None:
    back, waits, now_ms = comeback(), [], 0
    for _ in range(8):
        back.lost(CUT, since_ms=now_ms, now_ms=now_ms)
        waits.append(back.retry_ms - now_ms)
        now_ms = back.retry_ms
    assert waits == sorted(waits)
    assert waits[-1] == 30_000
    back.lost(CUT, since_ms=now_ms, now_ms=now_ms + 10_000)
    assert back.retry_ms - now_ms - 10_000 == 500


def test_receipts_for_nobody_here_minute_after_minute_are_a_twins_and_a_burst_of_them_is_not() -> None:
    back = comeback()
    for at_ms in range(0, 5_000, 100):
        back.strange(at_ms)
    assert not back.twin(5_000)
    back.strange(2 * MINUTE)
    assert not back.twin(2 * MINUTE)
    back.strange(4 * MINUTE)
    assert back.twin(4 * MINUTE)


def test_strange_receipts_of_long_ago_are_forgotten() -> None:
    back = comeback()
    for at_ms in (0, 20 * MINUTE, 40 * MINUTE):
        back.strange(at_ms)
    assert not back.twin(40 * MINUTE)
