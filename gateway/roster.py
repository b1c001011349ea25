"""A class list as schools write it: CSV or a spreadsheet export in UTF-8, UTF-16 or GB18030, with or without a mark.

`read_roster` is all or none: any fault is told by line and column, never with a name or a number, and nothing is
returned. `merge` writes: matched by pupil number alone, never by name; a missing pupil is listed, not removed.
"""

import csv
import hashlib
import hmac
import io
import re
from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database

from gateway.errors import FoundProblems

_SEAT: Final = {"座号", "座位", "座位号", "seat"}
_NAME: Final = {"姓名", "名字", "name"}
_NUMBER: Final = {"学籍号", "学号", "number", "pupil_number", "id"}
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"
"""Check digits of GB 11643-1999 by the weighted sum modulo 11."""
HIGHEST_SEAT: Final = 999
_ROUNDED: Final = re.compile(r"^\d(\.\d+)?[eE]\+?\d+$")
_SIMPLE: Final = re.compile(r"^[0-9A-Za-z-]{1,32}$")


@dataclass(frozen=True, slots=True)
class Pupil:
    """One row of a class list. `number` and `name` go into the one table of pupils and nowhere else."""

    seat: int
    name: str
    number: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What an import did. Seats only: they are what a classroom says aloud."""

    added: int
    changed: int
    removed: int
    would_leave: tuple[int, ...]


def read_roster(content: bytes) -> list[Pupil]:
    """Read a class list.

    Raises:
        FoundProblems: The file has a fault; every one is told by line and column.
    """
    text = _decode(content)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise FoundProblems("The roster was not imported", [("line 1", "the file is empty; nobody was removed")])
    delimiter = max("\t,;", key=lines[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(reader)
    except csv.Error:
        where = f"line {reader.line_num}"
        raise FoundProblems(
            "The roster was not imported", [(where, "this line is no row of a table; save the list as CSV again")]
        ) from None
    header = [cell.strip().lower() for cell in rows[0]]
    columns = {name: _column(header, known) for name, known in _COLUMNS.items()}
    if missing := [name for name, index in columns.items() if index is None]:
        words = {"seat": "座号 / seat", "name": "姓名 / name", "number": "学籍号 / number"}
        raise FoundProblems(
            "The roster was not imported",
            [("line 1", f"no column is called {words[name]}") for name in missing],
        )
    problems: list[tuple[str, str]] = []
    pupils: list[Pupil] = []
    for line, row in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in row):
            pupil = _pupil(line, row, {k: v for k, v in columns.items() if v is not None}, problems)
            if pupil is not None:
                _check_double(line, pupil, pupils, problems)
                pupils.append(pupil)
    if not pupils and not problems:
        problems.append(("line 1", "there is a header and no pupil; nobody was removed"))
    if problems:
        raise FoundProblems("The roster was not imported", problems)
    return pupils


def merge(db: Database, pupils: list[Pupil], *, key: bytes, now_ms: int, remove_missing: bool = False) -> Merged:
    """Bring the table of pupils to this list, inside the caller's transaction."""
    known = {
        row[1]: (row[0], row[2], row[3])
        for row in db.conn.execute("select pseudonym, number, name, seat from pupil where left_ms is null")
    }
    added = changed = 0
    for pupil in pupils:
        before = known.pop(pupil.number, None)
        if before is not None and before[1:] == (pupil.name, pupil.seat):
            continue
        added, changed = (added + 1, changed) if before is None else (added, changed + 1)
        db.conn.execute(
            "insert into pupil(pseudonym, number, name, seat, added_ms) values (?,?,?,?,?)"
            " on conflict(number) do update set name=excluded.name, seat=excluded.seat, left_ms=null",
            (pseudonym(pupil.number, key), pupil.number, pupil.name, pupil.seat, now_ms),
        )
    if remove_missing:
        for code, _, _ in known.values():
            db.conn.execute("update pupil set left_ms = ? where pseudonym = ?", (now_ms, code))
    would_leave = () if remove_missing else tuple(sorted(seat for _, _, seat in known.values()))
    return Merged(added, changed, len(known) if remove_missing else 0, would_leave)


def pseudonym(number: str, key: bytes) -> str:
    """The name that everything but the table of pupils uses: a keyed hash, 16 hex digits."""
    return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()[:16]


_COLUMNS: Final = {"seat": _SEAT, "name": _NAME, "number": _NUMBER}


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if content[1:2] == b"\0":
        return content.decode("utf-16-le", errors="replace")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FoundProblems(
        "The roster was not imported", [("the file", "it is neither UTF-8, UTF-16 nor GB18030; save it as CSV UTF-8")]
    )


def _column(header: list[str], known: set[str]) -> int | None:
    return next((index for index, name in enumerate(header) if name in known), None)


def _pupil(line: int, row: list[str], columns: dict[str, int], problems: list[tuple[str, str]]) -> Pupil | None:
    def cell(name: str) -> str:
        return row[columns[name]].strip() if columns[name] < len(row) else ""

    def fault(name: str, sentence: str) -> None:
        problems.append((f"line {line}, column {columns[name] + 1}", sentence))

    before = len(problems)
    seat, name, number = cell("seat"), cell("name"), cell("number").upper()
    if not seat.isdecimal() or not 1 <= int(seat) <= HIGHEST_SEAT:
        fault("seat", "the seat is not a whole number from 1 to 999")
    if not name:
        fault("name", "the name is empty")
    if _ROUNDED.match(number):
        fault("number", "the spreadsheet rounded the number; format the column as text and export again")
    elif not _SIMPLE.match(number):
        fault("number", "the pupil number is empty or has signs that no number has")
    elif number.startswith("G") and not _has_right_check_digit(number[1:]):
        fault("number", "the last digit of the number does not fit the others; compare it with the original")
    return Pupil(int(seat), name, number) if len(problems) == before else None


def _has_right_check_digit(number: str) -> bool:
    """GB 11643-1999: 17 digits and a check digit. Numbers that begin with L have none."""
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return False
    return _CHECK[sum(int(d) * w for d, w in zip(number, _WEIGHTS, strict=False)) % 11] == number[17]


def _check_double(line: int, pupil: Pupil, before: list[Pupil], problems: list[tuple[str, str]]) -> None:
    if any(other.seat == pupil.seat for other in before):
        problems.append((f"line {line}", f"seat {pupil.seat} stands twice"))
    if any(other.number == pupil.number for other in before):
        problems.append((f"line {line}", "this pupil number stands twice"))
