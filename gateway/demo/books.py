"""The books of a demo: what was written, where every dot of it is, and what the district has. Read when all has ended.

A dot that was written to a live link is stored, or inside a loss that nothing has healed; one that was written to a
pen's memory is stored, or in the pen. Any other is lost without explanation and the books do not balance. A stroke is
known by the pen's own time. `tests/recount.py` counts the same from the files alone.
"""

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

TABLES: Final = (
    ("gateway", "ink"),
    ("gateway", "loss"),
    ("gateway", "grade"),
    ("gateway", "envelope"),
    ("district", "ledger"),
    ("district", "result"),
)
SLACK_MS: Final = 1_500
"""A pen's clock is set over the air: it may be this far from the box's."""


@dataclass(slots=True)
class Books:
    """Everything that is counted."""

    figures: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What does not balance, in words."""

    @property
    def balanced(self) -> bool:
        """Whether everything adds up."""
        return not self.faults


def close_books(folder: Path, *, with_district: bool) -> Books:
    """Count the files of an ended demo."""
    books = Books()
    box = _read_only(folder / "gateway.db")
    truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    _count_ink(books, box, truth)
    _count_answers(books, box, truth)
    sides = {"gateway": box}
    if with_district:
        sides["district"] = _read_only(folder / "district.db")
        _count_results(books, box, sides["district"])
    else:
        made = box.execute("select count(distinct id) from grade").fetchone()[0]
        books.figures |= {"results_made": made, "results_in_district": None, "duplicates_in_district": None}
    waiting = box.execute("select count(*) from envelope where state = 'waiting'").fetchone()[0]
    left = waiting + box.execute("select count(*) from fresh").fetchone()[0]
    books.figures["outbox_left"] = left
    books.figures["receipts"] = box.execute("select count(*) from envelope where state = 'receipted'").fetchone()[0]
    if left:
        books.faults.append(f"{left} envelopes or results have no receipt")
    books.figures["bound_by_card"] = box.execute(
        "select count(distinct pen) from binding where how = 'card' and to_ms is null"
    ).fetchone()[0]
    books.figures["tables"] = {f"{side}.{t}": _digest(sides[side], t) for side, t in TABLES if side in sides}
    for connection in sides.values():
        connection.close()
    return books


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _count_ink(books: Books, box: sqlite3.Connection, truth: list[dict[str, Any]]) -> None:
    stored: dict[tuple[str, tuple[int, ...], int], list[int]] = defaultdict(lambda: [0, 0])
    for pen, section, owner, note, page, pen_ms, dots, total in box.execute(
        "select pen, section, owner, note, page, pen_ms, dots, sum from ink"
    ):
        known = stored[pen, (section, owner, note, page), pen_ms]
        known[0] += dots
        known[1] = (known[1] + total) & 0xFFFFFFFF
    losses = defaultdict(list)
    for pen, from_ms, to_ms in box.execute("select pen, from_ms, to_ms from unhealed"):
        losses[pen].append((from_ms - SLACK_MS, to_ms + SLACK_MS))
    count: Counter[str] = Counter()
    by_pen: dict[str, Counter[str]] = defaultdict(Counter)
    by_page: dict[str, Counter[str]] = defaultdict(Counter)
    keys = set()
    for line in _of(truth, "stroke"):
        key = (line["pen"], tuple(line["page"]), line["down_ms"])
        keys.add(key)
        dots, total = stored.get(key, (0, 0))
        count["written"] += line["dots"]
        count["stored"] += dots
        count["drained"] += line["how"] == "memory" and bool(dots)
        if fault := _where(line, dots, total, losses[line["pen"]], count):
            books.faults.append(f"stroke of {line['pen']} at {line['down_ms']}: {fault}")
        for each in (by_pen[line["pen"]], by_page["/".join(map(str, line["page"]))]):
            each.update(written_dots=line["dots"], stored_dots=dots, strokes=1)
    books.faults += [f"ink of {pen} at {down_ms} was never written" for pen, _, down_ms in stored.keys() - keys]
    for line in _of(truth, "dropped"):
        if not any(a <= line["at_ms"] <= b for a, b in losses[line["pen"]]):
            books.faults.append(f"{line['events']} events of {line['pen']} at {line['at_ms']} are in no loss row")
    books.figures |= {
        "dots_written": count["written"],
        "dots_stored": count["stored"],
        "dots_in_pens": count["in_pens"],
        "dots_in_losses": count["in_losses"],
        "dots_lost_unexplained": count["unexplained"],
        "strokes_written": len(keys),
        "strokes_stored": len(stored),
        "loss_rows": box.execute("select count(*) from unhealed").fetchone()[0],
        "loss_rows_healed": box.execute("select count(*) from loss where healed_by is not null").fetchone()[0],
        "strokes_drained": count["drained"],
        "pages_deleted": box.execute("select coalesce(sum(pages), 0) from drain").fetchone()[0],
        "by_pen": {pen: dict(c) for pen, c in by_pen.items()},
        "by_page": {page: dict(c) for page, c in by_page.items()},
    }


def _where(
    line: Mapping[str, Any], dots: int, total: int, losses: list[tuple[int, int]], count: Counter[str]
) -> str | None:
    """Where the dots of one true stroke are; a sentence where they are nowhere."""
    missing = line["dots"] - dots
    if missing == 0:
        return None if total == line["sum"] else "all dots are there, and their sum differs"
    if missing < 0:
        return f"{-missing} dots too many"
    if line["how"] == "memory":
        count["in_pens"] += missing
    elif any(a <= line["up_ms"] and b >= line["down_ms"] for a, b in losses):
        count["in_losses"] += missing
    else:
        count["unexplained"] += missing
        return f"{missing} dots are nowhere"
    return None


def _count_answers(books: Books, box: sqlite3.Connection, truth: list[dict[str, Any]]) -> None:
    newest = {
        (lesson, name, pupil): (state, value)
        for lesson, name, pupil, state, value in box.execute(
            "select lesson, field, pupil, state, value from newest_grade"
        )
    }
    pupils = {(lesson, seat): pupil for lesson, seat, pupil in box.execute("select * from lesson_seat")}
    count: Counter[str] = Counter()
    for line in _of(truth, "answer"):
        pupil = pupils.get((line["lesson"], line["seat"]), "")
        state, value = newest.get((line["lesson"], line["field"], pupil), ("", None))
        count["expected"] += 1
        if state in {"answered", "blank"}:
            said = value if state == "answered" else None
            count["right" if said == line["wrote"] else "wrong"] += 1
        elif state == "unsure":
            count["unsure"] += 1
    books.figures |= {f"answers_{name}": count[name] for name in ("expected", "right", "wrong", "unsure")}


def _count_results(books: Books, box: sqlite3.Connection, district: sqlite3.Connection) -> None:
    made = dict(box.execute("select id, max(rev) from grade group by id").fetchall())
    there = district.execute("select id, rev from result").fetchall()
    books.figures |= {
        "results_made": len(made),
        "results_in_district": len({code for code, _ in there}),
        "duplicates_in_district": len(there) - len({code for code, _ in there}),
    }
    if dict(there) != made:
        books.faults.append(f"the box made {len(made)} results, the district has {len(there)}, or other revisions")
    if books.figures["duplicates_in_district"]:
        books.faults.append("results stand twice in the district")


def _digest(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Count, and exclusive-or over the rows of the first 16 bytes of SHA-256 of their JSON text: order is no matter."""
    total = count = 0
    for row in connection.execute(f"select * from {table}"):  # noqa: S608  a name of the constant above
        cells = [cell.hex() if isinstance(cell, bytes) else cell for cell in row]
        text = json.dumps(cells, separators=(",", ":"), ensure_ascii=False)
        total ^= int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        count += 1
    return {"rows": count, "digest": f"{total:032x}"}


def _of(truth: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (line for line in truth if line["kind"] == kind)
