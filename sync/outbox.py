"""The box's end on disk: results, fresh rows, sealed envelopes, and what the district said about them.

Every function works on a database inside the caller's transaction and commits nothing itself. `put` stands in the same
transaction as the grade, so that there is never a grade without its row. An envelope is never changed after sealing;
only a receipt ends it (sync.md 1.3). Other tables of the same file are not touched.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from sqlite_utils import Database, Migrations

from sync.errors import Unreadable
from sync.messages import (
    EPOCH_BYTES,
    NUMBER_REUSED,
    Announcement,
    Receipt,
    Result,
    Row,
    digest,
    pack,
    unpack,
)

NOT_AUTHORIZED: Final = "sync.not_authorized"
"""Why an envelope is refused that the broker's access list turned away; a person may send it again."""
SEAL_ROWS: Final = 100
SEALS_A_STEP: Final = 20
_FOREIGN: Final = "sync.foreign_copies"
_RAISED: Final = "sync.raised"

migrations = Migrations("outbox")

# `meta` is shared with whoever else keeps small things in this file: `if not exists` is meant.
_FIRST: Final = """
create table result(id text primary key, rev int not null, day text not null, body text not null,
    digest blob not null);
create table fresh(seq integer primary key autoincrement, row text not null);
create table envelope(id integer primary key autoincrement, epoch blob not null, eseq int not null, n int not null,
    payload blob not null, digest blob not null, state text not null default 'waiting', why text, generation text,
    pos int, at real not null, unique(epoch, eseq));
create index envelope_waiting on envelope(id) where state = 'waiting';
create table if not exists meta(k text primary key, v blob);
"""


@migrations()
def first(db: Database) -> None:
    """The four tables of sync.md 1.1 and 1.2; `envelope.at` is when it was sealed, in seconds UTC."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


class Numbers:
    """Where envelopes get their numbers: an epoch drawn at this start, and a count in it.

    It lives in memory on purpose. An epoch kept on disk comes back with a restored disk, and then a number means two
    envelopes (sync.md 9: 3,136 results lost).
    """

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self.renew()

    def renew(self) -> None:
        """Begin another epoch."""
        self.epoch = self._draw(EPOCH_BYTES)
        self._last = 0

    def take(self) -> tuple[bytes, int]:
        """The next (epoch, eseq); none comes twice."""
        self._last += 1
        return self.epoch, self._last


class Offer(NamedTuple):
    """An envelope that waits for its receipt."""

    id: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What one receipt or announcement changed."""

    ended: tuple[int, ...] = ()
    """Envelopes that wait no longer: receipted or refused."""
    receipted: tuple[int, ...] = ()
    """Those of them that the district has."""
    results: int = 0
    """Results in those that are receipted."""
    refused: tuple[str, ...] = ()
    """Why, one an envelope."""
    raised: int = 0
    """Results that go again under a higher revision, because the district has another content."""
    foreign: int = 0
    """Conflicts about a copy that is not ours: the district has what we have."""
    strange: bool = False
    """The receipt is about an epoch of which nothing is here: it is not for this machine, or from before a restore."""
    waiting_again: int = 0
    """Envelopes that a restored district no longer has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDepth:
    """What has no receipt, and why."""

    fresh: int
    """Results not yet in an envelope."""
    waiting: int
    """Envelopes that are offered until their receipt comes."""
    waiting_results: int
    refused: int
    """Envelopes that the district or the broker refused; kept, and a person is told. Those whose number was taken are
    not counted: their results go under another."""
    refused_results: int
    oldest_ms: int | None
    """When the oldest of what is fresh or waiting was made, milliseconds UTC; None if there is none."""
    reasons: dict[str, int]
    """Why envelopes are refused, and how many for each."""
    foreign: int
    """Conflicts about somebody else's copy, ever."""
    raised: int
    """Results sent again above the district's revision, ever."""

    @property
    def results(self) -> int:
        """All results that the district has not receipted."""
        return self.fresh + self.waiting_results + self.refused_results


def put(db: Database, result: Result) -> int:
    """Take a result in, with its outbox row.

    Its revision is the one it brings, or one more than the newest known, whichever is higher.

    Returns:
        The revision it got, which is also in its body.
    """
    known = db.conn.execute("select rev from result where id = ?", (result.id,)).fetchone()
    rev = result.rev if known is None else max(result.rev, known[0] + 1)
    if rev != result.rev:
        result = msgspec.structs.replace(result, rev=rev)
    _write(db, result.to_row())
    return rev


def seal(db: Database, numbers: Numbers, *, now_ms: int, limit: int = SEAL_ROWS) -> int:
    """Move up to `limit` fresh rows into one envelope.

    Returns:
        How many rows went in; 0 if nothing was fresh.
    """
    rows = db.conn.execute("select seq, row from fresh order by seq limit ?", (limit,)).fetchall()
    if not rows:
        return 0
    epoch, eseq = numbers.take()
    payload = pack(epoch, eseq, [row for _, row in rows])
    db.conn.execute(
        "insert into envelope(epoch, eseq, n, payload, digest, at) values (?, ?, ?, ?, ?, ?)",
        (epoch, eseq, len(rows), payload, digest(payload), now_ms / 1000),
    )
    db.conn.execute("delete from fresh where seq <= ?", (rows[-1][0],))
    return len(rows)


