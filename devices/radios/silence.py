"""Links that are up and dead: no word and no disconnect, ever. Pure."""

from collections.abc import Iterable
from typing import Final

from devices.radios.known import KnownPen

_ASK_AFTER_S: Final = 10.0
_ANSWER_WITHIN_S: Final = 5.0


def silent_pens(pens: Iterable[KnownPen], now_s: float) -> tuple[list[KnownPen], list[KnownPen]]:
    """Which linked pens are to be asked something now, and which did not answer and are dead."""
    ask, dead = [], []
    for pen in pens:
        if pen.transport is None:
            continue
        if pen.transport.heard_ms != pen.silent_ms:
            pen.silent_ms, pen.silent_s, pen.asked_s = pen.transport.heard_ms, now_s, None
        elif pen.asked_s is not None and now_s - pen.asked_s >= _ANSWER_WITHIN_S:
            dead.append(pen)
        elif pen.asked_s is None and now_s - pen.silent_s >= _ASK_AFTER_S:
            pen.asked_s = now_s
            ask.append(pen)
    return ask, dead
