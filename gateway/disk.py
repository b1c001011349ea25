"""How much room the box's disk has, and a reserve that is given free when there is none.

Three levels: `ok`; `low`, at which whatever may wait stops; `full`, at which no more ink is taken, so that the pens
keep it themselves, and the reserve is given to results and receipts. Space that comes back is noticed at the next look;
the reserve is taken again first. Between going up and down a level there is a margin, so that nothing flutters.
"""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

logger = logging.getLogger(__name__)

Level = Literal["ok", "low", "full"]

_MB: Final = 1 << 20
_FULL_PART: Final = 4
"""The disk is full when what is free beside the reserve is less than this part of the reserve."""
_MARGIN: Final = 1.25
_CHUNK: Final = b"\0" * _MB


class Disk:
    """The disk under one folder. `look` is asked twice a second; the rest is what it found."""

    def __init__(
        self, folder: Path, *, low_mb: float, reserve_mb: float, free: Callable[[Path], int] | None = None
    ) -> None:
        """Nothing is looked at yet.

        Args:
            folder: The box's; the reserve is a file in it.
            low_mb: Less than this free is low.
            reserve_mb: The reserve's size.
            free: Bytes that are free under a folder; the disk's own by default.
        """
        self._folder, self._file = folder, folder / "reserve"
        self._low, self._reserve = round(low_mb * _MB), round(reserve_mb * _MB)
        self._free = free_bytes if free is None else free
        self._refused = False
        self.level: Level = "ok"
        self.free_bytes = 0

    @property
    def allows(self) -> bool:
        """Whether what may wait may take room: pens' memories, pictures, copies."""
        return self.level == "ok"

    @property
    def takes_ink(self) -> bool:
        """Whether live ink may be taken."""
        return self.level != "full"

    def refused(self) -> None:
        """The disk had no room for a transaction, whatever it says of itself."""
        self._refused = True

    def look(self) -> Level:
        """Look at the disk, give the reserve free or take it again. Returns the level."""
        self.free_bytes = self._free(self._folder)
        if self._refused or self.free_bytes < self._reserve / _FULL_PART or self._is_without_reserve():
            self._set("full")
            self._give()
        else:
            if self._held() < self._reserve and self._take():
                self.free_bytes = self._free(self._folder)
            if self.level == "full":
                self._set("low")
        if self.level != "full":
            bar = self._low * (_MARGIN if self.level == "low" else 1)
            self._set("low" if self.free_bytes < bar else "ok")
        self._refused = False
        return self.level

    def is_full(self) -> bool:
        """Whether a gateway would take no ink now; changes nothing."""
        self.free_bytes = self._free(self._folder)
        return self.free_bytes < self._reserve / _FULL_PART or self._is_without_reserve()

    def _is_without_reserve(self) -> bool:
        """Whether the reserve was given, and cannot be taken again with as much room beside it as at other times."""
        lacking = self._reserve - self._held()
        return lacking > 0 and self.free_bytes < lacking + self._reserve / _FULL_PART * _MARGIN

    def _set(self, level: Level) -> None:
        if level != self.level:
            log = logger.error if level == "full" else logger.warning
            log("the disk was %s and is %s: %d MB are free", self.level, level, self.free_bytes >> 20)
        self.level = level

    def _held(self) -> int:
        try:
            return self._file.stat().st_blocks * 512
        except OSError:
            return 0

    def _give(self) -> None:
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the reserve cannot be given free: %s", error.strerror)

    def _take(self) -> bool:
        try:
            with self._file.open("wb") as file:
                _fill(file.fileno(), self._reserve)
        except OSError as error:
            logger.warning("the reserve of %d MB cannot be taken: %s", self._reserve >> 20, error.strerror)
            self._give()
            return False
        return True


def free_bytes(folder: Path) -> int:
    """Bytes that this process may still write under a folder, or under the nearest one that is there."""
    while not folder.exists():
        folder = folder.parent
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize


def _fill(handle: int, size: int) -> None:
    """Take room for so many bytes; where the file system cannot promise it, by writing them."""
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
            raise
        for at in range(0, size, _MB):
            os.pwrite(handle, _CHUNK[: size - at], at)
        os.fsync(handle)