def seal_all(db: Database, numbers: Numbers, *, now_ms: int, rest: bool) -> int:
    """Seal full hundreds, and what is left over if `rest`; a bounded number at a time. Returns how many envelopes."""
    for sealed in range(SEALS_A_STEP):
        full = len(db.conn.execute("select 1 from fresh limit ?", (SEAL_ROWS,)).fetchall()) == SEAL_ROWS
        if not (full or rest) or not seal(db, numbers, now_ms=now_ms):
            return sealed
    return SEALS_A_STEP


def offerable(db: Database, *, after_id: int, limit: int) -> list[Offer]:
    """Waiting envelopes with a higher id, in id order."""
    found = db.conn.execute(
        "select id, payload from envelope where state = 'waiting' and id > ? order by id limit ?", (after_id, limit)
    )
    return [Offer(*row) for row in found]


def waiting(db: Database, envelope: int) -> Offer | None:
    """One envelope, if it still waits."""
    found = db.conn.execute(
        "select id, payload from envelope where id = ? and state = 'waiting'", (envelope,)
    ).fetchone()
    return None if found is None else Offer(*found)


def book(db: Database, receipt: Receipt, numbers: Numbers) -> Booked:
    """Book a receipt. Booking the same one again changes nothing."""
    epoch = bytes.fromhex(receipt.epoch)
    ended: list[int] = []
    results = 0
    for low, high in receipt.ok:
        for envelope, rows in db.conn.execute(
            "update envelope set state = 'receipted', why = null, generation = ?, pos = ? where epoch = ?"
            " and eseq between ? and ? and (state = 'waiting' or (state = 'refused' and why = ?)) returning id, n",
            (receipt.generation, receipt.pos, epoch, low, high, NOT_AUTHORIZED),
        ).fetchall():
            ended.append(envelope)
            results += rows
    receipted = tuple(ended)
    refused = []
    for which, why in receipt.refused:
        envelope = _refused(db, epoch, which, why, numbers)
        if envelope is not None:
            ended.append(envelope)
            refused.append(why)
    raised, foreign = _settle(db, receipt)
    return Booked(
        ended=tuple(ended),
        receipted=receipted,
        results=results,
        refused=tuple(refused),
        raised=raised,
        foreign=foreign,
        strange=bool(receipt.ok) and not ended and _unknown(db, epoch),
    )


def announced(db: Database, announcement: Announcement) -> Booked:
    """Book the district's generations: what a restored district no longer has waits again."""
    order = announcement.generations
    if not order:
        return Booked()
    again = 0
    for index, (generation, _) in enumerate(order):
        later = [position for _, position in order[index + 1 :]]
        if later:
            again += db.conn.execute(
                "update envelope set state = 'waiting' where state = 'receipted' and generation = ? and pos > ?",
                (generation, min(later)),
            ).rowcount
    # A generation that the district no longer knows began after the backup it was restored from.
    known = [generation for generation, _ in order]
    marks = ",".join("?" * len(known))
    again += db.conn.execute(
        f"update envelope set state = 'waiting' where state = 'receipted' and generation not in ({marks})",  # noqa: S608  marks only
        known,
    ).rowcount
    return Booked(waiting_again=again)


def made_ms(db: Database, envelopes: Iterable[int]) -> list[int]:
    """When each result in these envelopes was made, milliseconds UTC."""
    out: list[int] = []
    for envelope in envelopes:
        payload = db.conn.execute("select payload from envelope where id = ?", (envelope,)).fetchone()[0]
        out += [made for row in unpack(payload) if (made := _made_ms(row)) is not None]
    return out


def refuse(db: Database, envelope: int, why: str) -> bool:
    """The broker turned this envelope away for good; it is kept. Returns whether it was waiting."""
    found = db.conn.execute(
        "update envelope set state = 'refused', why = ? where id = ? and state = 'waiting'", (why, envelope)
    )
    return bool(found.rowcount)


def readmit(db: Database, *, why: str | None = NOT_AUTHORIZED) -> int:
    """Let refused envelopes wait again: by hand, or after a new enrolment.

    Args:
        db: The box's.
        why: Only those refused for this reason; None for all whose results do not go under another number already.

    Returns:
        How many envelopes.
    """
    return db.conn.execute(
        "update envelope set state = 'waiting', why = null where state = 'refused' and why <> ?"
        " and why = coalesce(?, why)",
        (NUMBER_REUSED, why),
    ).rowcount


