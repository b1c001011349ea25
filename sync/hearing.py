"""Whether a connection has gone deaf: the broker takes what we send, and what the district says does not come.

A node of a cluster that lost its disk may keep a client's subscription and deliver nothing by it, for ever; only a new
connection ends that. Two things are owed to a box: a receipt for what is under way, and, where the district tells
proofs at all, one as new as its newest receipt. Pure: times are milliseconds of a clock that never goes back.
"""

from typing import Final, NamedTuple

FIRST_MS: Final = 120_000
MOST_MS: Final = 600_000
"""A district that is away owes receipts too: a box connects anew ever more rarely."""


class Position(NamedTuple):
    """How far the district was when it said something."""

    generation: str
    pos: int


class Hearing:
    """What one box has heard, over all its connections."""

    def __init__(self) -> None:
        self._wait_ms = FIRST_MS
        self._receipt: Position | None = None
        self._proof: Position | None = None
        self._receipt_since_ms: int | None = None
        """Since when a receipt is owed on this connection."""
        self._proof_since_ms: int | None = None

    def connected(self) -> None:
        """A new connection: from here on things are owed anew."""
        self._receipt_since_ms = self._proof_since_ms = None

    def receipt(self, generation: str, pos: int) -> None:
        """The district answered."""
        self._receipt = Position(generation, pos)
        self._receipt_since_ms = None
        self._heard()

    def proof(self, generation: str, pos: int) -> None:
        """The district told its sums."""
        self._proof = Position(generation, pos)
        self._heard()

    def is_deaf(self, under_way: int, now_ms: int) -> bool:
        """Whether something is owed for too long; then the next wait is longer."""
        self._receipt_since_ms = _since(self._receipt_since_ms, now_ms, is_owed=under_way > 0)
        self._proof_since_ms = _since(self._proof_since_ms, now_ms, is_owed=self._is_proof_owed)
        owed = [since for since in (self._receipt_since_ms, self._proof_since_ms) if since is not None]
        if not owed or now_ms - min(owed) < self._wait_ms:
            return False
        self._wait_ms = min(MOST_MS, 2 * self._wait_ms)
        return True

    def _heard(self) -> None:
        if not self._is_proof_owed:
            self._wait_ms = FIRST_MS

    @property
    def _is_proof_owed(self) -> bool:
        """A district that never told a proof owes none; one that was restored begins anew."""
        if self._proof is None or self._receipt is None:
            return False
        return self._proof.generation == self._receipt.generation and self._proof.pos < self._receipt.pos


def _since(before: int | None, now_ms: int, *, is_owed: bool) -> int | None:
    if not is_owed:
        return None
    return now_ms if before is None else before
