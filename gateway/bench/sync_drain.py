"""A box's outbox sealed and drained: the disk's floor; then box, broker, receiver and database, each a process.

The peer is mosquitto's C client, which sends the same rows to the same broker, one a message, at QoS 1.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gateway.bench.brokers import BenchBroker, program_of
from gateway.bench.postgres import PostgresServer, children_of
from gateway.bench.sync_box import TOPICS, opened
from gateway.bench.sync_rows import made_result
from gateway.errors import Missing
from sync import outbox

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_FILL: Final = 1_000
_READY_S: Final = 30.0
_LONGEST_S: Final = 600.0
_POLL_S: Final = 0.02
_ROUNDS: Final = 3


def filled(path: Path, rows: int) -> None:
    """A box's database with so many results, none of them sealed."""
    db = opened(path)
    for start in range(0, rows, _FILL):
        with db.atomic():
            for number in range(start, min(rows, start + _FILL)):
                outbox.put(db, made_result(number))
    db.conn.close()


def sealing(path: Path) -> dict[str, Any]:
    """Seal everything, an envelope a commit, and between turns write as many plain rows, a hundred a commit."""
    db = opened(path)
    rows = db.conn.execute("select row from fresh order by seq").fetchall()
    numbers, part = outbox.Numbers(), -(-len(rows) // _ROUNDS)
    floor = _Floor(path.with_name("floor.db"))
    sealed_s = floor_s = 0.0
    for start in range(0, len(rows), part):
        lines = [row for (row,) in rows[start : start + part]]
        floor_s += floor.written(lines)
        began_s = time.perf_counter()
        for _ in range(0, len(lines), outbox.SEAL_ROWS):
            with db.atomic():
                outbox.seal(db, numbers, now_ms=0)
        sealed_s += time.perf_counter() - began_s
    envelopes, size = db.conn.execute("select count(*), sum(length(payload)) from envelope").fetchone()
    db.conn.close()
    floor.close()
    return {
        "rows": len(rows),
        "envelopes": envelopes,
        "bytes_a_row": round(size / len(rows), 1),
        "sealed_rows_a_second": round(len(rows) / sealed_s),
        "floor_rows_a_second": round(len(rows) / floor_s),
        "sealing_to_floor": round(floor_s / sealed_s, 2),
    }


def drained(path: Path, folder: Path, broker: BenchBroker, server: PostgresServer | None, rows: int) -> dict[str, Any]:
    """Deliver what is sealed in `path`, end to end, and as much by the C client, in turns; the median of the ratios.

    Without a server the district's store is a file of SQLite.
    """
    turns = []
    with broker:
        for number in range(_ROUNDS):
            here = folder / f"turn-{number}"
            here.mkdir()
            shutil.copy(path, here / "box.db")
            where = str(here / "district.db") if server is None else server.new_database(f"turn_{number}")
            turns.append(_turn(here, where, broker, server, rows))
    turns.sort(key=lambda turn: turn["drain_to_c_client"] or turn["rows_a_second"])
    return {
        "broker": broker.name,
        "protocol": broker.protocol,
        "store": "sqlite" if server is None else "postgres",
        "rows": rows,
        **turns[_ROUNDS // 2],
    }


def _turn(here: Path, where: str, broker: BenchBroker, server: PostgresServer | None, rows: int) -> dict[str, Any]:
    with _receiver(here, where, broker) as receiver:
        pids = {"broker": _pid(broker.process), "receiver": receiver.pid}
        if server is not None:
            pids["postgres"] = _pid(server.process)
        before_s = {name: _cpu_s(pid) for name, pid in pids.items()}
        box = _box(here / "box.db", broker)
        used_s = {"box": box["cpu_s"], **{name: _cpu_s(pid) - before_s[name] for name, pid in pids.items()}}
    client = _c_client(broker, rows)
    rate = rows / box["seconds"]
    return {
        "rows_a_second": round(rate),
        "rows_offered_again": box["resent"],
        "cpu_us_a_row": {name: round(1e6 * seconds / rows, 1) for name, seconds in used_s.items()},
        "c_client_messages_a_second": None if client is None else round(client),
        "drain_to_c_client": None if client is None else round(rate / client, 2),
    }


class _Floor:
    """What the disk allows: SQLite, WAL, synchronous FULL, a hundred rows a commit."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("create table floor(seq integer primary key, row text)")

    def written(self, lines: Sequence[str]) -> float:
        """Seconds for these rows."""
        began_s = time.perf_counter()
        for start in range(0, len(lines), outbox.SEAL_ROWS):
            part = [(line,) for line in lines[start : start + outbox.SEAL_ROWS]]
            self._connection.execute("begin immediate")
            self._connection.executemany("insert into floor(row) values (?)", part)
            self._connection.execute("commit")
        return time.perf_counter() - began_s

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _receiver(folder: Path, where: str, broker: BenchBroker) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "gateway", "district", "run", "--db", where, "--district", TOPICS.district]
    command += ["--broker", broker.address, "--protocol", broker.protocol, "--state", str(folder / "district.state")]
    log = folder / "receiver.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out)
    try:
        end = time.monotonic() + _READY_S
        while "Connected to the broker" not in log.read_text(encoding="utf-8"):
            if process.poll() is not None or time.monotonic() > end:
                raise Missing(f"the receiver does not start: {log.read_text(encoding='utf-8')[-300:]}")
            time.sleep(_POLL_S)
        yield process
    finally:
        process.terminate()
        process.wait()


def _box(path: Path, broker: BenchBroker) -> dict[str, float]:
    command = [sys.executable, "-m", "gateway.bench.sync_box", "--db", str(path)]
    command += ["--broker", broker.address, "--protocol", broker.protocol]
    ended = subprocess.run(command, check=True, capture_output=True, timeout=_LONGEST_S)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def _c_client(broker: BenchBroker, rows: int) -> float | None:
    """Messages a second of mosquitto_pub, one row each; None where it is not installed."""
    program = program_of("mosquitto_pub")
    if program is None:
        return None
    lines = "\n".join(made_result(number).to_row().to_json() for number in range(rows)).encode()
    command = [program, "-p", str(broker.port), "-h", "127.0.0.1", "-q", "1", "-t", "bench/row", "-l"]
    command += ["-V", "mqttv5" if broker.protocol == "5" else "mqttv311"]
    began_s = time.perf_counter()
    subprocess.run(command, input=lines, check=True, timeout=_LONGEST_S)
    return rows / (time.perf_counter() - began_s)


def _pid(process: subprocess.Popen[bytes] | None) -> int:
    return 0 if process is None else process.pid


def _cpu_s(pid: int) -> float:
    """Processor time of a process, its children and those that have ended, in seconds."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, told[11:15])) * _TICK_S + sum(map(_cpu_s, children_of(pid)))
