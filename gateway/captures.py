"""One capture at a time: what a pen says, written to a file for a bug report, from now on or from its next link."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from devices.capture import Begins, Header, Recorder
from devices.pen import Pen
from devices.transport import NowMs, Transport
from gateway.errors import WrongUse

logger = logging.getLogger(__name__)

LONGEST_S: Final = 3_600.0
"""A capture that nobody ends ends by itself."""


class Captures:
    """The capture that runs or is waited for. Lives in the loop's thread.

    Args:
        now_ms: The box's clock.
        family: The name of a pen's family, by the MAC that it advertised.
        linked: The links that stand, by advertised MAC.
    """

    def __init__(self, now_ms: NowMs, family: Callable[[str], str], linked: Callable[[], dict[str, Pen]]) -> None:
        self._now_ms, self._family, self._linked = now_ms, family, linked
        self._path: Path | None = None
        self._pen: str | None = None
        self._recorder: Recorder | None = None
        self._end: asyncio.TimerHandle | None = None

    def start(self, path: Path, *, pen: str | None, seconds: float) -> dict[str, Any]:
        """Record a pen that is linked from now on; one that is not, or any pen where none is named, from its next link.

        Raises:
            WrongUse: One runs already, or the file cannot be made.
        """
        if self._path is not None and (self._recorder is None or self._recorder.why is None):
            raise WrongUse("A capture is being recorded already; it must end first.")
        if not path.is_absolute() or path.exists() or not path.parent.is_dir():
            raise WrongUse(f"{path} cannot be a new file; give the name of one that is not there yet.")
        self._path, self._pen, self._recorder = path, pen, None
        self._later(min(seconds, LONGEST_S) or LONGEST_S)
        live = self._linked().get(pen) if pen is not None else None
        if live is not None and pen is not None:
            try:
                self._recorder = self._made(path, pen, live.transport, begins="middle")
            except OSError as error:
                self._forget()
                raise WrongUse(f"{path} cannot be written: {error.strerror}.") from None
            live.transport = self._recorder
        return self.status()

    def wrap(self, mac: str, transport: Transport) -> Transport:
        """The transport of a new link, recorded if it is the one that was waited for."""
        if self._path is None or self._recorder is not None or self._pen not in {None, mac}:
            return transport
        try:
            self._recorder = self._made(self._path, mac, transport, begins="link")
        except OSError as error:
            logger.warning("the capture of pen %s cannot be written: %s", mac, error.strerror)
            self._forget()
            return transport
        return self._recorder

    def stop(self) -> dict[str, Any]:
        """End it, or no longer wait for it."""
        if self._recorder is not None:
            self._recorder.stop()
        said = self.status()
        self._forget()
        return said

    def status(self) -> dict[str, Any]:
        """How it does: `idle`, `waiting`, `recording` or `ended`, and what is in the file."""
        recorder = self._recorder
        if recorder is None:
            return {"state": "idle" if self._path is None else "waiting"}
        return {
            "state": "recording" if recorder.why is None else "ended",
            "why": recorder.why,
            "pen": recorder.header.pen,
            "begins": recorder.header.begins,
            "came": recorder.came,
            "written": recorder.written,
            "bytes": recorder.bytes,
        }

    def _made(self, path: Path, mac: str, transport: Transport, *, begins: Begins) -> Recorder:
        header = Header(pen=mac, family=self._family(mac), started_ms=self._now_ms(), begins=begins)
        return Recorder(transport, path, header, now_ms=self._now_ms)

    def _later(self, seconds: float) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(seconds, self._over)

    def _over(self) -> None:
        """Its time is over; what was recorded can still be asked for."""
        if self._recorder is None:
            self._forget()
        else:
            self._recorder.stop()

    def _forget(self) -> None:
        self._path = self._recorder = None
        if self._end is not None:
            self._end.cancel()
            self._end = None
