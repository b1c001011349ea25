"""The paho door against a real broker: nats-server, MQTT 3.1.1."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from sync.broker import Broker, Connect
from sync.errors import BrokerUnreachable
from sync.mqtt import Endpoint, MqttBroker, box_endpoint, connect, connector, district_endpoint
from sync.topics import BoxTopics
from tests.contracts.broker_contract import BrokerContract, Client
from tests.sync.nats_server import NatsServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


class PahoMaker:
    """Makes clients by paho."""

    def __init__(self, port: int, *, five: bool = False) -> None:
        self.port, self.five = port, five
        self.keeps_sessions = not five

    def connector(
        self,
        client_id: str,
        *,
        will: tuple[str, bytes] | None = None,
        manual_ack: bool = False,
        keep_session: bool = False,
    ) -> Connect:
        return connector(
            Endpoint(
                host="127.0.0.1",
                port=self.port,
                protocol="5" if self.five else "3.1.1",
                client_id=client_id,
                will=will,
                manual_ack=manual_ack,
                keep_session=keep_session,
            )
        )

    def kill(self, broker: Broker) -> None:
        assert isinstance(broker, MqttBroker)
        line = broker._client.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def maker(server: NatsServer) -> PahoMaker:
    return PahoMaker(server.port)


class TestPahoOverNats(BrokerContract):
    """The contract, over a real broker."""


async def test_no_thread_is_named_after_the_box(maker: PahoMaker) -> None:
    client = await Client.of(maker.connector("secret-box"))
    assert not [thread.name for thread in threading.enumerate() if "secret" in thread.name or "paho" in thread.name]
    await client.broker.close()


async def test_where_nobody_listens_is_an_error_that_names_the_place() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(BrokerUnreachable, match=str(port)):
            await connect(box_endpoint(f"127.0.0.1:{port}", "3.1.1", BoxTopics("d", "s", "b")), lambda: None)


async def test_something_that_is_no_mqtt_is_unreachable_and_not_a_crash() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def talk() -> None:
            line, _ = listening.accept()
            with line, contextlib.suppress(OSError):
                line.settimeout(10)
                line.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 20)
                while line.recv(4096):
                    pass

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(BrokerUnreachable):
            await connect(box_endpoint(f"127.0.0.1:{port}", "3.1.1", BoxTopics("d", "s", "b")), lambda: None)
        thread.join(10)


def test_a_box_comes_with_its_opaque_id_and_a_last_will() -> None:
    endpoint = box_endpoint("broker.example:1883", "5", BoxTopics("d1", "s1", "b1"))
    assert (endpoint.host, endpoint.port, endpoint.client_id) == ("broker.example", 1883, "b1")
    assert endpoint.will == ("inkgate/v1/d1/s1/b1/health", b'{"state":"offline"}')


@pytest.mark.parametrize("address", ["", "broker", "broker:", ":1883", "broker:0", "broker:65536", "broker:x"])
def test_an_address_without_host_and_port_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        district_endpoint(address, "5", "d1")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3\.1\.1 or 5"):
        district_endpoint("broker:1883", "4", "d1")
