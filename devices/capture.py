"""What the air said, as a file: a bug report from a school becomes a test.

`Recorder` is a Transport around another and writes down what came and what was written; `Replay` is a Transport that
gives back what came. The file is JSON lines. The first line is the header:

    {"schema":"inkgate.capture/1","pen":MAC,"family":"Neo","started_ms":UTC,"begins":"link"|"middle"}

with the MAC that the pen advertised. Each other line is [ms since started_ms, kind, hex]. Kind `<` is one notification
of the pen, `>` is what was written to it (passwords left out), `x` is the end of the link, `!` is the end of a capture
that grew too long; the last two have no bytes. A last line cut short is left out on reading.

A capture holds handwriting of children: the file is for its owner only. It holds no name.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, NamedTuple, TypeAlias, get_args

from devices.errors import DeviceError, LinkError
from devices.families import NEO, PenFamily, PenSession, known_families
from devices.neo.session import NeoSession
from devices.pen import Arrived, Pen
from devices.transport import Arrival, NowMs, Transport

logger = logging.getLogger(__name__)

SCHEMA: Final = "inkgate.capture/1"
LIMIT_BYTES: Final = 64 << 20
"""Some four hours of one pen that writes without a rest."""

_LONGEST_LINE: Final = 1 << 20
_MODE: Final = 0o600
_PASSWORD_FRAME: Final = re.compile(rb"\xc0([\x02\x03])[^\xc1]*\xc1")
_PASSWORD_SENT: Final = b"\xc0\x02"
_UNKNOWN_PASSWORD: Final = "unknown"  # noqa: S105  it stands for one that the capture does not hold
_TICK_MS: Final = 100
_LONGEST_GAP_MS: Final = 60_000
"""No request waits so long: what time alone brings about in a longer silence has happened by then."""

Kind: TypeAlias = Literal["<", ">", "x", "!"]
Begins: TypeAlias = Literal["link", "middle"]


class CaptureError(DeviceError, ValueError):
    """A file is no capture, or is damaged in the middle.

    Attributes:
        line: Where, from 1.
    """

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


class FamilyMissing(DeviceError, LookupError):
    """No pen family of the capture's name is installed here."""


class Record(NamedTuple):
    """One line of a capture."""

    at_ms: int
    """Milliseconds UTC by the box's clock."""
    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a capture is of."""

    pen: str
    """The MAC that the pen advertised, as AA:BB:CC:DD:EE:FF."""
    family: str
    started_ms: int
    begins: Begins
    """`middle`: the link stood already, and no hello is in it."""

    def to_line(self) -> str:
        """The first line of the file."""
        shown = {
            "schema": SCHEMA,
            "pen": self.pen,
            "family": self.family,
            "started_ms": self.started_ms,
            "begins": self.begins,
        }
        return json.dumps(shown, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture as it was read."""

    header: Header
    records: tuple[Record, ...]
    is_cut: bool
    """Whether the last line was cut short and is left out."""

    @property
    def password_was_given(self) -> bool:
        """Whether the pen was sent a password."""
        return any(record.kind == ">" and _PASSWORD_SENT in record.data for record in self.records)


def to_line(record: Record, started_ms: int) -> str:
    """One record as a line."""
    return f'[{record.at_ms - started_ms},"{record.kind}","{record.data.hex()}"]\n'


def read_capture(path: Path) -> Capture:
    """Read a capture.

    Raises:
        CaptureError: It is none, or a line that is not the last makes no sense.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        header = _header(file.readline(_LONGEST_LINE))
        records: list[Record] = []
        number = 1
        while line := file.readline(_LONGEST_LINE):
            number += 1
            record = _record(line, header.started_ms)
            if record is None and not line.endswith(b"\n") and not file.read(1):
                return Capture(header, tuple(records), is_cut=True)
            if record is None:
                raise CaptureError(f"line {number} is no record of a capture", line=number)
            records.append(record)
    return Capture(header, tuple(records), is_cut=False)


def _header(line: bytes) -> Header:
    try:
        told = json.loads(line)
        if told["schema"] != SCHEMA:
            raise CaptureError(f"its schema is {told['schema']!r}, and this reads {SCHEMA}", line=1)
        header = Header(**{name: told[name] for name in ("pen", "family", "started_ms", "begins")})
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, CaptureError):
            raise
        raise CaptureError("it does not begin with the header of a capture", line=1) from None
    if type(header.started_ms) is not int or header.begins not in get_args(Begins):
        raise CaptureError("the header of the capture makes no sense", line=1)
    return header


def _record(line: bytes, started_ms: int) -> Record | None:
    try:
        offset_ms, kind, digits = json.loads(line)
        data = bytes.fromhex(digits)
    except (ValueError, TypeError, RecursionError):
        return None
    return Record(started_ms + offset_ms, kind, data) if type(offset_ms) is int and kind in get_args(Kind) else None


class Recorder:
    """A Transport that writes down what passes. Whatever happens to the file, the link goes on."""

    def __init__(
        self, inner: Transport, path: Path, header: Header, *, now_ms: NowMs, limit: int = LIMIT_BYTES
    ) -> None:
        """Begin a new file; only its owner may read it.

        Raises:
            OSError: It cannot be made, or is there already.
        """
        self.inner = inner
        self.path, self.header = path, header
        self._now_ms, self._limit = now_ms, limit
        self.bytes = self.came = self.written = 0
        """Bytes of the file, notifications, and writes in it."""
        self.why: Literal["link_lost", "too_long", "disk", "stopped"] | None = None
        """Why it ended, if it has."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        self._file: IO[str] | None = os.fdopen(descriptor, "w", encoding="ascii")
        self._put(header.to_line())

    @property
    def is_open(self) -> bool:
        """Whether the link still stands."""
        return self.inner.is_open

    def take(self) -> list[Arrival]:
        """What arrived since the last call, written down."""
        is_open = self.inner.is_open  # asked first: what comes between belongs before the end
        out = self.inner.take()
        if self._file is not None:
            if out:
                self.came += len(out)
                self._put("".join(self._line(arrival.at_ms, "<", arrival.data) for arrival in out))
            if not is_open:
                self._end("link_lost", self._line(self._now_ms(), "x"))
        return out

    async def write(self, data: bytes) -> None:
        """Send bytes and write them down, passwords left out.

        Raises:
            LinkError: The link went.
        """
        if self._file is not None:
            self.written += 1
            self._put(self._line(self._now_ms(), ">", _PASSWORD_FRAME.sub(b"\xc0\\1\xc1", data)))
        await self.inner.write(data)

    async def close(self) -> None:
        """Hang up; what came before is taken and written down after it."""
        await self.inner.close()

    def stop(self) -> None:
        """Write down nothing more; the link goes on."""
        if self._file is not None:
            self._end("stopped", "")

    def _line(self, at_ms: int, kind: Kind, data: bytes = b"") -> str:
        return to_line(Record(at_ms, kind, data), self.header.started_ms)

    def _put(self, text: str) -> None:
        if self._file is None:
            return
        if self.bytes + len(text) > self._limit:
            self._end("too_long", self._line(self._now_ms(), "!"))
            return
        try:
            self._file.write(text)
            self._file.flush()
            self.bytes += len(text)
        except OSError as error:
            logger.warning("the capture of pen %s ends: %s", self.header.pen, error.strerror)
            self._end("disk", "")

    def _end(self, why: Literal["link_lost", "too_long", "disk", "stopped"], last: str) -> None:
        file, self._file, self.why = self._file, None, why
        if file is None:
            return
        try:
            file.write(last)
            self.bytes += len(last)
            file.close()
        except OSError:
            # The file is lost whatever is done, and the link must not be; the descriptor is closed by then.
            logger.warning("the end of the capture of pen %s was not written", self.header.pen)


