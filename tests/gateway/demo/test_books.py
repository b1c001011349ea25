"""The books find what is missing, doubled or changed, and balance only when every dot has its place."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database

from gateway import journal, pens, results, roster
from gateway.demo.books import SLACK_MS, Books, _digest, close_books
from gateway.healing import Drained
from gateway.journal import Batch
from gateway.reading import Answer
from gateway.roster import Pupil, pseudonym
from gateway.store import Store
from gateway.strokes import LossSeen
from recognition.grading import Grade
from recognition.ink import dot_sum
from sync.district.sqlite_store import SqliteStore
from tests.gateway.rig import KEY, PAGE1, Q1, T0, mac, piece

GRADE = Grade(
    state="answered",
    value="7",
    points=1.0,
    max_points=1.0,
    confidence=0.97,
    reader="fake/1",
    key="q1/v1",
    decided_by="machine",
    coverage=1.0,
)


class Play:
    """A folder as a demo leaves it: a store with two strokes of pen 1 and one graded answer, and the truth of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.strokes = [piece(mac(1), PAGE1, Q1, T0, dots=5), piece(mac(1), PAGE1, Q1, T0 + 5000, dots=7)]
        self.truth: list[dict[str, Any]] = [self.line(stroke) for stroke in self.strokes]
        self.truth.append({"kind": "answer", "lesson": "l1", "seat": 1, "field": "q1", "wrote": "7"})
        self.losses: list[tuple[str, LossSeen]] = []
        self.drained: list[Drained] = []
        self.grade = GRADE

    @staticmethod
    def line(stroke: Any) -> dict[str, Any]:  # noqa: ANN401  a Piece
        total = dot_sum(np.array(stroke.rows, np.int64))
        return {
            "kind": "stroke",
            "pen": stroke.pen,
            "page": list(stroke.page),
            "down_ms": stroke.down_ms,
            "up_ms": stroke.up_ms,
            "dots": len(stroke.rows),
            "sum": total,
            "how": "live",
        }

    def books(self) -> Books:
        store = Store(self.folder / "gateway.db")
        batch = Batch(1, T0, closed=self.strokes, losses=self.losses, drained=self.drained)
        entries, keep_from = journal.prepare(batch)

        def work(db: Database) -> None:
            journal.commit(db, batch, entries, keep_from, trusted=True)
            roster.merge(db, [Pupil(1, "name", "L1")], key=KEY, now_ms=T0)
            pens.bind(db, pen=mac(1), seat=1, at_ms=T0, how="card")
            pupil = pseudonym("L1", KEY)
            db.conn.execute("insert into lesson_seat values ('l1', 1, ?)", (pupil,))
            answer = Answer(1, "7", 0.97, True, (), (), "fake/1")
            context = results.Context("i1", "box-1", "l1", "demo", 1, clock_trusted=True)
            results.write(db, context, results.Graded("q1", pupil, "ab" * 16, self.grade, answer), now_ms=T0)
            db.conn.execute("delete from fresh")

        store.submit(work).result()
        store.close()
        truth = "\n".join(json.dumps(line) for line in self.truth)
        (self.folder / "truth.jsonl").write_text(truth, "utf-8")
        return close_books(self.folder, with_district=False)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_books_where_every_dot_is_stored_balance(play: Play) -> None:
    books = play.books()
    assert books.balanced, books.faults
    figures = books.figures
    assert (figures["dots_written"], figures["dots_stored"], figures["strokes_stored"]) == (12, 12, 2)
    assert (figures["answers_expected"], figures["answers_right"]) == (1, 1)
    assert (figures["bound_by_card"], figures["outbox_left"]) == (1, 0)
    assert figures["tables"]["gateway.ink"]["rows"] == 2
    assert figures["by_pen"] == {mac(1): {"written_dots": 12, "stored_dots": 12, "strokes": 2}}


def test_a_stroke_that_is_nowhere_is_a_fault(play: Play) -> None:
    play.strokes.pop()
    books = play.books()
    assert books.figures["dots_lost_unexplained"] == 7
    assert "7 dots are nowhere" in books.faults[0]


def test_a_stroke_inside_a_loss_row_is_explained_and_one_beyond_it_is_not(play: Play) -> None:
    gone = play.strokes.pop()
    play.losses = [(mac(1), LossSeen(gone.up_ms + SLACK_MS, gone.up_ms + 9000, None, "link_lost", None))]
    books = play.books()
    assert books.balanced
    assert (books.figures["dots_in_losses"], books.figures["loss_rows"]) == (7, 1)


