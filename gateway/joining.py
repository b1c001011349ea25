"""A store that was put aside is joined to the present one: what of it can be read and is not here yet comes over, once.

All of it is one transaction, and doing it again changes nothing. Nothing that is here is overwritten: where both stores
say something of one answer the later one stands on top, as a row with a higher revision. What the district has
receipted stays receipted.
"""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlite_utils import Database

from gateway import audit_erasure, journal
from gateway.inspection import is_sound
from gateway.joining_results import join_grades, join_outbox
from gateway.keeping import Held
from gateway.salvage import LOST, Table, Wreck, insert
from recognition.ink import unpack

_KEYS: Final = {
    "pen": ("mac",),
    "pupil": ("number",),
    "sheet": ("id", "rev"),
    "lesson": ("id",),
    "lesson_seat": ("lesson", "seat"),
    "claim": ("join_ms", "pen", "seat"),
    "link": ("pen", "from_ms"),
    "drain": ("pen", "from_ms", "to_ms"),
    "oddity": ("pen", "at_ms", "kind", "command", "payload"),
    "reading": ("lesson", "field", "pupil", "ink", "reader"),
    "key_change": ("sheet", "sheet_rev", "field", "version", "at_ms"),
    "decision": ("id",),
    "decision_member": ("decision", "pupil"),
    "label": ("decision", "pupil", "ink"),
}
"""What makes a row of a table the same in both stores."""
_INK: Final = frozenset({"ink", "journal"})
_KNOWN: Final = ("pen", "section", "owner", "note", "page", "down_ms", "pen_ms", "dots", "sum", "how", "piece")
_PAGE: Final = ("pen", "section", "owner", "note", "page")


@dataclass(slots=True)
class Joined:
    """What a joining did: new rows by table, and the tables that could not be read whole."""

    rows: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    healed: int = 0
    """Losses that are none any more."""

    @property
    def is_whole(self) -> bool:
        """Whether all ink of the old store is here now."""
        return not _INK & set(self.unreadable)


def join(db: Database, folder: Path, held: Held, *, now_ms: int) -> Joined:
    """Join one store that was put aside, inside the caller's transaction.

    Args:
        db: The present store.
        folder: Where the old one lies.
        held: Which it is.
        now_ms: For the record.
    """
    joined = Joined()
    with closing(Wreck(folder / held.name)) as wreck:
        tables = {name: wreck.table(name) for name in (*_KEYS, "binding", "ink", "loss", "window", "grade", "journal")}
        tables |= {name: wreck.table(name) for name in ("graded_ink", "result", "envelope", "fresh")}
        known = wreck.names
    for name, key in _KEYS.items():
        joined.rows[name] = _add(db, tables[name], key)
    _end_lessons(db, tables["lesson"], held.at_ms)
    joined.rows["binding"] = _add_bindings(db, tables["binding"], held.at_ms)
    joined.rows["ink"] = _add_ink(db, tables["ink"]) + _add_journal(db, tables["journal"])
    joined.rows["loss"] = _add_losses(db, tables["loss"], tables["window"])
    strokes = {row["ink"]: row["strokes"] for row in tables["graded_ink"].rows}
    joined.rows["grade"] = join_grades(db, tables["grade"].rows, strokes, now_ms=now_ms)
    for name, count in join_outbox(db, tables["result"], tables["envelope"], tables["fresh"]).items():
        joined.rows[name] = count
    audit_erasure.forget_again(db, now_ms=now_ms)
    # A table that an older schema did not have lacks nothing; where no table is known all are lacking.
    joined.unreadable = sorted(t.name for t in tables.values() if t.unreadable and (t.name in known or not known))
    if joined.is_whole:
        joined.healed = _heal(db, held, joined.rows["ink"])
    db.conn.execute(
        "update aside set joined_ms = ?, rows = coalesce(rows, 0) + ?, unreadable = ? where id = ?",
        (now_ms, joined.rows.total(), ",".join(joined.unreadable), held.id),
    )
    db.conn.execute("delete from box where k = 'store_damaged' and v = ?", (held.name,))
    return joined


