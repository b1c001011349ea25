"""The rows of new envelopes on their way into PostgreSQL's `result`: by COPY where they are new, weighed where not."""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Any, Final, TypeAlias

from psycopg import Cursor

from sync.district.store import Batch, Clash, Held, Key, Weighed
from sync.messages import Row

_HALF: Final = struct.Struct(">qq")
_COPY: Final = "copy result(id, rev, box, day, body, digest) from stdin (format binary)"
_TYPES: Final = ("text", "int4", "text", "text", "text", "bytea")


@dataclass(slots=True)
class Arrived:
    """A readable envelope that the ledger does not have."""

    rows: list[Row]
    clashes: list[Clash] = field(default_factory=list)


class DaySums:
    """What a batch changes in the sums of boxes and days: rows, and the exclusive-or of their digests."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, str]] = Counter()
        self.xor: Counter[tuple[str, str]] = Counter()

    def come(self, box: str, day: str, digests: Sequence[bytes]) -> None:
        """These are new there."""
        self.rows[box, day] += len(digests)
        self.xor[box, day] ^= reduce(xor, map(int.from_bytes, digests))

    def go(self, held: Held) -> None:
        """This one is replaced."""
        self.rows[held.box, held.day] -= 1
        self.xor[held.box, held.day] ^= int.from_bytes(held.digest)


NewRow: TypeAlias = tuple[str, int, str, str, str, bytes]
"""As COPY takes it: id, revision, box, day, body, digest."""


class Fresh:
    """The new envelopes of a batch, unpacked one after another while COPY takes their rows."""

    def __init__(self, read: Batch, keys: Sequence[Key]) -> None:
        self._read, self.keys = read, keys
        self._unpacking = self._unpack()
        self._seen: set[str] = set()
        self.arrived: dict[Key, Arrived] = {}
        self.copied = 0
        """Results that went by COPY."""
        self.rest: list[tuple[Key, Row]] = []
        """Rows to be weighed after that, in order: later revisions, and what a batch has twice."""
        self.sums = DaySums()

    def rows(self) -> Iterator[list[NewRow]]:
        """Unpack, and give of each envelope what seems never to have been here: the first revision of a result."""
        return self._unpacking

    def none_is_new(self) -> None:
        """One of them was there: nothing was copied, and every row is weighed."""
        for _ in self._unpacking:
            pass
        self.copied, self.sums = 0, DaySums()
        self.rest = [(key, row) for key, arrived in self.arrived.items() for row in arrived.rows]

    def _unpack(self) -> Iterator[list[NewRow]]:
        seen = self._seen
        for key in self.keys:
            rows = self._read.unpacked(key)
            if rows is None:
                continue
            self.arrived[key] = Arrived(rows)
            box, new, days = key.box, list[NewRow](), dict[str, list[bytes]]()
            for row in rows:
                code = row.id
                if row.rev != 1 or code in seen:
                    self.rest.append((key, row))
                else:
                    value = row.digest
                    new.append((code, 1, box, row.day, row.body, value))
                    days.setdefault(row.day, []).append(value)
                seen.add(code)
            for day, digests in days.items():
                self.sums.come(box, day, digests)
            self.copied += len(new)
            yield new


def copy_new(cursor: Cursor[tuple[Any, ...]], fresh: Fresh) -> None:
    """COPY straight into `result`.

    Raises:
        UniqueViolation: One of them is there; nothing was written.
    """
    with cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for rows in fresh.rows():
            for row in rows:
                copy.write_row(row)


def put_weighed(cursor: Cursor[tuple[Any, ...]], fresh: Fresh) -> int:
    """Weigh the rest against what is there and write what is newer. Returns how many revisions were taken."""
    if not fresh.rest:
        return 0
    held = {
        code: Held(rev, box, day, value)
        for code, rev, box, day, value in cursor.execute(
            "select id, rev, box, day, digest from result where id = any(%s)", ([row.id for _, row in fresh.rest],)
        )
    }
    weighed = Weighed(held)
    for key, row in fresh.rest:
        clash = weighed.weigh(key.box, row, row.digest)
        if clash is not None:
            fresh.arrived[key].clashes.append(clash)
    for code, (box, row, value, _) in weighed.written.items():
        if code in held:
            fresh.sums.go(held[code])
        fresh.sums.come(box, row.day, [value])
    _upsert(cursor, weighed)
    return sum(taken for *_, taken in weighed.written.values())


def _upsert(cursor: Cursor[tuple[Any, ...]], weighed: Weighed) -> None:
    if not weighed.written:
        return
    cursor.execute("create temp table if not exists newer(like result) on commit delete rows")
    with cursor.copy("copy newer(id, rev, box, day, body, digest, takes) from stdin (format binary)") as copy:
        copy.set_types((*_TYPES, "int4"))
        for code, (box, row, value, taken) in sorted(weighed.written.items()):
            copy.write_row((code, row.rev, box, row.day, row.body, value, taken))
    cursor.execute(
        "insert into result(id, rev, box, day, body, digest, takes)"
        " select id, rev, box, day, body, digest, takes from newer on conflict(id) do update set rev = excluded.rev,"
        " box = excluded.box, day = excluded.day, body = excluded.body, digest = excluded.digest,"
        " takes = result.takes + excluded.takes"
    )


def add_sums(cursor: Cursor[tuple[Any, ...]], sums: DaySums) -> None:
    """Bring the sums of boxes and days up to date, in the batch's own transaction."""
    if not sums.rows:
        return
    keys = list(sums.rows)
    halves = [_HALF.unpack(sums.xor[key].to_bytes(16)) for key in keys]
    cursor.execute(
        "insert into day_sum(box, day, n, high, low) select * from"
        " unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
        " on conflict(box, day) do update set n = day_sum.n + excluded.n, high = day_sum.high # excluded.high,"
        " low = day_sum.low # excluded.low",
        (
            [box for box, _ in keys],
            [day for _, day in keys],
            [sums.rows[key] for key in keys],
            [high for high, _ in halves],
            [low for _, low in halves],
        ),
    )
