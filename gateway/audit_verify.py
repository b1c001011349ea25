"""Whether every grade is what it was when it was written. Only reads, also while the gateway works with the store.

It walks the chain, then every grade, then the ink that grades stand on, and names each row that does not fit, not only
the first. See `audit` for what the chain is.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway import audit, audit_ink
from gateway.store import looking

ALTERED: Final = "audit.altered"
MISSING: Final = "audit.missing"
UNCOMMITTED: Final = "audit.uncommitted"
BROKEN: Final = "audit.broken"
OUT_OF_ORDER: Final = "audit.out_of_order"
ROW_GONE: Final = "audit.row_gone"
WRONG_GRADE: Final = "audit.wrong_grade"
KEY_ALTERED: Final = "audit.key_altered"
KEY_GONE: Final = "audit.key_gone"
INK_LIST: Final = "audit.ink_list"
INK_ALTERED: Final = "audit.ink_altered"
INK_GONE: Final = "audit.ink_gone"
ERASURE: Final = "audit.erasure"
HEAD: Final = "audit.head_unknown"
UNREADABLE: Final = "audit.unreadable"
CODES: Final = (
    ALTERED, MISSING, UNCOMMITTED, BROKEN, OUT_OF_ORDER, ROW_GONE, WRONG_GRADE, KEY_ALTERED, KEY_GONE, INK_LIST,
    INK_ALTERED, INK_GONE, ERASURE, HEAD, UNREADABLE,
)  # fmt: skip
"""All that can be wrong; each has a sentence in the catalogues."""


class Problem(NamedTuple):
    """A row that does not fit."""

    code: str
    row: str
    """The row by table and key."""
    detail: str = ""


@dataclass(slots=True)
class Verified:
    """What a walk found."""

    rows: int = 0
    """Of the chain."""
    grades: int = 0
    """Grades that are what was committed."""
    by_kind: Counter[str] = field(default_factory=Counter)
    """Those, by how they came into the chain."""
    erased: int = 0
    """Grades of pupils who were deleted on request."""
    deletions: int = 0
    """How often somebody was deleted."""
    unlisted: int = 0
    """Grades of ink that was not listed when they were written: adopted ones, and ink in a store that was put aside."""
    head: str = audit.FIRST_PREV.hex()
    """The hash of the newest row."""
    since_head: int | None = None
    """Rows behind the head that was asked for."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class _Row(NamedTuple):
    seq: Any
    at_ms: Any
    kind: Any
    grade_id: Any
    rev: Any
    commitment: Any
    ink: Any
    erased_by: Any
    prev: Any
    hash: Any

    @property
    def name(self) -> str:
        return f"audit {self.seq}"


class _Grades(NamedTuple):
    """Grades and keys as they are in the store, whatever their bytes."""

    rows: dict[tuple[Any, Any], tuple[Any, ...]]
    keys: dict[Any, Any]


def verify(path: Path, *, head: str = "", with_ink: bool = True) -> Verified:
    """Walk a store.

    Args:
        path: The database.
        head: The hash of a row that was the newest once, in hex: it must be in the chain still.
        with_ink: Whether the ink is looked at too.
    """
    found = Verified()
    try:
        with looking(path) as connection:
            # One moment of the store, while its gateway writes; and no byte is too strange to be looked at.
            connection.execute("begin")
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            chain = _chain(connection, found, head)
            grades = _read(connection)
            good = _committed(chain, grades, found)
            _erasures(chain, found)
            if with_ink:
                _inks(connection, good, grades, found)
            else:
                found.unlisted = sum(1 for row in good.values() if row.ink is None and _ink_of(grades, row))
    except sqlite3.DatabaseError as error:
        found.problems.append(Problem(UNREADABLE, str(path.name), str(error)))
    return found


def plain(found: Verified) -> dict[str, Any]:
    """For a JSON document; problems are told by whoever knows the language."""
    return {
        "holds": found.holds,
        "rows": found.rows,
        "grades": found.grades,
        "by_kind": dict(found.by_kind),
        "erased": {"grades": found.erased, "deletions": found.deletions},
        "ink_not_listed": found.unlisted,
        "head": found.head,
        "since_head": found.since_head,
    }