def _add(db: Database, table: Table, key: tuple[str, ...]) -> int:
    """Rows whose key is not here yet; they get new numbers."""
    if not set(key) <= set(table.columns):
        return 0
    names = ", ".join(key)
    known = {tuple(row) for row in db.conn.execute(f'select {names} from "{table.name}"')}  # noqa: S608  our own names
    numbered = "id" not in key
    new = []
    for row in table.rows:
        value = tuple(row[name] for name in key)
        if value not in known:
            known.add(value)
            new.append({k: v for k, v in row.items() if not (numbered and k == "id")})
    return insert(db, table.name, new)


def _end_lessons(db: Database, lessons: Table, at_ms: int) -> None:
    """A lesson that ran in the old store alone is over; one that was stopped there is stopped."""
    running = [row[0] for row in db.conn.execute("select id from lesson where stopped_ms is null order by started_ms")]
    old = {row["id"]: row["stopped_ms"] for row in lessons.rows}
    for lesson in running:
        stopped = old.get(lesson)
        if stopped is None and lesson in old and lesson != running[-1]:
            stopped = at_ms
        if stopped is not None:
            db.conn.execute("update lesson set stopped_ms = ? where id = ?", (stopped, lesson))


def _add_bindings(db: Database, table: Table, at_ms: int) -> int:
    """Who held which pen while the old store was in use; since then it is as the present one says."""
    here = {
        (row[1], row[2], row[3]): (row[0], row[4])
        for row in db.conn.execute("select id, pen, seat, from_ms, to_ms from binding").fetchall()
    }
    added = 0
    for row in table.rows:
        from_ms, to_ms = row["from_ms"], row["to_ms"]
        known = here.get((row["pen"], row["seat"], from_ms))
        if known is None:
            added += insert(db, "binding", [{**_numberless(row), "to_ms": _end_of(db, row, at_ms)}])
        elif known[1] is None and to_ms is not None and to_ms < at_ms:
            db.conn.execute("update binding set to_ms = ? where id = ?", (to_ms, known[0]))
            again = {**_numberless(row), "from_ms": at_ms, "to_ms": None}
            added += insert(db, "binding", [again])
    return added


def _end_of(db: Database, row: dict[str, Any], at_ms: int) -> int | None:
    """When a binding of the old store ended: at the latest when a later one of the present took its pen or its seat."""
    ends = [row["to_ms"]]
    if row["to_ms"] is None:
        taken = db.conn.execute(
            "select min(max(from_ms, ?)) from binding where (pen = ? or seat = ?) and (to_ms is null or to_ms > ?)",
            (row["from_ms"], row["pen"], row["seat"], at_ms),
        ).fetchone()[0]
        ends.append(None if taken is None else max(min(taken, at_ms), row["from_ms"]))
    return min((end for end in ends if end is not None), default=None)


def _add_ink(db: Database, table: Table) -> int:
    """Pieces that are not here. As many alike as the old store had are here at the end, no more."""
    query = "select pen, section, owner, note, page, down_ms, pen_ms, dots, sum, how, piece from ink"
    here = [dict(zip(_KNOWN, row, strict=True)) for row in db.conn.execute(query)]
    alike_here = Counter(map(_content, here))
    numbers: dict[tuple[Any, ...], set[int]] = {}
    for row in here:
        numbers.setdefault(_place(row), set()).add(row["piece"])
    alike: Counter[tuple[Any, ...]] = Counter()
    new = []
    for row in table.rows:
        if not is_sound(row["packed"], row["dots"], row["sum"]):
            table.unreadable += 1
            continue
        alike[_content(row)] += 1
        if alike_here[_content(row)] >= alike[_content(row)]:
            continue
        taken = numbers.setdefault(_place(row), set())
        number = row["piece"]
        if number in taken:
            if _is_beginning(db, row):
                continue
            number = 1 + max(taken)  # two strokes that claim one millisecond are both ink
        taken.add(number)
        new.append({**_numberless(row), "piece": number})
    return insert(db, "ink", new)


