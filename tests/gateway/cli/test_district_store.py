"""`district run --db URL`: what is refused before anything starts, each with its exit code and a line that cures it."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.district_store import district_store, mark_of
from gateway.errors import WrongUse
from sync.district.postgres_store import PostgresStore
from sync.district.sqlite_store import SqliteStore

_WITHOUT_PSYCOPG = "import sys; sys.modules['psycopg'] = None; from gateway.cli import program; sys.exit(program())"


def _ended(*arguments: str, before: str | None = None) -> tuple[int, str]:
    start = ["-m", "gateway"] if before is None else ["-c", before]
    child = subprocess.run(
        [sys.executable, *start, "district", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in child.stderr
    return child.returncode, child.stderr


def test_a_file_is_sqlite_and_a_url_is_postgres(tmp_path: Path) -> None:
    assert isinstance(district_store(str(tmp_path / "d.db"), None), SqliteStore)
    for scheme in ("postgres", "postgresql"):
        assert isinstance(district_store(f"{scheme}://u@h/d", None), PostgresStore)


def test_receivers_of_one_file_remember_apart() -> None:
    assert mark_of("/x/d.db", "1") == Path("/x/d.db.state")
    assert mark_of("/x/d.db", "2") == Path("/x/d.db.2.state")
    with pytest.raises(WrongUse, match="--state FILE"):
        mark_of("postgresql://h/d", "1")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "prove"])
def test_without_psycopg_the_line_that_brings_it_is_told_with_69(command: str, tmp_path: Path) -> None:
    more = ["--state", str(tmp_path / "state")] if command == "run" else []
    code, words = _ended(command, "--db", "postgresql://u@h/d", *more, before=_WITHOUT_PSYCOPG)
    assert (code, words.count("\n")) == (69, 1)
    assert "pip install 'inkgate[postgres]'" in words


@pytest.mark.slow
@pytest.mark.parametrize("url", ["postgresql://u:hush@h/d", "postgresql://h/d?password=hush"])
def test_a_password_in_the_url_is_wrong_use_and_never_printed(url: str, tmp_path: Path) -> None:
    code, words = _ended("run", "--db", url, "--state", str(tmp_path / "state"))
    assert code == 2
    assert "passfile" in words
    assert "hush" not in words


@pytest.mark.slow
def test_a_url_without_a_state_file_is_wrong_use() -> None:
    code, words = _ended("run", "--db", "postgresql://u@h/d")
    assert code == 2
    assert "--state FILE" in words
