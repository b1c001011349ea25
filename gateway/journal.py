"""The beat: take what arrived, write it in one transaction, and only after the commit hand the same batch on.

`Batch` is what one beat holds. `commit` writes it: dots of open pieces go to the journal, closed pieces to `ink`,
gaps to `loss`, the rest to `oddity`. A journal row goes when all that it holds is in `ink`. `recover` reads again what
a crash left open and ends it `inferred`.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from sqlite_utils import Database

from gateway.healing import Drained, close_drain, note_window
from gateway.strokes import LossSeen, OddityRow, Piece, Row
from recognition.ink import dot_sum, pack
from recognition.pages import PageAddress

_HEAD: Final = struct.Struct("<6sBIIIQQBBHHH")
"""Pen, section, owner, note, page, down_ms, pen_ms, time known, eraser, piece, first row, rows."""
_ROW: Final = struct.Struct("<IIHiBBH")
_VERSION: Final = b"\x01"

ODDITIES_KEPT: Final = 10_000
"""Oddities a store holds with their bytes; beyond it they are only counted."""
ODDITY_BYTES: Final = 1_024
"""How much of one is kept: enough to see what it was."""


class Healed(NamedTuple):
    """A loss that a drain of the pen's memory has filled: nothing of that span is missing any more."""

    pen: str
    from_ms: int
    to_ms: int


