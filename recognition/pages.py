"""The address of a page of dot-pattern paper, and the size of its pattern."""

from typing import Final, NamedTuple

UNIT_MM: Final = 56 * 25.4 / 600
"""One pattern unit in millimetres: a cell of 56 pixels at 600 dpi (neo-protocol 11.1)."""


class PageAddress(NamedTuple):
    """Where ink is. The Neo SDKs say both book and note; here it is note."""

    section: int
    owner: int
    note: int
    page: int