class Replay:
    """A Transport that gives back what a capture says came.

    Args:
        capture: What to give back.
        clock: Whose time passes as it did then, from the first `take` on; None gives all at once.
    """

    def __init__(self, capture: Capture, *, clock: NowMs | None = None) -> None:
        self._records = capture.records
        self._clock = clock
        self._began_ms: int | None = None
        self._at = 0
        self._is_open = True
        self.now_ms = capture.header.started_ms
        """The moment of the capture that was reached, in its own time: what the session should be told as now."""
        self._started_ms = self.now_ms

    @property
    def is_open(self) -> bool:
        """Whether the end of the link, if it is in the capture, has not been reached."""
        return self._is_open

    @property
    def is_over(self) -> bool:
        """Whether all of it was given."""
        return self._at == len(self._records)

    def take(self) -> list[Arrival]:
        """All that came up to now, with the times of then."""
        until_ms = None
        if self._clock is not None:
            now_ms = self._clock()
            self._began_ms = now_ms if self._began_ms is None else self._began_ms
            self.now_ms = until_ms = max(self.now_ms, self._started_ms + now_ms - self._began_ms)
        out: list[Arrival] = []
        while self._at < len(self._records):
            record = self._records[self._at]
            if until_ms is not None and record.at_ms > until_ms:
                break
            self._at += 1
            self.now_ms = max(self.now_ms, record.at_ms)
            if record.kind == "<" and self._is_open:
                out.append(Arrival(record.at_ms, record.data))
            elif record.kind == "x":
                self._is_open = False
        return out

    async def write(self, data: bytes) -> None:
        """Nobody hears it.

        Raises:
            LinkError: The link went.
        """
        del data
        if not self._is_open:
            raise LinkError("the link of this capture has ended")

    async def close(self) -> None:
        """Hear nothing more."""
        self._is_open = False


def session_for(capture: Capture) -> PenSession:
    """A session that hears a capture as the one that it was made of; one that only listens where no hello is in it.

    Raises:
        FamilyMissing: The capture is of a family that is not installed.
    """
    families: dict[str, PenFamily] = {family.name: family for family in known_families()}
    family = families.get(capture.header.family)
    if family is None:
        raise FamilyMissing(f"no pen family {capture.header.family!r} is installed here")
    if capture.header.begins == "middle":
        return NeoSession(lenient=True) if family is NEO else family.session()
    session = family.session(password=_UNKNOWN_PASSWORD if capture.password_was_given else None)
    session.start(now_ms=capture.header.started_ms)
    return session


def replayed(capture: Capture, session: PenSession) -> Iterator[Arrived]:
    """The events of a capture, through the same `Pen` as live ones; `session` is one of `session_for`.

    What the gateway asked of the pen by itself is not asked again; the pen's answers to it are heard.
    """
    now_ms = capture.header.started_ms
    replay = Replay(capture, clock=lambda: now_ms)
    pen = Pen(replay, session)
    yield from pen.take(now_ms)
    for record in capture.records:
        quiet_until_ms = min(record.at_ms, now_ms + _LONGEST_GAP_MS)
        while now_ms + _TICK_MS < quiet_until_ms:
            now_ms += _TICK_MS
            yield from pen.take(now_ms)
        now_ms = max(now_ms, record.at_ms)
        if not replay.is_over:
            yield from pen.take(now_ms)
