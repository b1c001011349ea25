"""The district's side can be killed and comes back with what it had."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.chaos.house import Broker, House, Postgres, Trouble

pytestmark = pytest.mark.slow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Postgres]:
    made = Postgres(tmp_path / "postgres", tmp_path / "database.log")
    made.start()
    yield made
    made.stop()


def test_a_database_that_was_killed_has_what_was_committed(database: Postgres) -> None:
    with psycopg.connect(database.url, autocommit=True) as link:
        link.execute("create table kept(n int)")
        link.execute("insert into kept values (7)")
    database.kill()
    assert database.died
    database.start()
    with psycopg.connect(database.url) as link:
        assert link.execute("select n from kept").fetchall() == [(7,)]


def test_a_database_whose_folder_was_closed_above_it_starts_again(database: Postgres, tmp_path: Path) -> None:
    database.kill()
    tmp_path.chmod(0o700)
    database.start()
    assert database.ready()


@pytest.mark.parametrize("kind", ["nats", "mosquitto"])
def test_a_broker_comes_back_on_its_port_also_with_nothing(tmp_path: Path, kind: str) -> None:
    broker = Broker(tmp_path / "broker", tmp_path / "broker.log", kind=kind)
    broker.start()
    broker.kill()
    assert broker.died
    broker.wipe()
    broker.start()
    assert broker.ready()
    broker.stop()
    assert not broker.died


def test_whatever_died_by_itself_is_started_again_and_counted(tmp_path: Path) -> None:
    house = House(tmp_path, broker="nats", database="sqlite", orders={})
    house.broker.start()
    house.broker.kill()
    house.tend()
    assert house.broker.ready()
    assert house.deaths["broker"] == 1
    house.broker.held = True
    house.broker.kill()
    house.tend()
    assert not house.broker.ready()
    house.stop()


def test_a_service_that_does_not_start_is_said_so(tmp_path: Path) -> None:
    class Broken(Broker):
        def command(self) -> list[str]:
            return ["/bin/false"]

    with pytest.raises(Trouble, match="broker did not start"):
        Broken(tmp_path / "broker", tmp_path / "broker.log", kind="nats").start()
