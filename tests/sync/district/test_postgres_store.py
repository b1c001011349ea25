"""The district's store in PostgreSQL: the contract, the same answers as SQLite, and what only a server can do."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.bench.postgres import PostgresServer
from sync.district.postgres_store import PostgresStore
from sync.district.proof import district_side
from sync.district.sqlite_store import SqliteStore
from sync.district.store import Incoming, Taken
from sync.errors import StoreUnavailable
from sync.messages import Row
from tests.contracts.district_contract import DistrictContract, envelope, row

pytestmark = pytest.mark.slow


class PostgresDatabase:
    """As `district_contract.Database`."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server, self.url, self._name = server, url, url.rpartition("/")[2]
        self._stores: list[PostgresStore] = []

    def store(self, mark: Path | None) -> PostgresStore:
        self._stores.append(PostgresStore(self.url, mark))
        return self._stores[-1]

    def stored(self) -> dict[str, tuple[int, str]]:
        with psycopg.connect(self.url) as connection:
            found = connection.execute("select id, rev, body from result").fetchall()
        return {code: (rev, body) for code, rev, body in found}

    @contextmanager
    def refusing(self, words: str) -> Iterator[None]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                _sql(
                    "create function refuse() returns trigger language plpgsql as"
                    f" $$ begin raise exception '{words}'; end $$"
                )
            )
            connection.execute("create trigger refusing before insert on result for each row execute function refuse()")
            yield
            connection.execute("drop trigger refusing on result")
            connection.execute("drop function refuse")

    def backup(self) -> None:
        self._ask(f"create database {self._name}_kept template {self._name}")

    def restore(self) -> None:
        self._ask(f"drop database {self._name}")
        self._ask(f"alter database {self._name}_kept rename to {self._name}")

    def lose(self) -> None:
        self._ask(f"drop database {self._name}")
        self._ask(f"create database {self._name}")

    def close(self) -> None:
        for store in self._stores:
            store.close()

    def _ask(self, query: str) -> None:
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(_sql(query))


@pytest.fixture
def database(postgres: PostgresServer, url: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(postgres, url)
    yield database
    database.close()


class TestPostgresStore(DistrictContract):
    """The contract."""


_ROWS = st.lists(
    st.builds(
        lambda number, rev, value: row(number, rev=rev, value=value),
        st.integers(0, 3),
        st.integers(1, 3),
        st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=4,
)
_MESSAGES = st.one_of(
    st.builds(
        lambda rows, eseq, box: envelope(*rows, eseq=eseq, box=box),
        _ROWS,
        st.integers(1, 4),
        st.sampled_from(["box-1", "box-2"]),
    ),
    st.builds(lambda payload: Incoming("box-1", payload), st.binary(max_size=60)),
    st.builds(lambda rows: Incoming("box-1", envelope(*rows, eseq=9).payload[:-3]), _ROWS),
)
_HISTORIES = st.lists(st.lists(_MESSAGES, min_size=1, max_size=4), min_size=1, max_size=4)
_SUFFIX = itertools.count()
_TABLES = "ledger, result, quarantine, generation, opening, clash, counter, day_sum"


@given(_HISTORIES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_whatever_comes_it_answers_as_sqlite_does(
    database: PostgresDatabase, tmp_path: Path, history: list[list[Incoming]]
) -> None:
    ours = database.store(None)
    ours.open()
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"truncate {_TABLES} restart identity")
    other = SqliteStore(tmp_path / f"{next(_SUFFIX)}.db", None)
    for store in (ours, other):
        store.open()
    try:
        for batch in history:
            assert _said(ours.take(batch)) == _said(other.take(batch))
        assert ours.counts() == other.counts()
        assert sorted(ours.digests()) == sorted(other.digests())
        boxes = ["box-1", "box-2"]
        assert ours.sums(boxes).days == other.sums(boxes).days == district_side(ours.digests())
    finally:
        for store in (ours, other):
            store.close()


def _said(taken: Taken) -> tuple[object, ...]:
    """All but the generation, which is drawn; refusals in any order."""
    receipts = [
        (box, msgspec.structs.replace(receipt, generation="", refused=tuple(sorted(map(str, receipt.refused)))))
        for box, receipt in taken.receipts
    ]
    return sorted(receipts, key=str), taken._replace(receipts=[])


def test_two_receivers_that_get_the_same_messages_at_once_store_each_once(database: PostgresDatabase) -> None:
    stores = [database.store(None) for _ in range(2)]
    for store in stores:
        store.open()
    batches = [
        [envelope(*(row(100 * eseq + n) for n in range(100)), eseq=eseq) for eseq in range(start, start + 5)]
        for start in range(1, 41, 5)
    ]
    took: list[list[Taken]] = [[], []]

    def work(which: int) -> None:
        for batch in batches if which else reversed(batches):
            took[which].append(stores[which].take(batch))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both = took[0] + took[1]
    assert (sum(one.rows for one in both), sum(one.repeats for one in both)) == (4_000, 40)
    counts = stores[0].counts()
    assert (counts.results, counts.envelopes, counts.doubled, counts.conflicts) == (4_000, 40, 0, 0)


def test_a_revision_that_is_taken_twice_is_counted(database: PostgresDatabase) -> None:
    store = database.store(None)
    store.open()
    store.take([envelope(row(1)), envelope(row(2), eseq=2)])
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("update result set takes = takes + 1 where id = %s", (row(1).id,))
        connection.execute("delete from result where id = %s", (row(2).id,))
    store.take([envelope(row(2), eseq=3)])
    assert store.counts().doubled == 1
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("update result set takes = 1")
    assert store.counts().doubled == 1


def test_another_session_that_holds_the_lock_is_waited_for_and_then_the_store_is_unavailable(
    database: PostgresDatabase,
) -> None:
    store = PostgresStore(f"{database.url}?options=-c%20application_name%3Dother", None)
    store.open()
    with psycopg.connect(database.url) as other:
        other.execute("lock table result in access exclusive mode")
        assert store._connection is not None
        store._connection.execute("set lock_timeout = '50ms'")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            store.take([envelope(row(1))])
    assert store.take([envelope(row(1))]).rows == 1
    store._connection.execute("set statement_timeout = '1ms'")
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        store.take([envelope(*(row(n) for n in range(5_000)), eseq=2)])
    store.open()
    assert store.take([envelope(*(row(n) for n in range(5_000)), eseq=2)]).rows == 5_000
    store.close()


def test_a_database_of_another_encoding_is_refused(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create database latin encoding 'LATIN1' template template0")
        store = PostgresStore(postgres.url.removesuffix("/postgres") + "/latin", None)
        with pytest.raises(StoreUnavailable, match="UTF8"):
            store.open()
        store.close()
        connection.execute("drop database latin")


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/d", "postgresql://h/d?password=secret", "nonsense secret"])
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        PostgresStore(url, None)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = PostgresStore("postgresql://u@127.0.0.1:1/d", tmp_path / "state")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.open()
    store.close()


def test_a_body_of_a_megabyte_is_stored_whole(database: PostgresDatabase) -> None:
    store = database.store(None)
    store.open()
    large = Row(id="large", rev=1, day="d", body="学" * 400_000)
    store.take([envelope(large)])
    assert database.stored() == {"large": (1, large.body)}


def _sql(query: str) -> LiteralString:
    """A query as psycopg takes it; the names in it are this file's own."""
    return query
