"""The test of the search for canaries: one is planted in a copy of each kind of place, and must be found there."""

import shutil
import sqlite3
import struct
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sync.messages import pack
from tests.chaos.canaries import Search, search_file
from tests.chaos.watching import PUBLISHED


def planted(run: Path, canary: str) -> dict[str, bool]:
    """Plant a canary in a copy of each kind of file of a run. Returns whether it was found, by kind.

    Kinds of which the run left no file are not in the answer.
    """
    search = Search([canary])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for place, (pattern, put) in _PLACES.items():
            source = next((p for p in sorted(run.rglob(pattern)) if p.is_file()), None)
            if source is None:
                continue
            copy = Path(folder) / place.replace(" ", "-") / source.name
            copy.parent.mkdir()
            for end in ("", "-wal"):
                if (beside := source.with_name(source.name + end)).exists():
                    shutil.copyfile(beside, copy.with_name(copy.name + end))
            with put(copy, canary) as planted_in:
                found[place] = any(search_file(planted_in, place, search, defaultdict(int)))
    return found


@contextmanager
def _append(path: Path, canary: str) -> Iterator[Path]:
    with path.open("ab") as file:
        file.write(b" " + canary.encode("gb18030") + b"\n")
    yield path


@contextmanager
def _in_another_table(path: Path, canary: str) -> Iterator[Path]:
    connection = sqlite3.connect(path)
    connection.execute("insert into box(k, v) values ('planted', ?)", (canary,))
    connection.commit()
    connection.close()
    yield path


@contextmanager
def _in_the_log(path: Path, canary: str) -> Iterator[Path]:
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("insert into box(k, v) values ('planted', ?)", (canary,))
    connection.commit()
    try:
        yield path.with_name(path.name + "-wal")
    finally:
        connection.close()


@contextmanager
def _in_an_envelope(path: Path, canary: str) -> Iterator[Path]:
    topic = b"inkgate/v1/demo/demo-school/demo-box/up"
    payload = pack(bytes(8), 1, ['{"id":"1","rev":1,"day":"2025-01-01","body":"' + canary + '"}'])
    with path.open("ab") as file:
        file.write(PUBLISHED.pack(len(topic), len(payload)) + topic + payload)
    yield path


@contextmanager
def _over_two_packets(path: Path, canary: str) -> Iterator[Path]:
    """Half of it in one notification, half in the next of the same link."""
    raw = canary.encode()
    with path.open("ab") as file:
        for part in (raw[:4], raw[4:]):
            att = struct.pack("<BH", 0x1B, 9) + part
            packet = struct.pack("<BHHHH", 2, 0x2040, len(att) + 4, len(att), 4) + att
            file.write(struct.pack("<BI", 1, len(packet)) + packet)
    yield path


_PLACES: dict[str, tuple[str, Callable[[Path, str], AbstractContextManager[Path]]]] = {
    "a log": ("gateway.log", _append),
    "the receiver's log": ("receiver.log", _append),
    "the box's database": ("demo/gateway.db", _in_another_table),
    "the log of the box's database": ("demo/gateway.db", _in_the_log),
    "the district's database": ("district.db", _append),
    "PostgreSQL's data": ("PG_VERSION", _append),
    "the broker's store": ("broker/**/*.blk", _append),
    "MQTT, in an envelope": ("mqtt.bin", _in_an_envelope),
    "the air, over two packets": ("air.bin", _over_two_packets),
    "what a page was shown": ("frames.bin", _append),
    "an image": ("image/gateway.db", _in_another_table),
}
