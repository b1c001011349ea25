"""Errands on the store while no gateway runs: the same functions, in a process that holds the store for that moment."""

import base64
from typing import Any

from gateway import roster
from gateway.clock import now_ms
from gateway.errors import Missing, NotRunning
from gateway.identity import enrol, pseudonym_key
from gateway.service import depth_view, lessons
from gateway.settings import Settings
from gateway.store import Store
from sync import outbox


def do_offline(settings: Settings, do: str, **request: Any) -> Any:  # noqa: ANN401  the control socket speaks JSON
    """Do one errand.

    Raises:
        NotRunning: This one needs the gateway.
        StoreBusy: The gateway came meanwhile.
    """
    if do == "roster_import":
        pupils = roster.read_roster(base64.b64decode(request["content"]))
        store = Store(settings.database)
        try:
            key = pseudonym_key(settings.box.folder)
            remove = bool(request.get("remove_missing"))
            merged = store.submit(
                lambda db: roster.merge(db, pupils, key=key, now_ms=now_ms(), remove_missing=remove)
            ).result()
        finally:
            store.close()
        return {
            "pupils": len(pupils),
            "added": merged.added,
            "changed": merged.changed,
            "removed": merged.removed,
            "would_leave_seats": list(merged.would_leave),
        }
    if not settings.database.exists():
        raise Missing(
            f"There is no store at {settings.database} yet; `inkgate run` or `inkgate roster import` makes it."
        )
    store = Store(settings.database)
    try:
        if do == "lesson_list":
            return {"lessons": lessons(store.reader.execute)}
        if do == "sync_status":
            depth = store.submit(outbox.depth).result()
            return {**depth_view(depth, now_ms()), "link": {"state": "not_running"}}
        if do == "sync_retry":
            return {"envelopes": store.submit(lambda db: outbox.readmit(db, why=None)).result()}
        if do == "sync_enrol":
            return {"was_in_doubt": store.submit(enrol).result()}
    finally:
        store.close()
    raise NotRunning("No gateway runs on this box: start it with `inkgate run`.")
