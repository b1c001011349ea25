"""What any store of the district does, whatever its database.

Here is what they share: reading a batch, answering it, and the mark outside the database that notices a restore.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from sync.errors import Unreadable
from sync.messages import NUMBER_REUSED, VERSION, Announcement, Receipt, Row, digest, number, ranges, unpack


class Incoming(NamedTuple):
    """One message from a box; `box` is taken from the topic, which the broker guards, never from the payload."""

    box: str
    payload: bytes


class Key(NamedTuple):
    """The number of an envelope. The broker's own packet numbers and times are never part of it."""

    box: str
    epoch: bytes
    eseq: int


class Envelope(NamedTuple):
    """A readable envelope."""

    digest: bytes
    rows: list[Row]


class Quarantined(NamedTuple):
    """A message that cannot be read, kept whole."""

    box: str
    digest: bytes
    why: str
    payload: bytes


class Clash(NamedTuple):
    """A row that does not fit what the district has."""

    kind: str
    """`conflict`: same revision, other content. `behind`: a lower revision than the district's."""
    id: str
    rev: int
    """The district's revision."""
    kept: bytes
    came: bytes
    """Digests of the district's row and of the one that came."""


class Taken(NamedTuple):
    """What one batch did."""

    receipts: list[tuple[str, Receipt]]
    """(box, receipt), one for each box and epoch."""
    envelopes: int
    rows: int
    repeats: int
    conflicts: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictCounts:
    """What the district has."""

    results: int
    envelopes: int
    repeats: int
    """Envelopes that came again and changed nothing: normal."""
    conflicts: int
    """Rows whose revision is here with other content, ever."""
    unsettled: int
    """Conflicts that no higher revision has settled."""
    quarantined: int
    doubled: int
    """Revisions that were taken more than once: never anything but 0."""


class DistrictStore(Protocol):
    """A database of the district. All calls come from one thread; every one may raise `StoreUnavailable`."""

    def open(self) -> Announcement:
        """Connect (again), make the tables if need be, and say what generations there are."""

    def take(self, batch: Sequence[Incoming]) -> Taken:
        """Store a batch in one transaction. When this returns, all that its receipts say is durable."""

    def counts(self) -> DistrictCounts:
        """Count everything."""

    def digests(self) -> Iterator[tuple[str, str, bytes]]:
        """(box, day, row digest) of every result, for the proof."""

    def rows_of(self, box: str, day: str) -> dict[str, tuple[int, bytes]]:
        """(rev, digest) of each result of one box and day by id."""

    def close(self) -> None:
        """Let go; never raises, may be called twice."""


@dataclass(slots=True)
class _Answer:
    ok: list[int] = field(default_factory=list)
    refused: list[tuple[int | str, str]] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)


class Answers:
    """The answers to one batch, one receipt for each box and epoch."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, bytes], _Answer] = {}

    def ok(self, key: Key, clashes: Sequence[Clash] = ()) -> None:
        """It is stored, now or before."""
        answer = self._of(key.box, key.epoch)
        answer.ok.append(key.eseq)
        answer.clashes += clashes

    def refused(self, key: Key, why: str) -> None:
        """It has a number and will never be stored."""
        self._of(key.box, key.epoch).refused.append((key.eseq, why))

    def unreadable(self, box: str, envelope: bytes, why: str) -> None:
        """Not even its number can be read: it is named by its digest."""
        self._of(box, b"").refused.append((envelope.hex(), why))

    def receipts(self, generation: str, pos: int) -> list[tuple[str, Receipt]]:
        """What to say, and to which box."""
        return [(box, _receipt(epoch, answer, generation, pos)) for (box, epoch), answer in self._answers.items()]

    def _of(self, box: str, epoch: bytes) -> _Answer:
        return self._answers.setdefault((box, epoch), _Answer())


class Batch:
    """A batch, read: each envelope once, what cannot be read apart, and the answers so far."""

    def __init__(self, incoming: Sequence[Incoming]) -> None:
        self.envelopes: dict[Key, Envelope] = {}
        self.quarantined: list[Quarantined] = []
        self.answers = Answers()
        self.repeats = 0
        for one in incoming:
            self._read(one)

    def _read(self, one: Incoming) -> None:
        whole = digest(one.payload)
        try:
            told = number(one.payload)
        except Unreadable as error:
            self.answers.unreadable(one.box, whole, str(error))
            self.quarantined.append(Quarantined(one.box, whole, str(error), one.payload))
            return
        key = Key(one.box, told.epoch, told.eseq)
        known = self.envelopes.get(key)
        if known is not None:
            if known.digest == whole:
                self.repeats += 1
            else:
                self.answers.refused(key, NUMBER_REUSED)
            return
        try:
            self.envelopes[key] = Envelope(whole, unpack(one.payload))
        except Unreadable as error:
            self.answers.refused(key, str(error))
            self.quarantined.append(Quarantined(one.box, whole, str(error), one.payload))


class Mark(NamedTuple):
    """How far the ledger was, as remembered outside the database."""

    generation: str
    pos: int


def read_mark(path: Path | None) -> Mark | None:
    """The mark; None if there is none, or it cannot be read."""
    if path is None:
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Mark(str(told["generation"]), int(told["pos"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_mark(path: Path | None, mark: Mark) -> None:
    """Remember, durably and whole or not at all.

    Raises:
        OSError: The disk says no.
    """
    if path is None:
        return
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(mark._asdict(), file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def went_back(mark: Mark | None, generations: Sequence[str], pos: int) -> bool:
    """Whether the database is older than what was once receipted out of it: it was restored, or begun anew."""
    return mark is not None and (pos < mark.pos or mark.generation not in generations)


def _receipt(epoch: bytes, answer: _Answer, generation: str, pos: int) -> Receipt:
    conflicts = [clash for clash in answer.clashes if clash.kind == "conflict"]
    return Receipt(
        v=VERSION,
        epoch=epoch.hex(),
        ok=ranges(answer.ok),
        refused=tuple(answer.refused),
        conflict=tuple((clash.id, clash.rev) for clash in conflicts),
        digests=tuple((clash.kept.hex(), clash.came.hex()) for clash in conflicts),
        behind=tuple((clash.id, clash.rev) for clash in answer.clashes if clash.kind == "behind"),
        generation=generation,
        pos=pos,
    )
