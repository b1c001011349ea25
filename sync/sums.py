"""The box's end of the proof: what the district last said it has, and what of ours it has not said yes to.

Like `outbox`, every function works inside the caller's transaction.
"""

from typing import Final, Literal, NamedTuple

from sqlite_utils import Database

from sync.errors import Unreadable
from sync.messages import NUMBER_REUSED, DaySum, Proof, Row, day_sum, unpack

_PROOF: Final = "sync.proof"
_CAME: Final = "sync.proof_ms"


class Known(NamedTuple):
    """The newest proof of the district."""

    proof: Proof
    came_ms: int
    """When it came, milliseconds UTC by the box's clock."""


class Unsettled(NamedTuple):
    """A result whose newest revision the proof cannot hold yet, or never will."""

    id: str
    rev: int
    day: str
    why: str
    """`waiting`: no receipt; `not_in_proof`: a receipt younger than the proof; else why it was refused."""


WAITING: Final = "waiting"
NOT_IN_PROOF: Final = "not_in_proof"


def sums_of(db: Database) -> dict[str, DaySum]:
    """The box's side of the proof: count and exclusive-or of row digests by day."""
    days: dict[str, list[bytes]] = {}
    for day, value in db.conn.execute("select day, digest from result"):
        days.setdefault(day, []).append(value)
    return {day: day_sum(values) for day, values in sorted(days.items())}


def rows_of(db: Database, day: str) -> dict[str, tuple[int, bytes]]:
    """(rev, digest) of each result of one day by id, to name what differs."""
    found = db.conn.execute("select id, rev, digest from result where day = ?", (day,))
    return {code: (rev, value) for code, rev, value in found}


def keep(db: Database, proof: Proof, *, now_ms: int) -> bool:
    """Remember the district's newest proof. Returns False for one that is older than what is known."""
    before = known(db)
    if before is not None and before.proof.generation == proof.generation and before.proof.pos > proof.pos:
        return False
    for key, value in ((_PROOF, proof.to_json()), (_CAME, str(now_ms))):
        db.conn.execute(
            "insert into meta(k, v) values (?, ?) on conflict(k) do update set v = excluded.v", (key, value)
        )
    return True


def known(db: Database) -> Known | None:
    """The newest proof that came; None before the first one."""
    kept = dict(db.conn.execute("select k, v from meta where k in (?, ?)", (_PROOF, _CAME)).fetchall())
    try:
        return Known(Proof.from_json(kept[_PROOF]), int(kept[_CAME])) if _PROOF in kept else None
    except Unreadable:
        return None


def unsettled(db: Database, proof: Proof | None) -> dict[str, Unsettled]:
    """The results that a comparison with this proof must leave out or explain, by id."""
    newest = {code: (rev, day) for code, rev, day in db.conn.execute("select id, rev, day from result")}
    found: dict[str, Unsettled] = {}

    def note(row: Row, why: str) -> None:
        rev, day = newest.get(row.id, (0, ""))
        if rev == row.rev:
            found[row.id] = Unsettled(row.id, rev, day, why)

    if proof is not None:
        younger = db.conn.execute(
            "select payload from envelope where state = 'receipted' and generation = ? and pos > ?",
            (proof.generation, proof.pos),
        )
        for (payload,) in younger:
            for row in unpack(payload):
                note(row, NOT_IN_PROOF)
    state: Literal["refused", "waiting"]
    for state in ("refused", "waiting"):
        query = "select payload, why from envelope where state = ? and coalesce(why, '') <> ?"
        for payload, why in db.conn.execute(query, (state, NUMBER_REUSED)):
            for row in unpack(payload):
                note(row, why if state == "refused" else WAITING)
    for (line,) in db.conn.execute("select row from fresh"):
        note(Row.from_json(line), WAITING)
    return found
