"""MQTT by paho, driven by the event loop: the only door to paho.

paho's own thread is not used (it is named after the client id); only the blocking connect runs in a worker, and what it
calls back crosses into the loop by `call_soon_threadsafe`. One client object a connection; paho never reconnects, so
nothing is sent twice by two owners. No payload is ever logged.
"""

import asyncio
import dataclasses
import functools
import itertools
import logging
import ssl
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from sync.broker import REASON_NOT_AUTHORIZED, Acknowledged, BrokerEvent, Connect, Delivery, Gone
from sync.errors import BrokerUnreachable, NotAuthorized
from sync.messages import HEALTH_OFFLINE
from sync.topics import BoxTopics, checked_id
from sync.window import MOST

logger = logging.getLogger(__name__)

Version: TypeAlias = Literal["3.1.1", "5"]

_CONNECT_S: Final = 10.0
_SOCKET_S: Final = 5.0
_KEEPALIVE_S: Final = 10
_TICK_S: Final = 1.0
_RECEIVE_MAXIMUM: Final = 500
_LET_IN_NOT: Final = frozenset({0x86, REASON_NOT_AUTHORIZED, 0x8A})
"""Bad user name or password, not authorized, banned."""
_MOST_PORT: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a broker is and as whom to come."""

    host: str
    port: int
    protocol: Version
    client_id: str
    will: tuple[str, bytes] | None = None
    """Topic and payload that the broker sends, retained, when this connection dies."""
    manual_ack: bool = False
    keep_session: bool = False
    """3.1.1 only: the broker keeps messages while we are away."""
    tls: ssl.SSLContext | None = None
    others: tuple[tuple[str, int], ...] = ()
    """Where the same broker is, too: further nodes of a cluster."""


def box_endpoint(
    address: str, protocol: str, topics: BoxTopics, *, client_id: str = "", tls: ssl.SSLContext | None = None
) -> Endpoint:
    """How a box comes to the broker at HOST:PORT: its id is its client id, its last will says that it is away.

    Args:
        address: HOST:PORT, or several with commas between: nodes of one cluster, tried in turn.
        protocol: 3.1.1 or 5.
        topics: The box's.
        client_id: Another one than the box's id, for a box that shares it.
        tls: See `sync.tls`.

    Raises:
        ValueError: An address is not HOST:PORT, or the protocol is neither 3.1.1 nor 5.
    """
    (host, port), *others = _places(address)
    return Endpoint(
        host=host,
        port=port,
        others=tuple(others),
        protocol=_version(protocol),
        client_id=client_id or topics.box,
        will=(topics.health, HEALTH_OFFLINE),
        tls=tls,
    )


def district_endpoint(
    address: str, protocol: str, district: str, *, receiver: str = "1", tls: ssl.SSLContext | None = None
) -> Endpoint:
    """How a receiver comes to the broker at HOST:PORT, or to one of several with commas between.

    `receiver` tells receivers of one district apart.

    Raises:
        BadId: An id cannot be part of a client id.
        ValueError: As for a box.
    """
    (host, port), *others = _places(address)
    client_id = f"{checked_id('district id', district)}-district-{checked_id('receiver id', receiver)}"
    version = _version(protocol)
    return Endpoint(
        host=host,
        port=port,
        others=tuple(others),
        protocol=version,
        client_id=client_id,
        manual_ack=True,
        keep_session=version == "3.1.1",
        tls=tls,
    )


def connector(endpoint: Endpoint) -> Connect:
    """What makes connections to this endpoint, for `Publisher` and `Receiver`.

    Where it is in several places, each call tries the next one, and different clients begin at different ones: the
    caller's waits apply to all of them together.
    """
    places = ((endpoint.host, endpoint.port), *endpoint.others)
    turns = itertools.count(zlib.crc32(endpoint.client_id.encode()))

    async def come(on_event: Callable[[], None]) -> "MqttBroker":
        host, port = places[next(turns) % len(places)]
        return await connect(dataclasses.replace(endpoint, host=host, port=port), on_event)

    return come


async def connect(endpoint: Endpoint, on_event: Callable[[], None]) -> "MqttBroker":
    """Connect and wait for the broker's yes.

    Raises:
        BrokerUnreachable: Nobody answers, or no MQTT.
        NotAuthorized: The broker does not let this client in.
    """
    broker = MqttBroker(endpoint, on_event)
    try:
        await broker.open()
    except BaseException:
        await broker.close()
        raise
    return broker


class MqttBroker:
    """One connection by paho; a `Broker`. Made by `connect`."""

    def __init__(self, endpoint: Endpoint, on_event: Callable[[], None]) -> None:
        self._endpoint, self._on_event = endpoint, on_event
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._events: list[BrokerEvent] = []
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._subscribing: dict[int, asyncio.Future[None]] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._over = False
        self._client = self._make_client()

    async def open(self) -> None:
        """Connect; `connect` calls this once."""
        endpoint = self._endpoint
        if endpoint.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.SessionExpiryInterval = 0
            if endpoint.manual_ack:
                properties.ReceiveMaximum = _RECEIVE_MAXIMUM
            dial = functools.partial(self._client.connect, clean_start=True, properties=properties)
        else:
            dial = functools.partial(self._client.connect)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.to_thread(dial, endpoint.host, endpoint.port, keepalive=_KEEPALIVE_S)
                await self._connected
        except (OSError, ValueError) as error:
            if isinstance(error, NotAuthorized):
                raise
            where = f"{endpoint.host}:{endpoint.port}"
            words = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise BrokerUnreachable(f"no broker at {where}: {words}") from error
        self._tick()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """As `Broker.publish`."""
        return self._client.publish(topic, payload, qos=1, retain=retain).mid

    async def subscribe(self, *topics: str) -> None:
        """As `Broker.subscribe`."""
        _, ticket = self._client.subscribe([(topic, 1) for topic in topics])
        if ticket is None or self._over:
            raise BrokerUnreachable("the connection went")
        agreed: asyncio.Future[None] = self._loop.create_future()
        self._subscribing[ticket] = agreed
        try:
            async with asyncio.timeout(_CONNECT_S):
                await agreed
        except TimeoutError as error:
            raise BrokerUnreachable("the broker does not answer a subscription") from error

    def take(self) -> list[BrokerEvent]:
        """As `Broker.take`."""
        taken, self._events = self._events, []
        return taken

    def acknowledge(self, ticket: int) -> None:
        """As `Broker.acknowledge`."""
        if ticket:
            self._client.ack(ticket, 1)

    async def close(self) -> None:
        """As `Broker.close`."""
        self._finish(Gone(0, "closed"))
        self._client.disconnect()
        for _ in range(MOST):
            if self._client.socket() is None or not self._client.want_write():
                break
            self._client.loop_write()
        if (left := self._client.socket()) is not None:
            self._unwatch(left)
            left.close()
        self._events.clear()

    def _make_client(self) -> paho.Client:
        endpoint = self._endpoint
        five = endpoint.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=endpoint.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            clean_session=None if five else not endpoint.keep_session,
            manual_ack=endpoint.manual_ack,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _SOCKET_S
        if endpoint.tls is not None:
            client.tls_set_context(endpoint.tls)
        client.max_inflight_messages_set(MOST)
        if endpoint.will is not None:
            client.will_set(*endpoint.will, qos=1, retain=True)
        client.on_socket_open = lambda *a: self._in_loop(self._watch, a[2])
        client.on_socket_close = lambda *a: self._in_loop(self._unwatch, a[2])
        client.on_socket_register_write = lambda *a: self._in_loop(self._watch_writing, a[2])
        client.on_socket_unregister_write = lambda *a: self._in_loop(self._unwatch_writing, a[2])
        client.on_connect = lambda *a: self._answered(a[3])
        client.on_disconnect = lambda *a: self._finish(Gone(_code(a[3]), str(a[3])))
        client.on_subscribe = lambda *a: self._subscribed(a[2], a[3])
        client.on_publish = lambda *a: self._push(Acknowledged(a[2], _code(a[3])))
        client.on_message = lambda *a: self._arrived(a[2])
        return client

    def _in_loop(self, work: Callable[..., None], *arguments: object) -> None:
        """Now if this is the loop's thread, else soon: paho calls from the worker that dials, too."""
        if threading.get_ident() == self._thread:
            work(*arguments)
        else:
            self._loop.call_soon_threadsafe(work, *arguments)

    def _watch(self, socket: Any) -> None:  # noqa: ANN401  paho's socket-like: plain, TLS or WebSocket
        if self._over:
            socket.close()
        elif socket.fileno() >= 0:
            self._loop.add_reader(socket.fileno(), self._work, self._read_all)

    def _unwatch(self, socket: Any) -> None:  # noqa: ANN401  as above
        if socket.fileno() >= 0:
            self._loop.remove_reader(socket.fileno())
            self._loop.remove_writer(socket.fileno())

    def _watch_writing(self, socket: Any) -> None:  # noqa: ANN401  as above
        if socket.fileno() >= 0 and not self._over:
            self._loop.add_writer(socket.fileno(), self._work, self._client.loop_write)

    def _unwatch_writing(self, socket: Any) -> None:  # noqa: ANN401  as above
        if socket.fileno() >= 0:
            self._loop.remove_writer(socket.fileno())

    def _read_all(self) -> None:
        """Read what is there; what TLS has decrypted already makes the socket ready no second time."""
        self._client.loop_read()
        while isinstance(socket := self._client.socket(), ssl.SSLSocket) and socket.pending():
            self._client.loop_read()

    def _work(self, part: Callable[[], object]) -> None:
        try:
            part()
        except Exception as error:  # noqa: BLE001  paho raises anything on bytes that are no MQTT: the link is over
            logger.warning("What the broker sent is no MQTT (%s)", type(error).__name__)
            if (socket := self._client.socket()) is not None:
                self._unwatch(socket)
            self._finish(Gone(0, "not MQTT"))

    def _tick(self) -> None:
        if not self._over:
            self._work(self._client.loop_misc)
            self._ticking = self._loop.call_later(_TICK_S, self._tick)

    def _answered(self, reason: Any) -> None:  # noqa: ANN401  paho's ReasonCode is untyped
        if self._connected.done():
            return
        if not reason.is_failure:
            self._connected.set_result(None)
        elif _code(reason) in _LET_IN_NOT:
            self._connected.set_exception(NotAuthorized(f"the broker does not let this client in: {reason}"))
        else:
            self._connected.set_exception(BrokerUnreachable(f"the broker refuses: {reason}"))

    def _subscribed(self, ticket: int, reasons: list[Any]) -> None:
        agreed = self._subscribing.pop(ticket, None)
        if agreed is None or agreed.done():
            return
        if any(_code(reason) in _LET_IN_NOT for reason in reasons):
            agreed.set_exception(NotAuthorized("the broker does not allow a subscription"))
        elif any(reason.is_failure for reason in reasons):
            # Under 3.1.1 there is one no for all: a cluster that looks for a leader says it, too.
            agreed.set_exception(BrokerUnreachable("the broker refuses a subscription"))
        else:
            agreed.set_result(None)

    def _arrived(self, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._push(Delivery(topic, bytes(message.payload), message.mid if message.qos else 0, message.retain))

    def _push(self, event: BrokerEvent) -> None:
        self._events.append(event)
        self._on_event()

    def _finish(self, gone: Gone) -> None:
        """The connection is over, by whoever's will: tell once, and let nobody wait for ever."""
        if self._over:
            return
        self._over = True
        if self._ticking is not None:
            self._ticking.cancel()
        for waiting in (self._connected, *self._subscribing.values()):
            if not waiting.done():
                waiting.set_exception(BrokerUnreachable(gone.words))
                waiting.exception()
        self._subscribing.clear()
        self._push(gone)


def _code(reason: Any) -> int:  # noqa: ANN401  paho's ReasonCode is untyped
    return int(getattr(reason, "value", 0))


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= _MOST_PORT:
        raise ValueError(f"a broker's address is HOST:PORT, not `{address}`")
    return host.strip("[]"), int(port)


def _places(address: str) -> list[tuple[str, int]]:
    return [_split(part.strip()) for part in address.split(",")]


def _version(protocol: str) -> Version:
    if protocol == "5":
        return "5"
    if protocol == "3.1.1":
        return "3.1.1"
    raise ValueError(f"the MQTT protocol is 3.1.1 or 5, not `{protocol}`")
