"""The files of deploy/district, as they are but for ports and folders: TLS, names by certificate, topics by name."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.broker import REASON_NOT_AUTHORIZED, Acknowledged, Delivery, Gone
from sync.errors import BrokerUnreachable, NotAuthorized
from sync.mqtt import Endpoint, box_endpoint, connect, connector, district_endpoint
from sync.tls import tls_context
from sync.topics import BoxTopics
from tests.contracts.broker_contract import Client
from tests.sync import mosquitto
from tests.sync.delivering import balanced, empty, proven, publishing, receiving
from tests.sync.deployed import Cluster, certificates, changed
from tests.sync.rig import TOPICS, until
from tests.sync.samples import Box, box_at, result

pytestmark = [pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(180)]

OTHER = BoxTopics("d1", "s1", "box-2")


class Secured(mosquitto.Mosquitto):
    """Mosquitto by deploy/district/mosquitto.conf."""

    def __init__(self, folder: Path, secured: Path) -> None:
        super().__init__(folder)
        self._secured = secured

    def configure(self) -> str:
        """As it is deployed."""
        access = self.folder / "mosquitto.acl"
        access.write_text(changed("mosquitto.acl", {"district-1": "d1"}), encoding="utf-8")
        changes = {
            "listener 8883": f"user root\nlistener {self.port} 127.0.0.1",
            "/etc/inkgate/mosquitto.acl": str(access),
            "/etc/inkgate": str(self._secured),
            "/var/lib/mosquitto/": f"{self.folder}/",
        }
        return changed("mosquitto.conf", changes)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("tls") / "made", "box-1", "box-2", "stolen", revoked=("stolen",))


@pytest.fixture(scope="module")
def server(secured: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    if mosquitto.find() is None:
        pytest.skip("mosquitto is missing: apt-get install mosquitto")
    server = Secured(tmp_path_factory.mktemp("secured"), secured)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["3.1.1", "5"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_at(tmp_path / "box.db") as box:
        yield box


def tls(secured: Path, name: str) -> ssl.SSLContext:
    made = tls_context(
        ca_file=str(secured / "ca.crt"), cert_file=str(secured / f"{name}.crt"), key_file=str(secured / f"{name}.key")
    )
    assert made is not None
    return made


def as_box(address: str, protocol: str, secured: Path, name: str = "box-1", topics: BoxTopics = TOPICS) -> Endpoint:
    return box_endpoint(address, protocol, topics, client_id=name, tls=tls(secured, name))


def as_district(address: str, protocol: str, secured: Path) -> Endpoint:
    return district_endpoint(address, protocol, "d1", tls=tls(secured, "district"))


async def test_results_and_receipts_and_proofs_cross_over_tls(
    server: Secured, secured: Path, box: Box, tmp_path: Path, protocol: str
) -> None:
    to_district = connector(as_district(server.address, protocol, secured))
    async with (
        receiving(to_district, tmp_path, shared=protocol == "5"),
        publishing(connector(as_box(server.address, protocol, secured)), box),
    ):
        for start in range(0, 5_000, 500):
            box.put(*(result(n) for n in range(start, start + 500)))
        await empty(box)
        await proven(box)
    balanced(box, tmp_path)


async def test_a_box_says_and_hears_nothing_under_anothers_name(server: Secured, secured: Path) -> None:
    district = await Client.of(connector(as_district(server.address, "5", secured)))
    await district.broker.subscribe("inkgate/v1/d1/+/+/up")
    spy = await Client.of(connector(as_box(server.address, "5", secured)))
    await spy.broker.subscribe(OTHER.down, TOPICS.down, "#")
    spy.broker.publish(OTHER.up, b"under another name")
    await spy.until(lambda: bool(spy.of_kind(Acknowledged) or spy.of_kind(Gone)))
    assert [event.reason for event in spy.of_kind(Acknowledged)] in ([], [REASON_NOT_AUTHORIZED])
    own = await Client.of(connector(as_box(server.address, "5", secured)))
    await own.broker.subscribe(OTHER.down, TOPICS.down, TOPICS.proof, "#")
    own.broker.publish(TOPICS.up, b"under its own name")
    await district.until(lambda: bool(district.of_kind(Delivery)))
    for topic in (OTHER.down, TOPICS.down, TOPICS.proof):
        district.broker.publish(topic, topic.encode())
    await own.until(lambda: {TOPICS.down, TOPICS.proof} <= {event.topic for event in own.of_kind(Delivery)})
    assert {event.topic for event in own.of_kind(Delivery)} <= {TOPICS.down, TOPICS.proof, TOPICS.ledger}
    assert [event.payload for event in district.of_kind(Delivery)] == [b"under its own name"]
    for client in (district, spy, own):
        await client.broker.close()


async def test_who_has_no_certificate_a_revoked_one_or_another_authority_is_not_let_in(
    server: Secured, secured: Path, tmp_path: Path, protocol: str
) -> None:
    strangers = certificates(tmp_path / "strangers", "box-1")
    bare = tls_context(ca_file=str(secured / "ca.crt"))
    for context in (None, bare, tls(secured, "stolen"), tls(strangers, "box-1")):
        endpoint = box_endpoint(server.address, protocol, TOPICS, tls=context)
        with pytest.raises((BrokerUnreachable, NotAuthorized)):
            await connect(endpoint, lambda: None)


async def test_a_broker_under_another_name_than_in_its_certificate_is_not_believed(
    server: Secured, secured: Path
) -> None:
    endpoint = as_box(f"127.0.0.2:{server.port}", "5", secured)
    with pytest.raises(BrokerUnreachable):
        await connect(endpoint, lambda: None)


@pytest.mark.parametrize("missing", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_is_missing_or_no_certificate_is_named(secured: Path, tmp_path: Path, missing: str) -> None:
    good = {"ca_file": secured / "ca.crt", "cert_file": secured / "box-1.crt", "key_file": secured / "box-1.key"}
    (tmp_path / "damaged").write_text("no certificate", encoding="utf-8")
    for bad in (tmp_path / "none", tmp_path / "damaged"):
        files = {name: str(path) for name, path in (good | {missing: bad}).items()}
        with pytest.raises(ValueError, match=bad.name):
            tls_context(**files)


@pytest.mark.parametrize("alone", [True, False], ids=["one node", "three nodes"])
async def test_nats_by_the_deployed_files_keeps_boxes_apart_and_delivers(
    secured: Path, box: Box, tmp_path: Path, *, alone: bool
) -> None:
    cluster = Cluster(tmp_path / "cluster", secured=secured, alone=alone)
    cluster.start(*([0] if alone else []))
    try:
        to_district = connector(as_district(cluster.address, "3.1.1", secured))
        to_box = connector(as_box(cluster.address, "3.1.1", secured))
        async with receiving(to_district, tmp_path) as receiver, publishing(to_box, box) as publisher:
            await until(lambda: receiver.counts.connections > 0, pause_s=0.05)
            await until(lambda: publisher.status().state == "online", pause_s=0.05)
            box.put(*(result(n) for n in range(1_000)))
            await empty(box)
            await proven(box)
        balanced(box, tmp_path)
        with pytest.raises((BrokerUnreachable, NotAuthorized)):
            await _subscribe(as_box(cluster.address, "3.1.1", secured), OTHER.down)
        with pytest.raises((BrokerUnreachable, NotAuthorized)):
            await connect(as_box(cluster.address, "3.1.1", secured, "box-2", OTHER), lambda: None)
    finally:
        cluster.kill()


async def test_a_box_is_let_in_and_shut_out_by_its_entry_without_a_restart_of_nats(
    secured: Path, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path / "cluster", secured=secured, alone=True)
    cluster.start(0)
    try:
        first, second = (as_box(cluster.address, "3.1.1", secured, name) for name in ("box-1", "box-2"))
        await _until_let_in(first)
        with pytest.raises((BrokerUnreachable, NotAuthorized)):
            await connect(second, lambda: None)
        cluster.let_in(0, "box-2")
        await _until_let_in(second)
        with pytest.raises((BrokerUnreachable, NotAuthorized)):
            await connect(first, lambda: None)
    finally:
        cluster.kill()


async def _until_let_in(endpoint: Endpoint) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                broker = await connect(endpoint, lambda: None)
            except (BrokerUnreachable, NotAuthorized):
                await asyncio.sleep(0.05)
            else:
                await broker.close()
                return


async def _subscribe(endpoint: Endpoint, topic: str) -> None:
    broker = await connect(endpoint, lambda: None)
    try:
        async with asyncio.timeout(10):
            await broker.subscribe(topic)
    finally:
        await broker.close()
