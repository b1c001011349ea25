"""The contract between box and district, version 1: result, row, envelope, receipt, announcement, proof.

Pure: bytes and values in, bytes and values out. Whatever comes from the other side is checked here, and what cannot be
read is one error, `Unreadable`. Nothing here carries a name: a pupil is a pseudonym, a box an opaque id.
"""

import datetime as dt
import hashlib
import json
import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple, Self, TypeAlias, TypeVar

import msgspec

from sync.errors import Unreadable

VERSION: Final = 1
EPOCH_BYTES: Final = 8
DIGEST_BYTES: Final = 16
MAX_UNPACKED_BYTES: Final = 8 << 20
MAX_ROWS: Final = 10_000
"""Far above the hundred that a box seals; keeps a hostile envelope from making millions of small objects."""
MAX_PROOF_DAYS: Final = 3_000
"""Some ten years of lessons, and a message far below what any broker takes."""
_MAX_NUMBER: Final = 2**63 - 1
"""What SQLite and PostgreSQL hold."""
_MAX_REV: Final = 2**31 - 1
_MAX_AT_MS: Final = 253_402_300_799_999
"""The end of the year 9999: the last day that has a date."""
_WHY_CHARACTERS: Final = 80
_HEADER: Final = struct.Struct(">B8sQI")

State: TypeAlias = Literal[
    "not_handed_out", "no_pen", "not_captured", "blank", "answered", "unsure", "marked", "marked_on_paper_only"
]
Hex32: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=_MAX_NUMBER)]
_Rev: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=_MAX_REV)]
_Key: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Word: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]


