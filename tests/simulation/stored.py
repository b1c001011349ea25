"""What the box's database holds, read again after every commit: which dots, which losses, which receipts.

It reads the committed rows themselves, with the store's own unpacking, and only those that are new.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from gateway.journal import _entries
from recognition.ink import unpack
from tests.simulation.history import History
from tests.simulation.loop import SimulatedLoop
from tests.simulation.truth import SLACK_MS, Dot, Truth


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss row that nothing has healed."""

    pen: str
    from_ms: int
    to_ms: int
    cause: str
    page: int | None
    """None where it may be any."""

    def covers(self, dot: Dot) -> bool:
        """Whether that dot may be missing for it."""
        return self.pen == dot.pen and self.from_ms - SLACK_MS <= dot.at_ms <= self.to_ms + SLACK_MS


@dataclass(slots=True)
class _Ink:
    last_id: int = 0
    dots: Counter[int] = field(default_factory=Counter)
    journal: dict[int, set[int]] = field(default_factory=dict)


class Stored:
    """The box's store as it is committed."""

    def __init__(self, loop: SimulatedLoop, history: History, truth: Truth) -> None:
        self._loop, self._history, self._truth = loop, history, truth
        self._ink = _Ink()
        self._loss_state = (0, 0)
        self.losses: list[Loss] = []
        """Those that nothing has healed."""
        self.misplaced: dict[int, Dot] = {}
        """Dots on a page where they were not written: the event that told of the page never came."""
        self.version = 0
        """Goes up whenever `losses` changes."""

    def committed(self, connection: sqlite3.Connection) -> None:
        """A transaction was committed: take in what is new."""
        read = connection.cursor()
        self._read_ink(read)
        self._read_journal(read)
        state = read.execute("select count(*), count(healed_by) from loss").fetchone()
        if state != self._loss_state:
            self._loss_state = state
            self.version += 1
            self.losses = [
                Loss(*row)
                for row in read.execute("select pen, from_ms, to_ms, cause, page from loss where healed_by is null")
            ]
            self._history.note("store", f"has {state[0]} losses, {state[1]} of them healed")

    def restored(self, connection: sqlite3.Connection, in_pens: set[int]) -> None:
        """The disk is another one: everything is read anew; what it lacks and had before is durable no more.

        Args:
            connection: The database as it is now.
            in_pens: What the pens' memories hold: that may come again.
        """
        had = {serial for serial, dot in self._truth.dots.items() if dot.place == "kept"}
        self._ink = _Ink()
        self.misplaced.clear()
        self._loss_state = (-1, -1)
        self.committed(connection)
        has = set(self._ink.dots).union(*self._ink.journal.values())
        for serial in sorted(had - has):
            self._truth.forgotten(serial, "pen" if serial in in_pens else "gone", self._loop.now_s)

    def lacks(self, serials: set[int]) -> set[int]:
        """Which of these dots are not durable."""
        return {serial for serial in serials if self._truth.dots[serial].place != "kept"}

    def _read_ink(self, read: sqlite3.Cursor) -> None:
        rows = read.execute(
            "select id, pen, section, owner, note, page, down_ms, packed, how from ink where id > ? order by id",
            (self._ink.last_id,),
        ).fetchall()
        for key, pen, _, _, _, page, down_ms, packed, how in rows:
            self._ink.last_id = key
            serials = [int(x) for stroke in unpack(packed) for x in stroke[:, 0]]
            self._history.grain("store", f"{key} {pen} {page} {down_ms} {how} {serials}".encode())
            for serial in serials:
                self._keep(serial, pen, page)
                self._ink.dots[serial] += 1
                if self._ink.dots[serial] > 1:
                    self._history.breach(f"dot {serial} of {pen} is stored twice (ink row {key}, {how})")

    def _keep(self, serial: int, pen: str, page: int) -> None:
        dot = self._truth.dots.get(serial)
        if dot is None or dot.pen != pen:
            self._history.breach(f"the store has a dot {serial} of {pen} that this pen never made")
        if dot.page != page and serial not in self.misplaced:
            self.misplaced[serial] = dot
            self._history.note("store", f"has dot {dot.serial} on page {page}; it was written on page {dot.page}")
        self._truth.keep(serial, self._loop.now_s)

    def _read_journal(self, read: sqlite3.Cursor) -> None:
        known = self._ink.journal
        seqs = {row[0] for row in read.execute("select seq from journal").fetchall()}
        for seq in [seq for seq in known if seq not in seqs]:
            for serial in sorted(known.pop(seq)):
                if not self._ink.dots[serial] and not any(serial in others for others in known.values()):
                    self._history.breach(f"the journal's row {seq} went, and its dot {serial} is not ink")
        for seq in sorted(seqs - known.keys()):
            packed = read.execute("select packed from journal where seq = ?", (seq,)).fetchone()[0]
            known[seq] = set()
            for piece, _ in _entries(packed):
                for row in piece.rows:
                    known[seq].add(row[0])
                    self._keep(row[0], piece.pen, piece.page.page)
