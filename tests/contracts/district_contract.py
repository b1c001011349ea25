"""What every `DistrictStore` must do; run against SQLite and against PostgreSQL alike."""

import itertools
import random
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from sync.district.mark import read_mark
from sync.district.store import DistrictStore, Incoming
from sync.errors import StoreUnavailable
from sync.messages import Receipt, Row, day_sum, digest, pack
from tests.sync.samples import result

EPOCH = b"epoch-01"
DAY = result(1).to_row().day


class Database(Protocol):
    """A database of the kind under test."""

    def store(self, mark: Path | None) -> DistrictStore:
        """Another receiver's store on this database, not yet open; closed at the end of the test."""

    def stored(self) -> dict[str, tuple[int, str]]:
        """(rev, body) of each result by id, read beside the store."""

    def refusing(self, words: str) -> AbstractContextManager[None]:
        """While this lasts no result can be inserted; the database says `words`."""

    def backup(self) -> None:
        """Keep the database as it is now; every store is closed."""

    def restore(self) -> None:
        """Bring back what was kept; every store is closed."""

    def lose(self) -> None:
        """Begin with nothing; every store is closed."""


def row(number: int, *, rev: int = 1, value: str = "37") -> Row:
    """The row of answer number so-and-so."""
    return result(number, rev=rev, value=value).to_row()


def envelope(*rows: Row, eseq: int = 1, epoch: bytes = EPOCH, box: str = "box-1") -> Incoming:
    """A message with these rows."""
    return Incoming(box, pack(epoch, eseq, [one.to_json() for one in rows]))


def with_bad_body() -> bytes:
    """A readable number before unreadable rows."""
    whole = pack(EPOCH, 3, [row(1).to_json()])
    return whole[:30] + b"\xff\xff" + whole[32:]


_UNKNOWN_VERSION = b"\x09" + pack(EPOCH, 1, ["{}"])[1:]


