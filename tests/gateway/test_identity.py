import re
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway.errors import GatewayError
from gateway.identity import installation, page_key, pseudonym_key, secret
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
