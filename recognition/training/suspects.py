"""Ink about which a person had to look: labels that are doubted, and foreign letters that look like digits.

Both lists were made once, before any tuning. Figures are told with the doubted ink and without it.
"""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


def suspects() -> frozenset[bytes]:
    """Hashes (`Sample.ink_hash`) of the ink whose label two eyes and another kind of reader doubt."""
    return frozenset(map(bytes.fromhex, _lines("suspects.txt")))


def look_alikes() -> frozenset[str]:
    """Labels of letters of other scripts that look like a digit."""
    return frozenset(_lines("look_alikes.txt"))


def _lines(name: str) -> list[str]:
    lines = (_HERE / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
