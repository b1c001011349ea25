"""Made-up evidence of a run, for tests of the judge and of the search: small files in the documented forms."""

import json
import sqlite3
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlite_utils import Database

from gateway.dashboard.frames import Kind, pack
from gateway.dashboard.source import LiveChunk
from gateway.schema import migrations
from recognition.ink import dot_sum
from recognition.ink import pack as pack_ink
from sync.outbox import migrations as outbox_migrations
from tests.chaos.judge import Files

PEN: Final = "9C:7B:D2:50:00:01"
PAGE: Final = (3, 27, 168, 1)


class Evidence:
    """A run of one pen that kept its promise; each method spoils one thing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "demo").mkdir()
        self.box = sqlite3.connect(folder / "demo" / "gateway.db", isolation_level=None)
        migrations.apply(Database(self.box))
        outbox_migrations.apply(Database(self.box))
        self.district = sqlite3.connect(folder / "demo" / "district.db", isolation_level=None)
        self.district.execute("create table result(id, rev, box, day, body, digest)")
        self.truth: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.box.execute("insert into binding(pen, seat, from_ms, how) values (?, 1, 0, 'card')", (PEN,))

    def files(self) -> Files:
        """The evidence, written."""
        own = self.folder
        (own / "demo" / "truth.jsonl").write_text("".join(json.dumps(t) + "\n" for t in self.truth))
        (own / "pens.jsonl").write_text("".join(json.dumps(h) + "\n" for h in self.held))
        (own / "frames.bin").write_bytes(b"".join(struct.pack("<I", len(f)) + f for f in self.frames))
        return Files(own / "demo", own / "demo" / "district.db", own / "pens.jsonl", own / "frames.bin")

    def wrote(self, down_ms: int, *, how: str = "live", dots: int = 10) -> np.ndarray[Any, Any]:
        """The pupil wrote a stroke. Returns its rows."""
        rows = np.zeros((dots, 7), np.int64)
        rows[:, 0], rows[:, 2], rows[:, 3] = np.arange(dots) + down_ms % 100, 300, np.arange(dots) * 12
        line = {"kind": "stroke", "pen": PEN, "page": PAGE, "down_ms": down_ms, "up_ms": down_ms + 12 * dots}
        self.truth.append({**line, "dots": dots, "sum": dot_sum(rows), "how": how})
        return rows

    def stored(
        self, down_ms: int, rows: np.ndarray[Any, Any], *, how: str = "live", piece: int = 0, late_ms: int = 0
    ) -> None:
        """The box stored it; where it came so late that the pen's time was doubted, under the time of its arrival."""
        at_ms = down_ms + late_ms
        self.box.execute(
            "insert into ink(seq, pen, section, owner, note, page, down_ms, piece, dots, sum, packed, up_ms, pen_ms,"
            " time_known, ended, how, tip, clock) values (1,?,?,?,?,?,?,?,?,?,?,?,?,1,'up',?,'pen',1)",
            (PEN, *PAGE, at_ms, piece, len(rows), dot_sum(rows), pack_ink([rows]), at_ms + 120, down_ms, how),
        )

    def loss(self, from_ms: int, to_ms: int, *, healed: bool = False) -> None:
        """The box has a loss row."""
        query = "insert into loss(seq, pen, from_ms, to_ms, cause, healed_by) values (1, ?, ?, ?, 'link_lost', ?)"
        self.box.execute(query, (PEN, from_ms, to_ms, 1 if healed else None))

    def in_pen(self, down_ms: int, dots: int) -> None:
        """The pen still holds a stroke."""
        self.held.append({"pen": PEN, "page": PAGE, "down_ms": down_ms, "dots": dots})

    def shown(self, down_ms: int, rows: np.ndarray[Any, Any], *, seq: int = 1, kind: Kind = Kind.LIVE) -> None:
        """A page was shown it."""
        steps = [0, *np.diff(rows[:, 3]).tolist()]
        chunk = LiveChunk(1, 0, down_ms, [(1, 2, 3, step) for step in steps], first=True, ended=True)
        self.frames.append(pack(kind, [chunk], seq=seq, before=0, box_ms=down_ms))

    def result(self, code: str, *, box: str | None = "a", district: str | None = "a", rev: int = 1) -> None:
        """A result at the box, in the district; the letter stands for its content."""
        if box is not None:
            query = "insert into result(id, rev, day, body, digest) values (?, ?, '2026-01-01', '{}', ?)"
            self.box.execute(query, (code, rev, box.encode()))
        if district is not None:
            query = "insert into result values (?, ?, 'box', '2026-01-01', '{}', ?)"
            self.district.execute(query, (code, rev, district.encode()))
