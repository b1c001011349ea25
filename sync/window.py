"""How many envelopes are under way at once, and which is due again. Pure: time comes in as an argument.

A new connection starts with four under way and doubles with each receipt up to 64, so that a district just back is not
flooded. Silence shrinks it to a single probe, ever more rarely. An announcement of the ledger starts over at once.
"""

from collections.abc import Collection
from typing import Final

FIRST: Final = 4
MOST: Final = 64
PROBE_FIRST_MS: Final = 8_000
PROBE_MOST_MS: Final = 300_000


class Window:
    """The envelopes under way on one connection. Times are milliseconds of any clock that never goes back."""

    def __init__(self, now_ms: int, *, careful: bool = False) -> None:
        """Nothing is under way yet; `careful` begins with a single one, at once."""
        self.cursor = 0
        """Everything up to this id was offered on this connection, or needs no offer."""
        self.size = 1 if careful else FIRST
        self._wait_ms = PROBE_FIRST_MS
        self._heard_ms = now_ms - PROBE_FIRST_MS if careful else now_ms
        self._under_way: dict[int, int] = {}

    @property
    def under_way(self) -> int:
        """How many were offered and have no receipt."""
        return len(self._under_way)

    @property
    def room(self) -> int:
        """How many more may be offered now."""
        return max(0, self.size - len(self._under_way))

    def offered(self, envelope: int, now_ms: int) -> bool:
        """Note that an envelope was offered. Returns False if it is under way already, so need not be sent."""
        self.cursor = max(self.cursor, envelope)
        if envelope in self._under_way:
            return False
        self._under_way[envelope] = now_ms
        return True

    def ended(self, envelopes: Collection[int], now_ms: int) -> None:
        """The district answered about these."""
        for envelope in envelopes:
            self._under_way.pop(envelope, None)
        if envelopes:
            self.size = min(MOST, self.size * 2)
            self._wait_ms = PROBE_FIRST_MS
            self._heard_ms = now_ms

    def shut(self, now_ms: int) -> None:
        """The broker said no: nothing new but one probe at a time, ever more rarely, until the district answers."""
        if now_ms >= self.paused_until_ms():
            self._shrink(now_ms)

    def begin_again(self) -> None:
        """The district has (re)started, or no longer has what it had: offer everything that waits, at once."""
        self.cursor = 0
        self.size = max(self.size, FIRST)
        self._wait_ms = PROBE_FIRST_MS
        self._under_way.clear()

    def due(self, now_ms: int) -> list[int]:
        """Envelopes to send again now; where nobody answers at all, only the oldest, as a probe.

        Those returned count as sent at `now_ms`.
        """
        silent = now_ms - self._heard_ms >= self._wait_ms
        late = [e for e, sent_ms in self._under_way.items() if now_ms - sent_ms >= self._wait_ms]
        if late and silent:
            late = [min(late)]
            self._shrink(now_ms)
        elif self.size == 1:
            late = []
        for envelope in late:
            self._under_way[envelope] = now_ms
        return late

    def paused_until_ms(self) -> int:
        """No new envelope is offered before this while the window is shut to a probe."""
        return self._heard_ms + self._wait_ms if self.size == 1 else 0

    def forget(self, envelope: int) -> None:
        """An envelope under way no longer waits for other reasons."""
        self._under_way.pop(envelope, None)

    def _shrink(self, now_ms: int) -> None:
        self.size = 1
        self._wait_ms = min(PROBE_MOST_MS, self._wait_ms * 2)
        self._heard_ms = now_ms
