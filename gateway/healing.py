"""What the end of a drain does to losses, inside the beat's transaction.

Losses are only added; `healed_by` alone changes.
A row of `window` beside a loss says that a drain of the pen's memory may heal it, and which parts of it stay lost.
"""

import json
from typing import NamedTuple

from sqlite_utils import Database

from gateway.gaps import Part, shortened
from gateway.strokes import LossSeen


class Drained(NamedTuple):
    """One drain of one pen's memory, over."""

    pen: str
    ready_ms: int
    """Since when the link stands by which it was drained: losses up to here can be filled."""
    from_ms: int
    to_ms: int
    strokes: int
    dots: int
    pages_deleted: int
    whole: bool
    """Whether all that the pen had is durable."""
    why: str | None


class Mended(NamedTuple):
    """A loss that a drain has filled, and what of it stays lost."""

    pen: str
    from_ms: int
    to_ms: int
    left: tuple[LossSeen, ...]


def note_window(db: Database, loss: int, parts: tuple[Part, ...]) -> None:
    """A drain may heal this loss."""
    db.conn.execute("insert into window(loss, parts) values (?, ?)", (loss, json.dumps(parts)))


def close_drain(db: Database, drained: Drained) -> tuple[int, list[Mended]]:
    """Store a drain; of a whole one also say what it healed. Returns its id and what it mended, not yet stored."""
    row = db.conn.execute(
        "insert into drain(pen, from_ms, to_ms, strokes, dots, pages, whole, why) values (?,?,?,?,?,?,?,?)"
        " returning id",
        (
            *(drained.pen, drained.from_ms, drained.to_ms, drained.strokes, drained.dots, drained.pages_deleted),
            *(int(drained.whole), drained.why),
        ),
    ).fetchone()
    return int(row[0]), _mend(db, int(row[0]), drained) if drained.whole else []


def _mend(db: Database, drain: int, drained: Drained) -> list[Mended]:
    rows = db.conn.execute(
        "select l.id, l.from_ms, l.to_ms, w.parts from loss l join window w on w.loss = l.id"
        " where l.pen = ? and l.healed_by is null and l.to_ms <= ? order by l.id",
        (drained.pen, drained.ready_ms),
    ).fetchall()
    mended = []
    for loss, from_ms, to_ms, text in rows:
        parts = [Part(*each) for each in json.loads(text)]
        left = shortened((from_ms, to_ms), parts, lambda ms: _first_after(db, drained.pen, ms))
        if left is None:
            continue
        db.conn.execute("update loss set healed_by = ? where id = ?", (drain, loss))
        seen = tuple(LossSeen(a, b, None, "link_lost", None) for a, b in left)
        mended.append(Mended(drained.pen, from_ms, to_ms, seen))
    return mended


def _first_after(db: Database, pen: str, after_ms: int) -> int | None:
    """When the first stroke that lay in the pen's memory was begun at or after a time, of those whose time is known."""
    found = db.conn.execute(
        "select min(pen_ms) from ink where pen = ? and how = 'memory' and pen_ms >= ? and time_known", (pen, after_ms)
    ).fetchone()[0]
    return None if found is None else int(found)
