"""Readers of one kind of answer that others bring: the plug-in point of reading.

A package that registers an object of the shape `KindReader` under the entry point group `inkgate.readers` reads the
answers of its kind, also where we read that kind ourselves. Its version becomes part of the reader's, so every grade
says who read it. It is foreign code: one that does not load is left out, and one that fails or says what is no reading
leaves the answer to a person.
"""

import logging
import math
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol, get_args

from recognition.readers.reading import Kind, Reading, ReadRequest

logger = logging.getLogger(__name__)

ENTRY_POINTS: Final = "inkgate.readers"
FAILED: Final = "reader_failed"
_KINDS: Final = frozenset(get_args(Kind))


class KindReader(Protocol):
    """Reads one kind of answer."""

    kind: str
    """One of the kinds of a sheet's fields."""
    version: str
    """Letters, digits, points and hyphens; another one wherever it may read the same ink otherwise."""

    def read(self, request: ReadRequest) -> Reading:
        """Read one field's ink, which is never empty."""
        ...


def installed(points: Iterable[EntryPoint] | None = None) -> dict[str, KindReader]:
    """By kind, whatever is installed; the first of a kind counts."""
    found: dict[str, KindReader] = {}
    for point in entry_points(group=ENTRY_POINTS) if points is None else points:
        try:
            one: KindReader = point.load()
            kind, version = one.kind, one.version
        except Exception:
            # A plug-in is foreign code: one that does not load must not stop the others.
            logger.exception("the reader %s does not load; nothing is read by it", point.name)
            continue
        if kind not in _KINDS or not _is_version(version):
            logger.error("the reader %s is left out: kind %r, version %r", point.name, kind, version)
        elif kind in found:
            logger.error("the reader %s is left out: %r is read by another one already", point.name, kind)
        else:
            found[kind] = one
    return found


def versions(readers: Mapping[str, KindReader]) -> list[str]:
    """What each adds to the reader's version."""
    return [f"{kind}-{readers[kind].version}" for kind in sorted(readers)]


def read_by(reader: KindReader, request: ReadRequest) -> Reading:
    """What it says; where it fails or says what is no reading, nothing that is relied on."""
    try:
        reading = reader.read(request)
        _check(reading)
    except Exception:
        # As above: its fault is a question for a person, not the end of the reader.
        logger.exception("the reader of %s failed", reader.kind)
        return Reading(value=None, confidence=0.0, accepted=False, reasons=(FAILED,))
    return reading


def _check(reading: Reading) -> None:
    if not isinstance(reading, Reading):
        raise TypeError(f"{type(reading).__name__} is no Reading")
    if not (math.isfinite(reading.confidence) and 0 <= reading.confidence <= 1):
        raise ValueError(f"a confidence is between 0 and 1, not {reading.confidence}")
    if not isinstance(reading.value, str | None):
        raise TypeError("a value is a string or None")


def _is_version(version: object) -> bool:
    return isinstance(version, str) and bool(version) and version.replace("-", "").replace(".", "").isalnum()
