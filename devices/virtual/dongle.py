"""A virtual BLE dongle: central only, with places, and a host at the end of a socket.

One host at a time; the newest wins. When the host is gone, or takes nothing, the dongle stops acknowledging on the air:
pens hold what they have, and links of a dead host end by supervision timeout. A `Beam` is the short way of a pen's
notifications: link, subscription and MTU are bumble's, but three layers of it on the pen's side are not gone through
for each dot, which is what lets a room of 48 pens run on a sixth of a core.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

from bumble import hci, ll

from devices.virtual.air import DEFAULT_SUPERVISION_S, Air
from devices.virtual.radio import ALREADY_CONNECTED, COMMAND_DISALLOWED, LIMIT_REACHED, UNKNOWN_CONNECTION, Radio

DEFAULT_PLACES: Final = 12
_RSSI_DBM: Final = -50
_ACTIVE_SCAN: Final = 1

# H4 type, handle and flags, ACL length, L2CAP length, channel, ATT opcode, attribute handle.
_NOTIFICATION: Final = struct.Struct("<BHHHHBH")
_H4_ACL, _FIRST_FRAGMENT, _ATT_CHANNEL, _ATT_NOTIFICATION = 2, 0x2000, 4, 0x1B
_ATT_HEADER_BYTES, _L2CAP_HEADER_BYTES = 3, 4


class Port(Protocol):
    """One host's end of the dongle."""

    def write(self, packet: bytes) -> None:
        """Send one H4 packet."""

    def send(self, packet: bytes, beam: "Beam", *, events: int, dots: int) -> None:
        """Send one H4 packet and remember what of a pen is in it until the host has read it."""

    def abort(self) -> None:
        """Throw the host off."""


class Beam:
    """From one pen straight to the host of the dongle that holds its link; dies with the link."""

    def __init__(self, dongle: "Dongle", handle: int, attribute: int, *, unread: Callable[[int, int], None]) -> None:
        self._dongle, self._handle, self._attribute = dongle, handle, attribute
        self._unread = unread
        self.is_cut = False
        self.events = self.dots = 0
        """What the host has not read yet, as far as seen."""

    @property
    def acknowledges(self) -> bool:
        """Whether what is sent now is taken."""
        return not self.is_cut and self._dongle.acknowledges

    def send(self, value: bytes, *, events: int = 0, dots: int = 0) -> None:
        """Send one notification on a beam that acknowledges; `events` and `dots` say what would be lost with it."""
        port = self._dongle.port
        if port is None:
            return
        size = len(value) + _ATT_HEADER_BYTES
        head = _NOTIFICATION.pack(
            _H4_ACL,
            self._handle | _FIRST_FRAGMENT,
            size + _L2CAP_HEADER_BYTES,
            size,
            _ATT_CHANNEL,
            _ATT_NOTIFICATION,
            self._attribute,
        )
        port.send(head + value, self, events=events, dots=dots)

    def lost_in_socket(self) -> None:
        """The host died with notifications unread, as far as seen: tell the pen how much that is at most."""
        events, dots, self.events, self.dots = self.events, self.dots, 0, 0
        self._unread(events, dots)


