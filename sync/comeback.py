"""When a box whose connection went may try again, and whether another machine comes under its name. Pure.

A connection that held resets the waits. One that ended in a second take-over within a minute was thrown out by a twin:
then a minute at least is between two tries, and the alarm stays for five. Under MQTT 3.1.1 the broker does not say
who took over; there a twin is known by receipts, minute after minute, for envelopes that are not ours.
"""

from typing import Final

from sync.broker import REASON_TAKEN_OVER, Backoff, Gone
from sync.status import LOST, TWIN

LONG_PAUSE_MS: Final = 60_000
STEADY_MS: Final = 10_000
"""A connection that lived so long was one."""
TWIN_MS: Final = 60_000
TRUST_AGAIN_MS: Final = 300_000
_STRANGE_MINUTES: Final = 3
_STRANGE_SPAN_MS: Final = 600_000
_MINUTE_MS: Final = 60_000


class Comeback:
    """One box's way back to its broker. Times are milliseconds of a clock that never goes back."""

    def __init__(self, now_ms: int, backoff: Backoff) -> None:
        self._backoff = backoff
        self.retry_ms = now_ms
        """No try before this."""
        self._taken_over_ms: int | None = None
        self._twin_ms: int | None = None
        """When a twin was last noticed."""
        self._strange_ms: list[int] = []

    def pause(self, now_ms: int, *, at_least_ms: int = 0) -> None:
        """No connection: wait, longer each time."""
        self.retry_ms = now_ms + max(round(self._backoff.next_s() * 1000), at_least_ms)

    def lost(self, gone: Gone | None, *, since_ms: int, now_ms: int, at_least_ms: int = 0) -> str:
        """A connection that began at `since_ms` is over. Returns why, as a code of the catalogue."""
        if now_ms - since_ms >= STEADY_MS:
            self._backoff.reset()
        taken = gone is not None and gone.reason == REASON_TAKEN_OVER
        twin = False
        if taken:
            # Once is this box itself, back after a dead line; twice in a minute is another machine with our name.
            twin = self._twin_ms is not None and now_ms - self._twin_ms < TRUST_AGAIN_MS
            twin = twin or (self._taken_over_ms is not None and now_ms - self._taken_over_ms < TWIN_MS)
            self._taken_over_ms = now_ms
        if twin:
            self._twin_ms = now_ms
        self.pause(now_ms, at_least_ms=LONG_PAUSE_MS if twin else at_least_ms)
        return TWIN if twin else LOST

    def strange(self, now_ms: int) -> None:
        """A receipt came for an envelope of nobody here: one is left over from before, many are a twin's."""
        minute = now_ms - now_ms % _MINUTE_MS
        self._strange_ms = [at for at in self._strange_ms if now_ms - at < _STRANGE_SPAN_MS and at != minute]
        self._strange_ms.append(minute)
        if len(self._strange_ms) >= _STRANGE_MINUTES:
            self._twin_ms = now_ms

    def twin(self, now_ms: int) -> bool:
        """Whether another machine was noticed under our name, and not long enough ago to be forgotten."""
        return self._twin_ms is not None and now_ms - self._twin_ms < TRUST_AGAIN_MS

    def now(self, now_ms: int) -> None:
        """A person asks: try at once."""
        self.retry_ms = now_ms
