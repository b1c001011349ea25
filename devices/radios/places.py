"""How many links an adapter holds: a setting, until the adapter itself teaches less.

A full adapter says nothing useful: with BlueZ the next connect hangs for its whole time and ends in "not found". Two
hang-ups at n links, of pens that were heard all the while, teach n. Adapters are known by address.
"""

import logging
from collections import Counter
from typing import Final

logger = logging.getLogger(__name__)

_HANGS_TO_LEARN: Final = 2


class Places:
    """The places of every adapter, by address.

    Attributes:
        learnt: What adapters taught; give it back after a restart.
    """

    def __init__(self, setting: int, learnt: dict[str, int]) -> None:
        self._setting = setting
        self.learnt = learnt
        self._hangs: Counter[tuple[str, int]] = Counter()

    def of(self, address: str) -> int:
        """How many links this adapter holds."""
        return min(self._setting, self.learnt.get(address, self._setting))

    def hung(self, address: str, links: int) -> None:
        """A connect hung while the adapter had so many links and the pen was still heard."""
        if links < 1:
            return
        self._hangs[address, links] += 1
        if self._hangs[address, links] >= _HANGS_TO_LEARN:
            self._learn(address, links)

    def refused(self, address: str, links: int) -> None:
        """The adapter itself said that it is full."""
        if links >= 1:
            self._learn(address, links)

    def held(self, address: str, links: int) -> None:
        """It holds so many links now: fewer was a mistake."""
        for key in [k for k in self._hangs if k[0] == address and k[1] < links]:
            del self._hangs[key]
        if self.learnt.get(address, links) < links:
            del self.learnt[address]

    def _learn(self, address: str, links: int) -> None:
        if self.of(address) > links:
            self.learnt[address] = links
            logger.warning("adapter %s holds %d links and no more: learnt", address, links)
