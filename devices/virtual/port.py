"""One host's connection to one dongle: H4 over a Unix socket, as a dongle on a serial line speaks it.

The parser dies with the host, so half a packet of a dead one never meets the next. The port keeps count of what the
host has not read: the kernel says whether its end of the socket is empty, and what is not when the host dies is lost.
"""

import asyncio
import fcntl
import struct
import termios
from typing import Final

from devices.virtual.dongle import Beam, Dongle

_CONGESTED_BYTES: Final = 65_536
_FREE_AGAIN_BYTES: Final = 16_384
_LOOK_S: Final = 0.02
_COMMAND, _ACL = 1, 2
_HEADER_BYTES: Final = 4
_INT: Final = struct.Struct("i")


class HostPort(asyncio.Protocol):
    """H4 in, H4 out, for as long as one host stays."""

    def __init__(self, dongle: Dongle) -> None:
        self._dongle = dongle
        self._received = bytearray()
        self._out: list[bytes] = []
        self._out_ink: list[tuple[Beam, int, int]] = []
        self._unread: set[Beam] = set()
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A host came."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a port needs a stream")
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        transport.set_write_buffer_limits(high=_CONGESTED_BYTES, low=_FREE_AGAIN_BYTES)
        self._dongle.attach(self)

    def data_received(self, data: bytes) -> None:
        """Take the host's bytes, however they are cut."""
        received = self._received
        received += data
        while len(received) >= _HEADER_BYTES:
            kind = received[0]
            if kind == _COMMAND:
                size = 4 + received[3]
            elif kind == _ACL and len(received) > _HEADER_BYTES:
                size = 5 + int.from_bytes(received[3:5], "little")
            elif kind == _ACL:
                return
            else:
                self.abort()  # out of step: a real dongle would hang too
                return
            if len(received) < size:
                return
            packet = bytes(received[:size])
            del received[:size]
            if self._dongle.port is self:
                self._dongle.on_packet(packet)

    def write(self, packet: bytes) -> None:
        """Send one packet, together with all others of this turn."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(packet)

    def send(self, packet: bytes, beam: Beam, *, events: int, dots: int) -> None:
        """Send one notification and count what is in it as unread."""
        self.write(packet)
        if events:
            self._out_ink.append((beam, events, dots))

    def abort(self) -> None:
        """Throw the host off."""
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        """The host is too slow."""
        if self._dongle.port is self:
            self._dongle.congested = True

    def resume_writing(self) -> None:
        """The host has caught up."""
        if self._dongle.port is self:
            self._dongle.congested = False

    def connection_lost(self, exc: Exception | None) -> None:
        """The host went: what it had not read is lost."""
        del exc
        self._transport = None
        if self._look is not None:
            self._look.cancel()
        self._dongle.detach(self)
        self._count_as_unread()
        for beam in self._unread:
            beam.lost_in_socket()
        self._unread.clear()

    def _flush(self) -> None:
        out, self._out = b"".join(self._out), []
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._settle_read()
        self._count_as_unread()
        transport.write(out)
        if self._unread and self._look is None:
            self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._look_again)

    def _look_again(self) -> None:
        """The last notification of a stroke has no next one behind it that would look."""
        self._look = None
        self._settle_read()
        if self._unread and self._transport is not None:
            self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._look_again)

    def _settle_read(self) -> None:
        transport = self._transport
        if not self._unread or transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return
        if self._host_has_read_all():
            for beam in self._unread:
                beam.events = beam.dots = 0
            self._unread.clear()

    def _count_as_unread(self) -> None:
        for beam, events, dots in self._out_ink:
            beam.events += events
            beam.dots += dots
            self._unread.add(beam)
        self._out_ink.clear()

    def _host_has_read_all(self) -> bool:
        """Whether the kernel holds nothing of ours for the host."""
        return not _INT.unpack(fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, bytes(_INT.size)))[0]
