"""Which boxes' sums are to be told again, and when. Pure: time comes in as an argument.

Reading sums costs the store; so changed boxes are read together, at most every three seconds, and never for more than a
twentieth of the time. A broker may forget what it acknowledged, so a box for which nothing changes is told the same
again, ever more rarely.
"""

from collections.abc import Iterator
from typing import Final

from sync.district.store import Sums
from sync.messages import Proof
from sync.topics import BoxTopics

EVERY_MS: Final = 3_000
AGAIN_FIRST_MS: Final = 15_000
AGAIN_MOST_MS: Final = 300_000
_SHARE: Final = 20
_AT_ONCE: Final = 100
"""Boxes whose sums are read in one query."""


class Proofs:
    """The boxes that were heard of since this start, and what each was told on this connection."""

    def __init__(self, now_ms: int) -> None:
        self._heard: dict[str, BoxTopics] = {}
        self._changed: dict[str, BoxTopics] = {}
        self._told: dict[str, Proof] = {}
        self._again: dict[str, tuple[int, int]] = {}
        """When a box is told the same again, and how long that was waited for."""
        self._next_ms = now_ms

    def changed(self, topics: BoxTopics) -> None:
        """The district may have something new of this box, or the box has just come."""
        self._heard[topics.box] = self._changed[topics.box] = topics

    def begin_again(self) -> None:
        """A new connection, perhaps to a broker that forgot everything: every box is told anew."""
        self._told.clear()
        self._again.clear()
        self._changed = dict(self._heard)

    def due(self, now_ms: int) -> list[str]:
        """The boxes whose sums are to be read now."""
        if now_ms < self._next_ms:
            return []
        for box, (at_ms, waited_ms) in self._again.items():
            if now_ms >= at_ms:
                wait_ms = min(AGAIN_MOST_MS, 2 * waited_ms)
                self._again[box] = (now_ms + wait_ms, wait_ms)
                self._told.pop(box, None)
                self._changed[box] = self._heard[box]
        return list(self._changed)[:_AT_ONCE]

    def told(
        self, boxes: list[str], sums: Sums, *, began_ms: int, now_ms: int, at_ms: int
    ) -> Iterator[tuple[str, bytes]]:
        """What to publish, retained: (topic, payload) of each box whose proof is another one than before.

        Args:
            boxes: As `due` gave them.
            sums: What the store has of them.
            began_ms: When reading began, by the clock of `now_ms`.
            now_ms: Now.
            at_ms: Milliseconds UTC, for people.
        """
        self._next_ms = now_ms + max(EVERY_MS, _SHARE * (now_ms - began_ms))
        for box in boxes:
            topics = self._changed.pop(box)
            proof = Proof.of(sums.days.get(box, {}), generation=sums.generation, pos=sums.pos, at_ms=at_ms)
            before = self._told.get(box)
            if before is None or (before.generation, before.pos, before.days) != (
                proof.generation,
                proof.pos,
                proof.days,
            ):
                if before is not None or box not in self._again:
                    self._again[box] = (now_ms + AGAIN_FIRST_MS, AGAIN_FIRST_MS)
                self._told[box] = proof
                yield topics.proof, proof.to_json()
