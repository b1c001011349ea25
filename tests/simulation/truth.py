"""Every dot that a pen of the lesson ever made, and where it is said to be.

Each dot is told apart from all others by its x: a serial number in hundredths of a pattern unit. So the store's own
rows say which dots they hold, and nothing has to be guessed from counts and sums.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Place: TypeAlias = Literal["pen", "air", "box", "gone", "unheard", "kept"]
"""`pen`: in its memory alone. `air`: sent, not yet arrived. `box`: in a living gateway that has not yet committed it.
`gone`: nobody has it any more. `unheard`: gone as well, and the gateway hung up before it could hear that this pen had
begun to write: a known limit, since a clean end is a gap only for pens that were writing. `kept`: durable in the box's
store."""

SLACK_MS: Final = 1_000
"""A pen's clock is set over the air, so it may be this far behind the box's."""


@dataclass(slots=True)
class Dot:
    """One dot of the truth."""

    serial: int
    pen: str
    page: int
    at_ms: int
    """By the pen's clock."""
    place: Place
    since_s: float
    """When it came there."""
    link: int = 0
    """Over which link it was sent; 0 for none."""
    number: int = 0
    """Of its notification on that link."""
    was_kept: bool = False
    """Whether it was durable once, and a restored disk took it away."""


class Truth:
    """All dots. What is not `kept` is also in `astray`, and what of it must be explained in `suspect`."""

    def __init__(self) -> None:
        self.dots: dict[int, Dot] = {}
        self.astray: dict[int, Dot] = {}
        self.suspect: dict[int, Dot] = {}
        """Dots that are `box` or `gone`; whoever finds an explanation may take one out, see `doubt`."""

    def born(self, pen: str, page: int, at_ms: int, place: Place, now_s: float) -> Dot:
        """A pen saw a dot."""
        serial = len(self.dots) + 1
        dot = self.dots[serial] = self.astray[serial] = Dot(serial, pen, page, at_ms, place, now_s)
        return dot

    def put(self, serials: Iterable[int], place: Place, now_s: float) -> None:
        """These are somewhere else now. What is durable stays durable, whatever else happens to it."""
        for serial in serials:
            dot = self.dots[serial]
            if dot.place != "kept":
                self._move(dot, place, now_s)

    def doubt(self) -> None:
        """What explained a dot may do so no more: all that are `box` or `gone` are suspect again."""
        self.suspect = {serial: dot for serial, dot in self.astray.items() if dot.place in {"box", "gone"}}

    def keep(self, serial: int, now_s: float) -> None:
        """It is durable."""
        dot = self.dots[serial]
        dot.place, dot.since_s = "kept", now_s
        self.astray.pop(serial, None)
        self.suspect.pop(serial, None)

    def forgotten(self, serial: int, place: Place, now_s: float) -> None:
        """It was durable, and a restored disk does not have it."""
        dot = self.dots[serial]
        dot.was_kept = True
        self.astray[serial] = dot
        self._move(dot, place, now_s)

    def unheard(self, link: int, number: int) -> None:
        """The gateway hung up on a link of which it had heard nothing after this notification."""
        for dot in self.astray.values():
            if dot.link == link and dot.number > number and dot.place == "gone":
                self._move(dot, "unheard", dot.since_s)

    def box_died(self, now_s: float) -> None:
        """A gateway took with it what it had not committed."""
        self.put([s for s, dot in self.astray.items() if dot.place == "box"], "gone", now_s)

    def _move(self, dot: Dot, place: Place, now_s: float) -> None:
        dot.place, dot.since_s = place, now_s
        if place in {"box", "gone"}:
            self.suspect[dot.serial] = dot
        else:
            self.suspect.pop(dot.serial, None)