def _chain(connection: sqlite3.Connection, found: Verified, head: str) -> list[_Row]:
    """The rows of the chain, each weighed against its content and the row before it."""
    chain: list[_Row] = []
    expected: set[Any] = {audit.FIRST_PREV}
    asked = head.strip().lower()
    for values in connection.execute(f"select {', '.join(_Row._fields)} from audit order by seq"):  # noqa: S608  the fields above
        row = _Row(*values)
        last = chain[-1].seq if chain else 0
        if row.seq != last + 1:
            gone = f"audit {last + 1}" if row.seq == last + 2 else f"audit {last + 1} – {row.seq - 1}"
            found.problems.append(Problem(ROW_GONE, gone))
        elif row.prev not in expected:
            found.problems.append(Problem(OUT_OF_ORDER, row.name))
        own = _own_hash(row)
        astray = row.kind not in audit.OF_GRADES and (row.grade_id, row.rev) != (None, None)
        if (own != row.hash or astray) and (not found.problems or found.problems[-1].row != row.name):
            found.problems.append(Problem(BROKEN, row.name))
        # After a row that is hurt, the next one fits if it follows what that row is or what it was.
        expected = {row.hash} if own == row.hash else {row.hash, own}
        chain.append(row)
        if asked and isinstance(row.hash, bytes) and row.hash.hex() == asked:
            found.since_head = 0
        elif found.since_head is not None:
            found.since_head += 1
    found.rows = len(chain)
    if chain and isinstance(chain[-1].hash, bytes):
        found.head = chain[-1].hash.hex()
    if asked and found.since_head is None:
        found.problems.append(Problem(HEAD, f"audit {asked}"))
    return chain


def _own_hash(row: _Row) -> bytes | None:
    fixed = (row.prev, row.commitment, *(() if row.ink is None else (row.ink,)))
    if not all(isinstance(each, bytes) and len(each) == audit.HASH_BYTES for each in fixed):
        return None
    if not isinstance(row.at_ms, int) or not isinstance(row.kind, str):
        return None
    return audit.hash_of(row.prev, row.seq, row.at_ms, row.kind, row.commitment, row.ink)


def _read(connection: sqlite3.Connection) -> _Grades:
    at_rev = audit.COLUMNS.index("rev")
    rows = connection.execute(f"select {', '.join(audit.COLUMNS)} from grade order by rowid")  # noqa: S608  the columns of audit
    keys = connection.execute("select pupil, key from audit_key")
    return _Grades({(row[0], row[at_rev]): tuple(row) for row in rows}, {row[0]: row[1] for row in keys})


def _committed(chain: list[_Row], grades: _Grades, found: Verified) -> dict[tuple[Any, Any], _Row]:
    """Weigh each grade against its chain row. Returns the chain row of each grade that is as it was committed."""
    sound = _sound_keys(chain, grades, found)
    left, good = dict(grades.rows), {}
    lost: dict[Any, _Row] = {}
    for row in chain:
        if row.kind not in audit.OF_GRADES or row.erased_by is not None:
            continue
        grade = left.get((row.grade_id, row.rev))
        if grade is None:
            lost[row.commitment] = row
            continue
        code = _weighed(row, grade, grades.keys, sound)
        if code is None:
            good[row.grade_id, row.rev] = row
            found.by_kind[row.kind] += 1
        else:
            found.problems.append(Problem(code, _name(grade)))
        del left[row.grade_id, row.rev]
    found.grades = len(good)
    for grade in left.values():
        owner = lost.pop(_commitment(grade, grades.keys), None)
        found.problems.append(
            Problem(UNCOMMITTED, _name(grade)) if owner is None else Problem(WRONG_GRADE, owner.name, _name(grade))
        )
    for row in lost.values():
        found.problems.append(Problem(MISSING, f"grade {row.grade_id} rev {row.rev}", row.name))
    return good


def _sound_keys(chain: list[_Row], grades: _Grades, found: Verified) -> set[Any]:
    """The pupils whose key is the one that the chain knows."""
    known = {row.commitment for row in chain if row.kind == audit.KEY and row.erased_by is None}
    sound = set()
    for pupil, key in grades.keys.items():
        if isinstance(key, bytes) and audit.digest_of_key(key) in known:
            known.discard(audit.digest_of_key(key))
            sound.add(pupil)
        else:
            found.problems.append(Problem(KEY_ALTERED, f"audit_key {pupil}"))
    for row in chain:
        if row.kind == audit.KEY and row.erased_by is None and row.commitment in known:
            found.problems.append(Problem(KEY_GONE, row.name))
    return sound


