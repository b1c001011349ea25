"""Copies of the store, and the way back. Every copy is made by SQLite, of one moment of the store, never of its file.

A backup is written under another name, checked, made durable, and only then named: a file under the final name is
whole. It holds the table of pupils with their names, so it is for its owner's eyes alone.
"""

import json
import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from gateway import aside, joining, keeping
from gateway.clock import now_ms
from gateway.errors import FoundProblems, GatewayError, Missing, StoreDamaged, TryLater, WrongUse
from gateway.store import Store, check, hold, is_damage, looking, migrate, read_only

_MADE: Final = "backup"
RESTORED: Final = "restored"
"""Row of `box`: the store went back, when, and to which moment."""
_CANDIDATE: Final = ".restoring"
_OURS: Final = frozenset({"box", "pen", "ink", "loss", "envelope"})


@dataclass(frozen=True, slots=True)
class Copied:
    """A backup that was made."""

    path: Path
    bytes: int
    made_ms: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore that was done."""

    made_ms: int | None
    """When the backup was made."""
    put_aside: str
    """The name of the store that was there before; empty where there was none."""
    migrated: tuple[str, ...]
    """Migrations that the backup lacked."""


def back_up(store: Path, target: Path) -> Copied:
    """Copy the store as it is now, with all that was acknowledged so far, also while a gateway writes into it.

    Raises:
        Missing: There is no store.
        StoreDamaged: The store is hurt, or the copy is.
        TryLater: There is no room for it.
    """
    if not store.exists():
        raise Missing(f"There is no store at {store}; the first `inkgate run` makes it.")
    if target.is_dir():
        raise WrongUse(f"{target} is a folder; name the file that the backup shall be.")
    if target.absolute() == store.absolute():
        raise WrongUse(f"{target} is the store itself; name another file.")
    began_s, made_ms = time.monotonic(), now_ms()
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    _sweep(target)
    try:
        with closing(read_only(store)) as source:
            _copy(source, draft, {_MADE: json.dumps({"at_ms": made_ms})})
        if problems := check(draft):
            raise StoreDamaged(f"The copy is not whole ({problems[0]}); `inkgate db check` says what is hurt.")
        size = draft.stat().st_size
        draft.replace(target)
        aside.sync_folder(target.absolute().parent)
    except sqlite3.DatabaseError as error:
        raise _sentence(error, "No backup was made") from error
    finally:
        _drop(draft)
    return Copied(target, size, made_ms, time.monotonic() - began_s)


def restore(store: Path, backup: Path) -> Restored:
    """Put a backup in the place of the store; what was there is put aside untouched.

    Raises:
        StoreBusy: A gateway works with it; nothing was touched.
        Missing: There is no backup at that path.
        FoundProblems: The backup is not whole, or no store of ours.
        WrongUse: It is of another installation.
    """
    if not backup.is_file():
        raise Missing(f"There is no backup at {backup}.")
    lock = hold(store)
    candidate = store.with_name(store.name + _CANDIDATE)
    try:
        if problems := check(backup):
            raise FoundProblems(f"{backup} is not whole; nothing was changed", [("the file", p) for p in problems])
        aside.finish(store)
        aside.done(store)
        made_ms = _examine(backup, store)
        at_ms = now_ms()
        said = {"at_ms": at_ms, "to_ms": made_ms}
        _drop(candidate)
        try:
            with closing(read_only(backup)) as source:
                _copy(source, candidate, {RESTORED: json.dumps(said)})
            migrated = _migrate(candidate)
        except sqlite3.DatabaseError as error:
            raise _sentence(error, "Nothing was restored") from error
        if problems := check(candidate):
            raise FoundProblems("The restored store is not whole; nothing was changed", [("it", p) for p in problems])
        moved = aside.put(store, kind="before", why="restored", at_ms=at_ms, candidate=candidate)
        aside.done(store)
    finally:
        _drop(candidate)
        os.close(lock)
    opened = Store(store)
    try:
        opened.submit(lambda db: keeping.note_aside(db, moved)).result()
    finally:
        opened.close()
    return Restored(made_ms, moved.name, migrated)


def join_aside(store: Path, names: list[str] | None = None) -> dict[str, joining.Joined]:
    """Join stores that were put aside to the present one: those named, or all.

    Returns:
        What came of each, by its name.

    Raises:
        StoreBusy: A gateway works with the store.
        Missing: One of the names is not there.
    """
    if not store.exists():
        raise Missing(f"There is no store at {store}; the first `inkgate run` makes it.")
    there = [path.name for path in aside.listed(store)]
    if unknown := [name for name in names or [] if name not in there]:
        raise Missing(f"{unknown[0]} was not put aside here; there are: {', '.join(there) or 'none'}.")
    opened = Store(store)
    try:
        done = {}
        for name in names or there:
            done[name] = opened.submit(lambda db, name=name: _join(db, store, name)).result()  # type: ignore[misc]  # a default binds the name
        return done
    finally:
        opened.close()


def _join(db: Database, store: Path, name: str) -> joining.Joined:
    held = {each.name: each for each in keeping.held(db)}
    if name not in held:
        at_ms = round(store.with_name(name).stat().st_mtime * 1000)
        keeping.note_aside(db, aside.Aside(name, at_ms, "found"))
        held = {each.name: each for each in keeping.held(db)}
    return joining.join(db, store.parent, held[name], now_ms=now_ms())


def _copy(source: sqlite3.Connection, target: Path, rows: dict[str, str]) -> None:
    """One moment of a database into a new file of its own, durable, without a log beside it."""
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("pragma journal_mode = delete")
        copy.execute("pragma synchronous = full")
        copy.execute("delete from box where k in (?, ?)", (_MADE, RESTORED))
        copy.executemany("insert into box(k, v) values (?, ?)", list(rows.items()))
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _examine(backup: Path, store: Path) -> int | None:
    """When a backup was made; refuses what is no store, or another installation's."""
    with looking(backup) as connection:
        tables = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
        if not tables >= _OURS:
            raise FoundProblems(f"{backup} is no backup of a store", [("the file", "it lacks our tables")])
        box = dict(tuple(row) for row in connection.execute("select k, v from box"))
    mark = store.with_name(f"{store.name}.installed")
    here = mark.read_text(encoding="ascii", errors="replace").strip() if mark.exists() else ""
    if here and box.get("installation", here) != here:
        raise WrongUse(f"{backup} is a backup of another box. To make this one that box, empty {store.parent} first.")
    said = json.loads(box[_MADE])["at_ms"] if _MADE in box else None
    return int(said) if said is not None else round(backup.stat().st_mtime * 1000)


def _migrate(candidate: Path) -> tuple[str, ...]:
    """Bring an older schema up to date. Returns what it lacked."""
    with closing(sqlite3.connect(candidate, isolation_level=None)) as connection:
        query = "select migration_set || '.' || name from _sqlite_migrations"
        before = {row[0] for row in connection.execute(query)}
        migrate(Database(connection))
        return tuple(row[0] for row in connection.execute(query) if row[0] not in before)


def _sweep(target: Path) -> None:
    """Drafts of backups that were killed half-way."""
    for old in target.parent.glob(f".{target.name}.*.draft"):
        pid = old.name.rsplit(".", 2)[1]
        if not Path(f"/proc/{pid}").exists():
            _drop(old)


def _drop(draft: Path) -> None:
    for end in ("", "-journal", "-wal", "-shm"):
        with suppress(OSError):
            draft.with_name(draft.name + end).unlink(missing_ok=True)


def _sentence(error: sqlite3.DatabaseError, what: str) -> GatewayError:
    if is_damage(error):
        return StoreDamaged(f"{what}: {error}. `inkgate db check` says what is hurt.")
    return TryLater(f"{what} ({error}). Make room, or name a file on another disk, and try again.")
