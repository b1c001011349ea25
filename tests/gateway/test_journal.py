from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from devices.events import Dot, Lost, PageChanged, PenDown, PenEvent, PenUp, StrokeBroken
from gateway import journal
from gateway.journal import Batch
from gateway.schema import migrations
from gateway.strokes import LossSeen, OddityRow, PenInk
from recognition.ink import unpack

PEN = "9C:7B:D2:00:00:01"
T0 = 1_700_000_000_000
PAGE = PageChanged(3, 27, 603, 5)


@pytest.fixture
def db(tmp_path: Path) -> Database:
    made = Database(tmp_path / "box.db")
    migrations.apply(made)
    return made


def feed(ink: PenInk, first: int, last: int) -> None:
    for i in range(first, last):
        ink.feed(T0 + i * 10, Dot(T0 + i * 10, 1000 + i, 2000 - i, 300, 90, 91, 180))


def begin(ink: PenInk, at: int = 0) -> None:
    ink.feed(T0 + at, PenDown(T0 + at, "pen", 0))
    ink.feed(T0 + at, PAGE)


def beat(db: Database, seq: int, ink: PenInk) -> None:
    batch = Batch(seq, T0 + seq)
    batch.closed, ink.closed = ink.closed, []
    if ink.open is not None:
        batch.open.append(ink.open)
    entries, keep_from = journal.prepare(batch)
    with db.atomic():
        journal.commit(db, batch, entries, keep_from, trusted=True)


def ink_rows(db: Database) -> list[tuple[int, int, str]]:
    return [tuple(r) for r in db.conn.execute("select down_ms, dots, ended from ink order by id")]


def test_a_stroke_over_three_beats_is_in_the_journal_until_it_is_ink(db: Database) -> None:
    ink = PenInk(PEN)
    begin(ink)
    feed(ink, 0, 3)
    beat(db, 1, ink)
    feed(ink, 3, 6)
    beat(db, 2, ink)
    assert db["journal"].count == 2
    assert db["ink"].count == 0
    feed(ink, 6, 8)
    ink.feed(T0 + 100, PenUp(T0 + 100, 8))
    beat(db, 3, ink)
    assert db["journal"].count == 0
    assert ink_rows(db) == [(T0, 8, "up")]


def test_what_a_crash_left_open_is_ink_after_the_restart_and_ends_inferred(db: Database) -> None:
    ink = PenInk(PEN)
    begin(ink)
    feed(ink, 0, 3)
    beat(db, 1, ink)
    feed(ink, 3, 6)
    beat(db, 2, ink)
    with db.atomic():
        assert journal.recover(db, trusted=True) == 1
        assert journal.recover(db, trusted=True) == 0
    assert ink_rows(db) == [(T0, 6, "inferred")]
    (rows,) = unpack(db.conn.execute("select packed from ink").fetchone()[0])
    assert rows.tolist() == [[1000 + i, 2000 - i, 300, i * 10, 90, 91, 180] for i in range(6)]


def test_a_stroke_that_is_ink_already_is_not_stored_twice_by_the_recovery(db: Database) -> None:
    ink = PenInk(PEN)
    begin(ink)
    feed(ink, 0, 3)
    beat(db, 1, ink)
    rows = db.conn.execute("select seq, at_ms, packed from journal").fetchall()
    ink.feed(T0 + 50, PenUp(T0 + 50, 3))
    beat(db, 2, ink)
    with db.atomic():
        db.conn.executemany("insert into journal values (?,?,?)", rows)
        assert journal.recover(db, trusted=True) == 0
    assert len(ink_rows(db)) == 1


def test_a_stroke_that_was_closed_is_not_doubled_by_a_journal_row_that_another_pen_still_needed(db: Database) -> None:
    first, second = PenInk(PEN), PenInk("9C:7B:D2:00:00:02")
    for ink in (second, first):
        begin(ink)
        feed(ink, 0, 2)
    batch = Batch(1, T0, open=[ink.open for ink in (first, second) if ink.open])
    entries, keep_from = journal.prepare(batch)
    with db.atomic():
        journal.commit(db, batch, entries, keep_from, trusted=True)
    feed(first, 2, 5)
    first.feed(T0 + 50, PenUp(T0 + 50, 5))
    batch = Batch(2, T0, closed=first.closed, open=[second.open] if second.open else [])
    entries, keep_from = journal.prepare(batch)
    with db.atomic():
        journal.commit(db, batch, entries, keep_from, trusted=True)
        assert journal.recover(db, trusted=True) == 1
    assert db.conn.execute("select pen, piece, dots, ended from ink order by pen").fetchall() == [
        (PEN, 0, 5, "up"),
        ("9C:7B:D2:00:00:02", 0, 2, "inferred"),
    ]


