"""Why a pen has no link, as a catalogue code with its numbers. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from devices.adapters import Sighting
from devices.radios.backoff import TRIES_IN_A_ROW
from devices.radios.choice import AdapterRoom
from devices.radios.known import KnownPen
from devices.transport import Connecting, Disconnected

NOT_HEARD: Final = "pen.not_heard"
NOT_WANTED: Final = "pen.not_wanted"
LINK_LOST: Final = "pen.link_lost"
SILENT: Final = "pen.silent"
RADIO_NONE: Final = "radio.none"
RADIO_LOST: Final = "radio.lost"
RADIO_FULL: Final = "radio.full"
RETRY_LATER: Final = "radio.retry_later"

_JUST_LOST: Final = frozenset({LINK_LOST, RADIO_LOST, SILENT})
_BETWEEN_TRIES_S: Final = 10.0
"""So long a pen that failed may stay unheard before it counts as not heard."""
_LOST_FOR_MS: Final = 10_000
"""So long a pen that is not heard again counts as lost; then as not heard."""


def why_no_link(
    pen: KnownPen,
    *,
    now_s: float,
    now_ms: int,
    wanted: bool,
    no_radio: str | None,
    fresh: Mapping[str, Sighting],
    rooms: Sequence[AdapterRoom],
) -> Disconnected | None:
    """The reason why nothing is done to link this pen; None if it is being linked, or will be when its turn comes.

    Args:
        pen: The pen; it has no link and none under way.
        now_s: Monotonic.
        now_ms: UTC.
        wanted: Whether it may be linked.
        no_radio: The reason, if no adapter is there at all.
        fresh: What was heard of it lately, by adapter.
        rooms: The adapters that are there.
    """
    hearing = [room for room in rooms if room.address in fresh]
    detail: dict[str, int | str] = {}
    if not wanted:
        reason = NOT_WANTED
    elif no_radio is not None:
        reason = no_radio
    elif not hearing:
        last = pen.state
        if isinstance(last, Connecting) and now_s - pen.last_s <= _BETWEEN_TRIES_S:
            return None
        if isinstance(last, Disconnected) and last.reason in _JUST_LOST and now_ms - last.since_ms <= _LOST_FOR_MS:
            return last
        reason, detail = NOT_HEARD, {"last_ms": pen.last_ms}
    elif not any(room.free for room in hearing):
        reason = RADIO_FULL
        detail = {"used": sum(r.used for r in hearing), "places": sum(r.places for r in hearing)}
    elif pen.next_try_s > now_s and pen.tries >= TRIES_IN_A_ROW:
        reason, detail = RETRY_LATER, {"tries": pen.tries, "again_in_s": round(pen.next_try_s - now_s)}
    else:
        return None
    last = pen.state
    since_ms = last.since_ms if isinstance(last, Disconnected) and last.reason == reason else now_ms
    return Disconnected(reason, since_ms, detail)
