"""Results of a pupil who is deleted on request leave the box's end, and the district learns of it by the usual way.

The contract stays as it is. Rows that are not under way are taken out. An envelope that the district has receipted is
kept for a district that is restored later, without those rows: its number is not known to a district that has lost it,
and one that has not would say so and get the rows under another number. An envelope that still waits, or was refused,
is never changed, so it goes, and its other rows go anew under another number; the district keeps each result once.

Then every answer gets one revision more that says nothing: no pupil, no value, no points, no ink. The district, which
keeps the newest revision of a result, has nothing else of it then, and count and digest still agree at both ends. Like
`outbox`, every function works inside the caller's transaction.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from sqlite_utils import Database

from sync import outbox
from sync.errors import Unreadable
from sync.messages import NUMBER_REUSED, Result, Row, digest, number, pack, unpack

ERASED: Final = "erased"
"""Who decided a result that says nothing any more."""


def erase(db: Database, ids: Collection[str], *, now_ms: int) -> int:
    """Take these results out and leave revisions that say nothing. Returns how many there were."""
    found = [
        row
        for code in sorted(ids)
        if (row := db.conn.execute("select id, rev, body from result where id = ?", (code,)).fetchone()) is not None
    ]
    gone = frozenset(row[0] for row in found)
    if gone:
        _from_fresh(db, gone)
        _from_envelopes(db, gone)
    for code, rev, body in found:
        try:
            before = Result.from_body(body)
        except Unreadable:
            db.conn.execute("delete from result where id = ?", (code,))
            continue
        outbox.put(db, _emptied(before, rev + 1, now_ms))
    return len(found)


def _emptied(before: Result, rev: int, now_ms: int) -> Result:
    return msgspec.structs.replace(
        before,
        rev=rev,
        pupil="",
        state="not_handed_out",
        value=None,
        points=None,
        confidence=None,
        reader="none",
        key="",
        ink="",
        decided_by=ERASED,
        coverage=None,
        at_ms=now_ms,
    )


def _from_fresh(db: Database, gone: frozenset[str]) -> None:
    for seq, line in db.conn.execute("select seq, row from fresh").fetchall():
        if _id(line) in gone:
            db.conn.execute("delete from fresh where seq = ?", (seq,))


def _from_envelopes(db: Database, gone: frozenset[str]) -> None:
    for envelope, state, why in db.conn.execute("select id, state, why from envelope order by id").fetchall():
        payload = db.conn.execute("select payload from envelope where id = ?", (envelope,)).fetchone()[0]
        try:
            rows = unpack(payload)
        except Unreadable:
            continue  # whatever it is, it names nobody that could be found in it
        left = [row for row in rows if row.id not in gone]
        if len(left) == len(rows):
            continue
        if left and state == "receipted":
            told = number(payload)
            again = pack(told.epoch, told.eseq, [row.to_json() for row in left])
            db.conn.execute(
                "update envelope set n = ?, payload = ?, digest = ? where id = ?",
                (len(left), again, digest(again), envelope),
            )
            continue
        db.conn.execute("delete from envelope where id = ?", (envelope,))
        if state != "receipted" and why != NUMBER_REUSED:  # those went under another number already
            db.conn.executemany("insert into fresh(row) values (?)", [(row.to_json(),) for row in left])


def _id(line: str) -> str:
    try:
        return Row.from_json(line).id
    except Unreadable:
        return ""
