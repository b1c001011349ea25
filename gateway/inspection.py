"""What is hurt in a store and what is whole. Only reads, also while the gateway works with it.

SQLite's own check knows pages and indexes; whether the ink in them is the ink that was stored its sums know. Who keeps
the write-ahead log from being emptied is read from the kernel's list of locks.
"""

import os
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from gateway import aside, audit_verify
from gateway.journal import pieces_of
from gateway.salvage import Wreck
from gateway.store import LOG_CAP_BYTES, check, log_bytes, looking
from recognition.errors import RecognitionError
from recognition.ink import dot_sum, unpack

_READ_LOCKS: Final = range(123, 128)
"""Bytes of the `-shm` file that readers of a write-ahead log lock (sqlite.org/walformat.html, 2.3.1)."""
_HELD_S: Final = 2.1
"""A reader of ours ends within two seconds; who still holds the same lock after that is another."""


@dataclass(frozen=True, slots=True)
class TableFound:
    """One table: how many rows can be read, and whether those are all."""

    name: str
    rows: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that keeps the log from being emptied."""

    pid: int
    command: str


@dataclass(slots=True)
class Inspected:
    """All that was found."""

    path: Path
    problems: list[str] = field(default_factory=list)
    tables: list[TableFound] = field(default_factory=list)
    journal_mode: str = ""
    bytes: int = 0
    log_bytes: int = 0
    free_bytes: int = 0
    held_by: list[Holder] = field(default_factory=list)
    not_yet_ink: int = 0
    """Dots that are in the journal and not in `ink` yet: strokes that are open, or were at a crash."""
    ink_rows: int = 0
    ink_unsound: int = 0
    """Pieces whose dots are not those that were stored."""
    aside: list[str] = field(default_factory=list)
    """Stores that were put aside in the same folder."""
    box: dict[str, str] = field(default_factory=dict)
    """Who this installation is, when it was restored, and what was put aside, as the store says."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is hurt."""
        return not self.problems


def inspect(path: Path, *, gateway_pid: int | None = None, held_s: float = _HELD_S) -> Inspected:
    """Look at everything.

    Args:
        path: The database.
        gateway_pid: The gateway that works with it; its own readers are no strangers.
        held_s: How long a stranger must hold the log to be named.
    """
    found = Inspected(path, check(path))
    found.aside = [each.name for each in aside.listed(path)]
    found.free_bytes = shutil.disk_usage(path.parent).free
    if not path.exists() or path.stat().st_size == 0:
        return found
    found.bytes, found.log_bytes = path.stat().st_size, log_bytes(path)
    _tables(found)
    _contents(found)
    if found.ink_unsound:
        found.problems.append(f"{found.ink_unsound} of {found.ink_rows} pieces of ink are not what was stored")
    if unfit := _unfit(found):
        found.problems.append(f"{unfit} rows of grades or of their chain do not fit: `inkgate audit verify` names them")
    found.held_by = _strangers(path, gateway_pid, held_s)
    for holder in found.held_by:
        found.problems.append(
            f"process {holder.pid} ({holder.command}) has read the store for more than {held_s:.0f} s"
            f" and keeps its log ({found.log_bytes >> 20} MB) from being emptied: end it"
        )
    if found.log_bytes > 2 * LOG_CAP_BYTES and not found.held_by:
        found.problems.append(f"the log has grown to {found.log_bytes >> 20} MB and is not emptied")
    return found


def is_sound(packed: bytes, dots: int, total: int) -> bool:
    """Whether packed dots are those that were counted and summed when they were stored."""
    try:
        rows = np.vstack(unpack(packed))
        return len(rows) == dots and dot_sum(rows) == total
    except (RecognitionError, ValueError, IndexError):
        return False


def _tables(found: Inspected) -> None:
    wreck = Wreck(found.path)
    try:
        for name in sorted(wreck.names):
            if not name.startswith("sqlite_"):
                count, unreadable = wreck.count(name)
                found.tables.append(TableFound(name, count, not unreadable))
    finally:
        wreck.close()


def _contents(found: Inspected) -> None:
    with looking(found.path) as connection:
        try:
            found.journal_mode = connection.execute("pragma journal_mode").fetchone()[0]
            journal = connection.execute("select seq, packed from journal order by seq").fetchall()
            found.not_yet_ink = sum(len(piece.rows) for piece in pieces_of((row[0], row[1]) for row in journal))
            names = ("installation", "restored", "store_damaged")
            query = f"select k, v from box where k in ({','.join('?' * len(names))})"  # noqa: S608  marks only
            found.box = dict(tuple(row) for row in connection.execute(query, names))
        except sqlite3.DatabaseError:
            return  # said by the check already
        try:
            for row in connection.execute("select packed, dots, sum from ink"):
                found.ink_rows += 1
                found.ink_unsound += not is_sound(*row)
        except sqlite3.DatabaseError:
            return  # as above


def _unfit(found: Inspected) -> int:
    """Rows that the audit chain does not prove; a store that is hurt, or older than the chain, is not asked."""
    if found.problems or "audit" not in {table.name for table in found.tables}:
        return 0
    return len(audit_verify.verify(found.path, with_ink=False).problems)


def _strangers(path: Path, gateway_pid: int | None, held_s: float) -> list[Holder]:
    before = _readers(path)
    ours = {os.getpid(), gateway_pid}
    if not {pid for pid, _ in before} - ours:
        return []
    time.sleep(held_s)
    held = before & _readers(path)
    return [Holder(pid, _command(pid)) for pid in sorted({pid for pid, _ in held} - ours)]


def _readers(path: Path) -> set[tuple[int, int]]:
    """Process and byte of every lock that a reader of the log holds."""
    try:
        about = path.with_name(f"{path.name}-shm").stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return set()
    inode = f":{about.st_ino}"
    found = set()
    for line in lines:
        # 12: POSIX  ADVISORY  READ 4711 fd:00:131 123 123
        words = line.split()
        if "->" in words or len(words) != 8 or words[3] != "READ" or not words[5].endswith(inode):  # noqa: PLR2004  fields of a line
            continue
        first, last = int(words[6]), _last(words[7])
        found |= {(int(words[4]), byte) for byte in _READ_LOCKS if first <= byte <= last}
    return found


def _last(word: str) -> int:
    return 1 << 62 if word == "EOF" else int(word)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"


def plain(found: Inspected) -> dict[str, Any]:
    """For a JSON document."""
    return {
        "whole": found.is_whole,
        "problems": found.problems,
        "tables": [{"name": t.name, "rows": t.rows, "whole": t.whole} for t in found.tables],
        "journal_mode": found.journal_mode,
        "bytes": found.bytes,
        "log_bytes": found.log_bytes,
        "free_bytes": found.free_bytes,
        "held_by": [{"pid": h.pid, "command": h.command} for h in found.held_by],
        "not_yet_ink_dots": found.not_yet_ink,
        "ink": {"rows": found.ink_rows, "unsound": found.ink_unsound},
        "set_aside": found.aside,
        "box": found.box,
    }
