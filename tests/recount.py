"""Counts again what a demo left behind, from its files alone, and compares with its own report.

    python tests/recount.py DIR

Stands on its own: sqlite3, the documented form of packed ink and envelopes, and truth.jsonl. It imports nothing from
the product, so a fault there cannot hide here. Exit 0 if everything agrees, 1 with one line a difference.
"""

import hashlib
import json
import sqlite3
import sys
import zlib
from collections import Counter, defaultdict
from pathlib import Path

TABLES = {
    "ink": "gateway",
    "loss": "gateway",
    "grade": "gateway",
    "envelope": "gateway",
    "ledger": "district",
    "result": "district",
}
SLACK_MS = 1_500
"""A pen's clock is set over the air: it may be this far from the box's."""


def varints(data, at, count):
    """LEB128 numbers: `count` of them from `at`."""
    out = []
    for _ in range(count):
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        out.append(value)
    return out, at


def unpack(packed):
    """Packed ink, version 1 -> strokes, each a list of rows (x, y, force, t, ...)."""
    if packed[0] != 1:
        raise ValueError("not packed ink of version 1")
    data = zlib.decompress(packed[1:])
    (strokes, channels), at = varints(data, 0, 2)
    lengths, at = varints(data, at, strokes)
    planes = []
    for channel in range(channels):
        numbers, at = varints(data, at, sum(lengths))
        steps = [(n >> 1) ^ -(n & 1) for n in numbers]
        planes.append(plane(steps, lengths, second=channel < 2))
    if at != len(data):
        raise ValueError("bytes are left over")
    rows = list(zip(*planes, strict=True))
    out, start = [], 0
    for length in lengths:
        out.append(rows[start : start + length])
        start += length
    return out


def plane(steps, lengths, *, second):
    """Undo the differences of one channel: of the step inside a stroke where `second`, else of the value."""
    out, value, index = [], 0, 0
    for length in lengths:
        step = 0
        for within in range(length):
            if second and within > 1:
                step += steps[index]
            else:
                step = steps[index]
            value += step
            out.append(value)
            index += 1
    return out


def ink_sum(rows):
    """The sum that truth and store carry: it does not care how a stroke was cut."""
    return sum(31 * r[0] + 17 * r[1] + r[2] for r in rows) & 0xFFFFFFFF


def table_digest(connection, table):
    """Count, and exclusive-or over the rows of the first 16 bytes of SHA-256 of their JSON text."""
    total, count = 0, 0
    for row in connection.execute(f"select * from {table}"):
        cells = [cell.hex() if isinstance(cell, bytes) else cell for cell in row]
        text = json.dumps(cells, separators=(",", ":"), ensure_ascii=False)
        total ^= int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        count += 1
    return {"rows": count, "digest": f"{total:032x}"}


