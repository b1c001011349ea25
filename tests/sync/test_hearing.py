from sync.hearing import FIRST_MS, MOST_MS, Hearing


def deaf_at(hearing: Hearing, under_way: int, until_ms: int, *, from_ms: int = 0) -> list[int]:
    """When a box that connects anew at each deafness does so, looked at every second."""
    found = []
    for now_ms in range(from_ms, until_ms, 1_000):
        if hearing.is_deaf(under_way, now_ms):
            found.append(now_ms)
            hearing.connected()
    return found


def test_a_receipt_that_is_owed_makes_a_new_connection_ever_more_rarely() -> None:
    found = deaf_at(Hearing(), 1, 4_000_000)
    waits = [later - before for before, later in zip([0, *found], found, strict=False)]
    assert waits[0] == FIRST_MS
    assert waits == sorted(waits)
    assert MOST_MS <= waits[-1] <= MOST_MS + 1_000


def test_with_nothing_under_way_nothing_is_owed() -> None:
    hearing = Hearing()
    assert deaf_at(hearing, 0, 1_000_000) == []
    assert deaf_at(hearing, 1, 1_000_000 + FIRST_MS, from_ms=1_000_000) == [], "it counts from when something was sent"


def test_receipts_that_come_end_the_waiting() -> None:
    hearing = Hearing()
    for now_ms in range(0, 1_000_000, 1_000):
        hearing.receipt("g", now_ms)
        assert not hearing.is_deaf(4, now_ms)


def test_a_proof_older_than_the_newest_receipt_is_owed() -> None:
    hearing = Hearing()
    hearing.proof("g", 7)
    hearing.receipt("g", 9)
    assert deaf_at(hearing, 0, 200_000) == [FIRST_MS]
    hearing.proof("g", 9)
    assert deaf_at(hearing, 0, 1_000_000, from_ms=200_000) == []


def test_a_district_that_tells_no_proofs_or_was_restored_owes_none() -> None:
    old, restored = Hearing(), Hearing()
    old.receipt("g", 9)
    restored.receipt("g", 9)
    restored.proof("h", 3)
    assert deaf_at(old, 0, 1_000_000) == deaf_at(restored, 0, 1_000_000) == []
