"""The audit chain: what every grade was when it was written, so that none can be changed, lost or slipped in unseen.

Theory. In the transaction that writes a row of `grade`, a row of `audit` is written behind all others. It holds

- a commitment: HMAC-SHA256, under a random key of the grade's pupil, of the canonical bytes of the whole grade row;
- where the grade's ink was in the store, the same of the list of its strokes and pieces (see `audit_ink`);
- the hash of the row before it, and its own hash over all of that: SHA-256(prev, seq, at_ms, kind, commitment, ink).

So one changed byte of a grade breaks its commitment, and one of a chain row breaks a hash; a row that is taken out, put
in or moved breaks the order. Whoever can write the whole file could write the chain anew from there on; against that
helps only a head that was written down elsewhere: `audit verify` prints it, and `audit verify --head` asks for it.

Why keyed: a pupil may have everything deleted. The key and the rows go, and what is left of them in the chain is noise:
no one can find out, not even by trying, what was committed. `grade_id` and `rev`, by which a chain row finds its grade,
are therefore not part of its hash (the commitment holds them); a deletion empties them. It leaves a row `erased` that
commits to the numbers of the rows that it emptied, so that nothing can be passed off as deleted later.

Kinds of rows: `grade`; `raised`, a revision that the outbox raised; `joined`, a grade out of a store that was put
aside; `adopted`, one that was there before the chain was; `key`, the SHA-256 of a pupil's key, so that a damaged key is
not taken for altered grades; `erased`.
"""

import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlite_utils import Database

from gateway import audit_ink

GRADE: Final = "grade"
RAISED: Final = "raised"
JOINED: Final = "joined"
ADOPTED: Final = "adopted"
KEY: Final = "key"
ERASED: Final = "erased"
OF_GRADES: Final = frozenset({GRADE, RAISED, JOINED, ADOPTED})
"""Kinds of rows that commit to a grade."""
COLUMNS: Final = (
    "id", "rev", "lesson", "field", "pupil", "state", "value", "points", "max_points", "confidence", "reader", "key",
    "ink", "decided_by", "coverage", "why", "at_ms", "clock",
)  # fmt: skip
"""Of `grade`, in the order in which they are committed."""
FIRST_PREV: Final = bytes(32)
"""What stands before the first row."""
HASH_BYTES: Final = 32

_KEY_BYTES: Final = 32
_TIMES: Final = struct.Struct(">qq")
_SELECT: Final = f"select {', '.join(COLUMNS)} from grade"  # noqa: S608  the columns above
_INSERT: Final = f"insert into grade({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"  # noqa: S608  as above
_OF_ERASED: Final = b"inkgate erased "


class Head(NamedTuple):
    """The newest row of the chain; (0, 32 zero bytes) before the first."""

    seq: int
    hash: bytes


def insert_grade(db: Database, row: Mapping[str, object], *, kind: str, now_ms: int, strokes: str = "") -> None:
    """Write a row of `grade` and its row in the chain, inside the caller's transaction.

    Args:
        db: The box's.
        row: By column.
        kind: One of `OF_GRADES`.
        now_ms: When that is.
        strokes: The strokes of its ink, as its hash was made of them; empty where they are known already, or are none.
    """
    db.conn.execute(_INSERT, [row[name] for name in COLUMNS])
    if strokes:
        audit_ink.pin(db, str(row["ink"]), strokes)
    # Read again: a column's own type may make another value of the one that was given, 1.0 of 1.
    written = db.conn.execute(f"{_SELECT} where id = ? and rev = ?", (row["id"], row["rev"])).fetchone()
    _commit(db, written, kind=kind, now_ms=now_ms)


def adopt(db: Database) -> int:
    """Commit to every grade that no chain row knows: those of a store that had no chain yet. Returns how many."""
    rows = db.conn.execute(
        f"{_SELECT} g where not exists (select 1 from audit a where a.grade_id = g.id and a.rev = g.rev)"  # noqa: S608  the columns above
        " order by at_ms, id, rev"
    ).fetchall()
    for row in rows:
        _commit(db, row, kind=ADOPTED, now_ms=row[COLUMNS.index("at_ms")])
    return len(rows)


def head(db: Database) -> Head:
    """The newest row."""
    found = db.conn.execute("select seq, hash from audit order by seq desc limit 1").fetchone()
    return Head(0, FIRST_PREV) if found is None else Head(*found)


