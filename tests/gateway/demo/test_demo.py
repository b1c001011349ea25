"""The demo from end to end with a small class, and the recount of what it leaves behind."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
RECOUNT = ROOT / "tests" / "recount.py"
PENS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def run_demo(folder: Path, *words: str) -> tuple[Path, dict[str, Any]]:
    """A demo of a small class, kept, and its report."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gateway", "demo", "--headless", "--json", "--pens", str(PENS), "--seed", "3"),
            *("--keep", str(folder), *words),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    log = folder / "logs" / "gateway.log"
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:] + log.read_text()[-3000:]
    return folder, json.loads(done.stdout)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A calm class."""
    return run_demo(tmp_path_factory.mktemp("demo") / "kept", "--calm", "--speed", "3")


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A class whose links drop, whose pens leave the range, one of whose batteries dies."""
    return run_demo(tmp_path_factory.mktemp("demo") / "troubled", "--speed", "2")


def recount(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(RECOUNT), str(folder)], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_calm_class_balances_with_nothing_lost(kept: tuple[Path, dict[str, Any]]) -> None:
    _, report = kept
    assert report["balanced"] is True
    assert report["bound_by_card"] == PENS
    assert report["dots_written"] == report["dots_stored"] > 0
    assert (report["dots_in_pens"], report["dots_in_losses"], report["loss_rows"]) == (0, 0, 0)
    assert report["results_made"] == report["results_in_district"] == report["answers_expected"] == PENS * 10
    assert report["duplicates_in_district"] == report["outbox_left"] == 0
    assert set(report["restarts"].values()) == {0}


def test_the_demo_says_who_its_children_were(kept: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = kept
    said = json.loads((folder / "demo.json").read_text())
    assert set(said["children"]) == {"classroom", "broker", "gateway", "reader", "district"}
    assert said["url"].startswith("http://127.0.0.1:")
    assert len(said["pin"]) == 6


def test_nothing_that_was_started_is_left_running(kept: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = kept
    marks = str(folder).encode()
    left = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists() and marks in _bytes(path) and b"pytest" not in _bytes(path)
    ]
    assert left == []


def test_no_name_and_no_number_of_a_pupil_is_outside_the_roster_and_the_one_table(
    kept: tuple[Path, dict[str, Any]],
) -> None:
    folder, _ = kept
    box = sqlite3.connect(folder / "gateway.db")
    secrets = [word.encode() for row in box.execute("select name, number from pupil") for word in row]
    box.close()
    assert len(secrets) == 2 * PENS
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in {"roster.csv", "gateway.db", "gateway.db-wal"}:
            content = path.read_bytes()
            assert not [path.name for word in secrets if word in content]


def test_the_recount_agrees(kept: tuple[Path, dict[str, Any]]) -> None:
    folder, report = kept
    done = recount(folder)
    assert done.returncode == 0, done.stdout
    said = json.loads(done.stdout.splitlines()[-1])
    for name in ("dots_written", "dots_stored", "strokes_stored", "results_in_district", "answers_right", "receipts"):
        assert said[name] == report[name]


ROW = "rowid = (select min(rowid) from {0})"
NEWEST = {"grade": "(id, rev) = (select id, rev from newest_grade limit 1)"}
CHANGES = {
    "ink": "update ink set sum = sum + 1 where ",
    "grade": "update grade set value = 'x' where ",
    "envelope": "update envelope set state = 'waiting' where ",
    "ledger": "update ledger set n = n + 1 where ",
    "result": 'update result set body = replace(body, \'"state":"\', \'"state":"x\') where ',
}
SIDES = {"ink": "gateway", "grade": "gateway", "envelope": "gateway", "ledger": "district", "result": "district"}


@pytest.mark.parametrize("how", ["removed", "altered", "doubled"])
@pytest.mark.parametrize("table", list(CHANGES))
def test_the_recount_fails_when_a_row_is_removed_altered_or_doubled(
    kept: tuple[Path, dict[str, Any]], tmp_path: Path, table: str, how: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(kept[0], folder, ignore=shutil.ignore_patterns("air", "broker", "*.sock"))
    db = sqlite3.connect(folder / f"{SIDES[table]}.db")
    where = NEWEST.get(table, ROW.format(table))
    if how == "removed":
        db.execute(f"delete from {table} where {where}")
    elif how == "altered":
        assert db.execute(CHANGES[table] + where).rowcount == 1
    else:
        _double(db, table, where)
    db.commit()
    db.close()
    done = recount(folder)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:-1], "it must say what differs"


def test_a_class_with_troubles_balances_too(troubled: tuple[Path, dict[str, Any]]) -> None:
    folder, report = troubled
    assert report["balanced"] is True
    assert report["loss_rows"] > 0
    assert report["dots_lost_unexplained"] == report["outbox_left"] == 0
    assert recount(folder).returncode == 0


@pytest.mark.parametrize("how", ["removed", "altered", "doubled"])
def test_the_recount_fails_when_a_loss_row_is_removed_altered_or_doubled(
    troubled: tuple[Path, dict[str, Any]], tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(troubled[0], folder, ignore=shutil.ignore_patterns("air", "broker", "*.sock"))
    db = sqlite3.connect(folder / "gateway.db")
    if how == "removed":
        db.execute("delete from loss where id = (select min(id) from loss)")
    elif how == "altered":
        db.execute("update loss set to_ms = to_ms + 1 where id = (select min(id) from loss)")
    else:
        columns = "seq, pen, from_ms, to_ms, events, cause, section, owner, note, page, healed_by"
        db.execute(f"insert into loss({columns}) select {columns} from loss limit 1")
    db.commit()
    db.close()
    assert recount(folder).returncode == 1


def _double(db: sqlite3.Connection, table: str, where: str) -> None:
    """Write a row a second time, past every key that would forbid it."""
    sql = db.execute("select sql from sqlite_master where name = ?", (table,)).fetchone()[0]
    columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
    rows = db.execute(f"select * from {table}").fetchall()
    again = db.execute(f"select * from {table} where {where}").fetchone()
    for name, kind in db.execute(
        "select name, type from sqlite_master where sql like ? and type = 'view'", (f"%{table}%",)
    ).fetchall():
        db.execute(f"drop {kind} {name}")
    assert sql
    db.execute(f"drop table {table}")
    db.execute(f"create table {table}({', '.join(columns)})")
    db.executemany(f"insert into {table} values ({', '.join('?' * len(columns))})", [*rows, again])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