@dataclass(slots=True)
class Batch:
    """What one beat holds, of all pens."""

    seq: int
    at_ms: int
    open: list[Piece] = field(default_factory=list)
    closed: list[Piece] = field(default_factory=list)
    losses: list[tuple[str, LossSeen]] = field(default_factory=list)
    oddities: list[tuple[str, OddityRow]] = field(default_factory=list)
    drained: list[Drained] = field(default_factory=list)
    """Drains that are over."""
    healed: list[Healed] = field(default_factory=list)
    """After the commit: losses that are none any more; those that take their place are in `losses`."""
    again: list[Piece] = field(default_factory=list)
    """After the commit: pieces out of memory that the store had already; they are not in `closed`."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        if self.closed or self.losses or self.oddities or self.drained:
            return False
        return not any(p.journaled < len(p.rows) for p in self.open)

    def is_committed(self, found: "Committed") -> None:
        """Take in what only the store could tell."""
        self.healed += found.healed
        self.losses += found.losses
        if found.again:
            known = {id(piece) for piece in found.again}
            self.again += found.again
            self.closed = [piece for piece in self.closed if id(piece) not in known]


@dataclass(slots=True)
class Committed:
    """What the store found out while it took a beat."""

    again: list[Piece] = field(default_factory=list)
    healed: list[Healed] = field(default_factory=list)
    losses: list[tuple[str, LossSeen]] = field(default_factory=list)
    """What stays lost of what was healed; stored already."""


def next_seq(db: Database) -> int:
    """The number of the next beat: above every number ever committed."""
    query = "select max(coalesce((select max(seq) from {0}), 0)) from (select 1)"
    tables = [int(db.conn.execute(query.format(t)).fetchone()[0]) for t in ("journal", "ink", "loss", "oddity")]
    return 1 + max(*tables, last_beat(db)[0])


def last_beat(db: Database) -> tuple[int, int]:
    """The number and time, ms, of the last beat that the store has; zeros where it has none."""
    row = db.conn.execute("select v from box where k = 'beat'").fetchone()
    seq, at_ms = row[0].split() if row is not None else ("0", "0")
    return int(seq), int(at_ms)


def commit(db: Database, batch: Batch, entries: bytes, keep_from: int, *, trusted: bool) -> Committed:
    """Write one beat. `entries` and `keep_from` come from `prepare`, made in the thread that owns the pieces."""
    found = Committed()
    for piece in batch.closed:
        if not insert_piece(db, batch.seq, piece, how=piece.how, trusted=trusted) and piece.how == "memory":
            found.again.append(piece)
    for pen, loss in batch.losses:
        insert_loss(db, batch.seq, pen, loss)
    for drained in batch.drained:
        for mended in close_drain(db, drained)[1]:
            found.healed.append(Healed(mended.pen, mended.from_ms, mended.to_ms))
            for loss in mended.left:
                insert_loss(db, batch.seq, mended.pen, loss)
                found.losses.append((mended.pen, loss))
    for pen, oddity in batch.oddities:
        _insert_oddity(db, batch.seq, pen, oddity)
    db.conn.execute("delete from journal where seq < ?", (keep_from,))
    if entries:
        db.conn.execute("insert into journal(seq, at_ms, packed) values (?, ?, ?)", (batch.seq, batch.at_ms, entries))
    note_beat(db, batch.seq, batch.at_ms)
    return found


def note_beat(db: Database, seq: int, at_ms: int) -> None:
    """This is the last beat that the store has."""
    db.conn.execute(
        "insert into box(k, v) values ('beat', ?) on conflict(k) do update set v = excluded.v", (f"{seq} {at_ms}",)
    )


def prepare(batch: Batch) -> tuple[bytes, int]:
    """Pack the new rows of open pieces and mark them as journaled.

    Returns:
        The journal row, and the first beat whose journal row is still needed.
    """
    out = []
    for piece in batch.open:
        if new := piece.rows[piece.journaled :]:
            out.append(_entry(piece, new))
            piece.journaled = len(piece.rows)
            piece.first_seq = piece.first_seq or batch.seq
    keep_from = min((p.first_seq for p in batch.open if p.first_seq), default=batch.seq)
    return (_VERSION + b"".join(out) if out else b""), keep_from


def insert_piece(db: Database, seq: int, piece: Piece, *, how: str, trusted: bool) -> bool:
    """Store a piece once. Returns whether it was new.

    Two strokes of one pen that claim the same millisecond are both ink: the second gets the next piece number. A piece
    out of memory may come at every drain, and its time by the box may differ then: it is known by the pen's own.
    """
    rows = np.array(piece.rows, np.int64)
    total = dot_sum(rows)
    if how == "memory" and _drained_before(db, piece, len(rows), total):
        return False
    key = (piece.pen, *piece.page, piece.down_ms)
    same = db.conn.execute(
        "select piece, dots, sum from ink where pen=? and section=? and owner=? and note=? and page=? and down_ms=?",
        key,
    ).fetchall()
    if how != "memory" and (piece.number, len(rows), total) in same:
        return False
    number = piece.number if all(row[0] != piece.number for row in same) else 1 + max(row[0] for row in same)
    db.conn.execute(
        "insert into ink(seq, pen, section, owner, note, page, down_ms, piece, dots, sum, packed, up_ms, pen_ms,"
        " time_known, ended, how, tip, clock) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(seq, *key, number, len(rows), total, pack([rows]), piece.up_ms, piece.pen_ms),
            *(int(piece.time_known), piece.ended, how, piece.tip, int(trusted)),
        ),
    )
    return True


def _drained_before(db: Database, piece: Piece, dots: int, total: int) -> bool:
    count = db.conn.execute(
        "select count(*) from ink where pen=? and pen_ms=? and how='memory' and section=? and owner=? and note=?"
        " and page=? and dots=? and sum=?",
        (piece.pen, piece.pen_ms, *piece.page, dots, total),
    ).fetchone()[0]
    return bool(count > piece.twin)


def insert_loss(db: Database, seq: int, pen: str, loss: LossSeen) -> None:
    """Store a gap, and whether a drain may heal it."""
    page: tuple[int | None, ...] = loss.page or (None, None, None, None)
    row = db.conn.execute(
        "insert into loss(seq, pen, from_ms, to_ms, events, cause, section, owner, note, page)"
        " values (?,?,?,?,?,?,?,?,?,?) returning id",
        (seq, pen, loss.from_ms, loss.to_ms, loss.events, loss.cause, *page),
    ).fetchone()
    if loss.parts is not None:
        note_window(db, int(row[0]), loss.parts)


def _insert_oddity(db: Database, seq: int, pen: str, oddity: OddityRow) -> None:
    payload = oddity.payload[:ODDITY_BYTES]
    again = db.conn.execute(
        "update oddity set count = count + 1 where id = (select id from oddity where pen = ? and kind = ?"
        " and (payload = ? or (select count(*) from oddity) >= ?) order by id desc limit 1)",
        (pen, oddity.kind, payload, ODDITIES_KEPT),
    )
    if not again.rowcount:
        db.conn.execute(
            "insert into oddity(seq, pen, at_ms, kind, command, payload) values (?,?,?,?,?,?)",
            (seq, pen, oddity.at_ms, oddity.kind, oddity.command, payload),
        )


def recover(db: Database, *, trusted: bool) -> int:
    """Turn what a crash left in the journal into ink, ended `inferred`. Returns how many pieces that made."""
    made = 0
    rows = db.conn.execute("select seq, packed from journal order by seq").fetchall()
    for piece in pieces_of((row[0], row[1]) for row in rows):
        if _is_ink(db, piece):
            continue  # it was closed; its row is still here because another pen's open piece needs it
        made += insert_piece(db, piece.first_seq, piece, how="live", trusted=trusted)
    db.conn.execute("delete from journal")
    return made


def pieces_of(rows: Iterable[tuple[int, bytes]]) -> list[Piece]:
    """The pieces that journal rows hold, by number and content, in the order of the beats; `first_seq` is the last."""
    pieces: dict[tuple[object, ...], Piece] = {}
    for seq, packed in rows:
        for piece, start in _entries(packed):
            key = (piece.pen, piece.page, piece.down_ms, piece.number)
            known = pieces.setdefault(key, piece)
            if known is not piece:
                known.rows[start:] = piece.rows
            known.first_seq = seq
    return list(pieces.values())


def _is_ink(db: Database, piece: Piece) -> bool:
    return (
        db.conn.execute(
            "select 1 from ink where pen=? and section=? and owner=? and note=? and page=? and down_ms=? and piece=?",
            (piece.pen, *piece.page, piece.down_ms, piece.number),
        ).fetchone()
        is not None
    )


def _entry(piece: Piece, rows: Iterable[Row]) -> bytes:
    packed = [_ROW.pack(*row) for row in rows]
    head = _HEAD.pack(
        bytes.fromhex(piece.pen.replace(":", "")),
        *piece.page,
        piece.down_ms,
        max(piece.pen_ms, 0),
        piece.time_known,
        piece.tip == "eraser",
        piece.number,
        piece.journaled,
        len(packed),
    )
    return head + b"".join(packed)


def _entries(packed: bytes) -> Iterator[tuple[Piece, int]]:
    at = len(_VERSION)
    while at + _HEAD.size <= len(packed):
        mac, section, owner, note, page, down_ms, pen_ms, known, eraser, number, first, count = _HEAD.unpack_from(
            packed, at
        )
        at += _HEAD.size
        rows = [_ROW.unpack_from(packed, at + i * _ROW.size) for i in range(count)]
        at += count * _ROW.size
        address = PageAddress(section, owner, note, page)
        tip = "eraser" if eraser else "pen"
        yield Piece(mac.hex(":").upper(), address, down_ms, pen_ms, bool(known), tip, number, rows), first
