"""The judge of a chaos run: reads what it left when all has ended, and says where every dot and every result is.

Counts for itself, from files and the documented forms; of the product it uses the unpacking of ink alone. A dot of
truth is stored once, in a pen, or (if it was sent live) inside a loss that nothing healed. What a page was shown must
be stored.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from recognition.ink import unpack
from tests.chaos.watching import Shown, shown

SLACK_MS: Final = 1_500
"""A pen's clock is set over the air: it may be this far from the box's."""

StrokeKey: TypeAlias = tuple[str, tuple[int, ...], int]
"""Pen, page address, pen-down in ms."""


@dataclass(slots=True)
class Verdict:
    """What became of everything."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    in_flight: list[tuple[int, int]] = field(default_factory=list)
    """(when, dots) of each true stroke of which dots lie inside a loss."""

    @property
    def lost(self) -> dict[str, int]:
        """What is gone, or twice, and should not be: all zero where the promise is kept."""
        names = (
            *("dots_lost_unexplained", "drops_unexplained", "dots_doubled", "dots_never_written", "shown_dots_missing"),
            *("results_missing", "results_differ", "results_strange", "results_doubled"),
        )
        return {name: self.counts[name] for name in names}


@dataclass(slots=True)
class Files:
    """Where the evidence is."""

    demo: Path
    """The demo's folder: gateway.db, truth.jsonl, seats of the class."""
    district: Path
    """A SQLite file with the district's `ledger` and `result`."""
    pens: Path
    """pens.jsonl: what the pens' memories held at the end."""
    frames: Path | None = None
    """What a page was shown; None where none looked on."""


def judge(files: Files, *, forgive_shown_ms: tuple[int, int] | None = None) -> Verdict:
    """Judge a run.

    Args:
        files: The evidence.
        forgive_shown_ms: A span whose shown ink may be gone: only an image that was put back takes ink away.
    """
    verdict = Verdict()
    box = sqlite3.connect(f"file:{files.demo / 'gateway.db'}?mode=ro", uri=True)
    district = sqlite3.connect(f"file:{files.district}?mode=ro", uri=True)
    try:
        truth = _lines(files.demo / "truth.jsonl")
        stored = _stored(box)
        _ink(verdict, truth, stored, _losses(box), _in_pens(files.pens))
        if files.frames is not None:
            _shown(verdict, shown(files.frames), _dot_times(box), _seats(box), forgive_shown_ms)
        _results(verdict, box, district)
    finally:
        box.close()
        district.close()
    return verdict


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _stored(box: sqlite3.Connection) -> dict[StrokeKey, list[int]]:
    """Dots and sum of every stored stroke, its pieces joined, by the time that the pen gave it."""
    stored: dict[StrokeKey, list[int]] = defaultdict(lambda: [0, 0])
    query = "select pen, section, owner, note, page, pen_ms, dots, sum from ink"
    for pen, section, owner, note, page, pen_ms, dots, total in box.execute(query):
        known = stored[pen, (section, owner, note, page), pen_ms]
        known[0] += dots
        known[1] = (known[1] + total) & 0xFFFFFFFF
    return stored


def _losses(box: sqlite3.Connection) -> dict[str, list[tuple[int, int]]]:
    """Spans of every pen that nothing healed."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for pen, from_ms, to_ms in box.execute("select pen, from_ms, to_ms from loss where healed_by is null"):
        spans[pen].append((from_ms - SLACK_MS, to_ms + SLACK_MS))
    return spans


def _in_pens(path: Path) -> dict[StrokeKey, int]:
    """Dots that the pens' memories hold, by stroke."""
    held: dict[StrokeKey, int] = {}
    for line in _lines(path):
        held[line["pen"], tuple(line["page"]), line["down_ms"]] = line["dots"]
    return held


def _ink(
    verdict: Verdict,
    truth: Iterable[dict[str, Any]],
    stored: dict[StrokeKey, list[int]],
    losses: dict[str, list[tuple[int, int]]],
    held: dict[StrokeKey, int],
) -> None:
    counts, faults = verdict.counts, verdict.faults
    true: set[StrokeKey] = set()
    for line in truth:
        spans = losses[line["pen"]] if "pen" in line else []
        if line["kind"] == "dropped":
            counts["events_dropped"] += line["events"]
            if not any(a <= line["at_ms"] <= b for a, b in spans):
                counts["drops_unexplained"] += line["events"]
                faults.append(f"{line['events']} events of {line['pen']} at {line['at_ms']} are in no loss")
        elif line["kind"] == "stroke":
            key = (line["pen"], tuple(line["page"]), line["down_ms"])
            true.add(key)
            dots, total = stored.get(key, (0, 0))
            _stroke(verdict, line, (dots, total), spans, held.get(key, 0))
    for key in stored.keys() - true:
        counts["dots_never_written"] += stored[key][0]
        faults.append(f"ink of {key[0]} at {key[2]} was never written")
    counts["strokes_written"] = len(true)
    counts["strokes_stored"] = len(stored)


