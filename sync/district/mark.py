"""How far the ledger was, as each receiver remembers it in a file of its own, outside the database.

A database that was restored from a backup is older than such a mark, or has a history that the mark does not know.
Whichever receiver notices first begins a new generation at the position where the two histories part, and the boxes
offer again what an older generation receipted beyond it. Pure but for reading and writing the file.

Theory. Each opening of the store by a receiver leaves a row with a token and the position at that moment, under the
same lock that orders positions. So at its mark a receiver knows every opening up to there. A restore ends every
connection: whatever is written afterwards comes after an opening. So two histories part where the first opening stands
that only one of them has, after the newest one that both have; if there is none, nobody wrote since the restore, and
they part at the last position.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sync.messages import Announcement

KEPT_OPENINGS: Final = 200
"""A mark holds the newest of them; a backup older than all of these makes the boxes offer all that they still keep."""


class Opening(NamedTuple):
    """A receiver opened the store."""

    token: str
    pos: int
    """The last position then."""


class Mark(NamedTuple):
    """What a receiver knew of the ledger when it last gave receipts."""

    generations: tuple[str, ...]
    """Oldest first."""
    pos: int
    """The last position."""
    openings: tuple[Opening, ...] = ()
    """The newest of them, oldest first."""
    known: tuple[tuple[str, int], ...] = ()
    """Every generation that was ever met, and from which position: also those that a restore took away."""

    def after(self, before: "Mark | None") -> "Mark":
        """This mark with all that the one before it knew of generations."""
        known = dict(() if before is None else before.known) | dict(self.known)
        return self._replace(known=tuple(known.items()))


def restored_to(
    mark: Mark | None, generations: Sequence[tuple[str, int]], openings: Sequence[Opening], pos: int
) -> int | None:
    """From which position on the database may lack what was once receipted out of it; None if it lacks nothing.

    None also where another receiver has begun a generation for the same restore: one that this receiver never met.

    Args:
        mark: This receiver's; None if it has none.
        generations: What the database has: (generation, from which position), oldest first.
        openings: The newest that it has, oldest first, without the one that asks.
        pos: Its last position.
    """
    if mark is None:
        return None
    common = max(set(openings) & set(mark.openings), key=openings.index, default=None)
    parted = [pos]
    if common is not None:
        only = (*openings[openings.index(common) + 1 :], *mark.openings[mark.openings.index(common) + 1 :])
        parted += [one.pos for one in only]
    names, known = {name for name, _ in generations}, dict(mark.known)
    # What a generation that is gone had told the boxes must be told again by the next.
    gone = [known.get(name, 0) for name in mark.generations if name not in names]
    # One that was gone and is back: nobody knows any more how far its receipts went in which of its histories.
    is_back = any(name in known and name not in mark.generations for name in names)
    if min(parted) >= mark.pos and (common is not None or not mark.openings) and not gone and not is_back:
        return None
    point = 0 if is_back or (mark.openings and common is None) else min(parted + gone)
    if any(from_pos <= point for name, from_pos in generations if name not in known and name not in mark.generations):
        return None
    return point


def read_mark(path: Path | None) -> Mark | None:
    """The mark; None if there is none, or it cannot be read."""
    if path is None:
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        generations, openings = told["generations"], told["openings"]
        if not isinstance(generations, list) or not isinstance(openings, list):
            return None
        known = tuple((str(name), int(from_pos)) for name, from_pos in told.get("known", ()))
        return Mark(tuple(map(str, generations)), int(told["pos"]), tuple(Opening(*one) for one in openings), known)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_mark(path: Path | None, mark: Mark) -> None:
    """Remember, durably and whole or not at all; what it knew before of generations is remembered with it.

    Raises:
        OSError: The disk says no.
    """
    if path is None:
        return
    mark = mark.after(read_mark(path))
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(mark._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # else a power cut may bring the old name's file back, and hide a restore
    finally:
        os.close(folder)


class History(NamedTuple):
    """What the database says of itself, oldest first: how its restores and its receivers came one after another."""

    generations: tuple[tuple[str, int], ...]
    """(generation, from which position)."""
    openings: tuple[Opening, ...]
    """The newest `KEPT_OPENINGS`."""

    @property
    def generation(self) -> str:
        """The one that receipts are given in."""
        return self.generations[-1][0]

    @property
    def token(self) -> str:
        """The newest opening's: while it stays the same, so does everything here."""
        return self.openings[-1].token if self.openings else ""

    def mark(self, pos: int) -> Mark:
        """What a receiver remembers of it at this position."""
        return Mark(tuple(name for name, _ in self.generations), pos, self.openings, self.generations)

    def announcement(self) -> Announcement:
        """What the boxes are told."""
        return Announcement(generations=self.generations)
