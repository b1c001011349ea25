"""What happened in a lesson, as lines for people and as one digest for machines.

A line is written for what a reader of the history wants to see; what is only hashed (packets, messages) is a grain.
Two runs of one seed have the same digest, or something depends on more than the seed.
"""

import hashlib
from collections.abc import Callable
from typing import NoReturn


class BrokenPromise(AssertionError):
    """An invariant does not hold."""


class History:
    """All that happened, in order."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._hash = hashlib.sha256()
        self.lines: list[str] = []
        self.broken: str | None = None
        """The first promise that did not hold."""

    @property
    def digest(self) -> str:
        """Over every line and grain so far."""
        return self._hash.hexdigest()[:32]

    def note(self, who: str, words: str) -> None:
        """A line: who did what, or what befell him."""
        line = f"{self._now_s():9.3f} s  {who:<9} {words}"
        self.lines.append(line)
        self._hash.update(line.encode() + b"\n")

    def grain(self, who: str, data: bytes) -> None:
        """Something too small for a line; only hashed, with its moment."""
        self._hash.update(f"{self._now_s():.6f} {who} ".encode() + data)

    def breach(self, words: str) -> NoReturn:
        """A promise is broken: the lesson ends here.

        Raises:
            BrokenPromise: Always.
        """
        if self.broken is None:
            self.broken = words
            self.note("BROKEN", words)
        raise BrokenPromise(words)
