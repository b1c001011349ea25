"""Notifications in, frames out, and copies stopped before framing.

Some Bluetooth stacks hand a notification over more than once. One that is equal to the one directly before it is taken
for a copy and left out. In the middle of a long frame two slices may be equal without being copies, such as slices of
a run of zeros: from the first doubtful slice on the stream is framed both ways, and where leaving slices out gives a
frame whose length is wrong and keeping them gives a whole one, they were no copies.
"""

from collections import Counter
from typing import Final

from devices.neo.framing import Deframer, Fault, Frame

_TWIN_BYTES: Final = 4
"""Shorter notifications are too easily equal."""


class Inlet:
    """The incoming side of one link."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._deframer = Deframer()
        self._unshortened: Deframer | None = None
        self._in_doubt = 0
        self.previous = b""
        """The notification before; whoever takes one past the inlet notes it here."""

    @property
    def is_idle(self) -> bool:
        """Whether no frame is begun."""
        return self._deframer.is_idle

    def is_twin(self, data: bytes) -> bool:
        """Whether this notification equals the one before and is long enough for that to mean something."""
        return data == self.previous and len(data) >= _TWIN_BYTES

    def leave_out(self, data: bytes) -> None:
        """This notification is a copy, as far as one can know yet."""
        self._counts["duplicates"] += 1
        if self._deframer.is_idle:
            return
        if self._unshortened is None:
            self._unshortened = self._deframer.copy()
        self._unshortened.feed(data)
        self._in_doubt += 1

    def feed(self, data: bytes) -> list[Frame | Fault]:
        """Take a notification that is no copy; gives every frame and fault that ends in it."""
        self.previous = data
        found = self._deframer.feed(data)
        return found if self._unshortened is None else self._settle(self._unshortened, data, found)

    def _settle(self, unshortened: Deframer, data: bytes, found: list[Frame | Fault]) -> list[Frame | Fault]:
        others = unshortened.feed(data)
        if not found:
            return found
        first, other = found[0], others[0] if others else None
        if isinstance(first, Fault) and first.kind == "damaged" and isinstance(other, Frame):
            self._counts["duplicates"] -= self._in_doubt
            self._deframer, found = unshortened, others
        self._unshortened = None
        self._in_doubt = 0
        return found
