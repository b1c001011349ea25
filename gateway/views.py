"""How a running gateway looks to commands: pens, status, warnings."""

import os
from typing import Any, Final

from gateway.box import Box
from gateway.dashboard.source import Said
from gateway.guard import DAMAGED, FULL, LOW
from gateway.links import PenState
from gateway.words import say

_WRITING_MS: Final = 1_000


def pens(box: Box) -> dict[str, Any]:
    """Every pen that is bound, linked or heard, and the join window."""
    linking = box.linking
    rows = []
    for mac in sorted({*box.seats.by_pen, *linking.adopted, *linking.radios.links, *linking.radios.heard}):
        radio = box.seats.radio_of(mac)
        state = linking.links.states.get(mac)
        rows.append(
            {
                "mac": mac,
                "seat": box.seats.by_pen.get(mac),
                "state": radio.link,
                "reason": None if radio.code == "ok" else radio.code,
                "detail": dict(radio.detail),
                "adapter": radio.adapter,
                "rssi": radio.signal_dbm,
                "battery": radio.battery_percent,
                "model": state.model if state is not None else None,
                "firmware": state.firmware if state is not None else None,
                "adopted": mac in linking.adopted,
                "memory": _memory(state),
            }
        )
    rows.sort(key=lambda row: (row["seat"] is None, row["seat"] or 0, row["mac"]))
    conflicts = [{"pens": list(c.pens), "seats": list(c.seats)} for c in box.card.settled.conflicts]
    return {"pens": rows, "conflicts": conflicts, "join_open_s": linking.join_left_s()}


def status(box: Box) -> dict[str, Any]:
    """How the gateway does, for `status` and the demo."""
    now_ms = box.now_ms()
    answers = box.desk.answers
    together = box.figures.together
    states = box.linking.links.states.values()
    return {
        "lesson": answers.lesson if answers is not None else None,
        "linked": box.linking.links.ready_count,
        "writing": sum(1 for s in states if s.last_ink_ms and now_ms - s.last_ink_ms < _WRITING_MS),
        "bound": len(box.seats.by_pen),
        "dots": box.linking.links.dots,
        "committed_seq": box.beat.seq - 1,
        "graded": len(box.desk.grades),
        "jobs_waiting": box.desk.reader.pending,
        "grading": not box.desk.is_quiet,
        "outbox": box.uplink.depth,
        "durable": box.beat.durable,
        "pens_with_memory": box.drains.pens_with_memory,
        "strokes_in_pens": box.drains.strokes_in_pens,
        "draining": not box.drains.is_idle,
        "store_set_back": None if box.linking.set_back is None else box.linking.set_back._asdict(),
        "clock_trusted": box.clock.is_set(),
        "disk_free_percent": box.disk_free_percent(),
        "disk": box.guard.disk.level,
        "store": {"pid": os.getpid(), "synchronous": "full", "damaged": box.guard.damaged or None},
        "page": box.page_url,
        "reader_pid": box.desk.reader.pid,
        "reader_restarts": max(0, box.desk.reader.restarts),
        "linked_together_s": {
            str(count): round(together.longest_s(count, now_ms), 1) for count in range(1, len(box.seats.by_pen) + 1)
        },
        "figures": box.figures.summary(),
        "warnings": warnings(box),
    }


def warnings(box: Box) -> list[dict[str, Any]]:
    """What a person should know."""
    out = []
    if not box.beat.durable:
        out.append(
            _warning("store.not_durable", "Ink cannot be written to the disk; it waits in memory.", "Free space.")
        )
    out += _of_disk(box)
    answers = box.desk.answers
    strange = [page for page in (answers.unknown_paper if answers is not None else ()) if not box.card.knows(page)]
    if strange:
        where = ", ".join("/".join(map(str, page)) for page in strange[:3])
        sentence = f"Ink comes on paper that this lesson's sheet does not know ({where}). It is kept."
        cure = "Stop the lesson and start it with the right sheet: `inkgate lesson start --sheet FILE --back MINUTES`."
        out.append(_warning("ink.unknown_paper", sentence, cure, pages=where))
    for name, state in box.linking.radios.adapters_state().items():
        if state != "up":
            out.append(
                _warning("radio.lost", f"The adapter {name} does not answer.", "Plug it in again.", adapter=name)
            )
    if (back := box.linking.set_back) is not None:
        sentence = f"The store lacks the last {back.beats} beats: it is older than the box. What they held is a loss."
        out.append(_warning("store.set_back", sentence, "Look for what else was put back, and why."))
    language = box.settings.box.language
    out += [_warning(code, say(code, language), say(f"{code}.cure", language)) for code in box.uplink.alarms()]
    return out


def _of_disk(box: Box) -> list[dict[str, Any]]:
    """What the disk's level and the store's past have to say."""
    language, guard = box.settings.box.language, box.guard
    said: list[tuple[str, dict[str, Any]]] = []
    if guard.disk.level != "ok":
        params = {"percent": box.disk_free_percent(), **guard.params()}
        said.append((FULL if guard.disk.level == "full" else LOW, params))
    if guard.damaged:
        said.append((DAMAGED, {"name": guard.damaged}))
    return [_warning(code, say(code, language, **p), say(f"{code}.cure", language, **p), **p) for code, p in said]


def for_pages(box: Box) -> list[Said]:
    """The same warnings for the pages, which say by themselves that nothing can be made durable."""
    return [Said(w["code"], w["params"]) for w in warnings(box) if w["code"] != "store.not_durable"]


def _memory(state: PenState | None) -> dict[str, Any] | None:
    """What is known of a pen's memory, as of its last link; None where nothing is."""
    if state is None:
        return None
    return {"strokes": state.memory_strokes, "percent": state.memory_percent, "why": state.memory_why}


def _warning(code: str, sentence: str, cure: str, **params: float | str) -> dict[str, Any]:
    return {"code": code, "sentence": sentence, "cure": cure, "params": params}