def erase(db: Database, pupil: str, *, now_ms: int) -> int:
    """Take a pupil out of the chain: call it while the grades are there, and delete them after it.

    Returns:
        How many grades the row `erased` stands for.
    """
    seqs = [
        row[0]
        for row in db.conn.execute(
            "select a.seq from audit a join grade g on g.id = a.grade_id and g.rev = a.rev where g.pupil = ?", (pupil,)
        )
    ]
    key = db.conn.execute("select key from audit_key where pupil = ?", (pupil,)).fetchone()
    ended = list(seqs)
    if key is not None:
        known = db.conn.execute("select seq from audit where kind = ? and commitment = ?", (KEY, digest_of_key(key[0])))
        ended += [row[0] for row in known]
    seq = _append(db, ERASED, digest_of_seqs(ended), now_ms=now_ms)
    db.conn.executemany(
        "update audit set grade_id = null, rev = null, erased_by = ? where seq = ?", [(seq, each) for each in ended]
    )
    db.conn.execute("delete from audit_key where pupil = ?", (pupil,))
    db.conn.execute("insert or replace into erased(mark, at_ms) values (?, ?)", (mark_of(pupil), now_ms))
    return len(seqs)


def mark_of(pupil: str) -> bytes:
    """By what it is remembered that a pupil was deleted, should a store that was put aside bring the rows back."""
    return hashlib.sha256(_OF_ERASED + pupil.encode()).digest()


def canonical(values: Sequence[object]) -> bytes | None:
    """The values of a row as bytes, no two rows alike; None where one is of a type that no column of ours holds."""
    try:
        return audit_ink.PLAIN.encode(list(values)).encode()
    except (TypeError, ValueError):
        return None


def commitment(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(key, content, hashlib.sha256)


def hash_of(prev: bytes, seq: int, at_ms: int, kind: str, committed: bytes, ink: bytes | None) -> bytes:
    """The hash of a chain row.

    Raises:
        struct.error: A number is none.
        TypeError: A hash is none.
    """
    name = kind.encode("utf-8", "surrogateescape")
    parts = (prev, _TIMES.pack(seq, at_ms), bytes([len(name) & 255]), name, committed, ink or b"")
    return hashlib.sha256(b"".join(parts)).digest()


def digest_of_key(key: bytes) -> bytes:
    """What the chain holds of a key: it is random, so nothing can be found out from this."""
    return hashlib.sha256(key).digest()


def digest_of_seqs(seqs: Sequence[int]) -> bytes:
    """What a row `erased` commits to: the numbers of the rows that it emptied."""
    return hashlib.sha256(",".join(map(str, sorted(seqs))).encode()).digest()


def _commit(db: Database, row: Sequence[object], *, kind: str, now_ms: int) -> None:
    named = dict(zip(COLUMNS, row, strict=True))
    key = _key_of(db, str(named["pupil"]), now_ms)
    content, listed = canonical(row), audit_ink.listed(db, str(named["ink"]))
    if content is None:
        raise TypeError("a grade holds texts and numbers only")
    ink = None if listed is None else commitment(key, listed)
    _append(db, kind, commitment(key, content), ink=ink, grade=(named["id"], named["rev"]), now_ms=now_ms)


def _key_of(db: Database, pupil: str, now_ms: int) -> bytes:
    found = db.conn.execute("select key from audit_key where pupil = ?", (pupil,)).fetchone()
    if found is not None:
        return bytes(found[0])
    key = secrets.token_bytes(_KEY_BYTES)
    db.conn.execute("insert into audit_key(pupil, key) values (?, ?)", (pupil, key))
    _append(db, KEY, digest_of_key(key), now_ms=now_ms)
    return key


def _append(
    db: Database,
    kind: str,
    committed: bytes,
    *,
    now_ms: int,
    ink: bytes | None = None,
    grade: tuple[object, object] = (None, None),
) -> int:
    before = head(db)
    seq = before.seq + 1
    own = hash_of(before.hash, seq, now_ms, kind, committed, ink)
    db.conn.execute(
        "insert into audit(seq, at_ms, kind, grade_id, rev, commitment, ink, prev, hash) values (?,?,?,?,?,?,?,?,?)",
        (seq, now_ms, kind, *grade, committed, ink, before.hash, own),
    )
    return seq
