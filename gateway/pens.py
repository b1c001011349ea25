"""Who holds which pen: bindings by time, and the link card. Pure decisions first, then what they write.

A binding says that a pen was at a seat from one moment to another; ink is credited by the binding at its pen-down,
so that binding anew moves nothing that is past. The link card: in the join window the first stroke of a pen in a
seat's box claims that seat. Two pens in one box, or one pen in two boxes, are shown and bind nothing until a person
settles it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Conflict:
    """Claims that exclude each other."""

    pens: tuple[str, ...]
    seats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """What the claims of one join window come to."""

    bound: dict[str, int]
    conflicts: tuple[Conflict, ...]


def settle(claims: Iterable[tuple[str, int]]) -> Settled:
    """Which claims stand alone. Claims (pen, seat) that share a pen or a seat with another are one conflict."""
    groups: list[tuple[set[str], set[int]]] = []
    for pen, seat in claims:
        joined = [g for g in groups if pen in g[0] or seat in g[1]]
        pens, seats = {pen}, {seat}
        for group in joined:
            pens |= group[0]
            seats |= group[1]
            groups.remove(group)
        groups.append((pens, seats))
    bound = {next(iter(p)): next(iter(s)) for p, s in groups if len(p) == len(s) == 1}
    conflicts = [Conflict(tuple(sorted(p)), tuple(sorted(s))) for p, s in groups if len(p) + len(s) > 2]  # noqa: PLR2004  one pen and one seat
    return Settled(bound, tuple(conflicts))


def claim(db: Database, *, join_ms: int, pen: str, seat: int, at_ms: int) -> Settled:
    """Note that a pen wrote into a seat's box, and bind what stands alone; conflicts end what they touch."""
    db.conn.execute(
        "insert or ignore into claim(join_ms, pen, seat, at_ms) values (?,?,?,?)", (join_ms, pen, seat, at_ms)
    )
    settled = claims_of(db, join_ms)
    for conflict in settled.conflicts:
        for other in conflict.pens:
            db.conn.execute(
                "update binding set to_ms = ? where pen = ? and to_ms is null and how = 'card' and from_ms >= ?",
                (at_ms, other, join_ms),
            )
    if settled.bound.get(pen) == seat:
        bind(db, pen=pen, seat=seat, at_ms=at_ms, how="card")
    return settled


def claims_of(db: Database, join_ms: int) -> Settled:
    """What the claims of a join window come to; a pen bound by hand since then is settled."""
    rows = db.conn.execute(
        "select pen, seat from claim where join_ms = ? and pen not in (select pen from binding where to_ms is null"
        " and how <> 'card' and from_ms >= ?) order by id",
        (join_ms, join_ms),
    ).fetchall()
    return settle((row[0], row[1]) for row in rows)


def bind(db: Database, *, pen: str, seat: int, at_ms: int, how: str) -> None:
    """From now on this pen is at this seat; whoever was at that seat, and wherever this pen was, ends."""
    if (pen, seat) in set(current(db).items()):
        return
    db.conn.execute("update binding set to_ms = ? where to_ms is null and (pen = ? or seat = ?)", (at_ms, pen, seat))
    db.conn.execute("insert into binding(pen, seat, from_ms, how) values (?,?,?,?)", (pen, seat, at_ms, how))
    adopt(db, pen=pen, at_ms=at_ms)


def adopt(db: Database, *, pen: str, at_ms: int) -> None:
    """This pen is one of ours: it is linked outside the join window too."""
    db.conn.execute(
        "insert into pen(mac, first_ms, adopted_ms) values (?,?,?) on conflict(mac) do update"
        " set adopted_ms = coalesce(adopted_ms, excluded.adopted_ms), forgotten_ms = null",
        (pen, at_ms, at_ms),
    )


def forget(db: Database, *, pen: str, at_ms: int) -> bool:
    """This pen is no longer one of ours. Its ink stays. Returns whether it was known."""
    db.conn.execute("update binding set to_ms = ? where pen = ? and to_ms is null", (at_ms, pen))
    done = db.conn.execute(
        "update pen set adopted_ms = null, forgotten_ms = ? where mac = ? and adopted_ms is not null", (at_ms, pen)
    )
    return bool(done.rowcount)


def current(db: Database) -> dict[str, int]:
    """Seat by pen, now."""
    return {row[0]: row[1] for row in db.conn.execute("select pen, seat from binding where to_ms is null")}


class Bindings:
    """All bindings, in memory, to ask who held a pen when."""

    def __init__(self, rows: Iterable[tuple[str, int, int, int | None]]) -> None:
        self._by_pen: dict[str, list[tuple[int, int | None, int]]] = {}
        for pen, seat, from_ms, to_ms in rows:
            self._by_pen.setdefault(pen, []).append((from_ms, to_ms, seat))

    @classmethod
    def load(cls, db: Database) -> "Bindings":
        """Read them all."""
        return cls(tuple(r) for r in db.conn.execute("select pen, seat, from_ms, to_ms from binding order by id"))

    def seat_of(self, pen: str, at_ms: int) -> int | None:
        """Where this pen was at that moment."""
        for from_ms, to_ms, seat in reversed(self._by_pen.get(pen, [])):
            if from_ms <= at_ms and (to_ms is None or at_ms < to_ms):
                return seat
        return None

    def seats_of(self, pen: str, from_ms: int, to_ms: int) -> set[int]:
        """Which seats held this pen at some moment of a span, both ends in it."""
        rows = self._by_pen.get(pen, ())
        return {seat for start, end, seat in rows if start <= to_ms and (end is None or end > from_ms)}

    def pens_of(self, seat: int, from_ms: int, to_ms: int) -> list[tuple[str, int, int]]:
        """Which pens were at a seat in a span of time, each with the part of the span."""
        out = []
        for pen, rows in self._by_pen.items():
            for start, end, where in rows:
                if where == seat and start < to_ms and (end is None or end > from_ms):
                    out.append((pen, max(start, from_ms), min(to_ms, to_ms if end is None else end)))
        return out
