"""Which ink a grade's hash stands for: its strokes, and of each the pieces in the store, by the hash of their content.

A grade names its ink by a hash over its strokes (pen, page, pen-down, dots, sum), as `answers` makes it. Here that hash
gets its list, once, when the first grade of this ink is written: the text that was hashed, and the SHA-256 of every
piece, over all that was stored of it but its row number and its number in the stroke, which a joining may change. So
the ink of an old grade is found although more ink has come to its field since, and not a byte of it changes unseen.

Ink that is not in the store at that moment (a new store has just taken the place of a damaged one) has no list.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
from sqlite_utils import Database

from recognition.ink import unpack
from recognition.pages import PageAddress

PLAIN: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
"""How rows become bytes: ASCII, and a number's every bit."""
HEX: Final = 32
"""Characters of an ink's hash."""
_STORED: Final = (
    "seq", "pen", "section", "owner", "note", "page", "down_ms", "dots", "sum", "up_ms", "pen_ms", "time_known",
    "ended", "how", "tip", "clock",
)  # fmt: skip
_SELECT: Final = (
    f"select id, packed, {', '.join(_STORED)} from ink where pen = ? and section = ? and owner = ? and note = ?"  # noqa: S608  the columns above
    " and page = ? and down_ms = ? order by id"
)
_DOTS, _SUM = _STORED.index("dots") + 2, _STORED.index("sum") + 2
_MASK: Final = 0xFFFFFFFF


class Stroke(NamedTuple):
    """A stroke as an ink's hash names it."""

    pen: str
    page: PageAddress
    down_ms: int
    dots: int
    total: int
    """The sum over its dots, modulo 2**32."""


class Piece(NamedTuple):
    """A piece in the store, by row number and content."""

    id: int
    packed: bytes
    digest: str


def digest_of(strokes: str) -> str:
    """The hash of an ink, of the text that names its strokes; empty for none."""
    return hashlib.sha256(strokes.encode("utf-8", "surrogateescape")).hexdigest()[:HEX] if strokes else ""


def strokes_of(text: str) -> list[Stroke]:
    """Read such a text.

    Raises:
        ValueError: It is none.
    """
    out = []
    for part in text.split(";"):
        pen, page, down_ms, dots, total = part.split("|")
        section, owner, note, number = (int(each) for each in page.strip("()").split(","))
        out.append(Stroke(pen, PageAddress(section, owner, note, number), int(down_ms), int(dots), int(total)))
    return out


def pin(db: Database, ink: str, strokes: str) -> bool:
    """Keep the list of an ink, if all of it is in the store. Returns whether the list is there now."""
    if db.conn.execute("select 1 from graded_ink where ink = ?", (ink,)).fetchone() is not None:
        return True
    tokens = []
    for stroke in strokes_of(strokes):
        rows = db.conn.execute(_SELECT, (stroke.pen, *stroke.page, stroke.down_ms)).fetchall()
        chosen = _chosen(rows, stroke)
        if not chosen:
            return False
        tokens.append(",".join(sorted(_digest(row) for row in chosen)))
    db.conn.execute("insert into graded_ink(ink, strokes, pieces) values (?, ?, ?)", (ink, strokes, ";".join(tokens)))
    return True


def listed(db: Database, ink: str) -> bytes | None:
    """What is committed of an ink's list; None where there is none."""
    if not ink:
        return None
    found = db.conn.execute("select strokes, pieces from graded_ink where ink = ?", (ink,)).fetchone()
    return None if found is None else content_of(found[0], found[1])


def content_of(strokes: str, pieces: str) -> bytes:
    """A list as the bytes that are committed."""
    return PLAIN.encode([strokes, pieces]).encode()


def pieces_of(connection: Any, strokes: str, pieces: str) -> Iterator[tuple[Stroke, list[Piece], list[int]]]:  # noqa: ANN401  a connection with rows of any factory
    """Of each stroke of a list its pieces that are in the store, and the numbers of rows that stand in their place.

    A stroke of which every piece is here has as many pieces as its list says (`wanted`); a row whose content is another
    than any list says is in the last part.
    """
    for stroke, token in zip(strokes_of(strokes), pieces.split(";"), strict=True):
        wanted = token.split(",")
        rows = [tuple(row) for row in connection.execute(_SELECT, (stroke.pen, *stroke.page, stroke.down_ms))]
        found: dict[str, Piece] = {}
        others = []
        for row in rows:
            digest = _digest(row)
            if digest in wanted:
                found.setdefault(digest, Piece(row[0], row[1], digest))
            else:
                others.append(row[0])
        yield stroke, [found[each] for each in wanted if each in found], others


def wanted(pieces: str) -> list[int]:
    """How many pieces each stroke of a list has."""
    return [token.count(",") + 1 for token in pieces.split(";")]


def _digest(row: Sequence[Any]) -> str:
    head = PLAIN.encode([repr(v) if isinstance(v, bytes) else v for v in row[2:]]).encode()
    packed = row[1] if isinstance(row[1], bytes) else repr(row[1]).encode()
    return hashlib.sha256(b"%d:%b%b" % (len(head), head, packed)).hexdigest()


def _chosen(rows: Sequence[Sequence[Any]], stroke: Stroke) -> Sequence[Sequence[Any]]:
    """The pieces that a stroke was made of when it was hashed; none where they are not here.

    Most often all. A stroke may have gone on since, and a piece may be here twice: live and out of the pen's memory.
    """
    if _is(rows, stroke):
        return rows
    runs: dict[tuple[int, int, int], Sequence[Any]] = {}
    for row in rows:
        since_ms = int(np.vstack(unpack(row[1]))[0, 3])
        runs.setdefault((since_ms, row[_DOTS], row[_SUM]), row)
    for order in (list(runs.values()), [runs[each] for each in sorted(runs)]):
        for part in accumulate(([row] for row in order), list.__add__):
            if _is(part, stroke):
                return part
    return ()


def _is(rows: Sequence[Sequence[Any]], stroke: Stroke) -> bool:
    dots, total = sum(row[_DOTS] for row in rows), sum(row[_SUM] for row in rows) & _MASK
    return bool(rows) and (dots, total) == (stroke.dots, stroke.total)
