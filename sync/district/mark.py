"""How far the ledger was, as each receiver remembers it in a file of its own, outside the database.

A database that was restored from a backup is older than such a mark, or has a history that the mark does not know.
Whichever receiver notices first begins a new generation at the position where the two histories part, and the boxes
offer again what an older generation receipted beyond it. Pure but for reading and writing the file.

Theory. Each opening of the store by a receiver leaves a row with a token and the position at that moment, under the
same lock that orders positions. So at its mark a receiver knows every opening up to there. Openings that the database
has after the newest one that both know, at a position before the mark, were made after a restore; the first of them
tells where the histories part. If there is none, nobody wrote since the restore, and they part at the last position.
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
    openings: tuple[str, ...] = ()
    """Tokens, oldest first."""
    given: tuple[tuple[str, int], ...] = ()
    """How far receipts were ever given in each generation, also in those that a restore took away: another one may
    bring them back, shorter."""

    def after(self, before: "Mark | None") -> "Mark":
        """This mark with what the one before it remembers of receipts."""
        given = dict.fromkeys(self.generations, 0) | dict(() if before is None else before.given)
        if self.generations:
            given[self.generations[-1]] = max(given.get(self.generations[-1], 0), self.pos)
        return self._replace(given=tuple(given.items()))


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
    common = max((at for at, one in enumerate(openings) if one.token in mark.openings), default=None)
    later = openings if common is None else openings[common + 1 :]
    parted = [one.pos for one in later] if mark.openings else []
    names = {name for name, _ in generations}
    given = dict(mark.given)
    is_short = bool(generations) and given.get(generations[-1][0], 0) > pos
    if min([pos, *parted]) >= mark.pos and not is_short and names.issuperset(mark.generations):
        return None
    point = 0 if mark.openings and common is None else min([pos, *(one.pos for one in later)])
    strange = [from_pos for name, from_pos in generations if name not in mark.generations and name not in given]
    if any(from_pos <= point for from_pos in strange):
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
        given = tuple((str(name), int(at)) for name, at in told.get("given", ()))
        return Mark(tuple(map(str, generations)), int(told["pos"]), tuple(map(str, openings)), given)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_mark(path: Path | None, mark: Mark) -> None:
    """Remember, durably and whole or not at all; how far receipts were given before is remembered with it.

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
        return Mark(tuple(name for name, _ in self.generations), pos, tuple(one.token for one in self.openings))

    def announcement(self) -> Announcement:
        """What the boxes are told."""
        return Announcement(generations=self.generations)
