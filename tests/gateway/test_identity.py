import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway.errors import GatewayError
from gateway.identity import enrol, installation, page_key, pseudonym_key, secret, shared_name, take_name
from gateway.machine import Marks
from gateway.store import Store


def test_an_installation_has_one_id_that_says_nothing(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "a", "b"):
        store = Store(tmp_path / name / "gateway.db")
        ids.add(store.submit(installation).result())
        store.close()
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f]{16}", found) for found in ids)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = pseudonym_key(tmp_path)
    assert len(key) == 32
    assert pseudonym_key(tmp_path) == key
    assert page_key(tmp_path) != key
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "pseudonym.key").write_bytes(b"short")
    with pytest.raises(GatewayError, match="backup"):
        pseudonym_key(tmp_path)
    assert (tmp_path / "pseudonym.key").read_bytes() == b"short"


@pytest.mark.parametrize(("content", "found"), [("1234\n", "1234"), (" 1234 \nmore", "1234"), ("", None)])
def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path, content: str, found: str | None) -> None:
    (tmp_path / "pin").write_text(content, "utf-8")
    assert secret(str(tmp_path / "pin"), "the PIN") == found
    assert secret("", "the PIN") is None


def test_a_secret_that_cannot_be_read_is_told_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="cannot be read"):
        secret(str(tmp_path / "none"), "the PIN")
    with pytest.raises(GatewayError, match="cannot be read"):
        secret(str(tmp_path), "the PIN")
    (tmp_path / "pin").write_bytes(b"\xff\xfehush")
    with pytest.raises(GatewayError, match="no text") as told:
        secret(str(tmp_path / "pin"), "the PIN")
    assert "hush" not in str(told.value)


def test_the_id_is_drawn_in_the_store_s_own_transaction(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")

    def and_fail(db: Database) -> None:
        installation(db)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        store.submit(and_fail).result()
    assert store.reader.execute("select count(*) from box").fetchone()[0] == 0
    store.close()


class Machine:
    """A machine that is known by one part."""

    def __init__(self, part: str) -> None:
        self.part = part

    def __call__(self, salt: str) -> Marks:
        """As `marks`."""
        return Marks(frozenset({f"{salt}|{self.part}"}), salt)


def _start(store: Store, machine: Machine, box: str = "box-1") -> tuple[str, str | None]:
    """A start of the gateway: (installation, the client id of a copy)."""
    found = store.submit(lambda db: installation(db, machine)).result()
    shared = shared_name(store.reader, box)
    store.submit(lambda db: take_name(db, box)).result()
    return found, shared


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "gateway.db")
    yield store
    store.close()


def test_a_box_that_starts_again_on_its_machine_stays_what_it_is(store: Store) -> None:
    first = _start(store, Machine("a"))
    assert first[1] is None
    assert [_start(store, Machine("a")) for _ in range(3)] == [first] * 3


def test_a_copied_disk_is_another_installation_with_a_client_id_of_its_own(store: Store) -> None:
    """Field case 29."""
    first, _ = _start(store, Machine("a"))
    second, shared = _start(store, Machine("b"))
    assert second != first
    assert shared == f"box-1-{second[:6]}"
    assert _start(store, Machine("b")) == (second, shared), "it stays in doubt until a person says"


def test_a_copied_disk_with_a_name_of_its_own_is_a_copy_no_more(store: Store) -> None:
    _start(store, Machine("a"))
    second, _ = _start(store, Machine("b"))
    assert _start(store, Machine("b"), box="box-2") == (second, None)
    assert _start(store, Machine("b"), box="box-2") == (second, None)


def test_a_disk_that_moved_into_another_machine_keeps_its_name_when_a_person_says_so(store: Store) -> None:
    _start(store, Machine("a"))
    second, _ = _start(store, Machine("b"))
    assert store.submit(enrol).result()
    assert not store.submit(enrol).result()
    assert _start(store, Machine("b")) == (second, None)


def test_a_store_from_before_machines_were_noted_is_bound_at_its_next_start(store: Store) -> None:
    store.submit(lambda db: db.conn.execute("insert into box values ('installation', '0011223344556677')")).result()
    assert _start(store, Machine("a")) == ("0011223344556677", None)
    assert _start(store, Machine("b"))[0] != "0011223344556677"
