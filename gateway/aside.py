"""How a store is put aside untouched and another takes its place; a kill at any moment changes nothing about that.

What is meant is written down first, then files are renamed, then the note goes when the new store is filled. Whoever
opens the store next finishes what a kill left half done. The caller holds the store's lock.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from gateway.alive import Alive

Kind = Literal["damaged", "before"]

_ENDS: Final = ("-wal", "-shm")
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Aside:
    """A store that was put aside."""

    name: str
    """Its file, in the folder of the store; empty where there was none to put aside."""
    at_ms: int
    why: str
    candidate: str = ""
    """The file that takes its place; empty where a new one is made."""
    lived_ms: int = 0
    """When the box that wrote it last lived, where that is known."""


def put(path: Path, *, kind: Kind, why: str, at_ms: int, candidate: Path | None = None) -> Aside:
    """Put the store aside under a name with the time, and the candidate in its place. `done` ends it."""
    name = ""
    if path.exists():
        stamp = time.strftime(_STAMP, time.gmtime(at_ms / 1000))
        name = _free(path, f"{path.name}.{kind}-{stamp}")
    aside = Aside(name, at_ms, why, candidate.name if candidate is not None else "", _lived_ms(path))
    note = _note(path)
    draft = note.with_name(f"{note.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(aside), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(note)
    sync_folder(path.parent)
    finish(path)
    return aside


def finish(path: Path) -> Aside | None:
    """Go on with a putting aside that is not done; None where there is none."""
    try:
        aside = Aside(**json.loads(_note(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    moved = path.with_name(aside.name) if aside.name else None
    if moved is not None and not moved.exists() and path.exists():
        path.rename(moved)
    if path.exists() and path.stat().st_size == 0:
        path.unlink()  # a new store that was begun and holds nothing
    # While nothing stands in its place the log is the old store's; a new store must never meet it.
    if not path.exists():
        for end in _ENDS:
            log = path.with_name(path.name + end)
            if log.exists() and moved is not None:
                log.rename(moved.with_name(moved.name + end))
            log.unlink(missing_ok=True)
        if aside.candidate and path.with_name(aside.candidate).exists():
            path.with_name(aside.candidate).rename(path)
    sync_folder(path.parent)
    return aside


def done(path: Path) -> None:
    """The new store is filled: nothing is left to finish."""
    _note(path).unlink(missing_ok=True)
    sync_folder(path.parent)


def listed(path: Path) -> list[Path]:
    """Every store that was put aside in this folder, oldest first."""
    found = [p for kind in ("damaged", "before") for p in path.parent.glob(f"{path.name}.{kind}-*")]
    return sorted((p for p in found if not p.name.endswith(_ENDS)), key=lambda p: p.name.rpartition("-")[2])


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lived_ms(path: Path) -> int:
    """When a box last lived on this store; 0 where nothing says so."""
    file = path.with_suffix(".alive")
    if not file.exists():
        return 0
    alive = Alive(file)
    alive.close()
    return 0 if alive.before is None else alive.before.at_ms


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.moving")


def _free(path: Path, name: str) -> str:
    number, free = 1, name
    while path.with_name(free).exists():
        number += 1
        free = f"{name}.{number}"
    return free
