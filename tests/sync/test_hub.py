"""The hub in memory does what a real broker does, so that tests with it say something."""

import pytest

from sync.broker import Broker, Connect, Gone
from tests.contracts.broker_contract import BrokerContract
from tests.fakes.hub import Hub, HubBroker


class _HubMaker:
    def __init__(self) -> None:
        self.hub = Hub()
        self.keeps_sessions = True

    def connector(
        self,
        client_id: str,
        *,
        will: tuple[str, bytes] | None = None,
        manual_ack: bool = False,
        keep_session: bool = False,
    ) -> Connect:
        return self.hub.connector(client_id, will=will, manual_ack=manual_ack, keep_session=keep_session)

    def kill(self, broker: Broker) -> None:
        assert isinstance(broker, HubBroker)
        broker.lose(Gone(0, "cut"))


@pytest.fixture
def maker() -> _HubMaker:
    return _HubMaker()


class TestHub(BrokerContract):
    """The contract, in memory."""
