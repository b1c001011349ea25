"""What was put aside comes back: once, and nothing that is here is lost for it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from gateway import aside, pens
from gateway.backup import back_up, join_aside, restore
from gateway.errors import Missing, StoreBusy
from gateway.store import Store, check
from sync import outbox
from sync.messages import Result, unpack
from tests.gateway.rig import T0, mac
from tests.gateway.stores import HURTS, fill, filled, hurt, ink_of, one, stroke, write
from tests.sync.samples import result

LATER = T0 + 10_000_000
TABLE_LEAF = 0x0D
"""The first byte of a page that holds rows of a table."""


def do(path: Path, *works: Callable[[Database], object]) -> None:
    store = Store(path)
    for work in works:
        store.submit(work).result()
    store.close()


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but for when a joining was."""
    with closing(sqlite3.connect(path)) as connection:
        names = [r[0] for r in connection.execute("select name from sqlite_master where type = 'table'")]
        tables = {n: sorted(connection.execute(f'select * from "{n}"').fetchall(), key=repr) for n in names}  # noqa: S608  the file's own names
    return {n: rows for n, rows in tables.items() if n not in {"aside", "sqlite_sequence"}}


def damaged(folder: Path, how: str = "zeroed", **more: int) -> Path:
    """A store that was damaged and put aside; a lesson went on in the new one."""
    path = filled(folder, **more)
    hurt(path, how)
    store = Store(path, mend=True)
    write(store, [stroke(2, 500), stroke(3, 501)], seq=100)
    store.close()
    return path


@pytest.mark.parametrize("how", HURTS)
def test_what_can_be_read_is_joined_once_and_again_changes_nothing(tmp_path: Path, how: str) -> None:
    path = damaged(tmp_path, how)
    first = join_aside(path)
    after = dump(path)
    assert join_aside(path).keys() == first.keys()
    assert dump(path) == after
    assert check(path) == []
    assert len(ink_of(path)) >= 2


def test_all_that_was_there_is_there_again_and_no_longer_a_loss(tmp_path: Path) -> None:
    before = filled(tmp_path / "before", strokes=200)
    path = damaged(tmp_path, strokes=200)
    (joined,) = join_aside(path).values()
    assert joined.is_whole
    assert ink_of(before) < ink_of(path)
    assert len(ink_of(path)) == 200 + 2 + 1, "the stroke that was open is ink, too"
    assert one(path, "select count(*) from unhealed where cause = 'store_lost'") == 0
    assert one(path, "select count(*) from unhealed") == 1, "what was lost for good stays"
    assert one(path, "select count(*) from loss where healed_by = (select max(id) from drain)") == 4
    assert one(path, "select count(*) from box where k = 'store_damaged'") == 0
    assert one(path, "select joined_ms is not null from aside") == 1


