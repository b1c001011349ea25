"""After a start: what may be missing since the box before this one died, and whether its store went back meanwhile.

A kill: of pens that had a link, everything after the last event that was committed may be lost. A store that had taken
nothing for a while: the same of every pen, since then. A store that is older than the box's last beat (its disk went
back, or a backup was brought back): ink that was committed after it is gone, and so may be strokes that were drained
and forgotten by their pens; that is a loss that nothing heals, and what lies in memory from before the box's death says
nothing of what was lost then.
"""

import logging
from typing import Final, NamedTuple

from sqlite_utils import Database

from gateway import journal
from gateway.alive import Seen
from gateway.gaps import SET_MS, Part, Window
from gateway.links import Links
from gateway.strokes import LossSeen

logger = logging.getLogger(__name__)

_BEAT_MS: Final = 1_000
"""Of the time before beats that were not committed: more than any beat takes."""


class SetBack(NamedTuple):
    """The store is older than the box that wrote it."""

    beats: int
    """How many beats it lacks."""
    at_ms: int
    """When the box before this one last lived."""


def take_up(db: Database, links: Links, now_ms: int, lesson_from_ms: int, before: Seen | None) -> SetBack | None:
    """Open the windows and keep them; says if the store went back. Links that were never ended are ended now.

    All of it is in the store when the transaction is: a box that dies before its first beat does it again, to no harm.
    """
    back = _open(db, links, now_ms, lesson_from_ms, before)
    keep(db, links.gaps.to_text())
    return back


def keep(db: Database, gaps: str) -> None:
    """Keep the open windows in the store."""
    db.conn.execute(
        "insert into box(k, v) values ('gaps', ?) on conflict(k) do update set v = excluded.v",
        (gaps,),
    )


def _open(db: Database, links: Links, now_ms: int, lesson_from_ms: int, before: Seen | None) -> SetBack | None:
    gaps = links.gaps
    seq, at_ms = journal.last_beat(db)
    alive_ms = now_ms if before is None else min(now_ms, max(before.at_ms, at_ms))
    told = db.conn.execute("select v from box where k = 'gaps'").fetchone()
    if told is not None:
        gaps.from_text(told[0], alive_ms=alive_ms)
    _of_links(db, links, lesson_from_ms, alive_ms, heals=told is not None)
    db.conn.execute("update link set to_ms = ?, reason = 'crash' where to_ms is null", (now_ms,))
    if before is None:
        return None
    if before.seq > seq:
        _went_back(db, links, before.seq, at_ms, alive_ms)
        logger.warning("the store lacks the last %d beats: it went back; what they held is a loss", before.seq - seq)
        return SetBack(before.seq - seq, alive_ms)
    if before.pending_ms:
        part = Part(max(0, before.pending_ms - _BEAT_MS), None, alive_ms)
        gaps.anyone(part)
        for (pen,) in db.conn.execute("select mac from pen").fetchall():
            gaps.lose(pen, part)
    return None


def _of_links(db: Database, links: Links, lesson_from_ms: int, alive_ms: int, *, heals: bool) -> None:
    """Links that a crash cut, and pens that had one in the lesson that still runs."""
    rows = db.conn.execute(
        "select pen, max(from_ms), max(coalesce(to_ms, 0)), sum(to_ms is null) from link"
        " where to_ms is null or to_ms >= ? group by pen",
        (lesson_from_ms,),
    ).fetchall()
    for pen, from_ms, to_ms, cut in rows:
        if cut or not heals:
            last = db.conn.execute("select max(up_ms) from ink where pen = ? and how = 'live'", (pen,)).fetchone()[0]
            since_ms = max(from_ms, last or 0)
            links.gaps.lose(pen, Part(since_ms, None, max(since_ms, from_ms + SET_MS, alive_ms)))
            if not heals:
                links.gaps.windows[pen].heals = False  # kept by a program that knew less of gaps
        else:
            links.gaps.want(pen, to_ms)


def _went_back(db: Database, links: Links, seq: int, store_ms: int, alive_ms: int) -> None:
    """Nothing heals what was lost with the beats that the store lacks; then on it is as after a kill."""
    gaps = links.gaps
    gaps.anyone(Part(store_ms, None, alive_ms))  # of a store without beats: since ever
    rows = db.conn.execute(
        "select mac, min(first_ms, coalesce((select min(from_ms) from loss where pen = mac), first_ms)),"
        " (select max(from_ms) from drain d where d.pen = mac and d.whole) from pen"
    ).fetchall()
    known = {row[0] for row in rows}
    rows += [(pen, window.from_ms, None) for pen, window in gaps.windows.items() if pen not in known]
    for pen, first_ms, drained_ms in rows:
        window = gaps.windows.pop(pen, None)
        from_ms = min(ms for ms in (drained_ms or first_ms, window.from_ms if window else None) if ms is not None)
        journal.insert_loss(db, seq, pen, LossSeen(min(from_ms, alive_ms), alive_ms, None, "memory_unread", None))
        gaps.windows[pen] = Window(alive_ms)
        gaps.lose(pen, Part(alive_ms, None, alive_ms))
    db.conn.execute("delete from window")
    journal.note_beat(db, seq, alive_ms)  # so that it is found once, and no beat has the number of one that is gone
