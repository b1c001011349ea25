"""Which pen is at which seat now, and why it is or is not linked: one place for pages and commands alike."""

from devices.transport import Connected, Connecting
from gateway.linking import Linking
from gateway.screen import Radio


class Seats:
    """Bindings of this moment over the links of this moment."""

    def __init__(self, linking: Linking) -> None:
        self._linking = linking
        self.by_pen: dict[str, int] = {}

    def pen_of(self, seat: int) -> str | None:
        """The pen at a seat now."""
        return next((pen for pen, where in self.by_pen.items() if where == seat), None)

    def radio_of(self, pen: str) -> Radio:
        """Why a pen is or is not linked."""
        linking = self._linking
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
        elif linking.refusing():
            code = "radio.disk_full"
        elif link is not None:
            code, detail = link.reason, dict(link.detail)
        return Radio(word, code, detail, adapter, linking.signal_dbm(pen), battery, charging)
