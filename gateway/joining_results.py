"""Grades and the outbox of a store that was put aside come over to the present one (see `joining`)."""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlite_utils import Database

from gateway import audit
from gateway.salvage import Table, insert
from sync import outbox
from sync.errors import Unreadable
from sync.messages import Result, Row, unpack


def join_grades(db: Database, rows: list[dict[str, Any]], strokes: Mapping[str, str], *, now_ms: int) -> int:
    """Grades that are not here. Of one answer all stay, each with a revision of its own, and the latest on top.

    Args:
        db: The present store.
        rows: The old store's.
        strokes: The old store's lists of strokes, by the hash of the ink.
        now_ms: For the audit chain, which takes them in as they came.
    """
    by_answer: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_answer.setdefault(row["id"], []).append(row)
    added = 0
    for code, old in by_answer.items():
        cursor = db.conn.execute("select * from grade where id = ? order by rev", (code,))
        names = [column[0] for column in cursor.description]
        here = [dict(zip(names, row, strict=True)) for row in cursor]
        known = {_content(row) for row in here}
        new = sorted((row for row in old if _content(row) not in known), key=lambda row: row["rev"])
        if not new:
            continue
        if here and new[0]["rev"] <= here[-1]["rev"]:
            rev = here[-1]["rev"]
            new = [{**row, "rev": rev + n} for n, row in enumerate(new, 1)]
        if here and here[-1]["at_ms"] > new[-1]["at_ms"]:
            new.append({**here[-1], "rev": new[-1]["rev"] + 1})
        added += sum(_add_grade(db, row, strokes.get(row["ink"], ""), now_ms) for row in new)
    return added


def join_outbox(db: Database, results: Table, envelopes: Table, fresh: Table) -> dict[str, int]:
    """Results, envelopes and fresh rows that are not here. An envelope that either store saw receipted is receipted."""
    sent = set()
    added = 0
    for row in envelopes.rows:
        added += _add_envelope(db, row)
        if envelopes.unreadable:
            sent |= {(each.id, each.rev) for each in _rows(row["payload"])}
    known = {(row[0], row[1]) for row in db.conn.execute("select id, rev from result")}
    new = sum(_add_result(db, row) for row in results.rows)
    waiting = [row["row"] for row in fresh.rows]
    if envelopes.unreadable or fresh.unreadable:
        # What may have been in an envelope that cannot be read goes again: the district keeps each result once.
        sent |= {(row.id, row.rev) for row in map(_row, waiting) if row is not None}
        waiting += [
            Row(id=row["id"], rev=row["rev"], day=row["day"], body=row["body"]).to_json()
            for row in results.rows
            if (row["id"], row["rev"]) not in sent
        ]
    again = 0
    for line in waiting:
        read = _row(line)
        if read is not None and (read.id, read.rev) not in known and _is_newest(db, read):
            db.conn.execute("insert into fresh(row) values (?)", (line,))
            again += 1
    return {"envelope": added, "result": new, "fresh": again}


def _add_grade(db: Database, row: dict[str, Any], strokes: str, now_ms: int) -> int:
    try:
        audit.insert_grade(db, row, kind=audit.JOINED, now_ms=now_ms, strokes=strokes)
    except (sqlite3.IntegrityError, KeyError):
        return 0  # half of a row, out of a store that was hurt
    return 1


def _add_envelope(db: Database, row: dict[str, Any]) -> int:
    found = db.conn.execute(
        "select id, state from envelope where epoch = ? and eseq = ?", (row["epoch"], row["eseq"])
    ).fetchone()
    if found is None:
        return insert(db, "envelope", [{name: value for name, value in row.items() if name != "id"}])
    if row["state"] == "receipted" and found[1] == "waiting":
        db.conn.execute(
            "update envelope set state = 'receipted', why = null, generation = ?, pos = ? where id = ?",
            (row["generation"], row["pos"], found[0]),
        )
    return 0


def _add_result(db: Database, row: dict[str, Any]) -> int:
    """The later of two results of one answer stands; if it is ours it goes above the old one's revision."""
    here = db.conn.execute("select rev, digest, body from result where id = ?", (row["id"],)).fetchone()
    if here is None:
        return insert(db, "result", [row])
    if here[0] > row["rev"] or here[1] == row["digest"]:
        return 0
    ours, theirs = _read(here[2]), _read(row["body"])
    if ours is not None and theirs is not None and ours.at_ms > theirs.at_ms:
        outbox.put(db, msgspec.structs.replace(ours, rev=row["rev"] + 1))
        return 0
    db.conn.execute(
        "update result set rev = ?, day = ?, body = ?, digest = ? where id = ?",
        (row["rev"], row["day"], row["body"], row["digest"], row["id"]),
    )
    return 1


def _is_newest(db: Database, row: Row) -> bool:
    found = db.conn.execute("select rev, digest from result where id = ?", (row.id,)).fetchone()
    return found is not None and (found[0], found[1]) == (row.rev, row.digest)


def _content(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(value for name, value in sorted(row.items()) if name != "rev")


def _rows(payload: bytes) -> Iterator[Row]:
    try:
        yield from unpack(payload)
    except Unreadable:
        return


def _row(line: str) -> Row | None:
    try:
        return Row.from_json(line)
    except Unreadable:
        return None


def _read(body: str) -> Result | None:
    try:
        return Result.from_body(body)
    except Unreadable:
        return None
