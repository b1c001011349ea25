"""Labelled ink that is not what its label says. Figures are told with it and without it."""

from pathlib import Path
from typing import Final

_LIST: Final = Path(__file__).with_name("suspects.txt")


def suspects() -> frozenset[bytes]:
    """Hashes (`Sample.ink_hash`) of the ink whose label two eyes and another kind of reader doubt."""
    lines = _LIST.read_text("utf-8").splitlines()
    return frozenset(bytes.fromhex(line) for line in lines if line and not line.startswith("#"))
