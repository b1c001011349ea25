"""What any pen tells, in pen units: the common language of all pen families.

x and y are whole numbers of hundredths of a pattern unit, so that nothing is rounded before the store. Times are
milliseconds UTC by the pen's own clock unless a name says otherwise. Events are tuples because a classroom makes
five thousand a second.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

CLOCK_NEVER_SET_MS: Final = 10_000
"""A pen time below this means that its clock was never set (neo-protocol 5.5)."""

Tip: TypeAlias = Literal["pen", "eraser"]


class PenDown(NamedTuple):
    """The tip touched paper; a page and dots follow."""

    time_ms: int
    tip: Tip
    color: int
    """ARGB, 32 bits."""


class PageChanged(NamedTuple):
    """The dots that follow are on this page."""

    section: int
    owner: int
    note: int
    page: int


class Dot(NamedTuple):
    """One sample of a stroke."""

    time_ms: int
    x_hundredths: int
    y_hundredths: int
    force: int
    tilt_x: int
    tilt_y: int
    twist: int


class Hover(NamedTuple):
    """The tip is near the paper: a position without ink."""

    time_ms: int
    x_hundredths: int
    y_hundredths: int


class PenUp(NamedTuple):
    """The tip left the paper."""

    time_ms: int
    dots_sent: int | None
    """How many dots the pen says the stroke had, where it counts them."""


class Lost(NamedTuple):
    """Counted events that did not arrive."""

    events: int


class StrokeBroken(NamedTuple):
    """A stroke ended without its pen-up: the next one began, or the link went."""

    reason: Literal["next_down", "link_lost", "power_off"]


class Version(NamedTuple):
    """Who the pen is, by its own hello. `mac` is its only identity."""

    mac: str
    """As AA:BB:CC:DD:EE:FF."""
    model: str
    firmware: str
    protocol: str
    name: str
    device_type: int


class PenSettings(NamedTuple):
    """How the pen is set and how full it is."""

    locked: bool
    attempts_used: int
    attempts_max: int
    clock_ms: int
    auto_off_min: int
    force_max: int
    memory_percent: int
    battery_percent: int
    charging: bool
    hover: bool
    beep: bool
    stores_offline: bool


class PasswordState(NamedTuple):
    """The answer to a password, or the need of one."""

    status: Literal["accepted", "needed", "reset", "error", "refused_to_send"]
    """`refused_to_send`: too few attempts are left to risk one; a person must decide."""
    attempts_used: int
    attempts_max: int


class Ready(NamedTuple):
    """The handshake is over: ink flows from here on."""


class Battery(NamedTuple):
    """A battery level, told by the pen."""

    percent: int
    charging: bool


class PowerOff(NamedTuple):
    """The pen is about to go, and says why."""

    reason: str


class ImageError(NamedTuple):
    """One camera image that the pen could not decode. Many in a stroke are normal."""

    time_ms: int


class Oddity(NamedTuple):
    """Something received and not understood, or not allowed where it came: kept raw, counted, bounded."""

    kind: str
    """`unknown`, `damaged`, `cut`, `noise`, `duplicate`, `stale`, `dot_without_down`, `bad_time`, ..."""
    command: int | None
    payload: bytes


class Unanswered(NamedTuple):
    """A request got no answer in its time."""

    command: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineStroke:
    """A whole stroke out of the pen's memory."""

    page: PageChanged
    tip: Tip
    color: int
    down_ms: int
    up_ms: int
    dots: tuple[Dot, ...]


class MemoryListed(NamedTuple):
    """What notes lie in the pen's memory."""

    notes: tuple[tuple[int, int, int], ...]
    """(section, owner, note) each."""


class PagesListed(NamedTuple):
    """What pages of a note lie in the pen's memory."""

    address: tuple[int, int, int]
    """(section, owner, note)."""
    pages: tuple[int, ...]


class TransferBegan(NamedTuple):
    """What the pen will send of its memory: `OfflineStroke`s and a `TransferEnded` follow, unless both are 0."""

    strokes: int
    size_bytes: int


class TransferEnded(NamedTuple):
    """A transfer is over: its last chunk was taken, or none came for too long."""

    strokes: int
    """Whole strokes handed out in it."""
    damaged: int
    """What stayed damaged after all retries, in dots and chunks, and chunks that did not come."""


class Answered(NamedTuple):
    """A setting or another request was answered; `ok` is the pen's own word."""

    command: int
    ok: bool
    payload: bytes


PenEvent: TypeAlias = (
    PenDown
    | PageChanged
    | Dot
    | Hover
    | PenUp
    | Lost
    | StrokeBroken
    | Version
    | PenSettings
    | PasswordState
    | Ready
    | Battery
    | PowerOff
    | ImageError
    | Oddity
    | Unanswered
    | OfflineStroke
    | MemoryListed
    | PagesListed
    | TransferBegan
    | TransferEnded
    | Answered
)
