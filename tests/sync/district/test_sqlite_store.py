"""The district's store in SQLite: the contract, and what only a file can do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.district.sqlite_store import SqliteStore
from sync.district.store import Incoming
from sync.errors import StoreUnavailable
from tests.contracts.district_contract import DistrictContract, envelope, row


class SqliteFile:
    """As `district_contract.Database`."""

    def __init__(self, folder: Path) -> None:
        self._path, self._backup = folder / "district.db", folder / "backup.db"
        self._stores: list[SqliteStore] = []

    def store(self, mark: Path | None) -> SqliteStore:
        self._stores.append(SqliteStore(self._path, mark, now_ms=lambda: 5))
        return self._stores[-1]

    def stored(self) -> dict[str, tuple[int, str]]:
        with self._beside() as connection:
            found = connection.execute("select id, rev, body from result").fetchall()
        return {code: (rev, body) for code, rev, body in found}

    @contextmanager
    def refusing(self, words: str) -> Iterator[None]:
        with self._beside() as connection:
            connection.execute(
                f"create trigger refusing before insert on result begin select raise(abort, '{words}'); end"
            )
            yield
            connection.execute("drop trigger refusing")

    def backup(self) -> None:
        self._backup.write_bytes(self._path.read_bytes())

    def restore(self) -> None:
        self.lose()
        self._backup.rename(self._path)

    def lose(self) -> None:
        for name in ("district.db", "district.db-wal", "district.db-shm"):
            self._path.with_name(name).unlink(missing_ok=True)

    def close(self) -> None:
        for store in self._stores:
            store.close()

    @contextmanager
    def _beside(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteFile]:
    database = SqliteFile(tmp_path)
    yield database
    database.close()


class TestSqliteStore(DistrictContract):
    """The contract."""


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_no_bytes_stop_the_store(database: SqliteFile, payloads: list[bytes]) -> None:
    store = database.store(None)
    store.open()
    taken = store.take([Incoming("box-1", payload) for payload in payloads])
    store.close()
    assert taken.rows == 0
    assert sum(len(receipt.refused) for _, receipt in taken.receipts) == len(payloads)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "district.db").write_bytes(b"precious" * 1000)
    store = SqliteStore(tmp_path / "district.db", None)
    with pytest.raises(StoreUnavailable):
        store.open()
    store.close()
    assert (tmp_path / "district.db").read_bytes() == b"precious" * 1000


def test_a_disk_without_room_gives_no_receipt_and_goes_on_when_there_is_some(database: SqliteFile) -> None:
    store = database.store(None)
    store.open()
    connection = store._connection
    assert connection is not None
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count = {pages + 4}")
    batch = [envelope(*(row(number) for number in range(start, start + 100)), eseq=1 + start) for start in (0, 100)]
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="full"):
            store.take(batch)
    assert database.stored() == {}
    connection.execute("pragma max_page_count = 100000")
    assert store.take(batch).rows == 200
