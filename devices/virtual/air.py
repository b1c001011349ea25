"""The air of a virtual room: who is where, who hears whom, and what gets through.

Stands on bumble's LocalLink and puts right what hurts with 48 pens (ble-split traps 1 and 2): its look-ups walk all
controllers for each packet, its adverts go to everybody, and it raises when a peer is gone.
"""

import asyncio
from typing import Any, Final, Protocol

from bumble import hci
from bumble.link import LocalLink

SUPERVISION_TIMEOUT: Final = 0x08
"""HCI error: the peer was not heard for longer than the link allows."""

DEFAULT_SUPERVISION_S: Final = 0.42


class Station(Protocol):
    """A controller on the air, as far as the air must know it."""

    random_address: Any
    le_connections: dict[Any, Any]
    in_range: bool

    def on_ll_control_pdu(self, sender_address: object, packet: object) -> None:
        """A control packet of a link arrived."""

    def on_link_acl_data(self, sender_address: object, transport: object, data: bytes) -> None:
        """Data of a link arrived."""

    def on_le_disconnected(self, connection: object, reason: int) -> None:
        """A link ended; tells the station's own host."""


class Listener(Protocol):
    """A station that may hear adverts."""

    @property
    def listening(self) -> bool:
        """Whether it scans or wants to connect."""

    def hear(self, packet: object, sender: Any) -> None:  # noqa: ANN401  # a bumble controller
        """An advert arrived."""


class Air(LocalLink):  # type: ignore[misc]  # bumble is seen as Any
    """Stations by address, adverts to those who listen, and nothing across to who is out of range."""

    def __init__(self) -> None:
        super().__init__()
        self._by_address: dict[bytes, Station] = {}
        self.listeners: list[Listener] = []

    def settle(self, address: hci.Address, station: Station) -> None:
        """Let a station be found by this address."""
        self._by_address[bytes(address)] = station

    def leave(self, station: Station) -> None:
        """Forget a station that was switched off."""
        self._by_address = {address: other for address, other in self._by_address.items() if other is not station}
        self.controllers.discard(station)

    def on_address_changed(self, controller: Station) -> None:
        """A controller took a random address; bumble calls this."""
        self.settle(controller.random_address, controller)

    def find_le_controller(self, address: hci.Address) -> Station | None:
        """The station of an address."""
        return self._by_address.get(bytes(address))

    def send_acl_data(
        self, sender_controller: Station, destination_address: hci.Address, transport: object, data: bytes
    ) -> None:
        """Carry data along a link that both ends know, if both are in range."""
        there = self.find_le_controller(destination_address)
        here = sender_controller.le_connections.get(destination_address)
        if there is None or here is None or not (there.in_range and sender_controller.in_range):
            return
        if here.self_address in there.le_connections:
            asyncio.get_running_loop().call_soon(_deliver, there, here.self_address, transport, data)

    def send_advertising_pdu(self, sender_controller: Station, packet: object) -> None:
        """Let those hear it who listen."""
        if not sender_controller.in_range:
            return
        loop = asyncio.get_running_loop()
        for listener in self.listeners:
            if listener.listening:
                loop.call_soon(listener.hear, packet, sender_controller)

    def send_ll_control_pdu(self, sender_address: hci.Address, receiver_address: hci.Address, packet: object) -> None:
        """Carry a control packet; to a peer that is gone or out of range it is lost, as on the air."""
        there = self.find_le_controller(receiver_address)
        here = self.find_le_controller(sender_address)
        if there is None or here is None or not (there.in_range and here.in_range):
            return
        if sender_address in there.le_connections:
            asyncio.get_running_loop().call_soon(_control, there, sender_address, packet)

    def part(self, station: Station, *, reason: int = SUPERVISION_TIMEOUT) -> int:
        """End every link of a station, both ends told the reason; gives how many."""
        links = list(station.le_connections.values())
        for mine in links:
            peer = self.find_le_controller(mine.peer_address)
            theirs = peer.le_connections.get(mine.self_address) if peer else None
            station.on_le_disconnected(mine, reason)
            if peer and theirs:
                peer.on_le_disconnected(theirs, reason)
        return len(links)


def _deliver(there: Station, sender_address: hci.Address, transport: object, data: bytes) -> None:
    # The link may have ended in the turn between sending and arriving.
    if sender_address in there.le_connections:
        there.on_link_acl_data(sender_address, transport, data)


def _control(there: Station, sender_address: hci.Address, packet: object) -> None:
    if sender_address in there.le_connections:
        there.on_ll_control_pdu(sender_address, packet)
