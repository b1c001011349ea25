"""Figures of the running gateway: how long things take, in milliseconds, and how long all pens were linked at once."""

from collections import deque
from collections.abc import Iterable
from typing import Final

_KEPT: Final = 200_000


class Durations:
    """The last durations of one kind."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=_KEPT)

    def add(self, value_ms: float) -> None:
        """Note one."""
        self._values.append(value_ms)

    def extend(self, values_ms: Iterable[float]) -> None:
        """Note several."""
        self._values.extend(values_ms)

    def summary(self) -> dict[str, float | int | None]:
        """Median and 99th percentile; None where nothing was measured."""
        ordered = sorted(self._values)
        if not ordered:
            return {"p50": None, "p99": None, "n": 0}
        last = len(ordered) - 1
        return {
            "p50": round(ordered[last // 2], 1),
            "p99": round(ordered[min(last, int(last * 0.99))], 1),
            "n": len(ordered),
        }


class Together:
    """The longest time that at least so many pens were linked at once."""

    def __init__(self) -> None:
        self.longest_ms: dict[int, int] = {}
        self._since: dict[int, int] = {}

    def note(self, linked: int, now_ms: int) -> None:
        """So many are linked now."""
        for count in list(self._since):
            if count > linked:
                self._end(count, now_ms)
        if linked:
            self._since.setdefault(linked, now_ms)
            for count in range(1, linked):
                self._since.setdefault(count, now_ms)

    def longest_s(self, count: int, now_ms: int) -> float:
        """The longest span of at least `count` links, up to now."""
        running = now_ms - self._since[count] if count in self._since else 0
        return max(self.longest_ms.get(count, 0), running) / 1000

    def _end(self, count: int, now_ms: int) -> None:
        span = now_ms - self._since.pop(count)
        self.longest_ms[count] = max(self.longest_ms.get(count, 0), span)


class Figures:
    """All figures of one gateway."""

    def __init__(self) -> None:
        self.dot_to_screen = Durations()
        """From the dot's own time to the moment that its frame is handed to the pages' sockets."""
        self.air = Durations()
        """From the dot's own time to its arrival."""
        self.batch = Durations()
        """From the arrival to the beat that takes it."""
        self.commit = Durations()
        """From the beat to its commit."""
        self.penup_to_grade = Durations()
        self.grade_to_receipt = Durations()
        self.together = Together()
        self.beats = 0
        self.late_beats = 0

    def summary(self) -> dict[str, object]:
        """For `status` and the demo's report."""
        return {
            "dot_to_screen_ms": self.dot_to_screen.summary(),
            "air_ms": self.air.summary(),
            "batch_ms": self.batch.summary(),
            "commit_ms": self.commit.summary(),
            "penup_to_grade_ms": self.penup_to_grade.summary(),
            "grade_to_receipt_ms": self.grade_to_receipt.summary(),
            "beats": self.beats,
            "late_beats": self.late_beats,
        }
