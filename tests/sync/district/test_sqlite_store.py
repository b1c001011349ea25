"""The district's store, against real SQLite: each result once, whatever comes and however often."""

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.district.sqlite_store import SqliteStore
from sync.district.store import Incoming, Mark, read_mark, write_mark
from sync.errors import StoreUnavailable
from sync.messages import Row, digest, pack
from tests.sync.samples import result

EPOCH = b"epoch-01"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "district.db", tmp_path / "outside" / "state", now_ms=lambda: 5)
    (tmp_path / "outside").mkdir()
    store.open()
    yield store
    store.close()


def _envelope(*rows: Row, eseq: int = 1, epoch: bytes = EPOCH, box: str = "box-1") -> Incoming:
    return Incoming(box, pack(epoch, eseq, [row.to_json() for row in rows]))


def _row(number: int, *, rev: int = 1, value: str = "37") -> Row:
    return result(number, rev=rev, value=value).to_row()


def _stored(tmp_path: Path) -> dict[str, tuple[int, str]]:
    connection = sqlite3.connect(tmp_path / "district.db")
    found = {code: (rev, body) for code, rev, body in connection.execute("select id, rev, body from result")}
    connection.close()
    return found


def test_an_envelope_is_stored_and_receipted_with_the_position(store: SqliteStore, tmp_path: Path) -> None:
    taken = store.take([_envelope(_row(1), _row(2)), _envelope(_row(3), eseq=2)])
    ((box, receipt),) = taken.receipts
    assert (box, receipt.epoch, receipt.ok, receipt.pos) == ("box-1", EPOCH.hex(), ((1, 2),), 2)
    assert (receipt.refused, receipt.conflict, receipt.behind) == ((), (), ())
    assert receipt.generation == store.open().generations[-1][0]
    assert set(_stored(tmp_path)) == {_row(n).id for n in (1, 2, 3)}


def test_the_same_message_three_times_is_one_row_and_three_receipts(store: SqliteStore) -> None:
    receipts = [store.take([_envelope(_row(1))]).receipts[0][1] for _ in range(3)]
    assert receipts[0] == receipts[1] == receipts[2]
    counts = store.counts()
    assert (counts.results, counts.envelopes, counts.repeats, counts.doubled) == (1, 1, 2, 0)


def test_the_same_message_twice_in_one_batch_is_one_row_and_one_receipt(store: SqliteStore) -> None:
    taken = store.take([_envelope(_row(1))] * 2)
    assert [receipt.ok for _, receipt in taken.receipts] == [((1, 1),)]
    assert (taken.rows, taken.repeats) == (1, 1)


def test_a_known_number_with_other_content_is_refused_as_reused(store: SqliteStore, tmp_path: Path) -> None:
    store.take([_envelope(_row(1))])
    for batch in ([_envelope(_row(2))], [_envelope(_row(3), eseq=9), _envelope(_row(4), eseq=9)]):
        ((_, receipt),) = store.take(batch).receipts
        assert [why for _, why in receipt.refused] == ["number_reused"]
    assert set(_stored(tmp_path)) == {_row(1).id, _row(3).id}


def test_the_numbers_of_two_boxes_and_two_epochs_never_meet(store: SqliteStore) -> None:
    batch = [_envelope(_row(1)), _envelope(_row(2), epoch=b"epoch-02"), _envelope(_row(3), box="box-2")]
    taken = store.take(batch)
    assert sorted((box, receipt.epoch) for box, receipt in taken.receipts) == [
        ("box-1", EPOCH.hex()),
        ("box-1", b"epoch-02".hex()),
        ("box-2", EPOCH.hex()),
    ]
    assert taken.rows == 3


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_the_newest_revision_wins_in_any_order(store: SqliteStore, order: tuple[int, ...]) -> None:
    for eseq, rev in enumerate(order, 1):
        store.take([_envelope(_row(1, rev=rev), eseq=eseq)])
    ((_, _, value),) = list(store.digests())
    assert value == _row(1, rev=3).digest
    assert store.counts().doubled == 0


def test_the_same_revision_with_other_content_is_a_conflict_with_both_digests(
    store: SqliteStore, tmp_path: Path
) -> None:
    first, second = _row(1, value="first"), _row(1, value="second")
    store.take([_envelope(first)])
    ((_, receipt),) = store.take([_envelope(second, eseq=2)]).receipts
    assert receipt.ok == ((2, 2),)
    assert receipt.conflict == ((first.id, 1),)
    assert receipt.digests == ((first.digest.hex(), second.digest.hex()),)
    assert _stored(tmp_path)[first.id] == (1, first.body)
    counts = store.counts()
    assert (counts.conflicts, counts.unsettled) == (1, 1)


def test_a_conflict_is_told_again_with_each_repeat_and_settled_by_a_higher_revision(store: SqliteStore) -> None:
    store.take([_envelope(_row(1, value="first"))])
    told = [store.take([_envelope(_row(1, value="second"), eseq=2)]).receipts[0][1] for _ in range(2)]
    assert told[0].conflict == told[1].conflict != ()
    assert told[0].digests == told[1].digests
    store.take([_envelope(_row(1, rev=2, value="second"), eseq=3)])
    counts = store.counts()
    assert (counts.conflicts, counts.unsettled) == (1, 0)


def test_a_lower_revision_changes_nothing_and_the_box_is_told_what_is_here(store: SqliteStore, tmp_path: Path) -> None:
    store.take([_envelope(_row(1, rev=5, value="new"))])
    ((_, receipt),) = store.take([_envelope(_row(1, rev=2, value="old"), eseq=2)]).receipts
    assert (receipt.ok, receipt.behind, receipt.conflict) == (((2, 2),), ((_row(1).id, 5),), ())
    assert _stored(tmp_path)[_row(1).id][0] == 5
    assert store.counts().conflicts == 0


