"""A small file beside the database that says how far the box had come: is it ahead of the store, the store went back.

Three numbers: the last beat that was committed, when the box last lived, and since when it held what the store did not
take (0: nothing). It is written over in place at each beat and never synced, so it outlives a kill and costs nothing; a
power cut may take some seconds of it, and a disk that is put back as a whole takes all of it.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

_SIZE: Final = 64


class Seen(NamedTuple):
    """What the file says."""

    seq: int
    """The last beat that was committed."""
    at_ms: int
    """When the box last lived."""
    pending_ms: int
    """Since when it held what the store did not take; 0 for nothing."""


class Alive:
    """The file; `close` at the end."""

    def __init__(self, path: Path) -> None:
        """Open or make it, and read what the box before this one left."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.before = _read(os.pread(self._file, _SIZE, 0))
        """None where no box lived before, or the file is hurt."""

    def note(self, seen: Seen) -> None:
        """The box lives. A disk that takes nothing is no matter here: the store says so."""
        text = " ".join(map(str, seen)).ljust(_SIZE - 1) + "\n"
        try:
            os.pwrite(self._file, text.encode("ascii"), 0)
        except OSError:
            return

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)


def _read(data: bytes) -> Seen | None:
    try:
        seq, at_ms, pending_ms = (int(word) for word in data.decode("ascii").split())
    except (ValueError, UnicodeDecodeError):
        return None
    return Seen(seq, at_ms, pending_ms)
