"""How the gateway's state looks to commands and pages: one place where links, radios and bindings are put together."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from devices.transport import Connected, Connecting
from gateway import clock
from gateway.answers import Answers
from gateway.screen import Radio
from gateway.strokes import Piece
from recognition.ink import unpack
from recognition.pages import PageAddress

if TYPE_CHECKING:
    from gateway.app import App

_LOW_DISK_PERCENT: Final = 5
_WRITING_MS: Final = 1_000


class Views:
    """Read-only looks at a running app."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self.seats_by_pen: dict[str, int] = {}

    def pen_of(self, seat: int) -> str | None:
        """The pen at a seat now."""
        return next((pen for pen, where in self.seats_by_pen.items() if where == seat), None)

    def radio_of(self, pen: str) -> Radio:
        """Why a pen is or is not linked."""
        linking = self._app.linking
        state = linking.links.states.get(pen)
        link = linking.radios.links.get(pen)
        battery = state.battery_percent if state is not None else None
        charging = state.charging if state is not None else False
        word, adapter, code = "down", None, "pen.not_heard"
        detail: dict[str, int | float | str] = {}
        if isinstance(link, Connected):
            adapter = link.adapter
            word, code = ("live", "ok") if state is not None and state.ready else ("connecting", "radio.connecting")
            if state is not None and state.password is not None:
                word, code = "down", "pen.password_needed"
            elif linking.links.is_low(pen) and code == "ok":
                code, detail = "pen.battery_low", {"percent": battery or 0}
        elif isinstance(link, Connecting):
            word, adapter, code = "connecting", link.adapter, "radio.connecting"
        elif state is not None and state.power_off is not None:
            code = "pen.battery_empty" if state.power_off == "low_battery" else "pen.power_off"
        elif link is not None:
            code, detail = link.reason, dict(link.detail)
        return Radio(word, code, detail, adapter, linking.signal_dbm(pen), battery, charging)

    def pens(self) -> dict[str, Any]:
        """Every pen that is bound, linked or heard."""
        linking = self._app.linking
        rows = []
        for mac in sorted({*self.seats_by_pen, *linking.adopted, *linking.radios.links, *linking.radios.heard}):
            radio = self.radio_of(mac)
            state = linking.links.states.get(mac)
            rows.append(
                {
                    "mac": mac,
                    "seat": self.seats_by_pen.get(mac),
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
        conflicts = [{"pens": list(c.pens), "seats": list(c.seats)} for c in self._app.card.settled.conflicts]
        return {"pens": rows, "conflicts": conflicts, "join_open_s": linking.join_left_s()}

    def status(self) -> dict[str, Any]:
        """How the gateway does, for `status` and the demo."""
        app = self._app
        now_ms = app.now_ms()
        answers = app.desk.answers
        together = app.figures.together
        return {
            "lesson": answers.lesson if answers is not None else None,
            "linked": app.linking.links.ready_count,
            "writing": sum(
                1 for s in app.linking.links.states.values() if s.last_ink_ms and now_ms - s.last_ink_ms < _WRITING_MS
            ),
            "bound": len(self.seats_by_pen),
            "dots": app.linking.links.dots,
            "committed_seq": app.seq - 1,
            "graded": len(app.desk.grades),
            "jobs_waiting": app.desk.reader.pending,
            "outbox": app.uplink.depth,
            "durable": app.durable,
            "clock_trusted": clock.is_trusted(),
            "disk_free_percent": app.disk_free_percent(),
            "page": app.page_url,
            "reader_pid": app.desk.reader.pid,
            "reader_restarts": max(0, app.desk.reader.restarts),
            "linked_together_s": {
                str(count): round(together.longest_s(count, now_ms), 1)
                for count in range(1, len(self.seats_by_pen) + 1)
            },
            "figures": app.figures.summary(),
            "warnings": self.warnings(),
        }

    def warnings(self) -> list[dict[str, str]]:
        """What a person should know."""
        app, out = self._app, []
        if not app.durable:
            out.append(
                _warning("store.not_durable", "Ink cannot be written to the disk; it waits in memory.", "Free space.")
            )
        if app.disk_free_percent() < _LOW_DISK_PERCENT:
            out.append(_warning("disk.low", "The disk is almost full.", "Free space, or move box.folder."))
        for name, state in app.linking.radios.adapters_state().items():
            if state != "up":
                out.append(_warning("radio.lost", f"The adapter {name} does not answer.", "Plug it in again."))
        return out

    def box_for_pages(self) -> dict[str, Any]:
        """What the pages' status says of the box."""
        app = self._app
        join_s = app.linking.join_left_s()
        return {
            "join_until_ms": app.now_ms() + round(join_s * 1000) if join_s else None,
            "clock_set": clock.is_trusted(),
            "durable": app.durable,
            "pens_linked": app.linking.links.ready_count,
            "outbox_depth": app.uplink.depth,
            "outbox_oldest_s": app.uplink.oldest_s,
            "disk_free_percent": app.disk_free_percent(),
        }

    def show_stored(self, answers: Answers) -> None:
        """After a restart: the lesson's ink out of the store onto the pages."""
        query = "select * from ink where down_ms >= ? order by down_ms, piece"
        for row in self._app.store.reader.execute(query, (answers.started_ms,)):
            seat = self._app.desk.bindings.seat_of(row["pen"], row["down_ms"])
            if seat is None or seat not in answers.seats:
                continue
            rows = [tuple(r) for r in np.vstack(unpack(row["packed"])).tolist()]
            page = PageAddress(row["section"], row["owner"], row["note"], row["page"])
            piece = Piece(row["pen"], page, row["down_ms"], row["pen_ms"], bool(row["time_known"]), row["tip"])
            piece.rows = rows
            self._app.screen.take_stored(answers, seat, piece)


def _warning(code: str, sentence: str, cure: str) -> dict[str, str]:
    return {"code": code, "sentence": sentence, "cure": cure}
