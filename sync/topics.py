"""Topics, version 1: `inkgate/v1/{district}/{school}/{box}/up|down|proof|health|ink`, `inkgate/v1/{district}/ledger`.

Ids are opaque: small letters, digits and hyphens, so that no name of a school, room or person fits by accident, and no
character that means something to a broker.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from sync.errors import BadId

_ROOT: Final = "inkgate/v1"
_ID: Final = re.compile(r"[a-z0-9-]{1,32}\Z")
_PARTS: Final = 6


def checked_id(what: str, value: str) -> str:
    """The id itself, if it may stand in a topic.

    Raises:
        BadId: It may not; `what` is named, the value is not repeated.
    """
    if not _ID.match(value):
        raise BadId(f"{what} takes 1 to 32 small letters, digits and hyphens, and no name of a school, room or person")
    return value


@dataclass(frozen=True, slots=True)
class BoxTopics:
    """The topics of one box."""

    district: str
    school: str
    box: str

    def __post_init__(self) -> None:
        for what in ("district", "school", "box"):
            checked_id(f"{what} id", getattr(self, what))

    @classmethod
    def of_up(cls, topic: str) -> Self | None:
        """Whose `up` topic this is; None if it is no such topic."""
        return cls._of(topic, "up")

    @classmethod
    def of_health(cls, topic: str) -> Self | None:
        """Whose `health` topic this is; None if it is no such topic."""
        return cls._of(topic, "health")

    @classmethod
    def _of(cls, topic: str, last: str) -> Self | None:
        parts = topic.split("/")
        if len(parts) != _PARTS or "/".join(parts[:2]) != _ROOT or parts[5] != last:
            return None
        try:
            return cls(*parts[2:5])
        except BadId:
            return None

    @property
    def up(self) -> str:
        """Envelopes, from the box."""
        return f"{self._box}/up"

    @property
    def down(self) -> str:
        """Receipts, to the box."""
        return f"{self._box}/down"

    @property
    def proof(self) -> str:
        """The district's sums of this box, retained."""
        return f"{self._box}/proof"

    @property
    def health(self) -> str:
        """Birth and last will of the box, retained."""
        return f"{self._box}/health"

    @property
    def ink(self) -> str:
        """Packed ink, where the district wants it."""
        return f"{self._box}/ink"

    @property
    def ledger(self) -> str:
        """The district's announcement, retained."""
        return ledger_topic(self.district)

    @property
    def _box(self) -> str:
        return f"{_ROOT}/{self.district}/{self.school}/{self.box}"


def ledger_topic(district: str) -> str:
    """Where a district announces its generations."""
    return f"{_ROOT}/{checked_id('district id', district)}/ledger"


def up_filter(district: str, *, shared: bool) -> str:
    """What a receiver subscribes to; `shared` spreads the boxes over several receivers (MQTT 5)."""
    every = f"{_ROOT}/{checked_id('district id', district)}/+/+/up"
    return f"$share/district/{every}" if shared else every


def health_filter(district: str) -> str:
    """What a receiver subscribes to so that it hears of boxes that have nothing to send."""
    return f"{_ROOT}/{checked_id('district id', district)}/+/+/health"
