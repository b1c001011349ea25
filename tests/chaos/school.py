"""The class of a chaos run: the product's own `demo`, whose district is ours, and what may be asked and done of it."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway import control
from gateway.errors import GatewayError
from tests.chaos.house import ROOT, Trouble

SETUP_S: Final = 150.0
_LOOK_S: Final = 0.05
_LESSONS: Final = 10_000
"""More than any run needs: the run ends the class by SIGTERM, which lets it rest first."""
_STORE: Final = ("gateway.db", "gateway.db-wal", "gateway.db-shm")


class School:
    """One running demo."""

    def __init__(self, folder: Path, *, pens: int, seed: int, broker_port: int, orders: Mapping[str, str]) -> None:
        self.folder, self.pens, self.seed = folder, pens, seed
        self._broker_port, self._orders = broker_port, orders
        self.process: subprocess.Popen[bytes] | None = None
        self.tend: Callable[[], None] = lambda: None
        """Called at every look of a wait."""
        folder.mkdir(parents=True)

    def start(self) -> None:
        """Start the demo and wait until the class writes its first lesson."""
        words = ["demo", "--headless", "--json", "--calm", "--pens", str(self.pens), "--seed", str(self.seed)]
        words += ["--lessons", str(_LESSONS), "--keep", str(self.folder), "--lang", "en"]
        words += ["--district", f"mqtt://127.0.0.1:{self._broker_port}"]
        beside = self.folder.parent
        with (beside / "demo.out").open("wb") as out, (beside / "demo.err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *words],
                cwd=ROOT,
                env={**os.environ, **self._orders},
                stdout=out,
                stderr=err,
            )
        self.wait_until(lambda: self.status().get("lesson") is not None, SETUP_S, "the class began a lesson")

    def children(self) -> dict[str, Any]:
        """demo.json's children."""
        try:
            told: dict[str, Any] = json.loads((self.folder / "demo.json").read_text(encoding="utf-8"))["children"]
        except (OSError, ValueError, KeyError):
            return {}
        return told

    def status(self) -> dict[str, Any]:
        """As `inkgate status`; empty while no gateway answers."""
        return self._ask("status")

    def sync_status(self) -> dict[str, Any]:
        """As `inkgate sync status`; empty while no gateway answers."""
        return self._ask("sync_status")

    def _ask(self, errand: str) -> dict[str, Any]:
        try:
            said: dict[str, Any] = control.ask(self.folder, errand, timeout_s=5)
        except (GatewayError, ValueError):
            return {}
        return said

    def writing(self) -> bool:
        """Whether all are linked and at least half of the pens write."""
        said = self.status()
        return said.get("linked") == self.pens and said.get("writing", 0) >= (self.pens + 1) // 2

    def linked(self) -> bool:
        """Whether all pens are linked."""
        return bool(self.status().get("linked") == self.pens)

    def gateway_pid(self) -> int:
        """Of the gateway that runs now, as its own folder says.

        Raises:
            Trouble: None runs.
        """
        pid = self.children().get("gateway", {}).get("pid")
        if pid is None:
            raise Trouble("no gateway runs")
        return int(pid)

    def kill_gateway(self) -> None:
        """SIGKILL."""
        os.kill(self.gateway_pid(), signal.SIGKILL)

    def image(self, to: Path) -> None:
        """A disk image of the store: the gateway stands still for the moment that the copy takes."""
        to.mkdir(parents=True, exist_ok=True)
        pid = self.gateway_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            _copy_store(self.folder, to)
        finally:
            os.kill(pid, signal.SIGCONT)

    def put_back(self, image: Path) -> None:
        """Kill the gateway and put the image in its place before the demo starts another one."""
        if self.process is None:
            raise Trouble("no class runs")
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            pid = self.gateway_pid()
            os.kill(pid, signal.SIGKILL)
            end = time.monotonic() + 10
            while _runs(pid) and time.monotonic() < end:
                time.sleep(0.01)
            for name in _STORE:
                (self.folder / name).unlink(missing_ok=True)
            _copy_store(image, self.folder)
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def wait_until(self, done: Callable[[], Any], limit_s: float, what: str) -> float:
        """Wait for the real thing. Returns how many seconds it took.

        Raises:
            Trouble: It did not come in time, or the class has ended.
        """
        began = time.monotonic()
        while not done():
            self.tend()
            if self.process is not None and self.process.poll() is not None:
                raise Trouble(
                    f"the class ended with {self.process.returncode} while waiting that {what}; {self.said()}"
                )
            if time.monotonic() - began > limit_s:
                raise Trouble(f"not within {limit_s:.0f} s: {what}; status {self._short()}")
            time.sleep(_LOOK_S)
        return time.monotonic() - began

    def end(self, limit_s: float = 180.0) -> dict[str, Any]:
        """Let the class rest and end. Returns the demo's own report."""
        if self.process is None:
            raise Trouble("no class runs")
        self.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + limit_s
        while self.process.poll() is None:
            self.tend()
            if time.monotonic() > end:
                self.process.kill()
                raise Trouble(f"the class did not end within {limit_s:.0f} s")
            time.sleep(_LOOK_S)
        try:
            report: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        except OSError:
            raise Trouble(f"the class left no report; {self.said()}") from None
        return report

    def kill(self) -> None:
        """End it whatever it does; its children end with it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        """The end of what the demo said on standard error."""
        return (self.folder.parent / "demo.err").read_text(encoding="utf-8", errors="replace")[-800:]

    def _short(self) -> str:
        told = self.status()
        kept = ("linked", "writing", "bound", "lesson", "outbox", "jobs_waiting", "reader_pid")
        return json.dumps({name: told.get(name) for name in kept})


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Read a SQLite file without touching it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _copy_store(source: Path, to: Path) -> None:
    for name in _STORE:
        if (source / name).exists():
            shutil.copyfile(source / name, to / name)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