def _weighed(row: _Row, grade: tuple[Any, ...], keys: Mapping[Any, Any], sound: set[Any]) -> str | None:
    pupil = grade[audit.COLUMNS.index("pupil")]
    if _commitment(grade, keys) == row.commitment:
        return None
    return ALTERED if pupil in sound or pupil not in keys else KEY_ALTERED


def _commitment(grade: tuple[Any, ...], keys: Mapping[Any, Any]) -> bytes | None:
    key, content = keys.get(grade[audit.COLUMNS.index("pupil")]), audit.canonical(grade)
    if not isinstance(key, bytes) or content is None:
        return None
    return audit.commitment(key, content)


def _erasures(chain: list[_Row], found: Verified) -> None:
    """Rows that stand for what was deleted on request, and the rows that say so."""
    ended: dict[Any, list[int]] = {row.seq: [] for row in chain if row.kind == audit.ERASED}
    for row in chain:
        if row.erased_by is None:
            continue
        if row.erased_by not in ended or row.grade_id is not None or row.rev is not None:
            found.problems.append(Problem(ERASURE, row.name))
            continue
        ended[row.erased_by].append(row.seq)
        found.erased += row.kind in audit.OF_GRADES
    for row in chain:
        if row.kind == audit.ERASED:
            found.deletions += 1
            if audit.digest_of_seqs(ended[row.seq]) != row.commitment:
                found.problems.append(Problem(ERASURE, row.name))


def _inks(
    connection: sqlite3.Connection, good: Mapping[tuple[Any, Any], _Row], grades: _Grades, found: Verified
) -> None:
    """The lists of inks, and every piece that they name."""
    lists = {row[0]: (row[1], row[2]) for row in connection.execute("select ink, strokes, pieces from graded_ink")}
    seen: set[Any] = set()
    for place, row in good.items():
        ink = _ink_of(grades, row)
        if row.ink is None:
            found.unlisted += bool(ink)
            continue
        key = grades.keys[grades.rows[place][audit.COLUMNS.index("pupil")]]
        listed = lists.get(ink)
        if listed is None or not _is_listed(ink, listed, key, row.ink):
            found.problems.append(Problem(INK_LIST, f"graded_ink {ink}", _name(grades.rows[place])))
        elif ink not in seen:
            seen.add(ink)
            found.problems += _pieces(connection, listed, _name(grades.rows[place]))


def _is_listed(ink: str, listed: tuple[Any, Any], key: bytes, committed: bytes) -> bool:
    strokes, pieces = listed
    if not isinstance(strokes, str) or not isinstance(pieces, str) or audit_ink.digest_of(strokes) != ink:
        return False
    return audit.commitment(key, audit_ink.content_of(strokes, pieces)) == committed


def _pieces(connection: sqlite3.Connection, listed: tuple[str, str], grade: str) -> Iterator[Problem]:
    strokes, pieces = listed
    counts = audit_ink.wanted(pieces)
    for (stroke, here, others), count in zip(audit_ink.pieces_of(connection, strokes, pieces), counts, strict=True):
        if len(here) == count:
            continue
        if others:
            yield Problem(INK_ALTERED, f"ink {', '.join(map(str, others))}", grade)
        else:
            yield Problem(INK_GONE, f"ink of {stroke.pen} at {stroke.down_ms}", grade)


def _ink_of(grades: _Grades, row: _Row) -> Any:  # noqa: ANN401  whatever stands in the column
    grade = grades.rows.get((row.grade_id, row.rev))
    return None if grade is None else grade[audit.COLUMNS.index("ink")]


def _name(grade: tuple[Any, ...]) -> str:
    return f"grade {_shown(grade[0])} rev {_shown(grade[1])}"


def _shown(value: object) -> str:
    """A key as it can be printed, whatever its bytes are."""
    text = value if isinstance(value, str) else repr(value)
    return json.dumps(text, ensure_ascii=True)[1:-1]