def _stroke(
    verdict: Verdict, line: dict[str, Any], stored: tuple[int, int], spans: Sequence[tuple[int, int]], held: int
) -> None:
    """One true stroke: how much of it is stored, in the pen, in a loss, nowhere."""
    counts, (dots, total) = verdict.counts, stored
    missing = line["dots"] - dots
    counts["dots_written"] += line["dots"]
    counts["dots_stored"] += dots
    name = f"stroke of {line['pen']} at {line['down_ms']} ({line['how']})"
    if missing < 0:
        counts["dots_doubled"] -= missing
        verdict.faults.append(f"{name}: {-missing} dots too many")
    elif missing == 0:
        if total != line["sum"]:
            counts["dots_lost_unexplained"] += line["dots"]
            verdict.faults.append(f"{name}: all dots are there, and their sum differs")
        counts["dots_stored_and_held"] += held
    elif line["how"] == "memory":
        counts["dots_in_pens"] += min(missing, held)
        if held < missing:
            counts["dots_lost_unexplained"] += missing - held
            verdict.faults.append(f"{name}: {missing - held} dots are neither stored nor in the pen")
    elif any(a <= line["up_ms"] and b >= line["down_ms"] for a, b in spans):
        counts["dots_in_losses"] += missing
        verdict.in_flight.append((line["up_ms"], missing))
    else:
        counts["dots_lost_unexplained"] += missing
        verdict.faults.append(f"{name}: {missing} dots are nowhere")


def _dot_times(box: sqlite3.Connection) -> dict[str, set[int]]:
    """When each stored dot of a pen was made, in ms."""
    times: dict[str, set[int]] = defaultdict(set)
    for pen, down_ms, packed in box.execute("select pen, down_ms, packed from ink"):
        for stroke in unpack(packed):
            times[pen].update((stroke[:, 3] + down_ms).tolist())
    return times


def _seats(box: sqlite3.Connection) -> dict[int, list[str]]:
    """The pens of each seat: a chaos run binds each seat once, by the link card."""
    seats: dict[int, list[str]] = defaultdict(list)
    for seat, pen in box.execute("select seat, pen from binding"):
        seats[seat].append(pen)
    return seats


def _shown(
    verdict: Verdict,
    chunks: Iterable[Shown],
    times: dict[str, set[int]],
    seats: dict[int, list[str]],
    forgiven: tuple[int, int] | None,
) -> None:
    """Every dot that was shown is stored: one of its pen, made in that very millisecond.

    A page is never shown a beat that is not committed, so each chunk's sequence is at or below the last one committed.
    """
    counts = verdict.counts
    for chunk in chunks:
        counts["shown_dots"] += len(chunk.times_ms)
        counts["shown_last_seq"] = max(counts["shown_last_seq"], chunk.seq)
        known: set[int] = set()
        for pen in seats.get(chunk.seat, []):
            known |= times.get(pen, set())
        gone = [at_ms for at_ms in chunk.times_ms if at_ms not in known]
        if forgiven is not None:
            counts["shown_dots_forgiven"] += sum(forgiven[0] <= at_ms <= forgiven[1] for at_ms in gone)
            gone = [at_ms for at_ms in gone if not forgiven[0] <= at_ms <= forgiven[1]]
        if gone:
            counts["shown_dots_missing"] += len(gone)
            verdict.faults.append(
                f"seat {chunk.seat}: {len(gone)} dots from {gone[0]} were shown with seq {chunk.seq} and are not stored"
            )


def _results(verdict: Verdict, box: sqlite3.Connection, district: sqlite3.Connection) -> None:
    """Every result of the box is once in the district, with the same content."""
    counts, faults = verdict.counts, verdict.faults
    made = {code: (rev, bytes(value)) for code, rev, value in box.execute("select id, rev, digest from result")}
    there: dict[str, tuple[int, bytes]] = {}
    for code, rev, value in district.execute("select id, rev, digest from result"):
        if code in there:
            counts["results_doubled"] += 1
            faults.append(f"result {code} is twice in the district")
        there[code] = (rev, bytes(value))
    counts["results_made"], counts["results_in_district"] = len(made), len(there)
    counts["results_missing"] = len(made.keys() - there.keys())
    counts["results_strange"] = len(there.keys() - made.keys())
    differ = [code for code in made.keys() & there.keys() if made[code] != there[code]]
    counts["results_differ"] = len(differ)
    faults += [f"result {code} is not in the district" for code in sorted(made.keys() - there.keys())]
    faults += [f"result {code} is in the district, and the box has none" for code in there.keys() - made.keys()]
    faults += [f"result {c}: box revision {made[c][0]}, district revision {there[c][0]}" for c in sorted(differ)]
    waiting = "select (select count(*) from fresh), (select count(*) from envelope where state = 'waiting')"
    counts["rows_fresh"], counts["envelopes_waiting"] = box.execute(waiting).fetchone()
