"""One Bluetooth controller driven in user space: open, ask, connect, give up, tell whether it is alive, lose it.

Nothing here waits for ever: every request is raced against a time limit and against the loss of the adapter, and a
cancellation that bumble makes up when a link goes becomes a `LinkError`. Knows nothing of bleak.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from bumble import att, core, hci
from bumble.device import ConnectionParametersPreferences, Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore
from bumble.transport import open_transport

from devices.errors import LinkError, RadioFull, RadioLost
from devices.hci_wire import AdvertSink, H4Parser, QuietHost, Sink

T = TypeVar("T")

SUPERVISION_TIMEOUT: Final = 0x08
ENDED_BY_US: Final = 0x16
_FULL: Final = frozenset({0x09, 0x0D})
"""HCI errors for "no place left": Connection Limit Exceeded, Rejected due to Limited Resources."""
_INTERVAL_MS: Final = 15.0
_SUPERVISION_MS: Final = 2000
_GIVE_UP_TRIES: Final = 3
_NO_ADDRESS: Final = "00:00:00:00:00:00"


class NoAnswer(LinkError, TimeoutError):
    """The controller or the pen said nothing in the time given."""


class AttRefused(LinkError):
    """The pen refused an ATT request.

    Attributes:
        code: The ATT error code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the pen refused: ATT error {code:#04x}")
        self.code = code


class _AdapterHost(QuietHost):
    """Says that the transport is lost before bumble ends each link of it, so that everybody hears the right reason."""

    def __init__(self, lost: Callable[[], object]) -> None:
        super().__init__()
        self._lost = lost

    def on_transport_lost(self) -> None:
        """The transport is gone. bumble's own raises where the pending command is already done."""
        self._lost()
        if self.pending_response is not None:
            self.pending_response.cancel()
        self.emit("flush")


class Adapter:
    """A controller behind an HCI transport.

    Attributes:
        name: For people; `spec` is what bumble opens: `serial:PORT,1000000`, `unix:PATH`, `tcp-client:HOST:PORT`.
        gone: Done when the adapter is lost; it never comes back, a new one is opened.
        address: Its public address, or a static one derived from the spec where it has none.
    """

    def __init__(self, name: str, spec: str) -> None:
        self.name = name
        self.spec = spec
        self.address = ""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sinks: dict[int, Sink] = {}
        self.on_lost: list[Callable[[int], object]] = []
        """Called with an HCI reason when the adapter is lost, one for each link."""
        self.parser = H4Parser(None, self.sinks)
        self._adverts: list[AdvertSink] = []
        self._lock = asyncio.Lock()  # a controller makes one connection at a time
        self._expected: hci.Address | None = None
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, limit_s: float = 3.0) -> None:
        """Open the transport and reset the controller.

        Raises:
            RadioLost: It cannot be opened or does not answer.
        """
        try:
            async with asyncio.timeout(limit_s):
                self._transport = await open_transport(self.spec)
        except (OSError, TimeoutError, core.BaseBumbleError) as error:
            raise RadioLost(f"{self.spec} cannot be opened: {error}") from error
        self._plug_in(self._transport)
        try:
            await self.ask(self.device.power_on(), limit_s)
        except LinkError as error:
            await self.close()
            raise RadioLost(f"{self.spec} does not answer as a Bluetooth controller: {error}") from error
        except BaseException:
            await self.close()
            raise
        self.parser.on_out_of_step = self.lose
        public = self.device.public_address.to_string(False)
        self.address = public if public != _NO_ADDRESS else self.device.static_address.to_string(False)

    def _plug_in(self, transport: Any) -> None:  # noqa: ANN401  bumble's transport carries no types
        source = transport.source
        source.terminated.add_done_callback(lambda _: self.lose())
        host = _AdapterHost(self.lose)
        self.parser.on_out_of_step = self.parser.reset
        source.parser = self.parser
        host.set_packet_source(source)
        host.set_packet_sink(transport.sink)
        config = DeviceConfiguration(
            name="inkgate", gap_service_enabled=False, address=hci.Address(_static_address(self.spec))
        )
        self.device = Device(config=config, host=host)
        self.device.keystore = MemoryKeyStore()  # bumble's own would write into the home directory
        self.device.on("connection", self._on_connection)
        self.device.on("advertisement", self._on_advertisement)

    # -- scanning

    async def start_scanning(self, sink: AdvertSink, *, active: bool) -> None:
        """Listen; each report goes to `sink`."""
        if not self._adverts:
            await self.ask(self.device.start_scanning(active=active, filter_duplicates=False), 3.0)
        self._adverts.append(sink)
        self.parser.on_advert = self._heard

    async def stop_scanning(self, sink: AdvertSink) -> None:
        """Listen no longer; asked twice it does nothing."""
        if sink not in self._adverts:
            return
        self._adverts.remove(sink)
        if not self._adverts and not self.gone.done():
            self.parser.on_advert = None
            await self.ask(self.device.stop_scanning(), 3.0)

    def _heard(self, kind: int, address_type: int, address: bytes, data: bytes, rssi: int) -> None:
        for sink in self._adverts:
            sink(kind, address_type, address, data, rssi)

    def _on_advertisement(self, advertisement: Any) -> None:  # noqa: ANN401  bumble carries no types
        """Extended reports come this way; to those who listen they are the same."""
        address = advertisement.address
        self._heard(0, int(address.address_type), bytes(address), advertisement.data_bytes, advertisement.rssi)

    # -- links

    async def connect(self, peer: hci.Address, limit_s: float) -> Any:  # noqa: ANN401  bumble's connection
        """Make a link; one at a time, others wait inside the limit.

        Raises:
            NoAnswer: Not in `limit_s`; the controller has been told to stop trying.
            RadioFull, RadioLost, LinkError: As they say.
        """
        try:
            async with asyncio.timeout(limit_s):
                await self._lock.acquire()
        except TimeoutError:
            raise NoAnswer(f"{self.name} was busy for {limit_s} s") from None
        self._expected = peer
        public = self.device.public_address.to_string(False) != _NO_ADDRESS
        own = hci.OwnAddressType.PUBLIC if public else hci.OwnAddressType.RANDOM
        wishes = ConnectionParametersPreferences(
            connection_interval_min=_INTERVAL_MS,
            connection_interval_max=_INTERVAL_MS,
            supervision_timeout=_SUPERVISION_MS,
        )
        task = asyncio.ensure_future(
            self.device.connect(
                peer, own_address_type=own, timeout=None, connection_parameters_preferences={hci.Phy.LE_1M: wishes}
            )
        )
        task.add_done_callback(_heed)
        try:
            return await self.ask(asyncio.shield(task), limit_s)
        except BaseException:
            await self._give_up(task)
            raise
        finally:
            self._expected = None
            task.cancel()
            self._lock.release()

    async def _give_up(self, task: "asyncio.Future[Any]") -> None:
        """Tell the controller, or it refuses every later connection; a link that came meanwhile is ended.

        More than once, because the first word may come before the connect itself is sent.
        """
        for _ in range(_GIVE_UP_TRIES):
            if task.done() or self.gone.done():
                break
            with contextlib.suppress(LinkError):
                cancel = hci.HCI_LE_Create_Connection_Cancel_Command()
                await self.ask(self.device.host.send_command(cancel, response_timeout=1.0), 1.1)
            awaited: set[asyncio.Future[Any]] = {task, self.gone}
            await asyncio.wait(awaited, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not task.cancelled() and task.exception() is None and not self.gone.done():
            await self.drop(task.result())

    def _on_connection(self, connection: Any) -> None:  # noqa: ANN401  bumble's connection
        if connection.peer_address != self._expected:  # it came after we had given up
            self._spawn(self.drop(connection))

    async def drop(self, connection: Any) -> None:  # noqa: ANN401  bumble's connection
        """Hang up; never raises."""
        with contextlib.suppress(LinkError):
            await self.ask(connection.disconnect(), 2.0)

    # -- life and death

    async def alive(self, limit_s: float = 1.0) -> None:
        """Ask the controller for its address; a radio that says nothing at all meanwhile is lost.

        One that still sends is only behind, or we are: no reason to end twelve links.
        """
        heard = self.parser.chunks
        try:
            question = hci.HCI_Read_BD_ADDR_Command()
            await self.ask(self.device.host.send_command(question, response_timeout=limit_s), limit_s + 0.1)
        except LinkError:
            await asyncio.sleep(0)  # let in what waits in the socket
            if self.parser.chunks == heard:
                await self.close()

    def lose(self) -> None:
        """The radio is gone: once, and for everybody."""
        if self.gone.done():
            return
        self.gone.set_result(None)
        self.sinks.clear()
        self._adverts.clear()
        self.parser.on_advert = None
        for lost in list(self.on_lost):
            lost(SUPERVISION_TIMEOUT)

    async def close(self) -> None:
        """End it; may be called twice."""
        self.lose()
        transport, self._transport = self._transport, None
        if transport is not None:
            with contextlib.suppress(OSError, core.BaseBumbleError):
                await transport.close()

    async def ask(self, awaitable: Awaitable[T], limit_s: float) -> T:
        """Await something of bumble's: limited in time, ended by the loss of the adapter.

        Raises:
            NoAnswer, RadioLost, RadioFull, AttRefused, LinkError: As they say.
        """
        task = asyncio.ensure_future(awaitable)
        try:
            awaited: set[asyncio.Future[Any]] = {task, self.gone}
            await asyncio.wait(awaited, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                if self.gone.done():
                    raise RadioLost(f"{self.name} is gone")
                raise NoAnswer(f"{self.name}: no answer in {limit_s} s")
            if task.cancelled():  # bumble's way to say that the link went
                raise RadioLost(f"{self.name} is gone") if self.gone.done() else LinkError("the link went")
            return task.result()
        except att.ATT_Error as error:
            raise AttRefused(int(error.error_code)) from error
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            raise self._told(error) from error
        except TimeoutError as error:
            raise NoAnswer(f"{self.name}: no answer") from error
        finally:
            if not task.done():
                task.cancel()

    def _told(self, error: Exception) -> LinkError:
        if self.gone.done():
            return RadioLost(f"{self.name} is gone")
        if getattr(error, "error_code", None) in _FULL:
            return RadioFull(f"{self.name} has no place left")
        return LinkError(f"{self.name}: {error}")

    def _spawn(self, work: Any) -> None:  # noqa: ANN401  a coroutine of ours
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _heed(task: "asyncio.Future[Any]") -> None:
    """An error of a connection that nobody waits for any more is no error."""
    if not task.cancelled():
        task.exception()


def _static_address(spec: str) -> str:
    """A random static address (two highest bits set) that is the same for the same spec."""
    digest = bytearray(hashlib.sha256(spec.encode()).digest()[:6])
    digest[0] |= 0xC0
    return ":".join(f"{byte:02X}" for byte in digest)