class DistrictContract:
    """The suite; a test class of each store gives `database` and derives from it."""

    @pytest.fixture
    def mark(self, tmp_path: Path) -> Path:
        (tmp_path / "outside").mkdir()
        return tmp_path / "outside" / "state"

    @pytest.fixture
    def store(self, database: Database, mark: Path) -> DistrictStore:
        store = database.store(mark)
        store.open()
        return store

    def test_an_envelope_is_stored_and_receipted_with_the_position(
        self, store: DistrictStore, database: Database
    ) -> None:
        taken = store.take([envelope(row(1), row(2)), envelope(row(3), eseq=2)])
        ((box, receipt),) = taken.receipts
        assert (box, receipt.epoch, receipt.ok, receipt.pos) == ("box-1", EPOCH.hex(), ((1, 2),), 2)
        assert (receipt.refused, receipt.conflict, receipt.behind) == ((), (), ())
        assert receipt.generation == store.open().generations[-1][0]
        assert (taken.envelopes, taken.rows, taken.announcement) == (2, 3, None)
        assert database.stored() == {row(n).id: (1, row(n).body) for n in (1, 2, 3)}

    def test_the_same_message_three_times_is_one_row_and_three_receipts(self, store: DistrictStore) -> None:
        receipts = [store.take([envelope(row(1))]).receipts[0][1] for _ in range(3)]
        assert receipts[0] == receipts[1] == receipts[2]
        counts = store.counts()
        assert (counts.results, counts.envelopes, counts.repeats, counts.doubled) == (1, 1, 2, 0)

    def test_the_same_message_twice_in_one_batch_is_one_row_and_one_receipt(self, store: DistrictStore) -> None:
        taken = store.take([envelope(row(1))] * 2)
        assert [receipt.ok for _, receipt in taken.receipts] == [((1, 1),)]
        assert (taken.rows, taken.repeats) == (1, 1)

    def test_a_row_in_two_envelopes_is_one_result_and_no_clash(self, store: DistrictStore) -> None:
        together = store.take([envelope(row(1)), envelope(row(1), eseq=2)])
        apart = store.take([envelope(row(1), eseq=3)])
        assert [receipt.conflict + receipt.behind for _, receipt in together.receipts + apart.receipts] == [(), ()]
        counts = store.counts()
        assert (counts.results, counts.envelopes, counts.doubled) == (1, 3, 0)

    def test_a_known_number_with_other_content_is_refused_as_reused(
        self, store: DistrictStore, database: Database
    ) -> None:
        store.take([envelope(row(1))])
        for batch in ([envelope(row(2))], [envelope(row(3), eseq=9), envelope(row(4), eseq=9)]):
            ((_, receipt),) = store.take(batch).receipts
            assert [why for _, why in receipt.refused] == ["number_reused"]
        assert set(database.stored()) == {row(1).id, row(3).id}

    def test_the_numbers_of_two_boxes_and_two_epochs_never_meet(self, store: DistrictStore) -> None:
        batch = [envelope(row(1)), envelope(row(2), epoch=b"epoch-02"), envelope(row(3), box="box-2")]
        taken = store.take(batch)
        assert sorted((box, receipt.epoch) for box, receipt in taken.receipts) == [
            ("box-1", EPOCH.hex()),
            ("box-1", b"epoch-02".hex()),
            ("box-2", EPOCH.hex()),
        ]
        assert taken.rows == 3

    @pytest.mark.parametrize("together", [False, True])
    def test_the_newest_revision_wins_in_any_order(self, store: DistrictStore, *, together: bool) -> None:
        for number, order in enumerate(itertools.permutations([1, 2, 3])):
            batch = [envelope(row(number, rev=rev), eseq=10 * number + at) for at, rev in enumerate(order, start=1)]
            for part in [batch] if together else [[one] for one in batch]:
                store.take(part)
        assert store.rows_of("box-1", DAY) == {row(n).id: (3, row(n, rev=3).digest) for n in range(6)}
        assert store.counts().doubled == 0

    def test_the_same_revision_with_other_content_is_a_conflict_with_both_digests(
        self, store: DistrictStore, database: Database
    ) -> None:
        first, second = row(1, value="first"), row(1, value="second")
        store.take([envelope(first)])
        ((_, receipt),) = store.take([envelope(row(2), second, row(3), eseq=2)]).receipts
        assert receipt.ok == ((2, 2),)
        assert receipt.conflict == ((first.id, 1),)
        assert receipt.digests == ((first.digest.hex(), second.digest.hex()),)
        assert database.stored()[first.id] == (1, first.body)
        assert len(database.stored()) == 3
        counts = store.counts()
        assert (counts.conflicts, counts.unsettled) == (1, 1)

    def test_a_conflict_is_told_again_with_each_repeat_and_settled_by_a_higher_revision(
        self, store: DistrictStore
    ) -> None:
        store.take([envelope(row(1, value="first"), row(2, value="first"))])
        second = envelope(row(2, value="second"), row(1, value="second"), eseq=2)
        told = [store.take([second]).receipts[0][1] for _ in range(2)]
        assert told[0].conflict == told[1].conflict == ((row(2).id, 1), (row(1).id, 1))
        assert told[0].digests == told[1].digests
        store.take([envelope(row(1, rev=2, value="second"), eseq=3)])
        counts = store.counts()
        assert (counts.conflicts, counts.unsettled) == (2, 1)

    def test_a_lower_revision_changes_nothing_and_the_box_is_told_what_is_here(
        self, store: DistrictStore, database: Database
    ) -> None:
        store.take([envelope(row(1, rev=5, value="new"))])
        for eseq, lower in ((2, 1), (3, 2)):
            ((_, receipt),) = store.take([envelope(row(1, rev=lower, value="old"), eseq=eseq)]).receipts
            assert (receipt.ok, receipt.behind, receipt.conflict) == (((eseq, eseq),), ((row(1).id, 5),), ())
        assert database.stored()[row(1).id][0] == 5
        assert store.counts().conflicts == 0

    @pytest.mark.parametrize(
        ("payload", "named"),
        [
            (b"", digest(b"").hex()),
            (b'{"not":"an envelope"}', digest(b'{"not":"an envelope"}').hex()),
            (_UNKNOWN_VERSION, digest(_UNKNOWN_VERSION).hex()),
            (with_bad_body(), 3),
            (pack(EPOCH, 4, ['{"id":"x"}']), 4),
        ],
    )
    def test_poison_is_quarantined_and_refused_and_its_neighbours_are_stored(
        self, store: DistrictStore, payload: bytes, named: int | str
    ) -> None:
        for _ in range(2):
            taken = store.take([envelope(row(1)), Incoming("box-1", payload), envelope(row(2), eseq=2)])
            refused = [one for _, receipt in taken.receipts for one in receipt.refused]
            assert [which for which, _ in refused] == [named]
            assert all(why for _, why in refused)
        counts = store.counts()
        assert (counts.results, counts.envelopes, counts.quarantined) == (2, 2, 1)

    @pytest.mark.parametrize("text", ["\\\t\n\r\\.", "𝔘 学生", "\x01\x7f", "'; drop table result; --", ""])
    def test_any_text_comes_back_as_it_went(self, store: DistrictStore, database: Database, text: str) -> None:
        odd = Row(id="i", rev=1, day="d", body=text)
        store.take([envelope(odd), envelope(Row(id="j", rev=2, day="d", body=text), eseq=2)])
        assert database.stored() == {"i": (1, text), "j": (2, text)}
        assert store.rows_of("box-1", "d")["i"] == (1, odd.digest)

    def test_a_store_that_fails_says_so_and_undoes_the_batch(
        self, store: DistrictStore, database: Database, mark: Path
    ) -> None:
        store.take([envelope(row(9), eseq=9)])
        before = read_mark(mark)
        with database.refusing("the disk is full"), pytest.raises(StoreUnavailable, match="the disk is full"):
            store.take([envelope(row(1)), envelope(row(2, rev=2), eseq=2)])
        assert store.counts().envelopes == 1
        assert read_mark(mark) == before
        assert store.take([envelope(row(1))]).rows == 1

    def test_a_closed_store_is_unavailable(self, database: Database) -> None:
        store = database.store(None)
        with pytest.raises(StoreUnavailable):
            store.take([])
        store.close()
        store.close()

    def test_sums_and_digests_are_those_of_the_rows(self, store: DistrictStore) -> None:
        store.take([envelope(row(1), row(2)), envelope(row(1, rev=2, value="38"), eseq=2)])
        store.take([envelope(row(3), box="box-2"), envelope(row(2, rev=3), box="box-2", eseq=2)])
        sums = store.sums(["box-1", "box-2", "box-3"])
        assert sums.days == {
            "box-1": {DAY: day_sum([row(1, rev=2, value="38").digest])},
            "box-2": {DAY: day_sum([row(3).digest, row(2, rev=3).digest])},
        }
        assert sums.pos == 4
        assert sums.generation == store.open().generations[-1][0]
        assert sorted(store.digests()) == sorted(
            [
                ("box-1", DAY, row(1, rev=2, value="38").digest),
                ("box-2", DAY, row(3).digest),
                ("box-2", DAY, row(2, rev=3).digest),
            ]
        )

    def test_four_hundred_envelopes_go_in_one_transaction(self, store: DistrictStore) -> None:
        chance = random.Random(1)  # noqa: S311  a shuffled batch, the same each time
        batch = [envelope(row(eseq), eseq=eseq) for eseq in range(1, 401)]
        chance.shuffle(batch)
        ((_, receipt),) = store.take(batch).receipts
        assert receipt.ok == ((1, 400),)
        assert store.counts().results == 400

    def test_a_batch_of_nothing_is_nothing(self, store: DistrictStore) -> None:
        assert store.take([]).receipts == []

    def test_the_mark_is_written_before_the_receipt_is_given(self, store: DistrictStore, mark: Path) -> None:
        ((_, receipt),) = store.take([envelope(row(1))]).receipts
        known = read_mark(mark)
        assert known is not None
        assert (known.generations, known.pos, len(known.openings)) == ((receipt.generation,), receipt.pos, 1)

    def test_a_mark_that_cannot_be_written_gives_no_receipt(self, store: DistrictStore, mark: Path) -> None:
        mark.unlink()
        mark.parent.rmdir()
        with pytest.raises(StoreUnavailable):
            store.take([envelope(row(1))])
        mark.parent.mkdir()
        assert store.take([envelope(row(1))]).repeats == 1

    def test_opening_again_is_no_restore(self, store: DistrictStore) -> None:
        store.take([envelope(row(1))])
        assert store.open().generations == store.open().generations
        assert len(store.open().generations) == 1

    def test_a_restored_database_begins_a_new_generation_at_its_position(
        self, store: DistrictStore, database: Database
    ) -> None:
        _take(store, 1, 2, 3)
        store.close()
        database.backup()
        store.open()
        _take(store, 4, 5)
        store.close()
        database.restore()
        generations = store.open().generations
        assert [position for _, position in generations] == [0, 3]
        assert store.open().generations == generations
        assert _take(store, 4)[-1].generation == generations[-1][0]

    def test_a_database_that_was_lost_begins_a_new_generation_at_nothing(
        self, store: DistrictStore, database: Database
    ) -> None:
        _take(store, 1)
        before = store.open().generations
        store.close()
        database.lose()
        after = store.open().generations
        assert [position for _, position in after] == [0]
        assert after != before

    def test_whichever_receiver_comes_first_after_a_restore_the_boxes_are_told_once(
        self, store: DistrictStore, database: Database, mark: Path
    ) -> None:
        other = database.store(mark.with_name("other"))
        other.open()
        _take(store, 1, 2)
        _take(other, 3)
        for one in (store, other):
            one.close()
        database.backup()
        for one in (store, other):
            one.open()
        _take(store, 4)
        _take(other, 5, 6)
        for one in (store, other):
            one.close()
        database.restore()
        first = other.open().generations
        assert [position for _, position in first] == [0, 3]
        assert store.open().generations == first

    def test_a_receiver_that_was_away_long_writes_on_and_the_restore_is_still_told_from_where_it_was(
        self, store: DistrictStore, database: Database, mark: Path
    ) -> None:
        """The spare one's mark is older than the backup: it cannot notice, and gives receipts in the old generation."""
        spare = database.store(mark.with_name("spare"))
        spare.open()
        _take(spare, 1)
        spare.close()
        _take(store, 2, 3)
        store.close()
        database.backup()
        store.open()
        _take(store, 4, 5)
        store.close()
        database.restore()
        old = spare.open().generations
        assert [position for _, position in old] == [0]
        _take(spare, 6, 7, 8, 9)
        assert [position for _, position in store.open().generations] == [0, 3]
        taken = spare.take([envelope(row(10), eseq=10)])
        assert taken.announcement == store.open()
        assert taken.receipts[0][1].generation == taken.announcement.generations[-1][0]
        assert spare.take([envelope(row(11), eseq=11)]).announcement is None


def _take(store: DistrictStore, *numbers: int) -> list[Receipt]:
    """One envelope a transaction."""
    return [store.take([envelope(row(number), eseq=number)]).receipts[0][1] for number in numbers]
