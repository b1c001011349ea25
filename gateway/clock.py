"""The box's clock. The only place that asks what time it is."""

import time
from pathlib import Path

_NOT_BEFORE_MS = 1_735_689_600_000
"""2025-01-01 UTC: a clock before the program was written was never set."""

_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")


def now_ms() -> int:
    """Milliseconds UTC."""
    return time.time_ns() // 1_000_000


def is_trusted() -> bool:
    """Whether the wall clock may be believed: set at all, and by a time service where one is known."""
    if now_ms() < _NOT_BEFORE_MS:
        return False
    return _SYNCHRONISED.exists() or not _SYNCHRONISED.parent.exists()
