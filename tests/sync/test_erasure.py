"""Results of a deleted pupil leave the box's end; nobody else's are lost, and the contract stays as it is."""

import pytest
from sqlite_utils import Database

from sync import outbox
from sync.erasure import ERASED, erase
from sync.messages import Receipt, Result, Row, digest, number, unpack
from sync.outbox import Numbers, migrations
from sync.sums import rows_of
from tests.sync.samples import result

NOW_MS = 1_790_000_000_000
MADE_ON = result(1).to_row().day


@pytest.fixture
def db() -> Database:
    db = Database(memory=True)
    migrations.apply(db)
    return db


def envelopes(db: Database) -> list[tuple[str, list[Row]]]:
    return [(state, unpack(payload)) for state, payload in db.conn.execute("select state, payload from envelope")]


def fresh(db: Database) -> list[tuple[str, int]]:
    rows = [Row.from_json(row[0]) for row in db.conn.execute("select row from fresh order by seq")]
    return [(row.id, row.rev) for row in rows]


def sealed(db: Database, count: int) -> Numbers:
    numbers = Numbers()
    for each in range(count):
        outbox.put(db, result(each))
    outbox.seal(db, numbers, now_ms=NOW_MS)
    return numbers


def test_a_row_that_was_not_sent_yet_goes_and_an_empty_revision_takes_its_place(db: Database) -> None:
    outbox.put(db, result(1))
    outbox.put(db, result(2))
    assert erase(db, {result(1).id}, now_ms=NOW_MS) == 1
    assert fresh(db) == [(result(2).id, 1), (result(1).id, 2)]
    body = db.conn.execute("select body from result where id = ?", (result(1).id,)).fetchone()[0]
    said = Result.from_body(body)
    assert (said.pupil, said.value, said.points, said.decided_by, said.field) == ("", None, None, ERASED, "q1")


def test_an_envelope_that_waits_is_never_changed_its_other_rows_go_under_another_number(db: Database) -> None:
    sealed(db, 3)
    erase(db, {result(1).id}, now_ms=NOW_MS)
    assert envelopes(db) == []
    assert fresh(db) == [(result(0).id, 1), (result(2).id, 1), (result(1).id, 2)]


def test_a_receipted_envelope_keeps_its_number_and_its_other_rows(db: Database) -> None:
    numbers = sealed(db, 3)
    outbox.book(db, Receipt(v=1, epoch=numbers.epoch.hex(), ok=((1, 1),), generation="g", pos=1), numbers)
    erase(db, {result(1).id}, now_ms=NOW_MS)
    ((state, rows),) = envelopes(db)
    assert (state, [row.id for row in rows]) == ("receipted", [result(0).id, result(2).id])
    payload, n, kept = db.conn.execute("select payload, n, digest from envelope").fetchone()
    assert (number(payload).epoch, number(payload).eseq, n, kept) == (numbers.epoch, 1, 2, digest(payload))
    assert fresh(db) == [(result(1).id, 2)]


def test_an_envelope_of_nobody_else_goes_whole(db: Database) -> None:
    numbers = sealed(db, 2)
    outbox.book(db, Receipt(v=1, epoch=numbers.epoch.hex(), ok=((1, 1),), generation="g", pos=1), numbers)
    erase(db, {result(0).id, result(1).id}, now_ms=NOW_MS)
    assert envelopes(db) == []


def test_rows_whose_number_was_taken_went_already_and_do_not_go_twice(db: Database) -> None:
    numbers = sealed(db, 2)
    outbox.book(db, Receipt(v=1, epoch=numbers.epoch.hex(), refused=((1, "number_reused"),)), numbers)
    erase(db, {result(0).id}, now_ms=NOW_MS)
    assert envelopes(db) == []
    assert fresh(db) == [(result(1).id, 1), (result(0).id, 2)]


def test_results_that_are_not_there_change_nothing(db: Database) -> None:
    sealed(db, 2)
    before = envelopes(db)
    assert erase(db, {"0" * 32}, now_ms=NOW_MS) == 0
    assert envelopes(db) == before


def test_the_box_s_side_of_the_proof_counts_an_empty_revision_like_any_other(db: Database) -> None:
    sealed(db, 3)
    before = rows_of(db, MADE_ON)
    erase(db, {result(1).id}, now_ms=result(1).at_ms)
    after = rows_of(db, MADE_ON)
    assert after.keys() == before.keys()
    assert {code for code in after if after[code] != before[code]} == {result(1).id}
