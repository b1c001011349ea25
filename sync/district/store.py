"""What any store of the district does, whatever its database.

Here is what they share: reading a batch, weighing its rows against what is there, and answering.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sync.district.mark import History
from sync.errors import Unreadable
from sync.messages import NUMBER_REUSED, VERSION, Announcement, DaySum, Receipt, Row, digest, number, ranges, unpack


class Incoming(NamedTuple):
    """One message from a box; `box` is taken from the topic, which the broker guards, never from the payload."""

    box: str
    payload: bytes


class Key(NamedTuple):
    """The number of an envelope. The broker's own packet numbers and times are never part of it."""

    box: str
    epoch: bytes
    eseq: int


class Sealed(NamedTuple):
    """An envelope of which only the header was read."""

    digest: bytes
    payload: bytes


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
    announcement: Announcement | None = None
    """The district's generations, where they are others than this store last said."""


class Sums(NamedTuple):
    """The district's sums, and of which moment they are."""

    generation: str
    pos: int
    """The last position when they were read; rows beyond it may be in them already."""
    days: dict[str, dict[str, DaySum]]
    """By box and day; a box without results is missing."""


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


def count_query(doubled: str) -> str:
    """What every database counts alike, and how it knows what is doubled, in the order of `DistrictCounts`."""
    return (
        "select (select count(*) from result), (select count(*) from ledger),"  # noqa: S608  the stores' own constants
        " (select coalesce(sum(n), 0) from counter where name = 'repeats'),"
        " (select count(*) from clash where kind = 'conflict'),"
        " (select count(*) from clash c join result r using (id) where c.kind = 'conflict' and r.rev = c.rev),"
        f" (select count(*) from quarantine), ({doubled})"
    )


def counted(row: Sequence[int]) -> DistrictCounts:
    """The one row of `count_query`."""
    return DistrictCounts(**dict(zip(DistrictCounts.__dataclass_fields__, map(int, row), strict=True)))


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

    def sums(self, boxes: Sequence[str]) -> Sums:
        """The sums of these boxes, read together."""

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
    """A batch: each envelope once by its header, what has none apart, and the answers so far.

    Envelopes are unpacked only when asked for: what the ledger knows by number and digest is never unpacked again.
    """

    def __init__(self, incoming: Sequence[Incoming]) -> None:
        self.sealed: dict[Key, Sealed] = {}
        self.quarantined: list[Quarantined] = []
        self.answers = Answers()
        self.repeats = 0
        for one in incoming:
            self._read(one)

    def unpacked(self, key: Key) -> list[Row] | None:
        """The rows of one envelope; None if they cannot be read: then it is refused and in quarantine."""
        sealed = self.sealed[key]
        try:
            return unpack(sealed.payload)
        except Unreadable as error:
            self.answers.refused(key, str(error))
            self.quarantined.append(Quarantined(key.box, sealed.digest, str(error), sealed.payload))
            return None

    def taken(
        self,
        history: History,
        before: Sequence[tuple[str, int]],
        pos: int,
        *,
        envelopes: int,
        rows: int,
        conflicts: int,
    ) -> Taken:
        """What this batch did, once it is durable; `before` are the generations that this store last said."""
        return Taken(
            receipts=self.answers.receipts(history.generation, pos),
            envelopes=envelopes,
            rows=rows,
            repeats=self.repeats,
            conflicts=conflicts,
            quarantined=len(self.quarantined),
            announcement=None if before == history.generations else history.announcement(),
        )

    def known(self, key: Key, kept: bytes, clashes: Sequence[Clash]) -> None:
        """The ledger has this number: the same content is told what it was told before, other content is refused.

        Args:
            key: The number.
            kept: The digest that the ledger has.
            clashes: What was told.
        """
        if kept != self.sealed[key].digest:
            self.answers.refused(key, NUMBER_REUSED)
            return
        self.answers.ok(key, clashes)
        self.repeats += 1

    def _read(self, one: Incoming) -> None:
        whole = digest(one.payload)
        try:
            told = number(one.payload)
        except Unreadable as error:
            self.answers.unreadable(one.box, whole, str(error))
            self.quarantined.append(Quarantined(one.box, whole, str(error), one.payload))
            return
        key = Key(one.box, told.epoch, told.eseq)
        before = self.sealed.get(key)
        if before is None:
            self.sealed[key] = Sealed(whole, one.payload)
        elif before.digest == whole:
            self.repeats += 1
        else:
            self.answers.refused(key, NUMBER_REUSED)


class Held(NamedTuple):
    """A result as the district has it."""

    rev: int
    box: str
    day: str
    digest: bytes


class Weighed:
    """What rows do to the results that are there: the newer revision wins, in whatever order they come.

    The same revision with other content stays out. Rows are weighed in the order in which they came.
    """

    def __init__(self, held: Mapping[str, Held]) -> None:
        """`held` has every result that is there of the ids that will be weighed."""
        self._held = dict(held)
        self.written: dict[str, tuple[str, Row, bytes, int]] = {}
        """What is to be written by id: box, row, its digest, and how many revisions were taken on the way."""

    def weigh(self, box: str, row: Row, value: bytes) -> Clash | None:
        """Take one row with its digest, or tell what it clashes with."""
        there = self._held.get(row.id)
        if there is not None and there.rev >= row.rev:
            if there.rev > row.rev:
                return Clash("behind", row.id, there.rev, there.digest, value)
            return None if there.digest == value else Clash("conflict", row.id, there.rev, there.digest, value)
        taken = self.written[row.id][3] + 1 if row.id in self.written else 1
        self.written[row.id] = (box, row, value, taken)
        self._held[row.id] = Held(row.rev, box, row.day, value)
        return None


def conflicting(clashes: Iterable[Clash]) -> list[Clash]:
    """Those that are about the same revision."""
    return [clash for clash in clashes if clash.kind == "conflict"]


def _receipt(epoch: bytes, answer: _Answer, generation: str, pos: int) -> Receipt:
    clashes = sorted(answer.clashes)  # a repeat is told the same, in whatever order a database keeps it
    conflicts = conflicting(clashes)
    return Receipt(
        v=VERSION,
        epoch=epoch.hex(),
        ok=ranges(answer.ok),
        refused=tuple(answer.refused),
        conflict=tuple((clash.id, clash.rev) for clash in conflicts),
        digests=tuple((clash.kept.hex(), clash.came.hex()) for clash in conflicts),
        behind=tuple((clash.id, clash.rev) for clash in clashes if clash.kind == "behind"),
        generation=generation,
        pos=pos,
    )