class Dongle(Radio):
    """A BLE adapter with a limited number of places."""

    def __init__(
        self,
        name: str,
        air: Air,
        *,
        public_address: str,
        places: int = DEFAULT_PLACES,
        supervision_s: float = DEFAULT_SUPERVISION_S,
    ) -> None:
        super().__init__(name, air, public_address=public_address)
        air.settle(self.public_address, self)
        air.listeners.append(self)
        self.places, self.supervision_s = places, supervision_s
        self.port: Port | None = None
        self.congested = False
        self._supervision: asyncio.TimerHandle | None = None
        self._beams: dict[int, Beam] = {}

    def attach(self, port: Port) -> None:
        """A host came; an older one is thrown off."""
        if self.port is not None:
            older = self.port
            self.detach(older)
            older.abort()
        self.port, self.congested = port, False

    def detach(self, port: Port) -> None:
        """A host went: stop listening, and let its links die of silence."""
        if port is not self.port:
            return
        self.port = None
        self.le_scan_enable, self.pending_le_connection = False, None
        self._await_silence()

    def close(self) -> None:
        """Take the dongle off the air for good."""
        if self.port is not None:
            port, self.port = self.port, None
            port.abort()
        self.drop_links()
        self.link.listeners.remove(self)
        self.link.leave(self)

    def drop_links(self) -> int:
        """End every link and the wait for their silence; gives how many."""
        if self._supervision is not None:
            self._supervision.cancel()
            self._supervision = None
        for handle in list(self._beams):
            self._cut(handle)
        return super().drop_links()

    def on_le_disconnected(self, connection: Any, reason: int) -> None:  # noqa: ANN401  # a bumble connection
        """End one link at once: its handle may be another pen's a moment later."""
        self._cut(connection.handle)
        super().on_le_disconnected(connection, reason)

    def beam(self, pen_address: Any, attribute: int, *, unread: Callable[[int, int], None]) -> Beam | None:  # noqa: ANN401  # a bumble address
        """The short way for a pen that is linked here; None if it is not. `unread(events, dots)` tells of losses."""
        connection = self.le_connections.get(pen_address)
        if connection is None:
            return None
        self._cut(connection.handle)
        beam = self._beams[connection.handle] = Beam(self, connection.handle, attribute, unread=unread)
        return beam

    @property
    def acknowledges(self) -> bool:
        """False where nobody takes data from this dongle: it stops acknowledging on the air."""
        return self.port is not None and not self.congested

    @property
    def listening(self) -> bool:
        """Whether it scans or wants to connect."""
        return self.le_scan_enable or self.pending_le_connection is not None

    def send_hci_packet(self, packet: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Write a packet to the host, if there is one."""
        if self.port is not None:
            self.port.write(bytes(packet))

    def hear(self, packet: Any, sender: Any) -> None:  # noqa: ANN401  # a bumble packet and controller
        """Report an advert, and its scan response where that was asked for; connect if it is the one waited for."""
        if not sender.in_range:
            return
        if self.le_scan_enable:
            kinds = hci.HCI_LE_Advertising_Report_Event.EventType
            self._report(kinds.ADV_IND, packet.advertiser_address, packet.data)
            response = sender.le_legacy_advertiser.scan_response_data
            if self.le_scan_type == _ACTIVE_SCAN and response:
                self._report(kinds.SCAN_RSP, packet.advertiser_address, response)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == packet.advertiser_address:
            self._take(sender, pending)

    def send_advertising_pdu(self, packet: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Deliver a connect at once: in a later turn the pen could be taken, and the link open on our side only."""
        if isinstance(packet, ll.ConnectInd):
            pen = self.link.find_le_controller(packet.advertiser_address)
            pen.on_ll_advertising_pdu(packet)

    def on_hci_le_create_connection_command(self, command: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Wait for a pen to connect, unless there is no place left or a link to it exists."""
        if len(self.le_connections) >= self.places:
            self._send_hci_command_status(LIMIT_REACHED, command.op_code)
        elif command.peer_address in self.le_connections:
            self._send_hci_command_status(ALREADY_CONNECTED, command.op_code)
        else:
            super().on_hci_le_create_connection_command(command)

    def on_hci_le_create_connection_cancel_command(self, _command: Any) -> Any:  # noqa: ANN401  # a bumble packet
        """Give up waiting; bumble's own does nothing, and no later connect would work."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode(COMMAND_DISALLOWED))
        asyncio.get_running_loop().call_soon(self._failed, UNKNOWN_CONNECTION, pending.peer_address)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def _cut(self, handle: int) -> None:
        beam = self._beams.pop(handle, None)
        if beam is not None:
            beam.is_cut = True

    def _await_silence(self) -> None:
        if self._supervision is not None:
            self._supervision.cancel()
        self._supervision = asyncio.get_running_loop().call_later(self.supervision_s, self.drop_links)

    def _report(self, kind: int, address: Any, data: bytes) -> None:  # noqa: ANN401  # a bumble address
        event = hci.HCI_LE_Advertising_Report_Event
        report = event.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=_RSSI_DBM
        )
        self.send_hci_packet(event([report]))

    def _take(self, pen: Any, command: Any) -> None:  # noqa: ANN401  # a bumble controller and packet
        if len(self.le_connections) >= self.places:
            self.pending_le_connection = None
            self._failed(LIMIT_REACHED, command.peer_address)
        elif pen.le_legacy_advertiser.enabled:  # the pen must agree that it is connected
            self.create_le_connection(command.peer_address)

    def _failed(self, status: int, peer: Any) -> None:  # noqa: ANN401  # a bumble address
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=status,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=peer.address_type,
                peer_address=peer,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