def _content(row: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two pieces alike. One out of a pen's memory is known by the pen's time: the box's may differ."""
    time = row["pen_ms"] if row["how"] == "memory" else row["down_ms"]
    return (*(row[name] for name in _PAGE), time, row["dots"], row["sum"], row["how"])


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*(row[name] for name in _PAGE), row["down_ms"], row["how"])


def _is_beginning(db: Database, row: dict[str, Any]) -> bool:
    """Whether the piece here is the same stroke, gone on with after the old store was put aside."""
    found = db.conn.execute(
        "select packed from ink where pen=? and section=? and owner=? and note=? and page=? and down_ms=? and how=?"
        " and piece=?",
        (*_place(row), row["piece"]),
    ).fetchone()
    return found is not None and _begins_with(found[0], row["packed"])


def _begins_with(whole: bytes, part: bytes) -> bool:
    """Whether a piece is the beginning of another: its stroke was open when the old store was put aside."""
    a, b = np.vstack(unpack(whole)), np.vstack(unpack(part))
    return len(b) <= len(a) and bool((a[: len(b)] == b).all())


def _add_journal(db: Database, table: Table) -> int:
    """Strokes that were open when the old store was put aside end there."""
    rows = sorted((row["seq"], row["packed"]) for row in table.rows)
    before = db.conn.total_changes
    for piece in journal.pieces_of(rows):
        known = db.conn.execute(
            "select packed from ink where pen=? and section=? and owner=? and note=? and page=? and down_ms=?"
            " and piece=? and how='live'",
            (piece.pen, *piece.page, piece.down_ms, piece.number),
        ).fetchone()
        if known is None:
            journal.insert_piece(db, piece.first_seq, piece, how="live", trusted=piece.time_known)
    return db.conn.total_changes - before


def _add_losses(db: Database, table: Table, windows: Table) -> int:
    names = ("seq", "pen", "from_ms", "to_ms", "events", "cause")
    known = {
        tuple(row[1:]): row[0]
        for row in db.conn.execute(f"select id, {', '.join(names)} from loss").fetchall()  # noqa: S608  our own names
    }
    parts = {row["loss"]: row["parts"] for row in windows.rows}
    added = 0
    for row in table.rows:
        key = tuple(row[name] for name in names)
        if key in known:
            if row["healed_by"] is not None:
                db.conn.execute(
                    "update loss set healed_by = ? where id = ? and healed_by is null", (row["healed_by"], known[key])
                )
            continue
        added += insert(db, "loss", [_numberless(row)])
        if row["id"] in parts and row["healed_by"] is None:
            loss = db.conn.execute("select max(id) from loss").fetchone()[0]
            db.conn.execute("insert or ignore into window(loss, parts) values (?, ?)", (loss, parts[row["id"]]))
    return added


def _heal(db: Database, held: Held, pieces: int) -> int:
    """What was lost with the old store is here; a row of `drain` says by what."""
    found = db.conn.execute(
        "select id from loss where healed_by is null and ((cause = ? and to_ms = ?) or (cause = 'memory_unread'"
        " and to_ms = ? and id not in (select loss from window)))",
        (LOST, held.lived_ms or held.at_ms, held.lived_ms),
    ).fetchall()
    if not found:
        return 0
    drain = db.conn.execute(
        "insert into drain(pen, from_ms, to_ms, strokes, dots, pages, whole, why) values ('', ?, ?, ?, 0, 0, 1, ?)"
        " returning id",
        (held.at_ms, held.at_ms, pieces, held.name),
    ).fetchone()[0]
    db.conn.executemany("update loss set healed_by = ? where id = ?", [(drain, row[0]) for row in found])
    return len(found)


def _numberless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}