def _with_bad_body() -> bytes:
    whole = pack(EPOCH, 3, [_row(1).to_json()])
    return whole[:30] + b"\xff\xff" + whole[32:]


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (b"", digest(b"").hex()),
        (b'{"not":"an envelope"}', digest(b'{"not":"an envelope"}').hex()),
        (b"\x09" + pack(EPOCH, 1, ["{}"])[1:], digest(b"\x09" + pack(EPOCH, 1, ["{}"])[1:]).hex()),
        (_with_bad_body(), 3),
        (pack(EPOCH, 4, ['{"id":"x"}']), 4),
    ],
)
def test_poison_is_quarantined_and_refused_and_its_neighbours_are_stored(
    store: SqliteStore, payload: bytes, named: int | str
) -> None:
    for _ in range(2):
        taken = store.take([_envelope(_row(1)), Incoming("box-1", payload), _envelope(_row(2), eseq=2)])
        refused = [one for _, receipt in taken.receipts for one in receipt.refused]
        assert [which for which, _ in refused] == [named]
        assert all(why for _, why in refused)
    counts = store.counts()
    assert (counts.results, counts.envelopes, counts.quarantined) == (2, 2, 1)


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_no_bytes_stop_the_store(store: SqliteStore, payloads: list[bytes]) -> None:
    taken = store.take([Incoming("box-1", payload) for payload in payloads])
    assert taken.rows == 0
    assert sum(len(receipt.refused) for _, receipt in taken.receipts) == len(payloads)


def test_a_store_that_fails_says_so_and_undoes_the_batch(store: SqliteStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "district.db", isolation_level=None)
    other.execute("create trigger full before insert on result begin select raise(abort, 'disk full'); end")
    with pytest.raises(StoreUnavailable, match="disk full"):
        store.take([_envelope(_row(1))])
    other.execute("drop trigger full")
    other.close()
    assert store.counts().envelopes == 0
    assert store.take([_envelope(_row(1))]).rows == 1


def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "district.db", None)
    with pytest.raises(StoreUnavailable):
        store.take([])
    store.close()


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "district.db").write_bytes(b"precious" * 1000)
    store = SqliteStore(tmp_path / "district.db", None)
    with pytest.raises(StoreUnavailable):
        store.open()
    store.close()
    assert (tmp_path / "district.db").read_bytes() == b"precious" * 1000


@pytest.fixture
def backed_up(store: SqliteStore, tmp_path: Path) -> Callable[[], SqliteStore]:
    """Three envelopes, a backup, two more; calling it restores the backup into a new store."""
    for eseq in (1, 2, 3):
        store.take([_envelope(_row(eseq), eseq=eseq)])
    backup = sqlite3.connect(tmp_path / "backup.db")
    origin = sqlite3.connect(tmp_path / "district.db")
    origin.backup(backup)
    origin.close()
    backup.close()
    for eseq in (4, 5):
        store.take([_envelope(_row(eseq), eseq=eseq)])

    def restore() -> SqliteStore:
        store.close()
        for name in ("district.db", "district.db-wal", "district.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / "backup.db").rename(tmp_path / "district.db")
        return SqliteStore(tmp_path / "district.db", tmp_path / "outside" / "state")

    return restore


def test_a_restored_database_begins_a_new_generation_at_its_position(backed_up: Callable[[], SqliteStore]) -> None:
    restored = backed_up()
    generations = restored.open().generations
    assert [position for _, position in generations] == [0, 3]
    assert restored.open().generations == generations
    restored.close()


def test_a_database_that_was_lost_begins_a_new_generation_at_nothing(store: SqliteStore, tmp_path: Path) -> None:
    store.take([_envelope(_row(1))])
    before = store.open().generations
    store.close()
    (tmp_path / "district.db").unlink()
    after = store.open().generations
    assert len(after) == 1
    assert after[0][1] == 0
    assert after != before


def test_opening_again_is_no_restore(store: SqliteStore) -> None:
    store.take([_envelope(_row(1))])
    assert store.open().generations == store.open().generations
    assert len(store.open().generations) == 1


def test_the_mark_is_written_before_the_receipt_is_given(store: SqliteStore, tmp_path: Path) -> None:
    ((_, receipt),) = store.take([_envelope(_row(1))]).receipts
    assert read_mark(tmp_path / "outside" / "state") == Mark(receipt.generation, receipt.pos)


def test_a_mark_that_cannot_be_written_gives_no_receipt(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "outside" / "state").unlink()
    (tmp_path / "outside").rmdir()
    with pytest.raises(StoreUnavailable):
        store.take([_envelope(_row(1))])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"generation":"a"}', '{"generation":"a","pos":"x"}'])
def test_a_damaged_mark_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_text(text, encoding="utf-8")
    assert read_mark(tmp_path / "state") is None
    write_mark(tmp_path / "state", Mark("g", 3))
    assert read_mark(tmp_path / "state") == Mark("g", 3)
    assert read_mark(None) is None


def test_four_hundred_envelopes_go_in_one_transaction(store: SqliteStore) -> None:
    chance = random.Random(1)  # noqa: S311  a shuffled batch, the same each time
    batch = [_envelope(_row(eseq), eseq=eseq) for eseq in range(1, 401)]
    chance.shuffle(batch)
    ((_, receipt),) = store.take(batch).receipts
    assert receipt.ok == ((1, 400),)
    assert store.counts().results == 400