class Recount:
    """The files of one demo, counted."""

    def __init__(self, folder):
        self.folder = folder
        self.box = sqlite3.connect(f"file:{folder / 'gateway.db'}?mode=ro", uri=True)
        self.district = sqlite3.connect(f"file:{folder / 'district.db'}?mode=ro", uri=True)
        self.truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines() if line]
        self.report = json.loads((folder / "report.json").read_text())
        self.faults = []
        self.found = {}

    def fault(self, text):
        self.faults.append(text)

    def of(self, kind):
        return [line for line in self.truth if line["kind"] == kind]

    def stored(self):
        """Stored strokes by (pen, page, the pen's own pen-down): each piece checked against its packed ink."""
        strokes = defaultdict(lambda: [0, 0])
        runs = defaultdict(set)
        query = "select pen, section, owner, note, page, down_ms, pen_ms, piece, dots, sum, packed from ink"
        for pen, *page, down_ms, pen_ms, piece, dots, total, packed in self.box.execute(query):
            try:
                rows = [row for stroke in unpack(packed) for row in stroke]
            except (ValueError, IndexError, zlib.error) as error:
                self.fault(f"ink of {pen} at {down_ms} cannot be unpacked: {error}")
                continue
            if len(rows) != dots or ink_sum(rows) != total:
                self.fault(f"ink of {pen} at {down_ms}: dots or sum differ from its packed dots")
            run = runs[pen, tuple(page), down_ms]
            if piece in run:
                self.fault(f"ink of {pen} at {down_ms}: piece {piece} stands twice")
            run.add(piece)
            known = strokes[pen, tuple(page), pen_ms]
            known[0] += dots
            known[1] = (known[1] + total) & 0xFFFFFFFF
        for (pen, _, down_ms), pieces in runs.items():
            if pieces != set(range(len(pieces))):
                self.fault(f"ink of {pen} at {down_ms}: pieces {sorted(pieces)} are not a whole run")
        return strokes

    def ink(self):
        """Every dot of truth is stored once, in a pen, or inside a loss that nothing has healed."""
        stored = self.stored()
        losses = defaultdict(list)
        for pen, from_ms, to_ms in self.box.execute("select pen, from_ms, to_ms from loss where healed_by is null"):
            losses[pen].append((from_ms - SLACK_MS, to_ms + SLACK_MS))
        written = Counter()
        by_pen, by_page = defaultdict(Counter), defaultdict(Counter)
        true = set()
        for line in self.of("stroke"):
            key = (line["pen"], tuple(line["page"]), line["down_ms"])
            if key in true:
                self.fault(f"truth has two strokes of {line['pen']} at {line['down_ms']}")
            true.add(key)
            dots, total = stored.get(key, (0, 0))
            self.stroke(line, dots, total, losses[line["pen"]], written)
            for books in (by_pen[line["pen"]], by_page["/".join(map(str, line["page"]))]):
                books.update(written_dots=line["dots"], stored_dots=dots, strokes=1)
        for pen, _, down_ms in stored.keys() - true:
            self.fault(f"ink of {pen} at {down_ms} was never written")
        for line in self.of("dropped"):
            if not any(a <= line["at_ms"] <= b for a, b in losses[line["pen"]]):
                self.fault(f"{line['events']} events of {line['pen']} dropped at {line['at_ms']} are in no loss row")
        self.found |= {
            "dots_written": written["dots"],
            "dots_stored": written["stored"],
            "dots_in_pens": written["in_pens"],
            "dots_in_losses": written["in_losses"],
            "dots_lost_unexplained": written["unexplained"],
            "strokes_written": len(true),
            "strokes_stored": len(stored),
            "by_pen": {k: dict(v) for k, v in by_pen.items()},
            "by_page": {k: dict(v) for k, v in by_page.items()},
        }

    def stroke(self, line, dots, total, losses, written):
        """One true stroke against what is stored of it."""
        written["dots"] += line["dots"]
        written["stored"] += dots
        missing = line["dots"] - dots
        if missing == 0 and total != line["sum"]:
            self.fault(f"stroke of {line['pen']} at {line['down_ms']}: all dots are there, their sum differs")
        if missing < 0:
            self.fault(f"stroke of {line['pen']} at {line['down_ms']}: {-missing} dots too many")
        elif missing and line["how"] == "memory":
            written["in_pens"] += missing
        elif missing and any(a <= line["up_ms"] and b >= line["down_ms"] for a, b in losses):
            written["in_losses"] += missing
        elif missing:
            written["unexplained"] += missing
            self.fault(f"stroke of {line['pen']} at {line['down_ms']}: {missing} dots are nowhere")

    def answers(self):
        """What was written against what was graded."""
        newest = {}
        query = "select lesson, field, pupil, rev, state, value from grade order by rev"
        for lesson, field, pupil, _, state, value in self.box.execute(query):
            newest[lesson, field, pupil] = (state, value)
        pupils = {(lesson, seat): pupil for lesson, seat, pupil in self.box.execute("select * from lesson_seat")}
        count = Counter()
        for line in self.of("answer"):
            pupil = pupils.get((line["lesson"], line["seat"]))
            state, value = newest.get((line["lesson"], line["field"], pupil), (None, None))
            count["expected"] += 1
            if state == "answered":
                count["right" if value == line["wrote"] else "wrong"] += 1
            elif state == "blank":
                count["right" if line["wrote"] is None else "wrong"] += 1
            elif state == "unsure":
                count["unsure"] += 1
        self.found |= {f"answers_{name}": count[name] for name in ("expected", "right", "wrong", "unsure")}

    def results(self):
        """Each grade is in one envelope, each envelope in the ledger, each newest grade once in the district."""
        grades = {}
        rows = self.box.execute("select id, rev, lesson, field, pupil, state, value, points from grade order by rev")
        for code, rev, *content in rows:
            grades[code, rev] = content
        newest = dict(grades.keys())
        sent, receipts = Counter(), 0
        ledger = {
            (bytes(epoch), eseq): (bytes(digest), n, pos)
            for epoch, eseq, digest, n, pos in self.district.execute("select epoch, eseq, digest, n, pos from ledger")
        }
        query = "select epoch, eseq, n, payload, digest, state, pos from envelope"
        for epoch, eseq, n, payload, digest, state, _ in self.box.execute(query):
            receipts += state == "receipted"
            self.envelope(bytes(epoch), eseq, n, bytes(payload), bytes(digest), state, ledger, sent)
        for key in ledger:
            self.fault(f"the district has an envelope {key[0].hex()}/{key[1]} that the box never sealed")
        for key in grades.keys() | sent.keys():
            if sent[key] != (key in grades):
                self.fault(f"grade {key[0]} revision {key[1]} stands in {sent[key]} envelopes")
        district = self.district_results(grades, newest)
        waiting = self.box.execute("select count(*) from envelope where state = 'waiting'").fetchone()[0]
        fresh = self.box.execute("select count(*) from fresh").fetchone()[0]
        self.found |= {
            "results_made": len(newest),
            "results_in_district": len(district),
            "receipts": receipts,
            "outbox_left": waiting + fresh,
        }

    def district_results(self, grades, newest):
        """The district's results, each the newest grade of the box; by id, their revisions."""
        district = {}
        for code, rev, body in self.district.execute("select id, rev, body from result"):
            if code in district:
                self.fault(f"result {code} stands twice in the district")
            district[code] = rev
            told = json.loads(body)
            said = [told[k] for k in ("lesson", "field", "pupil", "state", "value", "points")]
            if grades.get((code, rev)) != said:
                self.fault(f"result {code} in the district differs from the box's grade")
        for code in newest.keys() ^ district.keys():
            self.fault(f"result {code} is on one side only")
        for code in newest.keys() & district.keys():
            if newest[code] != district[code]:
                self.fault(f"result {code}: box has revision {newest[code]}, district {district[code]}")
        return district

    def envelope(self, epoch, eseq, n, payload, digest, state, ledger, sent):
        """One envelope: whole, receipted, and the same in the ledger."""
        name = f"envelope {epoch.hex()}/{eseq}"
        if hashlib.sha256(payload).digest()[:16] != digest:
            self.fault(f"{name}: its payload does not fit its digest")
        try:
            rows = [json.loads(line) for line in zlib.decompress(payload[21:]).decode().split("\n")]
        except (zlib.error, ValueError) as error:
            self.fault(f"{name} cannot be read: {error}")
            return
        sent.update((row["id"], row["rev"]) for row in rows)
        if len(rows) != n:
            self.fault(f"{name}: {len(rows)} rows where {n} are told")
        there = ledger.pop((epoch, eseq), None)
        if (there is not None) != (state == "receipted"):
            self.fault(f"{name} is {state} at the box; in the district's ledger: {there is not None}")
        elif there is not None and there[:2] != (digest, n):
            self.fault(f"{name} differs from the district's ledger")

    def tables(self):
        """The rows as they were when the report was made."""
        sides = {"gateway": self.box, "district": self.district}
        self.found["tables"] = {f"{side}.{name}": table_digest(sides[side], name) for name, side in TABLES.items()}

    def compare(self):
        """Our figures against the report's own."""
        for name, value in self.found.items():
            if self.report.get(name) != value:
                self.fault(f"{name}: the report says {short(self.report.get(name))}, the files say {short(value)}")
        if self.report.get("duplicates_in_district") != 0:
            self.fault(f"duplicates_in_district: {self.report.get('duplicates_in_district')}")


def short(value):
    text = json.dumps(value)
    return text if len(text) < 120 else text[:117] + "..."


def main(folder):
    """Count, compare, say what differs. Returns the exit code."""
    count = Recount(Path(folder))
    count.ink()
    count.answers()
    count.results()
    count.tables()
    count.compare()
    for line in count.faults:
        print(line)
    print(json.dumps({"agrees": not count.faults, **{k: v for k, v in count.found.items() if isinstance(v, int)}}))
    return 1 if count.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