EVENTS = st.one_of(
    st.builds(PenDown, st.integers(0, 2**64 - 1), st.sampled_from(["pen", "eraser"]), st.integers(0, 2**32 - 1)),
    st.builds(PageChanged, st.integers(0, 255), st.integers(0, 2**24 - 1), *[st.integers(0, 2**32 - 1)] * 2),
    st.builds(
        Dot,
        st.integers(0, 2**64 - 1),
        *[st.integers(0, 65535 * 100 + 255)] * 2,
        st.integers(0, 65535),
        *[st.integers(0, 255)] * 2,
        st.integers(0, 65535),
    ),
    st.builds(PenUp, st.integers(0, 2**64 - 1), st.none()),
    st.builds(Lost, st.integers(1, 255)),
    st.just(StrokeBroken("next_down")),
)


@given(st.lists(st.lists(EVENTS, max_size=12), max_size=6), st.booleans())
def test_whatever_a_pen_says_is_written_and_nothing_is_lost_or_doubled(
    beats: list[list[PenEvent]],
    crash: bool,  # noqa: FBT001  drawn by hypothesis
) -> None:
    db = Database(memory=True)
    migrations.apply(db)
    ink = PenInk(PEN, piece_dots=5)
    for seq, events in enumerate(beats, 1):
        for event in events:
            ink.feed(T0 + seq * 33, event)
        batch = Batch(seq, T0 + seq * 33, closed=ink.closed, open=[ink.open] if ink.open else [])
        batch.losses = [(PEN, loss) for loss in ink.losses]
        ink.closed, ink.losses = [], []
        entries, keep_from = journal.prepare(batch)
        with db.atomic():
            journal.commit(db, batch, entries, keep_from, trusted=True)
    if not crash:
        ink.link_went(T0 + 10_000)
        with db.atomic():
            journal.commit(db, Batch(99, T0, closed=ink.closed), b"", 99, trusted=True)
    with db.atomic():
        journal.recover(db, trusted=True)
    dots = sum(isinstance(event, Dot) for events in beats for event in events)
    stored = db.conn.execute("select coalesce(sum(dots), 0) from ink").fetchone()[0]
    assert stored + sum(o.kind == "dot_without_page" for o in ink.oddities) == dots


def test_two_strokes_that_claim_one_millisecond_are_both_ink(db: Database) -> None:
    ink = PenInk(PEN)
    for dots in (3, 5):
        begin(ink)
        feed(ink, 0, dots)
        ink.feed(T0 + 100, PenUp(T0 + 100, dots))
        beat(db, dots, ink)
    assert [dots for _, dots, _ in ink_rows(db)] == [3, 5]
    assert [r[0] for r in db.conn.execute("select piece from ink order by id")] == [0, 1]


def test_a_journal_row_stays_while_another_pen_still_needs_it(db: Database) -> None:
    first, second = PenInk(PEN), PenInk("9C:7B:D2:00:00:02")
    begin(first)
    feed(first, 0, 3)
    beat(db, 1, first)
    begin(second)
    feed(second, 0, 2)
    first.feed(T0 + 50, PenUp(T0 + 50, 3))
    batch = Batch(2, T0, open=[second.open] if second.open else [], closed=first.closed)
    entries, keep_from = journal.prepare(batch)
    with db.atomic():
        journal.commit(db, batch, entries, keep_from, trusted=True)
    assert [r[0] for r in db.conn.execute("select seq from journal")] == [2]


def test_losses_and_oddities_are_rows_and_equal_oddities_are_counted(db: Database) -> None:
    loss = LossSeen(T0, T0 + 9, 4, "counter_gap", None)
    for seq in (1, 2):
        batch = Batch(seq, T0, oddities=[(PEN, OddityRow(T0, "unknown", 0x73, b"\x01"))])
        if seq == 1:
            batch.losses.append((PEN, loss))
        with db.atomic():
            journal.commit(db, batch, b"", seq, trusted=True)
    assert db.conn.execute("select events, cause, page from loss").fetchall() == [(4, "counter_gap", None)]
    assert db.conn.execute("select kind, count from oddity").fetchall() == [("unknown", 2)]


def test_the_next_beat_has_a_number_above_every_committed_one(db: Database) -> None:
    assert journal.next_seq(db) == 1
    with db.atomic():
        journal.insert_loss(db, 41, PEN, LossSeen(T0, T0, None, "link_lost", None))
    assert journal.next_seq(db) == 42
