"""How much is under way: slow start, one probe in silence, everything at once when the district comes."""

from hypothesis import given
from hypothesis import strategies as st

from sync.window import MOST, PROBE_MOST_MS, Window


def _fill(window: Window, start: int, now_ms: int) -> int:
    for envelope in range(start, start + window.room):
        assert window.offered(envelope, now_ms)
    return window.under_way


def test_a_connection_starts_with_four_and_doubles_with_each_receipt_up_to_64() -> None:
    window = Window(0)
    sizes = []
    for _ in range(6):
        sizes.append(_fill(window, window.cursor + 1, 0))
        window.ended(range(window.cursor + 1), 0)
    assert sizes == [4, 8, 16, 32, 64, 64]


def test_silence_is_met_with_one_probe_and_ever_longer_waits() -> None:
    window = Window(0)
    _fill(window, 1, 0)
    assert window.due(7_999) == []
    probes = [now_ms for now_ms in range(8_000, 1_400_000, 500) if window.due(now_ms)]
    waits = [after - before for before, after in zip([0, *probes], probes, strict=False)]
    assert waits[:6] == [8_000, 16_000, 32_000, 64_000, 128_000, 256_000]
    assert set(waits[6:]) == {PROBE_MOST_MS}
    assert window.room == 0


def test_a_receipt_after_silence_opens_the_window_again() -> None:
    window = Window(0)
    _fill(window, 1, 0)
    assert window.due(8_000) == [1]
    window.ended([1, 2, 3, 4], 9_000)
    assert (window.size, window.room) == (2, 2)


def test_one_lost_receipt_among_others_is_asked_again_without_closing_the_window() -> None:
    window = Window(0)
    _fill(window, 1, 0)
    window.ended([2, 3, 4], 7_000)
    assert window.due(8_000) == [1]
    assert window.size == 8
    assert window.due(8_001) == []


def test_an_announcement_offers_everything_again_at_once() -> None:
    window = Window(0)
    _fill(window, 1, 0)
    window.due(8_000)
    window.begin_again()
    assert (window.cursor, window.under_way, window.room) == (0, 0, 4)


def test_a_broker_that_says_no_shuts_the_window_once_for_all_that_were_under_way() -> None:
    window = Window(0)
    _fill(window, 1, 0)
    for envelope in (1, 2, 3, 4):
        window.forget(envelope)
        window.shut(100)
    assert window.size == 1
    assert window.paused_until_ms() == 100 + 16_000
    window.shut(20_000)
    assert window.paused_until_ms() == 20_000 + 32_000


@given(st.lists(st.tuples(st.sampled_from(["offer", "end", "due", "again", "shut"]), st.integers(1, 9)), max_size=60))
def test_no_more_than_64_are_ever_under_way(steps: list[tuple[str, int]]) -> None:
    window, now_ms = Window(0), 0
    for what, much in steps:
        now_ms += much * 1_000
        match what:
            case "offer":
                for _ in range(window.room):
                    window.offered(window.cursor + 1, now_ms)
            case "end":
                window.ended([window.cursor], now_ms)
            case "due":
                window.due(now_ms)
            case "again":
                window.begin_again()
            case _:
                window.shut(now_ms)
        assert 0 <= window.under_way <= MOST
        assert 1 <= window.size <= MOST


def test_a_careful_beginning_offers_one_at_once_and_opens_with_the_first_answer() -> None:
    window = Window(1_000, careful=True)
    assert (window.room, window.paused_until_ms()) == (1, 1_000)
    assert window.offered(1, 1_000)
    assert window.room == 0
    window.ended([1], 1_100)
    assert window.room == 2