def waits(db: Database) -> bool:
    """Whether anything has no receipt that will be offered by itself."""
    found = db.conn.execute(
        "select exists(select 1 from fresh) or exists(select 1 from envelope where state = 'waiting')"
    ).fetchone()
    return bool(found[0])


def depth(db: Database) -> OutboxDepth:
    """How much has no receipt, how old it is, and why."""
    fresh, oldest_row = db.conn.execute(
        "select count(*), (select row from fresh order by seq limit 1) from fresh"
    ).fetchone()
    count, results, oldest_s = db.conn.execute(
        "select count(*), coalesce(sum(n), 0), min(at) from envelope where state = 'waiting'"
    ).fetchone()
    refused = db.conn.execute(
        "select coalesce(why, ''), count(*), sum(n) from envelope where state = 'refused' and why <> ?"
        " group by 1 order by 1",
        (NUMBER_REUSED,),
    ).fetchall()
    ages = [] if oldest_s is None else [round(oldest_s * 1000)]
    if oldest_row is not None and (made := _made_ms(Row.from_json(oldest_row))) is not None:
        ages.append(made)
    kept = dict(db.conn.execute("select k, v from meta where k in (?, ?)", (_FOREIGN, _RAISED)).fetchall())
    return OutboxDepth(
        fresh=fresh,
        waiting=count,
        waiting_results=results,
        refused=sum(row[1] for row in refused),
        refused_results=sum(row[2] for row in refused),
        oldest_ms=min(ages, default=None),
        reasons={why: number for why, number, _ in refused},
        foreign=int(kept.get(_FOREIGN, 0)),
        raised=int(kept.get(_RAISED, 0)),
    )


def _write(db: Database, row: Row) -> None:
    db.conn.execute(
        "insert into result(id, rev, day, body, digest) values (?, ?, ?, ?, ?) on conflict(id) do update set"
        " rev = excluded.rev, day = excluded.day, body = excluded.body, digest = excluded.digest",
        (row.id, row.rev, row.day, row.body, row.digest),
    )
    db.conn.execute("insert into fresh(row) values (?)", (row.to_json(),))


def _refused(db: Database, epoch: bytes, which: int | str, why: str, numbers: Numbers) -> int | None:
    """Mark one envelope refused. One whose number was taken goes again, as it is, under another number."""
    by_digest = isinstance(which, str)
    where, keys = (
        ("digest = ?", (bytes.fromhex(str(which)),)) if by_digest else ("epoch = ? and eseq = ?", (epoch, which))
    )
    found = db.conn.execute(
        f"select id, payload, state from envelope where {where} and state <> 'refused'",  # noqa: S608  constants only
        keys,
    ).fetchone()
    if found is None or (found[2] == "receipted" and why != NUMBER_REUSED):
        return None
    db.conn.execute("update envelope set state = 'refused', why = ? where id = ?", (why, found[0]))
    if why == NUMBER_REUSED:
        db.conn.executemany("insert into fresh(row) values (?)", [(row.to_json(),) for row in unpack(found[1])])
        numbers.renew()
    return int(found[0])


def _unknown(db: Database, epoch: bytes) -> bool:
    return db.conn.execute("select 1 from envelope where epoch = ? limit 1", (epoch,)).fetchone() is None


def _settle(db: Database, receipt: Receipt) -> tuple[int, int]:
    """Answer conflicts and a district that is ahead. Returns (results raised, copies that are not ours)."""
    raised = foreign = 0
    for index, (code, rev) in enumerate(receipt.conflict):
        kept = bytes.fromhex(receipt.digests[index][0]) if index < len(receipt.digests) else None
        ours = db.conn.execute("select rev, digest from result where id = ?", (code,)).fetchone()
        if ours is None or (ours[0] == rev and ours[1] == kept):
            foreign += 1
        elif ours[0] <= rev:
            raised += _raise_above(db, code, rev)
    for code, rev in receipt.behind:
        ours = db.conn.execute("select rev from result where id = ?", (code,)).fetchone()
        if ours is not None and ours[0] < rev:
            raised += _raise_above(db, code, rev)
    for key, more in ((_FOREIGN, foreign), (_RAISED, raised)):
        if more:
            db.conn.execute(
                "insert into meta(k, v) values (?, ?) on conflict(k) do update set v = cast(v as int) + ?",
                (key, str(more), more),
            )
    return raised, foreign


def _raise_above(db: Database, code: str, rev: int) -> int:
    """Send our own content above the district's revision: a restored box is right about what it holds."""
    body = db.conn.execute("select body from result where id = ?", (code,)).fetchone()[0]
    try:
        put(db, msgspec.structs.replace(Result.from_body(body), rev=rev + 1))
    except Unreadable:
        return 0
    return 1


def _made_ms(row: Row) -> int | None:
    try:
        return _MADE.decode(row.body).at_ms
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


class _Made(msgspec.Struct, gc=False):
    """Of a result only when it was made: a fifth of the time that reading all of it takes."""

    at_ms: int


_MADE: Final = msgspec.json.Decoder(_Made)
