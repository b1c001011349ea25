"""A controller as real ones behave: bumble's, with what it gets wrong put right (ble-split traps 3, 4, 6 and 7)."""

import asyncio
from typing import Any, Final

from bumble import hci, ll
from bumble.controller import Controller
from bumble.host import Host

from devices.virtual.air import SUPERVISION_TIMEOUT, Air

UNKNOWN_CONNECTION: Final = 0x02
LIMIT_REACHED: Final = 0x09
ALREADY_CONNECTED: Final = 0x0B
COMMAND_DISALLOWED: Final = 0x0C
POWERED_OFF: Final = 0x15
ENDED_BY_LOCAL_HOST: Final = 0x16

_ADVERTISING_UNIT_MS: Final = 0.625
_DATA_LENGTH_BYTES: Final = 251


class Radio(Controller):  # type: ignore[misc]  # bumble is seen as Any
    """A controller on an `Air`."""

    def __init__(self, name: str, air: Air, *, public_address: str | None = None) -> None:
        super().__init__(name, link=air, public_address=public_address)
        self.in_range = True
        self.le_scan_enable: bool = False
        self.pending_le_connection: Any = None
        # bumble's 27 bytes would cut each notification into fragments.
        self.le_acl_data_packet_length = self.acl_data_packet_length = _DATA_LENGTH_BYTES
        self.supported_max_tx_octets = self.supported_max_rx_octets = _DATA_LENGTH_BYTES
        self.suggested_max_tx_octets = _DATA_LENGTH_BYTES
        # Announced by bumble and not implemented: a host that believes it stalls (google/bumble#841).
        self.le_features &= ~(
            hci.LeFeatureMask.LL_PRIVACY
            | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
            | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
        )

    def on_hci_packet(self, packet: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Take a packet of the host, without building the debug text of each (a third of bumble's cost)."""
        if isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, hci.HCI_Command):
            self.on_hci_command_packet(packet)

    def send_hci_packet(self, packet: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Hand a packet to the host, a turn later."""
        if self.hci_sink:
            asyncio.get_running_loop().call_soon(self.hci_sink.on_packet, bytes(packet))

    def on_hci_disconnect_command(self, command: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Hang up: our own host is told 0x16, the peer the reason; a handle not known is refused."""
        connection = self.find_connection_by_handle(command.connection_handle)
        if connection is None:
            self._send_hci_command_status(UNKNOWN_CONNECTION, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        connection.send_ll_control_pdu(ll.TerminateInd(command.reason))
        self.on_le_disconnected(connection, ENDED_BY_LOCAL_HOST)

    def on_hci_le_set_advertising_parameters_command(self, command: Any) -> Any:  # noqa: ANN401  # a bumble packet
        """Take the interval in its units of 0.625 ms, where bumble takes them for milliseconds."""
        done = super().on_hci_le_set_advertising_parameters_command(command)
        self.le_legacy_advertiser.advertising_interval_min *= _ADVERTISING_UNIT_MS
        return done

    def on_hci_reset_command(self, command: Any) -> Any:  # noqa: ANN401  # a bumble packet
        """Reset in earnest: end links, scan, pending connect and adverts."""
        self.drop_links()
        self.le_legacy_advertiser.stop()
        return super().on_hci_reset_command(command)

    def drop_links(self) -> int:
        """End every link as silence does: peers see a timeout, our own host hears nothing; gives how many."""
        self.le_scan_enable = False
        self.pending_le_connection = None
        gone = list(self.le_connections.values())
        self.le_connections.clear()
        for mine in gone:
            peer = self.link.find_le_controller(mine.peer_address)
            theirs = peer.le_connections.get(mine.self_address) if peer else None
            if theirs:
                peer.on_le_disconnected(theirs, SUPERVISION_TIMEOUT)
        return len(gone)


class QuietHost(Host):  # type: ignore[misc]  # bumble is seen as Any
    """bumble's Host less the debug text it builds of every packet."""

    def send_hci_packet(self, packet: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Hand a packet to the controller."""
        if self.hci_sink:
            self.hci_sink.on_packet(bytes(packet))

    def on_hci_packet(self, packet: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Take a packet of the controller."""
        if isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, hci.HCI_Event):
            self.on_hci_event_packet(packet)

    def on_command_processed(self, event: Any) -> None:  # noqa: ANN401  # a bumble packet
        """Take a command's answer, unless who asked has given up, for which bumble raises in the middle of the loop."""
        if self.pending_response is None or not self.pending_response.done():
            super().on_command_processed(event)
