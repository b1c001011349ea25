"""Where the names and numbers of the demo's pupils stand after a run: in the roster's file and in table `pupil`.

Every canary is looked for as raw bytes and in every form that a program may have given it: other encodings, hex,
base64 at each of its three offsets, percent signs, escapes. Envelopes are unpacked, and what went through the air is
put together again from its packets.
"""

import base64
import json
import sqlite3
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from sync.errors import Unreadable
from sync.messages import unpack
from tests.chaos.watching import tapped

_ENCODINGS: Final = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
_PIECE: Final = 32 << 20
_LONGEST_FORM: Final = 256
_AIR: Final = struct.Struct("<BI")
_WAL_HEAD: Final = 32
_WAL_FRAME: Final = struct.Struct(">II16x")


class Hit(NamedTuple):
    """A canary that was found."""

    where: str
    at: int
    form: str


class Search:
    """The forms of all canaries, sorted so that a big file is read through a few times only."""

    def __init__(self, canaries: Sequence[str], *, piece_bytes: int = _PIECE) -> None:
        self._piece = piece_bytes
        groups: dict[str, set[bytes]] = defaultdict(set)
        for canary in canaries:
            told = {form: name for name, form in reversed(list(_forms(canary)))}  # the plainest name of a form
            for form, name in told.items():
                groups[f"{'number' if canary.isascii() else 'name'} as {name}"].add(form)
        self._groups = [(name, _beginning(sorted(forms)), forms) for name, forms in groups.items()]
        self.forms = sorted({form for _, _, forms in self._groups for form in forms})

    def scan(self, data: bytes, where: str, *, start: int = 0) -> Iterator[Hit]:
        """Every canary in some bytes; `start` is added to where it stands."""
        for name, prefix, forms in self._groups:
            if not prefix:
                for form in forms:
                    if (at := data.find(form)) >= 0:
                        yield Hit(where, start + at, name)
                continue
            at = data.find(prefix)
            while at >= 0:
                if any(data.startswith(form, at) for form in forms):
                    yield Hit(where, start + at, name)
                at = data.find(prefix, at + 1)

    def scan_file(self, path: Path, where: str) -> Iterator[Hit]:
        """Every canary in a file, read in pieces that overlap."""
        seen: set[tuple[int, str]] = set()
        with path.open("rb") as file:
            start, kept = 0, b""
            while piece := file.read(self._piece):
                data = kept + piece
                for hit in self.scan(data, where, start=start):
                    if (hit.at, hit.form) not in seen:
                        seen.add((hit.at, hit.form))
                        yield hit
                kept = data[-_LONGEST_FORM:]
                start += len(data) - len(kept)


