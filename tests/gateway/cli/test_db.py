"""The commands of the store, as a person and as a program call them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import aside
from gateway.cli import program
from gateway.store import Store
from tests.gateway.stores import HURTS, filled, hurt, ink_of


def call(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, str, str]:
    code = program(["--set", f"box.folder={folder}", "db", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def the(out: str, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(out)
    assert document["schema"] == schema
    return document


@pytest.mark.parametrize("how", HURTS)
def test_check_is_3_names_what_is_hurt_and_what_is_whole_and_touches_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, how: str
) -> None:
    path = filled(tmp_path)
    content = hurt(path, how)
    code, out, _ = call(capsys, tmp_path, "check", "--json")
    said = the(out, "inkgate.db/1")
    assert (code, said["whole"]) == (3, False)
    assert said["problems"]
    code, out, _ = call(capsys, tmp_path, "check")
    assert (code, "hurt" in out) == (3, True)
    if how == "zeroed":
        assert "ink\t50\t\n" in out
    assert path.read_bytes() == content


def test_a_store_that_is_gone_is_69_and_none_is_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call(capsys, tmp_path, "check")[0] == 69
    path = filled(tmp_path)
    path.unlink()
    code, _, err = call(capsys, tmp_path, "check")
    assert (code, "backup" in err, path.exists()) == (69, True, False)


def test_a_backup_and_the_way_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = filled(tmp_path / "box")
    copy = str(tmp_path / "copy.db")
    code, out, _ = call(capsys, path.parent, "backup", copy, "--json")
    said = the(out, "inkgate.backup/1")
    assert (code, said["bytes"]) == (0, Path(copy).stat().st_size)
    assert "MB in" in call(capsys, path.parent, "backup", copy)[1]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from ink where id > 10")
        connection.commit()
    code, out, _ = call(capsys, path.parent, "restore", copy, "--json")
    said = the(out, "inkgate.restore/1")
    assert code == 0
    assert path.with_name(said["put_aside"]).exists()
    assert len(ink_of(path)) == 50
    code, out, _ = call(capsys, path.parent, "restore", copy, "--join")
    assert (code, "untouched" in out, "Joined" in out) == (0, True, True)


def test_while_the_gateway_runs_a_backup_is_made_and_a_restore_is_75(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = filled(tmp_path / "box")
    store = Store(path)
    copy = str(tmp_path / "copy.db")
    assert call(capsys, path.parent, "backup", copy)[0] == 0
    code, _, err = call(capsys, path.parent, "restore", copy)
    assert (code, "stop it first" in err) == (75, True)
    assert call(capsys, path.parent, "check", "--salvage")[0] == 75
    store.close()
    assert not aside.listed(path)


def test_salvage_joins_what_was_put_aside(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = filled(tmp_path)
    hurt(path, "zeroed")
    Store(path, mend=True).close()
    code, out, _ = call(capsys, tmp_path, "check")
    assert (code, "--salvage" in out) == (0, True)
    code, out, _ = call(capsys, tmp_path, "check", "--salvage", "--json")
    said = the(out, "inkgate.db/1")
    (joined,) = said["joined"].values()
    assert (code, joined["rows"]["ink"], joined["losses_healed"]) == (0, 51, 4)
    assert len(ink_of(path)) == 51
    assert "nothing new" in call(capsys, tmp_path, "check", "--salvage")[1]


def test_what_could_not_be_read_of_a_store_that_was_put_aside_is_3(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = filled(tmp_path)
    hurt(path, "truncated")
    Store(path, mend=True).close()
    code, out, _ = call(capsys, tmp_path, "check", "--salvage")
    assert (code, "Not all could be read of: ink" in out) == (3, True)


def test_names_of_pupils_are_never_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = filled(tmp_path)
    hurt(path, "truncated")
    out = "".join(call(capsys, tmp_path, "check", *more)[1] for more in ((), ("--json",)))
    Store(path, mend=True).close()
    out += "".join(call(capsys, tmp_path, "check", "--salvage", *more)[1] for more in ((), ("--json",)))
    assert "name 1" not in out
    assert "L1" not in out
