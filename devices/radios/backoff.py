"""How long to wait before a pen is tried again. Pure: chance is given."""

from random import Random
from typing import Final

TRIES_IN_A_ROW: Final = 5
"""So many failures in a row, and the pen is left alone for a while: `radio.retry_later`."""

_FIRST_S: Final = 0.2
_LATER_S: Final = 15.0
_LONGEST_S: Final = 120.0


def delay_s(failures: int, random: Random) -> float:
    """Seconds to wait after so many failures in a row (at least 1), give or take half."""
    if failures < TRIES_IN_A_ROW:
        middle = _FIRST_S * 2.0 ** (failures - 1)
    else:
        middle = min(_LONGEST_S, _LATER_S * 2.0 ** min(10, failures - TRIES_IN_A_ROW))
    return middle * random.uniform(0.5, 1.5)