T = TypeVar("T")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One graded answer as it crosses to the district. Field order is the order in its JSON."""

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    id: Hex32
    rev: _Rev
    box: str
    lesson: str
    sheet: str
    sheet_rev: int
    field: str
    pupil: str
    """Pseudonym."""
    state: State
    value: str | None
    points: float | None
    max_points: float
    confidence: float | None
    """0 to 1, or None where no reader was asked."""
    reader: str
    key: str
    """Version of the answer key."""
    ink: str
    """Hash of the ink that was read."""
    decided_by: str
    coverage: float | None
    """Share of the field's ink that was captured, 0 to 1."""
    at_ms: Annotated[int, msgspec.Meta(ge=0, le=_MAX_AT_MS)]
    """Milliseconds UTC by the box's clock."""
    clock: str
    """Whether that clock could be trusted; no decision hangs on it."""

    def __post_init__(self) -> None:
        for number in (self.points, self.max_points, self.confidence, self.coverage):
            if number is not None and not math.isfinite(number):
                raise ValueError("a result holds finite numbers only")

    def to_body(self) -> str:
        """Compact JSON with stable order: the same result is the same text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_body(cls, body: str | bytes) -> Self:
        """Read a body; fields that are not known are ignored.

        Raises:
            Unreadable: It is no JSON, another version, or a field is missing or not allowed.
        """
        return _read(body, cls, "result")

    def to_row(self) -> "Row":
        """The row that carries this result."""
        day = dt.datetime.fromtimestamp(self.at_ms / 1000, dt.UTC).date().isoformat()
        return Row(id=self.id, rev=self.rev, day=day, body=self.to_body())


def result_id(installation: str, lesson: str, field: str, pupil: str) -> str:
    """32 hex digits: the same answer of the same installation has the same id, another installation's never."""
    text = json.dumps([installation, lesson, field, pupil], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One revision of a result: what the outbox holds, an envelope carries, and the district keeps."""

    id: _Key
    rev: _Rev
    day: Annotated[str, msgspec.Meta(max_length=32)]
    """Groups the proof; nothing is decided by it."""
    body: str

    def to_json(self) -> str:
        """Compact JSON on one line."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """Read one row.

        Raises:
            Unreadable: It is no row.
        """
        return _read(line, cls, "row")

    @property
    def digest(self) -> bytes:
        """16 bytes over id, revision and body."""
        return hashlib.sha256(f"{self.id}|{self.rev}|{self.body}".encode()).digest()[:DIGEST_BYTES]


_ROWS: Final = msgspec.json.Decoder(Row)


class Number(NamedTuple):
    """An envelope's number and how many rows it says it has."""

    epoch: bytes
    eseq: int
    rows: int


def pack(epoch: bytes, eseq: int, rows: Sequence[str]) -> bytes:
    """One envelope out of rows as JSON lines.

    Raises:
        ValueError: The epoch is not 8 bytes, or there are no rows or too many.
    """
    if len(epoch) != EPOCH_BYTES or not 1 <= len(rows) <= MAX_ROWS:
        raise ValueError(f"an envelope takes an epoch of {EPOCH_BYTES} bytes and 1 to {MAX_ROWS} rows")
    return _HEADER.pack(VERSION, epoch, eseq, len(rows)) + zlib.compress("\n".join(rows).encode(), 1)


def number(payload: bytes) -> Number:
    """Read the header alone: it stands outside the compressed part, so that a bad body can be refused by number.

    Raises:
        Unreadable: Too short, another version, or a number that no database holds.
    """
    if len(payload) < _HEADER.size:
        raise Unreadable(f"{len(payload)} bytes are no envelope")
    version, epoch, eseq, rows = _HEADER.unpack_from(payload)
    if version != VERSION:
        raise Unreadable(f"unknown version {version}")
    if not 1 <= eseq <= _MAX_NUMBER:
        raise Unreadable("the number is out of range")
    return Number(epoch, eseq, rows)


def unpack(payload: bytes) -> list[Row]:
    """The rows of an envelope.

    Raises:
        Unreadable: Header, compression, size, count or a row is wrong.
    """
    told = number(payload).rows
    if not 1 <= told <= MAX_ROWS:
        raise Unreadable(f"{told} rows are not allowed")
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(payload[_HEADER.size :], MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise Unreadable(f"not compressed rows: {error}") from error
    if not inflate.eof or inflate.unused_data:
        raise Unreadable("cut short, too large, or followed by other bytes")
    if (found := raw.count(b"\n") + 1) != told:
        raise Unreadable(f"{found} rows where {told} were told")
    try:
        rows = _ROWS.decode_lines(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"no rows: {str(error)[:_WHY_CHARACTERS]}") from error
    if len(rows) != told:
        raise Unreadable(f"{len(rows)} rows where {told} were told")
    # In JSON a zero character stands escaped; where there is none such, no row need be looked at.
    if b"\\u0000" in raw and any("\0" in text for row in rows for text in (row.id, row.day, row.body)):
        raise Unreadable("a zero character, which not every database holds")
    return rows


def digest(payload: bytes) -> bytes:
    """16 bytes over a whole envelope."""
    return hashlib.sha256(payload).digest()[:DIGEST_BYTES]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the district says about one box's envelopes of one epoch. Only this ends an envelope."""

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    epoch: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{16})?$")] = ""
    """Hex; empty where an envelope's header could not be read."""
    ok: tuple[tuple[_Number, _Number], ...] = ()
    """Ranges of eseq, both ends included."""
    refused: tuple[tuple[_Number | Hex32, _Word], ...] = ()
    """(eseq or, in hex, the digest of the whole payload; why)."""
    conflict: tuple[tuple[_Key, _Rev], ...] = ()
    """(id, rev): the district has this revision with other content, and keeps the one it has."""
    digests: tuple[tuple[Hex32, Hex32], ...] = ()
    """For each conflict (digest that is kept, digest that came), in the same order; missing from older districts."""
    behind: tuple[tuple[_Key, _Rev], ...] = ()
    """(id, rev): a lower revision than this one of the district's came. A box that never made it was restored."""
    generation: _Word = ""
    pos: _Number = 0
    """The district's last position when this was said."""

    def to_json(self) -> bytes:
        """Compact JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """Read a receipt.

        Raises:
            Unreadable: It is none, or of another version.
        """
        return _read(payload, cls, "receipt")


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """The district's ledger, retained: its generations, oldest first. Each restore of its database began a new one."""

    generations: tuple[tuple[_Word, _Number], ...]
    """(generation, the last position that it took over)."""

    def to_json(self) -> bytes:
        """Compact JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """Read an announcement.

        Raises:
            Unreadable: It is none.
        """
        return _read(payload, cls, "announcement")


class DaySum(NamedTuple):
    """Count and exclusive-or of the row digests of one day: equal on both ends if the rows are, in any order."""

    rows: int
    xor: str
    """32 hex digits."""


def day_sum(digests: Iterable[bytes]) -> DaySum:
    """Sum up the digests of one day's rows."""
    count = total = 0
    for value in digests:
        total ^= int.from_bytes(value)
        count += 1
    return DaySum(count, f"{total:032x}")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The district's sums of one box, retained beside its receipts, so that the box can compare by itself."""

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    generation: _Word
    pos: _Number
    """The ledger's last position when the sums were read; what was receipted beyond it may not be in them."""
    at_ms: _Number
    """Milliseconds UTC by the district's clock; shown, never decided by."""
    since: _Word = ""
    """Days before this one are left out, where there are too many for one message."""
    days: tuple[tuple[_Word, _Number, Hex32], ...] = ()
    """(day, rows, exclusive-or of their digests), days ascending."""

    @classmethod
    def of(cls, sums: Mapping[str, DaySum], *, generation: str, pos: int, at_ms: int) -> Self:
        """The proof of one box's sums by day; the newest days, if there are more than a message should hold."""
        days = sorted(sums)
        kept = days[-MAX_PROOF_DAYS:]
        return cls(
            v=VERSION,
            generation=generation,
            pos=pos,
            at_ms=at_ms,
            since=kept[0] if len(kept) < len(days) else "",
            days=tuple((day, *sums[day]) for day in kept),
        )

    def sums(self) -> dict[str, DaySum]:
        """The sums by day."""
        return {day: DaySum(rows, xor) for day, rows, xor in self.days}

    def to_json(self) -> bytes:
        """Compact JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """Read a proof.

        Raises:
            Unreadable: It is none, or of another version.
        """
        return _read(payload, cls, "proof")


NUMBER_REUSED: Final = "number_reused"
"""Why an envelope is refused whose number the district knows with other content."""
HEALTH_ONLINE: Final = b'{"state":"online"}'
HEALTH_OFFLINE: Final = b'{"state":"offline"}'
"""The last will, and a clean good-bye."""


def ranges(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Whole numbers as ascending ranges, both ends included; one that comes twice counts once."""
    out: list[tuple[int, int]] = []
    for value in sorted(set(numbers)):
        if out and out[-1][1] == value - 1:
            out[-1] = (out[-1][0], value)
        else:
            out.append((value, value))
    return tuple(out)


def _read(payload: str | bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"no {what}: {str(error)[:_WHY_CHARACTERS]}") from error