def test_a_loss_of_another_pen_or_time_explains_nothing(play: Play) -> None:
    gone = play.strokes.pop()
    play.losses = [
        (mac(2), LossSeen(gone.down_ms, gone.up_ms, None, "link_lost", None)),
        (mac(1), LossSeen(gone.up_ms + SLACK_MS + 1, gone.up_ms + 9000, None, "link_lost", None)),
    ]
    assert play.books().figures["dots_lost_unexplained"] == 7


def test_what_is_in_a_pen_s_memory_is_known_to_be_there(play: Play) -> None:
    play.strokes.pop()
    play.truth[1]["how"] = "memory"
    books = play.books()
    assert books.balanced
    assert books.figures["dots_in_pens"] == 7


def test_ink_that_nobody_wrote_is_a_fault(play: Play) -> None:
    del play.truth[1]
    assert "was never written" in play.books().faults[0]


def test_dots_that_are_too_many_or_are_others_are_faults(play: Play) -> None:
    play.truth[0]["dots"] -= 1
    play.truth[1]["sum"] += 1
    faults = play.books().faults
    assert "1 dots too many" in faults[0]
    assert "their sum differs" in faults[1]


def test_dropped_events_need_a_loss_row(play: Play) -> None:
    play.truth.append({"kind": "dropped", "pen": mac(1), "at_ms": T0 + 3000, "events": 4})
    assert "in no loss row" in play.books().faults[0]


def test_results_without_a_receipt_are_a_fault(play: Play, tmp_path: Path) -> None:
    play.books()
    db = Database(tmp_path / "gateway.db")
    db.conn.execute("insert into fresh(row) values ('x')")
    db.conn.commit()
    db.conn.close()
    books = close_books(tmp_path, with_district=False)
    assert books.figures["outbox_left"] == 1
    assert not books.balanced


@pytest.mark.parametrize(
    ("state", "value", "count"),
    [("answered", "1", "wrong"), ("unsure", "7", "unsure"), ("blank", None, "wrong"), ("answered", "7", "right")],
)
def test_answers_are_counted_by_what_was_written(play: Play, state: Any, value: str | None, count: str) -> None:  # noqa: ANN401  one of grading's states
    play.grade = replace(GRADE, state=state, value=value)
    assert play.books().figures[f"answers_{count}"] == 1


def test_a_district_that_lacks_a_result_is_a_fault(play: Play, tmp_path: Path) -> None:
    play.books()
    district = SqliteStore(tmp_path / "district.db", None)
    district.open()
    district.close()
    books = close_books(tmp_path, with_district=True)
    assert (books.figures["results_made"], books.figures["results_in_district"]) == (1, 0)
    assert any("the district has 0" in fault for fault in books.faults)


def test_the_digest_of_a_table_does_not_depend_on_its_order_and_sees_every_byte(tmp_path: Path) -> None:
    digests = []
    for name, turn, more in (("a", 1, 0), ("b", -1, 0), ("c", 1, 1)):
        db = sqlite3.connect(tmp_path / name)
        db.execute("create table t(a, b)")
        db.executemany("insert into t values (?, ?)", [(1, b"x"), (2 + more, b"y")][::turn])
        digests.append(_digest(db, "t"))
        db.close()
    assert digests[0] == digests[1]
    assert digests[0]["rows"] == digests[2]["rows"] == 2
    assert digests[0]["digest"] != digests[2]["digest"]


def test_a_loss_that_is_healed_explains_nothing(play: Play) -> None:
    gone = play.strokes.pop()
    play.losses = [(mac(1), LossSeen(gone.down_ms, gone.up_ms, None, "link_lost", None, ()))]
    play.drained = [Drained(mac(1), gone.up_ms, gone.up_ms, gone.up_ms + 100, 0, 0, 0, True, None)]
    books = play.books()
    assert books.figures["dots_lost_unexplained"] == 7
    assert (books.figures["loss_rows"], books.figures["loss_rows_healed"]) == (0, 1)


def test_a_stroke_of_a_clock_that_was_wrong_is_known_by_the_pen_s_own_time(play: Play) -> None:
    for stroke in play.strokes:
        stroke.pen_ms, stroke.down_ms, stroke.time_known, stroke.how = (
            stroke.down_ms,
            stroke.down_ms + 9_999,
            False,
            "memory",
        )
    for line in play.truth[:2]:
        line["how"] = "memory"
    books = play.books()
    assert books.balanced, books.faults
    assert books.figures["strokes_drained"] == 2
