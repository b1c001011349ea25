"""H4 without the detours: whole packets by slicing, ink straight to its subscriber, everything else bumble's way.

A classroom sends 5,000 notifications a second; bumble spends 60 of its 70 µs on each in layers that have nothing to
say about it. What is not a complete notification of a subscribed characteristic, or a plain advertising report while
somebody scans, goes through bumble untouched and in order.
"""

import logging
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from bumble import core, hci
from bumble.host import Host

logger = logging.getLogger(__name__)

Sink: TypeAlias = Callable[[bytes], object]
"""Takes the value of one notification."""

AdvertSink: TypeAlias = Callable[[int, int, bytes, bytes, int], object]
"""Takes event type, address type, address (6 bytes, little-endian), data and rssi in dBm of one advertising report."""

_ACL: Final = 2
_EVENT: Final = 4
_SMALLEST_HEADER: Final = 3
_ACL_HEADER: Final = 5
_SMALLEST_NOTIFICATION: Final = 12
_HANDLE_VALUE_NOTIFICATION: Final = 0x1B
_LE_META: Final = 0x3E
_ADVERTISING_REPORT: Final = 0x02
_SMALLEST_REPORT: Final = 15


class PacketSink(Protocol):
    """Takes whole HCI packets, the type byte first."""

    def on_packet(self, packet: bytes) -> None:
        """Take one packet."""


class QuietHost(Host):  # type: ignore[misc]  # bumble carries no types here
    """bumble's Host less the debug text that it builds of every packet with the log off."""

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send one packet to the controller."""
        if self.hci_sink:
            self.hci_sink.on_packet(bytes(packet))

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Take one packet from the controller; only data and events concern a central."""
        if isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, hci.HCI_Event):
            self.on_hci_event_packet(packet)


def sink_key(connection_handle: int, attribute_handle: int) -> int:
    """The key of `H4Parser.sinks`: one characteristic on one link."""
    return connection_handle << 16 | attribute_handle


class H4Parser:
    """Takes the place of bumble's PacketParser.

    Attributes:
        sinks: Subscribers by `sink_key`; an entry is removed when its link goes, because handles are used again.
        on_advert: Takes legacy advertising reports while somebody scans; None sends them through bumble.
        on_out_of_step: Called when the stream makes no sense, instead of raising. A serial dongle that served another
            program goes on sending until its reset; after that nothing which follows can be trusted.
        chunks: How many pieces of the stream came in: a sign of life.
    """

    def __init__(self, sink: PacketSink | None, sinks: dict[int, Sink]) -> None:
        self.sink = sink
        self.sinks = sinks
        self.on_advert: AdvertSink | None = None
        self.on_out_of_step: Callable[[], object] | None = None
        self.chunks = 0
        self._rest = b""

    def set_packet_sink(self, sink: PacketSink) -> None:
        """Where whole packets go; bumble calls it."""
        self.sink = sink

    def reset(self) -> None:
        """Forget a half packet."""
        self._rest = b""

    def feed_data(self, data: bytes) -> None:  # noqa: C901, PLR0912  one loop without calls: the hottest of the house
        """Take the next bytes of the stream, however cut.

        Raises:
            bumble.core.InvalidPacketError: The stream is out of step and nobody asked to be told by `on_out_of_step`.
                What is left of this piece is dropped either way.
        """
        self.chunks += 1
        if self._rest:
            data = self._rest + data
        at, end, sinks = 0, len(data), self.sinks
        while end - at >= _SMALLEST_HEADER:
            kind = data[at]
            if kind == _ACL:
                if end - at < _ACL_HEADER:
                    break
                stop = at + _ACL_HEADER + (data[at + 3] | data[at + 4] << 8)
            elif kind == _EVENT:
                stop = at + _SMALLEST_HEADER + data[at + 2]
            else:
                self._rest = b""
                if self.on_out_of_step is not None:
                    self.on_out_of_step()
                    return
                raise core.InvalidPacketError(f"H4 packet type {kind}: out of step")
            if stop > end:
                break
            if kind == _ACL:
                # One whole Handle Value Notification on the ATT channel: first (or only) fragment of its L2CAP
                # frame (packet boundary flag not 0b01), channel 4, and the frame ends where the packet ends.
                if (
                    stop - at >= _SMALLEST_NOTIFICATION
                    and data[at + 9] == _HANDLE_VALUE_NOTIFICATION
                    and data[at + 7] == 4  # noqa: PLR2004  the ATT channel
                    and not data[at + 8]
                    and data[at + 2] & 0x30 != 0x10  # noqa: PLR2004  a continuation
                    and (data[at + 5] | data[at + 6] << 8) == stop - at - 9
                ):
                    link = data[at + 1] | (data[at + 2] & 15) << 8
                    if sink := sinks.get(link << 16 | data[at + 10] | data[at + 11] << 8):
                        sink(data[at + 12 : stop])
                        at = stop
                        continue
            elif self.on_advert is not None and self._took_advert(data, at, stop):
                at = stop
                continue
            if self.sink is not None:
                try:
                    self.sink.on_packet(data[at:stop])
                except Exception:  # bumble stumbles over answers to questions taken back; the stream must go on
                    logger.exception("a packet was not understood")
            at = stop
        self._rest = data[at:]

    def _took_advert(self, data: bytes, at: int, stop: int) -> bool:
        """Whether this event was one legacy advertising report and is delivered."""
        if (
            data[at + 1] != _LE_META
            or stop - at < _SMALLEST_REPORT
            or data[at + 3] != _ADVERTISING_REPORT
            or data[at + 4] != 1
            or data[at + 13] != stop - at - _SMALLEST_REPORT
            or self.on_advert is None
        ):
            return False
        rssi = data[stop - 1]
        self.on_advert(
            data[at + 5], data[at + 6], data[at + 7 : at + 13], data[at + 14 : stop - 1], rssi - ((rssi & 128) << 1)
        )
        return True
