"""The command line as a person meets it: every `--help`, every refusal with its exit code, never a traceback."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from gateway.cli import inkgate, program
from gateway.store import Store

GB18030 = bytes.fromhex(
    "d7f9bac52cd0d5c3fb2cd1a7bcaebac50d0a30312cbcd7d2bb2c473131303130353139343931323331303032580d0a"
)
SECRETS = ("甲一", "G11010519491231002X", "11010519491231002")


def _commands() -> list[tuple[str, ...]]:
    context = click.Context(inkgate)
    out: list[tuple[str, ...]] = []
    for name in inkgate.list_commands(context):
        command = inkgate.get_command(context, name)
        out.append((name,))
        if isinstance(command, click.Group):
            out += [(name, inner) for inner in command.list_commands(context)]
    return out


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = program(words)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


def at(folder: Path) -> tuple[str, str]:
    return "--set", f"box.folder={folder}"


def the_json(text: str, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert document["schema"] == schema
    return document


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, out, _ = call(capsys, *words, "--help")
    assert code == 0
    usage, _, rest = out.partition("\n")
    assert usage.startswith(f"Usage: inkgate {' '.join(words)}")
    assert len(rest.strip().partition("\n")[0]) > 8, "a sentence says what it does"


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--help",), ("-h",)):
        code, out, err = call(capsys, *words)
        assert code == (0 if words else 2)
        assert all(f"  {name} " in out + err for (name, *inner) in _commands() if not inner)


@pytest.mark.slow
def test_help_is_quick_and_loads_neither_networks_nor_radio() -> None:
    loaded = (
        "import sys; from gateway.cli import program; program(['--help']);"
        "print([m for m in ('cv2', 'bumble', 'numpy', 'bleak', 'starlette', 'paho') if m in sys.modules])"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 5
    assert done.stdout.strip().endswith("[]")
    assert all(name in done.stdout for name in ("demo", "doctor", "roster", "lesson", "sync", "district"))


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("pens", "nonsense"),
        ("--nonsense",),
        ("demo", "--pens", "0"),
        ("demo", "--pens", "x"),
        ("demo", "--speed", "99"),
        ("pens", "bind"),
        ("pens", "bind", "9C:7B:D2:00:00:01"),
        ("pens", "bind", "9C:7B:D2:00:00:01", "x"),
        ("pens", "join", "--minutes", "999"),
        ("roster", "import"),
        ("district", "run"),
        ("run", "more"),
        ("bench", "live", "--pens", "99"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_a_sentence_and_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, out, err = call(capsys, *words)
    assert code == 2
    assert err.strip()
    assert not out


def test_a_demo_is_not_mixed_into_a_folder_that_holds_something(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine").touch()
    code, _, err = call(capsys, "demo", "--keep", str(tmp_path))
    assert (code, "not empty" in err) == (2, True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("box.foldr=/x", "box.folder"),
        ("bx.folder=/x", "box"),
        ("radio.places=0", "1 to 64"),
        ("radio.places=many", "whole number"),
        ("sync.protocol=4", "3.1.1, 5"),
        ("nonsense", "section.key=value"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed_and_78(
    capsys: pytest.CaptureFixture[str], setting: str, word: str
) -> None:
    code, _, err = call(capsys, "--set", setting, "config", "show")
    assert code == 78
    assert word in err


def test_a_settings_file_that_is_missing_or_no_toml_is_78(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call(capsys, "--settings", str(tmp_path / "none.toml"), "config", "show")[0] == 78
    (tmp_path / "bad.toml").write_text("box = [", "utf-8")
    assert call(capsys, "--settings", str(tmp_path / "bad.toml"), "config", "show")[0] == 78


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--json"),
        ("status", "--pin"),
        ("pens", "list"),
        ("pens", "watch", "--seconds", "1"),
        ("pens", "join"),
        ("pens", "bind", "9C:7B:D2:00:00:01", "1"),
        ("pens", "identify", "9C:7B:D2:00:00:01"),
        ("pens", "forget", "9C:7B:D2:00:00:01"),
        ("lesson", "start"),
        ("lesson", "stop"),
        ("lesson", "list"),
        ("sync", "status"),
        ("db", "check"),
    ],
    ids=" ".join,
)
def test_without_a_gateway_and_a_store_it_is_69_and_nothing_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    for folder in (tmp_path / "box", tmp_path / ("long" * 30)):
        code, out, err = call(capsys, *at(folder), *words)
        assert (code, out) == (69, "")
        assert "inkgate" in err
        assert not folder.exists()


def test_a_folder_that_cannot_be_used_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "class.csv").write_bytes(GB18030)
    code, _, err = call(capsys, *at(tmp_path / "file" / "box"), "roster", "import", str(tmp_path / "class.csv"))
    assert code in {1, 69}
    assert err.startswith("inkgate: ")


# -- config


def test_config_shows_every_setting_and_where_it_comes_from(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "school.toml").write_text("[radio]\nplaces = 5\n", "utf-8")
    words = ("--settings", str(tmp_path / "school.toml"), "--set", "ink.beat_hz=20")
    found = the_json(call(capsys, *words, "config", "show", "--json")[1], "inkgate.config/1")
    assert found["radio.places"] == {"value": 5, "origin": str(tmp_path / "school.toml")}
    assert found["ink.beat_hz"] == {"value": 20.0, "origin": "--set"}
    assert found["box.id"] == {"value": "box-1", "origin": "default"}
    assert found["radio.adapters"]["value"] == ["bluez"]
    _, out, _ = call(capsys, *words, "config", "show", "--origin")
    heads, *rows = [line.split("\t") for line in out.splitlines()]
    assert heads[-1] == "origin"
    assert ["radio.places", "5"] in [row[:2] for row in rows]
    assert "origin" not in call(capsys, *words, "config", "show")[1].splitlines()[0]


# -- the store


def test_a_whole_store_is_0_and_a_hurt_one_is_3_and_left_untouched(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "gateway.db"
    Store(path).close()
    code, out, _ = call(capsys, *at(tmp_path), "db", "check")
    assert (code, out.splitlines()[0]) == (0, "The store is whole.")
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 4096] = bytes(4096)
    for hurt in (bytes(content), b"no database" * 1000, bytes(path.read_bytes()[:-4096])):
        path.write_bytes(hurt)
        code, out, _ = call(capsys, *at(tmp_path), "db", "check", "--json")
        document = the_json(out, "inkgate.db/1")
        assert (code, document["whole"]) == (3, False)
        assert document["problems"]
        assert path.read_bytes() == hurt


def test_a_store_that_was_here_once_and_is_gone_is_69_and_not_an_empty_school(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "class.csv").write_bytes(GB18030)
    Store(tmp_path / "gateway.db").close()
    (tmp_path / "gateway.db").unlink()
    code, _, err = call(capsys, *at(tmp_path), "roster", "import", str(tmp_path / "class.csv"))
    assert (code, "backup" in err) == (69, True)
    assert not (tmp_path / "gateway.db").exists()


def test_a_store_that_another_holds_is_75(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "class.csv").write_bytes(GB18030)
    store = Store(tmp_path / "gateway.db")
    assert call(capsys, *at(tmp_path), "roster", "import", str(tmp_path / "class.csv"))[0] == 75
    store.close()


# -- field case 31


def _import(capsys: pytest.CaptureFixture[str], folder: Path, content: bytes, *more: str) -> tuple[int, str, str]:
    (folder / "class.csv").write_bytes(content)
    return call(capsys, *at(folder / "box"), "roster", "import", str(folder / "class.csv"), *more)


def _pupils(folder: Path) -> int:
    store = Store(folder / "box" / "gateway.db")
    count = store.reader.execute("select count(*) from pupil where left_ms is null").fetchone()[0]
    store.close()
    return int(count)


TEXT = GB18030.decode("gb18030")


@pytest.mark.parametrize(
    "content",
    [GB18030, b"\xef\xbb\xbf" + TEXT.encode(), b"\xff\xfe" + TEXT.replace(",", "\t").encode("utf-16-le")],
    ids=["GB18030", "UTF-8 with a mark", "UTF-16 with tabs"],
)
def test_a_roster_is_imported_as_schools_write_it_and_again_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    code, out, err = _import(capsys, tmp_path, content)
    assert (code, err) == (0, "")
    assert "1 added" in out
    code, out, _ = _import(capsys, tmp_path, content, "--json")
    said = the_json(out, "inkgate.roster/1")
    assert (code, said["added"], said["changed"], said["removed"], said["pupils"]) == (0, 0, 0, 0, 1)
    assert _pupils(tmp_path) == 1
    assert not any(secret in out for secret in SECRETS)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (TEXT.splitlines()[0] + "\r\n", "line 1"),
        ("", "line 1"),
        (TEXT.replace("002X", "0021"), "line 2, column 3"),
        (TEXT.replace("G11010519491231002X", "1.10105E+17"), "line 2, column 3"),
        (TEXT + "01,乙二,L2\r\n", "line 3"),
    ],
    ids=["header only", "empty", "check digit", "rounded number", "double seat"],
)
def test_a_roster_with_a_fault_is_3_with_line_and_column_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, where: str
) -> None:
    _import(capsys, tmp_path, GB18030)
    code, out, err = _import(capsys, tmp_path, text.encode("gb18030"), "--remove-missing")
    assert (code, out) == (3, "")
    assert where in err
    assert not any(secret in err for secret in (*SECRETS, "乙二"))
    assert _pupils(tmp_path) == 1


def test_who_is_missing_is_listed_by_seat_and_leaves_only_with_a_flag(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    two = (TEXT + "02,乙二,L2\r\n").encode("gb18030")
    _import(capsys, tmp_path, two)
    code, out, _ = _import(capsys, tmp_path, GB18030)
    assert (code, "seats 2" in out, _pupils(tmp_path)) == (0, True, 2)
    code, out, _ = _import(capsys, tmp_path, GB18030, "--remove-missing")
    assert (code, "1 removed" in out, _pupils(tmp_path)) == (0, True, 1)


def test_a_roster_that_is_not_there_is_69(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call(capsys, *at(tmp_path), "roster", "import", str(tmp_path / "none.csv"))[0] == 69
    assert call(capsys, *at(tmp_path), "roster", "import", str(tmp_path))[0] == 69


# -- sheets, lessons, sync, pens


def test_the_bundled_sheets_are_shown_and_have_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("demo", "link-card"):
        shown = the_json(call(capsys, "sheet", "show", name, "--json")[1], "inkgate.sheet/1")
        assert shown["pages"][0]["fields"]
        assert call(capsys, "sheet", "lint", name)[:2] == (0, "No fault found.\n")


def test_a_sheet_with_faults_is_3_with_all_of_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('id = "x"\nrevision = 0\ntitel = 1\n', "utf-8")
    code, out, _ = call(capsys, "sheet", "lint", str(bad))
    assert code == 3
    assert len(out.splitlines()) >= 4
    code, out, _ = call(capsys, "sheet", "lint", str(bad), "--json")
    assert (code, len(the_json(out, "inkgate.lint/1")["problems"]) >= 4) == (3, True)
    assert call(capsys, "sheet", "show", str(bad))[0] == 3
    bad.write_bytes("id = 'ä'".encode("latin-1"))
    assert call(capsys, "sheet", "show", str(bad))[0] == 3


def test_a_sheet_that_is_not_there_is_69(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("nonesuch", str(tmp_path / "none.toml"), str(tmp_path)):
        for command in ("show", "lint"):
            code, _, err = call(capsys, "sheet", command, name)
            assert (code, name in err) == (69, True)


def test_lessons_and_sync_are_told_from_the_store_while_no_gateway_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Store(tmp_path / "gateway.db").close()
    assert the_json(call(capsys, *at(tmp_path), "lesson", "list", "--json")[1], "inkgate.lessons/1")["lessons"] == []
    assert call(capsys, *at(tmp_path), "lesson", "list")[1].startswith("lesson\tsheet")
    said = the_json(call(capsys, *at(tmp_path), "sync", "status", "--json")[1], "inkgate.sync/1")
    assert (said["fresh"], said["waiting"], said["link"]) == (0, 0, {"state": "not_running"})
    english = call(capsys, "--set", "box.language=en", *at(tmp_path), "sync", "status")[1]
    assert "Everything is with the district" in english


@pytest.mark.parametrize(
    "content", [b"", b"mac,seat\n", b"9C:7B:D2:00:00:01\n", b"9C:7B:D2:00:00:01,x\n", b"\xff\xfe\x00"], ids=repr
)
def test_a_file_of_pens_with_a_fault_is_3_and_binds_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "pens.csv").write_bytes(content)
    code, _, err = call(capsys, *at(tmp_path), "pens", "bind", "--file", str(tmp_path / "pens.csv"))
    assert (code, "nothing was bound" in err) == (3, True)


@pytest.mark.slow
def test_the_doctor_gives_one_document_and_3_where_something_is_wrong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "gateway.db").write_bytes(b"no database" * 1000)
    words = (
        *at(tmp_path),
        "--set",
        f"radio.adapters=unix:{tmp_path}/none",
        "--set",
        "sync.broker=127.0.0.1:1",
        "doctor",
    )
    code, out, _ = call(capsys, *words, "--json")
    checks = {found["id"]: found for found in the_json(out, "inkgate.doctor/1")["checks"]}
    assert code == 3
    assert (checks["database"]["verdict"], checks["radio"]["verdict"]) == ("fail", "fail")
    assert all(found["cure"] for found in checks.values() if found["verdict"] == "fail")
    code, out, _ = call(capsys, *words)
    assert (code, out.startswith("check\t")) == (3, True)
