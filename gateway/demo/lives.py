"""What each pupil of the demo means to write, and how: drawn from the seed, known to the truth and to nobody else."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from recognition.sheets import Field, Sheet

Manner = Literal["plain", "messy", "corrected", "empty"]

WRONG_SHARE: Final = 0.15
_MANNERS: Final[tuple[tuple[Manner, float], ...]] = (("messy", 0.06), ("corrected", 0.04), ("empty", 0.04))


@dataclass(frozen=True, slots=True)
class Intention:
    """One answer of one pupil."""

    field: Field
    meant: str
    manner: Manner
    wrong_first: str | None
    """What is written first and crossed out, where the manner is `corrected`."""

    @property
    def wrote(self) -> str | None:
        """What stands on paper in the end; None for nothing."""
        return None if self.manner == "empty" else self.meant


def intentions(sheet: Sheet, *, seed: int, seat: int, lesson: int) -> Iterator[Intention]:
    """All answers of one pupil, in the sheet's order."""
    dice = random.Random(f"{seed}/{seat}/{lesson}")  # noqa: S311  a play with dice, not a secret
    for page in sheet.pages:
        for about in page.fields:
            meant = _other(about, about.keys[0], dice) if dice.random() < WRONG_SHARE else about.keys[0]
            manner = _manner(dice)
            first = _other(about, meant, dice) if manner == "corrected" else None
            yield Intention(about, meant, manner, first)


def _manner(dice: random.Random) -> Manner:
    at = dice.random()
    for manner, share in _MANNERS:
        at -= share
        if at < 0:
            return manner
    return "plain"


def _other(about: Field, value: str, dice: random.Random) -> str:
    """A plausible answer that is not this one."""
    if about.choices:
        return dice.choice([c.value for c in about.choices if c.value != value])
    top = 10 ** len(value) - 1
    while True:
        other = str((int(value) + dice.choice([-10, -2, -1, 1, 2, 9, 10])) % (top + 1))
        if other != value:
            return other