def test_while_some_ink_cannot_be_read_the_loss_stays(tmp_path: Path) -> None:
    path = filled(tmp_path, strokes=3_000)
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    page = next(n for n in range(pages // 2, pages) if content[(n - 1) * 4096] == TABLE_LEAF)
    content[(page - 1) * 4096 : page * 4096] = bytes(4096)
    path.write_bytes(content)
    Store(path, mend=True).close()
    (joined,) = join_aside(path).values()
    assert "ink" in joined.unreadable
    assert 2_800 < len(ink_of(path)) < 3_001
    assert one(path, "select count(*) from unhealed where cause = 'store_lost'") == 4


def test_ink_whose_dots_are_not_what_was_stored_is_not_joined(tmp_path: Path) -> None:
    path = filled(tmp_path)
    do(path, lambda db: db.conn.execute("update ink set sum = sum + 1 where id = 7"))
    hurt(path, "zeroed")
    Store(path, mend=True).close()
    (joined,) = join_aside(path).values()
    assert "ink" in joined.unreadable
    assert len(ink_of(path)) == 50, "49 pieces and the stroke that was open"


def test_a_stroke_that_was_open_when_the_store_was_put_aside_is_there_once(tmp_path: Path) -> None:
    """The gateway lived on: the new store has the whole of it, the old one its beginning."""
    path = filled(tmp_path)
    hurt(path, "zeroed")
    store = Store(path, mend=True)
    write(store, [stroke(1, 9_000)], seq=100)
    store.close()
    join_aside(path)
    assert one(path, "select count(*) from ink where down_ms = ?", stroke(1, 9_000).down_ms) == 1
    assert one(path, "select dots from ink where down_ms = ?", stroke(1, 9_000).down_ms) == 20


def test_two_strokes_of_one_millisecond_are_both_ink(tmp_path: Path) -> None:
    path = filled(tmp_path)
    hurt(path, "zeroed")
    store = Store(path, mend=True)
    other = stroke(1, 0, dots=20)
    other.rows = [(x + 5, *rest) for x, *rest in other.rows]  # type: ignore[misc]  # seven values as before
    write(store, [other], seq=100)
    store.close()
    join_aside(path)
    query = "select group_concat(piece) from ink where pen = ? and down_ms = ?"
    assert one(path, query, mac(1), stroke(1, 0).down_ms) == "0,1"


def test_a_restore_joined_with_what_it_replaced_is_as_if_nothing_had_been(tmp_path: Path) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "copy.db")
    store = Store(path)
    write(store, [stroke(4, 600)], seq=50)
    store.submit(lambda db: pens.bind(db, pen=mac(1), seat=9, at_ms=LATER, how="hand")).result()
    store.close()
    lived = ink_of(path)
    restore(path, tmp_path / "copy.db")
    assert ink_of(path) < lived
    assert one(path, "select seat from bound where pen = ?", mac(1)) == 1
    store = Store(path)
    write(store, [stroke(4, 601)], seq=51)
    store.close()
    join_aside(path)
    assert lived < ink_of(path)
    rows = "(select seat, to_ms is null is_open from binding where pen = ? order by from_ms)"
    history = f"select group_concat(seat || ':' || is_open) from {rows}"  # noqa: S608  the line above
    assert one(path, history, mac(1)) == "1:0,9:0,1:1", "what was is told, what is stays"
    after = dump(path)
    join_aside(path)
    assert dump(path) == after


# -- the outbox


def states(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Every envelope's state and fields."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select state, payload from envelope order by at, eseq").fetchall()
    return [(state, tuple(Result.from_body(r.body).field for r in unpack(payload))) for state, payload in rows]


def test_the_outbox_comes_back_and_what_is_receipted_is_not_sent_again(tmp_path: Path) -> None:
    path = filled(tmp_path)
    before = states(path)
    hurt(path, "zeroed")
    Store(path, mend=True).close()
    assert states(path) == []
    join_aside(path)
    assert states(path) == before
    assert [state for state, _ in before] == ["receipted", "waiting"]
    assert one(path, "select count(*) from fresh") == 1
    assert one(path, "select count(*) from result") == 7


def test_an_envelope_that_the_old_store_saw_receipted_does_not_wait_in_the_restored_one(tmp_path: Path) -> None:
    path = filled(tmp_path)
    back_up(path, tmp_path / "copy.db")
    do(path, lambda db: db.conn.execute("update envelope set state = 'receipted', generation = 'g', pos = 9"))
    restore(path, tmp_path / "copy.db")
    assert [state for state, _ in states(path)] == ["receipted", "waiting"]
    join_aside(path)
    assert [state for state, _ in states(path)] == ["receipted", "receipted"]


@pytest.mark.parametrize("ours_is_later", [False, True])
def test_of_two_results_of_one_answer_the_later_is_on_top(tmp_path: Path, *, ours_is_later: bool) -> None:
    path = filled(tmp_path)

    def put(value: str, at_ms: int) -> Callable[[Database], object]:
        return lambda db: outbox.put(db, msgspec.structs.replace(result(1), value=value, at_ms=at_ms))

    back_up(path, tmp_path / "copy.db")
    do(path, put("old", LATER), put("old again", LATER + 1))
    restore(path, tmp_path / "copy.db")
    do(path, put("new", LATER + 2 if ours_is_later else LATER - 1))
    join_aside(path)
    body = one(path, "select body from result where id = ?", result(1).id)
    rev = one(path, "select rev from result where id = ?", result(1).id)
    assert Result.from_body(str(body)).value == ("new" if ours_is_later else "old again")
    assert rev == (4 if ours_is_later else 3)
    fresh = one(path, "select group_concat(row) from fresh")
    assert ('"rev":4' in str(fresh)) == ours_is_later, "the district hears of it"
    after = dump(path)
    join_aside(path)
    assert dump(path) == after


def grade(rev: int, value: str, at_ms: int) -> Callable[[Database], object]:
    row = ("g1", rev, "l1", "q1", "p1", "answered", value, 1.0, 1.0, 0.9, "r", "k", "i", "reader", 1.0, "[]", at_ms, 1)
    marks = ",".join("?" * len(row))
    return lambda db: db.conn.execute(f"insert into grade values ({marks})", row)  # noqa: S608  marks only


def test_grades_of_both_stores_stay_and_the_latest_is_the_newest(tmp_path: Path) -> None:
    path = filled(tmp_path)
    do(path, grade(1, "a", 1))
    back_up(path, tmp_path / "copy.db")
    do(path, grade(2, "b", 2), grade(3, "c", 3))
    restore(path, tmp_path / "copy.db")
    do(path, grade(2, "d", 4))
    join_aside(path)
    query = "select group_concat(value) from (select value from grade order by rev)"
    assert one(path, query) == "a,d,b,c,d"
    assert one(path, "select value from newest_grade") == "d"
    join_aside(path)
    assert one(path, query) == "a,d,b,c,d"


# -- refusals


def test_a_gateway_that_runs_is_not_joined_into(tmp_path: Path) -> None:
    path = damaged(tmp_path)
    store = Store(path)
    with pytest.raises(StoreBusy):
        join_aside(path)
    store.close()


def test_what_was_not_put_aside_here_cannot_be_joined(tmp_path: Path) -> None:
    path = damaged(tmp_path)
    with pytest.raises(Missing, match="damaged-2"):
        join_aside(path, ["gateway.db.damaged-never"])
    assert aside.listed(path)


def test_an_older_schema_lacks_nothing_that_it_could_not_have(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    store = Store(path)
    fill(store)
    store.submit(lambda db: db.conn.execute("drop view newest_drain")).result()
    store.submit(lambda db: db.conn.execute("drop table drain")).result()
    store.close()
    hurt(path, "zeroed")
    Store(path, mend=True).close()
    (joined,) = join_aside(path).values()
    assert joined.unreadable == []
