"""How a running gateway looks to commands: pens, status, warnings."""

from typing import Any, Final

from gateway import clock
from gateway.box import Box

_LOW_DISK_PERCENT: Final = 5
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
        "outbox": box.uplink.depth,
        "durable": box.beat.durable,
        "clock_trusted": clock.is_trusted(),
        "disk_free_percent": box.disk_free_percent(),
        "page": box.page_url,
        "reader_pid": box.desk.reader.pid,
        "reader_restarts": max(0, box.desk.reader.restarts),
        "linked_together_s": {
            str(count): round(together.longest_s(count, now_ms), 1) for count in range(1, len(box.seats.by_pen) + 1)
        },
        "figures": box.figures.summary(),
        "warnings": warnings(box),
    }


def warnings(box: Box) -> list[dict[str, str]]:
    """What a person should know."""
    out = []
    if not box.beat.durable:
        out.append(
            _warning("store.not_durable", "Ink cannot be written to the disk; it waits in memory.", "Free space.")
        )
    if box.disk_free_percent() < _LOW_DISK_PERCENT:
        out.append(_warning("disk.low", "The disk is almost full.", "Free space, or move box.folder."))
    answers = box.desk.answers
    strange = [page for page in (answers.unknown_paper if answers is not None else ()) if not box.card.knows(page)]
    if strange:
        where = ", ".join("/".join(map(str, page)) for page in strange[:3])
        sentence = f"Ink comes on paper that this lesson's sheet does not know ({where}). It is kept."
        cure = "Stop the lesson and start it with the right sheet: `inkgate lesson start --sheet FILE --back MINUTES`."
        out.append(_warning("ink.unknown_paper", sentence, cure))
    for name, state in box.linking.radios.adapters_state().items():
        if state != "up":
            out.append(_warning("radio.lost", f"The adapter {name} does not answer.", "Plug it in again."))
    return out


def _warning(code: str, sentence: str, cure: str) -> dict[str, str]:
    return {"code": code, "sentence": sentence, "cure": cure}