def _beginning(ordered: Sequence[bytes]) -> bytes:
    """What all of some sorted forms begin with."""
    first, last = ordered[0], ordered[-1]
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def _forms(canary: str) -> Iterator[tuple[str, bytes]]:
    for code in _ENCODINGS:
        raw = canary.encode(code)
        yield code, raw
        yield f"hex of {code}", raw.hex().encode()
        yield f"HEX of {code}", raw.hex().upper().encode()
        for offset in range(3):
            # What stands before and behind shares a sextet with the first and last byte: those are left away.
            text = base64.b64encode(b"\0" * offset + raw)
            first = -(-8 * offset // 6)
            last = 8 * (offset + len(raw)) // 6
            yield f"base64 of {code} at offset {offset}", text[first:last]
    yield "percent signs", quote(canary, safe="").encode()
    yield "percent signs, small", quote(canary, safe="").lower().encode()
    yield "escapes", canary.encode("unicode_escape")
    yield "JSON's escapes", json.dumps(canary)[1:-1].encode()


def roster(path: Path) -> list[str]:
    """Names and numbers of a class list."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [cell for line in lines for cell in line.split(",")[1:]]


def search_run(run: Path, search: Search) -> tuple[list[Hit], dict[str, int]]:
    """Search every file that a run left, its MQTT traffic unpacked, and its air put together.

    Returns:
        Hits that should not be, and how many bytes were searched by kind.
    """
    hits: list[Hit] = []
    searched: dict[str, int] = defaultdict(int)
    for path in sorted(run.rglob("*")):
        if not path.is_file() or path.is_symlink() or path.name == "roster.csv":
            continue
        where = str(path.relative_to(run))
        hits += search.scan(where.encode(), f"the name of {where}")
        hits += search_file(path, where, search, searched)
    return hits, dict(searched)


def search_file(path: Path, where: str, search: Search, searched: dict[str, int]) -> Iterator[Hit]:
    """Search one file by what it is; adds to `searched`."""
    of_the_box = path.name in {"gateway.db", "gateway.db-wal"}
    searched["databases" if of_the_box or ".db" in path.suffix else "files"] += path.stat().st_size
    if of_the_box:
        yield from _box(path, where, search)
        return
    yield from search.scan_file(path, where)
    unpacked = {"mqtt.bin": traffic, "air.bin": air}.get(path.name)
    for text, data in () if unpacked is None else unpacked(path):
        searched[f"unpacked of {path.name}"] += len(data)
        yield from search.scan(data, text)


def traffic(path: Path) -> Iterator[tuple[str, bytes]]:
    """Topics, payloads, and the rows of envelopes, each with words that say which it is."""
    for topic, payload in tapped(path):
        yield "an MQTT topic", topic.encode()
        yield f"a payload on {topic}", payload
        if topic.endswith("/up"):
            try:
                for row in unpack(payload):
                    yield f"a row of an envelope on {topic}", row.to_json().encode()
            except Unreadable:
                yield f"an envelope on {topic} that cannot be unpacked", payload


def air(path: Path) -> Iterator[tuple[str, bytes]]:
    """What each link carried, packets' heads taken away and their bodies joined, each way."""
    joined: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
    data = path.read_bytes()
    at = 0
    while at + _AIR.size <= len(data):
        way, size = _AIR.unpack_from(data, at)
        at += _AIR.size
        for handle, body in _bodies(data[at : at + size]):
            joined[way, handle] += body
        at += size
    for (way, handle), whole in joined.items():
        yield f"the air, link {handle}, {'to the gateway' if way else 'to the pens'}", bytes(whole)


def _bodies(packets: bytes) -> Iterator[tuple[int, bytes]]:
    """Bodies of ACL packets with ATT in them; others as they are, under handle 0."""
    at = 0
    while at + 4 <= len(packets):
        kind = packets[at]
        if kind == 2 and at + 5 <= len(packets):  # H4: 2 is ACL
            size = 5 + int.from_bytes(packets[at + 3 : at + 5], "little")
            yield int.from_bytes(packets[at + 1 : at + 3], "little") & 0xFFF, packets[at + 12 : at + size]
        else:
            size = (4 + packets[at + 3]) if kind == 1 else 3 + packets[at + 2]
            yield 0, packets[at + 4 : at + size]
        at += size


def _box(path: Path, where: str, search: Search) -> Iterator[Hit]:
    """Hits of the box's store that are not on pages of table `pupil` (its index on numbers included)."""
    allowed, page_size = _pupil_pages(path)
    for hit in search.scan_file(path, where):
        page = _page_of(path, hit.at, page_size)
        if page not in allowed:
            yield hit._replace(where=f"{where}, page {page}")


def _pupil_pages(path: Path) -> tuple[set[int], int]:
    """The pages of table `pupil` in a store, its log included, and the size of a page."""
    database = path.with_name(path.name.removesuffix("-wal"))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        for end in ("", "-wal"):
            beside = database.with_name(database.name + end)
            if beside.exists():
                copy.with_name(copy.name + end).write_bytes(beside.read_bytes())
        connection = sqlite3.connect(copy)
        query = "select pageno from dbstat where name in (select name from sqlite_master where tbl_name = 'pupil')"
        pages = {row[0] for row in connection.execute(query)}
        size = connection.execute("pragma page_size").fetchone()[0]
        connection.close()
    return pages, int(size)


def _page_of(path: Path, at: int, page_size: int) -> int:
    if not path.name.endswith("-wal"):
        return at // page_size + 1
    frame = (at - _WAL_HEAD) // (_WAL_FRAME.size + page_size)
    with path.open("rb") as file:
        file.seek(_WAL_HEAD + frame * (_WAL_FRAME.size + page_size))
        return int(_WAL_FRAME.unpack(file.read(_WAL_FRAME.size))[0])
