"""What every `Broker` must do; run against the hub in memory and against real brokers alike."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest

from sync.broker import Acknowledged, Broker, BrokerEvent, Connect, Delivery, Gone

E = TypeVar("E", bound=BrokerEvent)

LIMIT_S = 15.0


class Maker(Protocol):
    """Makes clients of the broker under test."""

    @property
    def keeps_sessions(self) -> bool:
        """Whether the broker keeps messages for a client that is away."""

    def connector(
        self,
        client_id: str,
        *,
        will: tuple[str, bytes] | None = None,
        manual_ack: bool = False,
        keep_session: bool = False,
    ) -> Connect:
        """As the product's own connectors."""

    def kill(self, broker: Broker) -> None:
        """Cut the line, without a good-bye."""


class Client:
    """A connection and all that it heard."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.heard: list[BrokerEvent] = []
        self.broker: Broker

    @classmethod
    async def of(cls, connect: Connect) -> "Client":
        """Connect."""
        client = cls()
        client.broker = await connect(client.woken.set)
        return client

    async def until(self, done: Callable[[], bool]) -> None:
        """Listen until it is so, within the limit."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                self.woken.clear()
                self.heard += self.broker.take()
                if done():
                    return
                await self.woken.wait()

    def of_kind(self, kind: type[E]) -> list[E]:
        """What was heard of one kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    def payloads(self) -> list[bytes]:
        """What was delivered, in order."""
        return [event.payload for event in self.of_kind(Delivery)]


class BrokerContract:
    """Give `maker`; every test takes topics of its own."""

    async def test_what_is_published_arrives_in_order_at_whoever_subscribed(self, maker: Maker) -> None:
        box, district = await Client.of(maker.connector("c1-box")), await Client.of(maker.connector("c1-district"))
        await district.broker.subscribe("inkgate/v1/c1/+/+/up")
        sent = [b"%d" % number for number in range(150)]
        for payload in sent:
            box.broker.publish("inkgate/v1/c1/s/b/up", payload)
        box.broker.publish("inkgate/v1/c1/s/b/down", b"not for the district")
        await district.until(lambda: len(district.payloads()) >= len(sent))
        assert district.payloads() == sent
        await box.broker.close()
        await district.broker.close()

    async def test_every_publish_is_acknowledged_with_its_ticket(self, maker: Maker) -> None:
        box = await Client.of(maker.connector("c2-box"))
        tickets = [box.broker.publish("inkgate/v1/c2/s/b/up", b"x") for _ in range(64)]
        await box.until(lambda: len(box.of_kind(Acknowledged)) == 64)
        assert sorted(event.ticket for event in box.of_kind(Acknowledged)) == sorted(tickets)
        assert len(set(tickets)) == 64
        await box.broker.close()

    async def test_a_late_subscriber_gets_what_is_retained_and_is_told_that_it_is_old(self, maker: Maker) -> None:
        district = await Client.of(maker.connector("c3-district"))
        district.broker.publish("inkgate/v1/c3/ledger", b"first", retain=True)
        await district.until(lambda: len(district.of_kind(Acknowledged)) == 1)
        box = await Client.of(maker.connector("c3-box"))
        await box.broker.subscribe("inkgate/v1/c3/ledger")
        await box.until(lambda: len(box.payloads()) == 1)
        district.broker.publish("inkgate/v1/c3/ledger", b"second", retain=True)
        await box.until(lambda: len(box.payloads()) == 2)
        told = [(event.payload, event.retained) for event in box.of_kind(Delivery)]
        assert told == [(b"first", True), (b"second", False)]
        await box.broker.close()
        await district.broker.close()

    async def test_the_last_will_is_told_when_the_line_dies_and_not_after_a_good_bye(self, maker: Maker) -> None:
        watcher = await Client.of(maker.connector("c4-watcher"))
        await watcher.broker.subscribe("inkgate/v1/c4/s/polite/health", "inkgate/v1/c4/s/cut/health")
        polite = await Client.of(maker.connector("c4-a", will=("inkgate/v1/c4/s/polite/health", b"polite")))
        cut = await Client.of(maker.connector("c4-b", will=("inkgate/v1/c4/s/cut/health", b"cut")))
        await polite.broker.close()
        maker.kill(cut.broker)
        await watcher.until(lambda: bool(watcher.payloads()))
        assert watcher.payloads() == [b"cut"]
        await cut.until(lambda: bool(cut.of_kind(Gone)))
        await cut.broker.close()
        await watcher.broker.close()

    async def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(self, maker: Maker) -> None:
        if not maker.keeps_sessions:
            pytest.skip("a district on MQTT 5 keeps no session: the boxes offer again")
        box = await Client.of(maker.connector("c5-box"))
        connect = maker.connector("c5-district", manual_ack=True, keep_session=True)
        district = await Client.of(connect)
        await district.broker.subscribe("inkgate/v1/c5/+/+/up")
        for payload in (b"stored", b"not stored"):
            box.broker.publish("inkgate/v1/c5/s/b/up", payload)
        await district.until(lambda: len(district.payloads()) == 2)
        district.broker.acknowledge(district.of_kind(Delivery)[0].ticket)
        await district.broker.close()
        box.broker.publish("inkgate/v1/c5/s/b/up", b"while away")
        await box.until(lambda: len(box.of_kind(Acknowledged)) == 3)
        again = await Client.of(connect)
        await again.broker.subscribe("inkgate/v1/c5/+/+/up")
        await again.until(lambda: {b"not stored", b"while away"} <= set(again.payloads()))
        assert b"stored" not in again.payloads()
        for event in again.of_kind(Delivery):
            again.broker.acknowledge(event.ticket)
        await again.broker.close()
        await box.broker.close()

    async def test_a_second_client_of_the_same_id_throws_the_first_one_out(self, maker: Maker) -> None:
        one = await Client.of(maker.connector("c6-box"))
        other = await Client.of(maker.connector("c6-box"))
        await one.until(lambda: bool(one.of_kind(Gone)))
        other.broker.publish("inkgate/v1/c6/s/b/up", b"x")
        await other.until(lambda: bool(other.of_kind(Acknowledged)))
        await one.broker.close()
        await other.broker.close()

    async def test_closing_twice_and_working_after_it_is_harmless(self, maker: Maker) -> None:
        box = await Client.of(maker.connector("c7-box", will=("inkgate/v1/c7/s/b/health", b"cut")))
        await box.broker.close()
        await box.broker.close()
        box.broker.publish("inkgate/v1/c7/s/b/up", b"x")
        box.broker.acknowledge(1)
