"""The demo: four children, the product's own commands, and the books at the end.

Everything is done as a school would: settings in a file, the roster imported, the join window opened, pens bound by the
link card, a lesson started and stopped, each by the command that README names. The databases are read when all has
ended.
"""

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.dashboard.access import new_pin
from gateway.demo.books import Books, close_books
from gateway.errors import GatewayError, NotRunning, StoreBusy
from gateway.supervisor import Child, Supervisor
from sync.nats import nats_binary, nats_config

_SETUP_S: Final = 60.0
_LESSON_S: Final = 600.0
_DRAIN_S: Final = 40.0
_EMPTY_S: Final = 120.0
"""How long pens that are linked are waited for until their memories are drained."""
_REST_S: Final = 1.5
"""Between the last pen-up of the class and the end: nothing is under way any more."""
_AGAIN_S: Final = 30.0
_COME_AGAIN: Final = (NotRunning.exit_code, StoreBusy.exit_code)
_CLASS_NAMES: Final = "甲乙丙丁戊己庚辛壬癸"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the demo is asked to do."""

    folder: Path
    air: Path
    """Short path for the radio's sockets: a Unix socket's name is at most 107 bytes."""
    pens: int
    seed: int
    speed: float
    calm: bool
    lessons: int | None
    """So many lessons, or until it is told to end."""
    district: str | None
    language: str
    port: int


@dataclass(slots=True)
class Seen:
    """What the demo watched while it ran."""

    peak_rss_mb: dict[str, float] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    events: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)


class Demo:
    """One demo. `tell(stage, **facts)` hears what happens, for the screen of whoever started it."""

    def __init__(self, options: Options, tell: Callable[..., None]) -> None:
        self.options, self.tell = options, tell
        self.seen = Seen()
        self.began = time.monotonic()
        self.page: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._supervisor = Supervisor(self._write_children)
        self._reader_restarts = 0

    async def run(self, end: asyncio.Event) -> dict[str, Any]:
        """Everything, from the first child to the report."""
        watching: asyncio.Task[None] | None = None
        try:
            await self._start_children()
            watching = asyncio.create_task(self._watch())
            await self._or_end(self._set_up(), end)
            number = 0
            while not end.is_set() and (self.options.lessons is None or number < self.options.lessons):
                number += 1
                await self._or_end(self._lesson(number), end)
            await self._drain()
            await self._look()
        finally:
            if watching is not None:
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
            restarts = {name: child.restarts for name, child in self._supervisor.children.items()}
            for name in ("gateway", "classroom", "district", "broker"):
                await self._supervisor.end(name)
        books = close_books(self.options.folder, with_district=self.options.district is None)
        report = self._report(books, restarts | {"reader": self._reader_restarts})
        text = json.dumps(report, ensure_ascii=False, indent=1)
        (self.options.folder / "report.json").write_text(text, encoding="utf-8")
        return report

    async def _or_end(self, work: Any, end: asyncio.Event) -> None:  # noqa: ANN401  a coroutine
        """Do the work, or leave it when the demo is told to end."""
        task, ending = asyncio.ensure_future(work), asyncio.ensure_future(end.wait())
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with contextlib.suppress(GatewayError, RuntimeError):
                self._order(do="rest")
                await self._expect("rest_done", _SETUP_S)
                await asyncio.sleep(_REST_S)
                await self._command("lesson", "stop", "--json")
            return
        task.result()

    async def _start_children(self) -> None:
        folder, logs = self.options.folder, self.options.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        python = [sys.executable, "-m"]
        self.tell("starting")
        if self.options.district is None:
            self._ports["broker"] = _free_port()
            config = folder / "broker.conf"
            config.write_text(nats_config(self._ports["broker"], folder / "broker", "demo"), encoding="utf-8")
            broker = [str(nats_binary()), "-c", str(config)]
            await self._supervisor.start(Child("broker", broker, logs / "broker.log"))
            where = f"127.0.0.1:{self._ports['broker']}"
            district = [*python, "gateway", "district", "run", "--db", str(folder / "district.db")]
            district += ["--broker", where, "--district", "demo", "--state", str(folder / "district.state")]
            await self._supervisor.start(Child("district", district, logs / "district.log"))
        else:
            where = self.options.district.removeprefix("mqtt://")
        classroom = [*python, "gateway.demo.classroom", "--folder", str(self.options.air)]
        classroom += ["--truth", str(folder / "truth.jsonl"), "--pens", str(self.options.pens)]
        classroom += ["--seed", str(self.options.seed), "--speed", str(self.options.speed)]
        classroom += ["--calm"] if self.options.calm else []
        heard = Child("classroom", classroom, logs / "classroom.log", piped=True, on_line=self._hear)
        await self._supervisor.start(heard)
        await self._expect("ready", _SETUP_S)
        self._write_settings(where)
        gateway = [*python, "gateway", "--settings", str(folder / "gateway.toml"), "run"]
        await self._supervisor.start(Child("gateway", gateway, logs / "gateway.log"))

    def _write_settings(self, broker: str) -> None:
        adapters = ", ".join(json.dumps(f"unix:{self.options.air}/hci{i}") for i in range(4))
        text = f"""[box]
folder = {json.dumps(str(self.options.folder))}
id = "demo-box"
school = "demo-school"
district = "demo"
language = {json.dumps(self.options.language)}

[radio]
adapters = [{adapters}]
places = 12
connect_timeout_s = 4

[sync]
broker = {json.dumps(broker)}

[dashboard]
port = {self.options.port or _free_port()}
pin_file = {json.dumps(str(self.options.folder / "pin"))}
"""
        (self.options.folder / "gateway.toml").write_text(text, encoding="utf-8")
        pin = self.options.folder / "pin"
        pin.touch(0o600)
        pin.write_text(new_pin() + "\n", encoding="ascii")

    async def _set_up(self) -> None:
        """Roster, join window, link card."""
        await self._until(self._answers, _SETUP_S, "the gateway did not start; logs/gateway.log says why")
        self.page = json.loads(await self._control("page"))
        self._write_children()
        self.tell("page", **self.page)
        roster = self.options.folder / "roster.csv"
        roster.write_text(_roster(self.options.pens), encoding="utf-8")
        await self._command("roster", "import", str(roster), "--json")
        await self._command("pens", "join", "--minutes", "10", "--json")
        self.tell("linking")
        await self._until(self._all_ready, _SETUP_S, "not all pens were linked; `pens list` says why")
        self.tell("card")
        await self._pass_card_round()
        await self._command("pens", "join", "--minutes", "0", "--json")

    async def _pass_card_round(self) -> None:
        """Until every seat is bound; whose tick was lost ticks again, as a pupil would when told so."""
        end, missing = time.monotonic() + _SETUP_S, None
        while missing is None or missing:
            if time.monotonic() > end:
                raise GatewayError(f"The demo stopped: seats {missing} were not bound by the card.")
            self._order(do="card", seats=missing)
            await self._expect("card_done", _SETUP_S)
            for _ in range(8):
                await asyncio.sleep(0.25)
                if await self._all_bound():
                    break
            view = json.loads(await self._command("pens", "list", "--json"))
            bound = {pen["seat"] for pen in view["pens"]}
            missing = [seat for seat in range(1, self.options.pens + 1) if seat not in bound]

    async def _lesson(self, number: int) -> None:
        lesson = await self._start_lesson()
        self.tell("lesson", number=number)
        self._order(do="lesson", lesson=lesson, number=number)
        await self._expect("lesson_done", _LESSON_S)
        await asyncio.sleep(_REST_S)
        await self._command("lesson", "stop", "--json")
        self.tell("graded", number=number)

    async def _start_lesson(self) -> str:
        """Start a lesson; where the gateway died between doing it and saying so, it runs already."""
        try:
            said = json.loads(await self._command("lesson", "start", "--sheet", "demo", "--json"))
        except GatewayError:
            listed = json.loads(await self._command("lesson", "list", "--json"))["lessons"]
            if not listed or listed[0]["stopped_ms"] is not None:
                raise
            return str(listed[0]["id"])
        return str(said["lesson"])

    async def _drain(self) -> None:
        """Wait until every pen that is linked is emptied and all of it is graded, then for every result's receipt."""
        self.tell("draining")
        with contextlib.suppress(GatewayError):
            await self._until(self._emptied, _EMPTY_S, "pens that are linked were not emptied")
        with contextlib.suppress(GatewayError):
            await self._until(self._receipted, _DRAIN_S, "the outbox did not empty")

    async def _answers(self) -> bool:
        await self._look()
        return bool(self.seen.status)

    async def _all_ready(self) -> bool:
        await self._look()
        return int(self.seen.status.get("linked", 0)) >= self.options.pens

    async def _all_bound(self) -> bool:
        await self._look()
        return int(self.seen.status.get("bound", 0)) >= self.options.pens

    async def _emptied(self) -> bool:
        await self._look()
        status = self.seen.status
        return not (status.get("draining", True) or status.get("grading", True))

    async def _receipted(self) -> bool:
        said = json.loads(await self._command("sync", "status", "--json"))
        return bool(said["fresh"] + said["waiting"] == 0)

    async def _until(self, done: Callable[[], Any], limit_s: float, otherwise: str) -> None:
        end = time.monotonic() + limit_s
        while not await done():
            if time.monotonic() > end:
                raise GatewayError(f"The demo stopped: {otherwise}.")
            await asyncio.sleep(0.25)

    async def _look(self) -> None:
        with contextlib.suppress(GatewayError, RuntimeError):
            said = json.loads(await self._control("status"))
            self._reader_restarts = int(said.get("reader_restarts", 0))
            if said.get("reader_pid") != self.seen.pids.get("reader") and said.get("reader_pid"):
                self.seen.pids["reader"] = said["reader_pid"]
                self._write_children()
            self.seen.status = said
            self.tell("status", **said)

    async def _watch(self) -> None:
        """Once a second: status, memory."""
        while True:
            await self._look()
            pids = {n: c.pid for n, c in self._supervisor.children.items()} | {"reader": self.seen.pids.get("reader")}
            for name, pid in pids.items():
                if pid is not None and (mb := _peak_rss_mb(pid)) is not None:
                    self.seen.peak_rss_mb[name] = max(mb, self.seen.peak_rss_mb.get(name, 0.0))
            await asyncio.sleep(1.0)

    async def _control(self, errand: str) -> str:
        from gateway import control  # noqa: PLC0415  beside its use: the demo's own watch, nothing else

        said = await asyncio.to_thread(control.ask, self.options.folder, errand, timeout_s=5.0)
        return json.dumps(said)

    async def _command(self, *words: str) -> str:
        """Run one of the product's commands and give its output; try again while the gateway is being restarted."""
        settings = str(self.options.folder / "gateway.toml")
        end = time.monotonic() + _AGAIN_S
        while True:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "--settings", settings, *words),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await child.communicate()
            if child.returncode == 0:
                return out.decode()
            if child.returncode not in _COME_AGAIN or time.monotonic() > end:
                words_said = err.decode()[-600:]
                raise GatewayError(f"`inkgate {' '.join(words)}` ended with {child.returncode}: {words_said}")
            await asyncio.sleep(0.5)

    def _order(self, **command: object) -> None:
        self._supervisor.children["classroom"].tell(json.dumps(command).encode())

    def _hear(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):
            self.seen.events.put_nowait(json.loads(line))

    async def _expect(self, event: str, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while (await self.seen.events.get()).get("event") != event:
                    pass
        except TimeoutError:
            raise GatewayError(f"The demo stopped: the classroom did not say `{event}`; see logs/.") from None

    def _write_children(self) -> None:
        settings = {"gateway": str(self.options.folder / "gateway.toml")}
        pids = {name: child.pid for name, child in self._supervisor.children.items()}
        pids["reader"] = self.seen.pids.get("reader")
        port = self.page.get("url", "").rpartition(":")[2].strip("/")
        ports = {**self._ports, "gateway": int(port) if port else None}
        document = {
            **self.page,
            "children": {n: {"pid": p, "settings": settings.get(n), "port": ports.get(n)} for n, p in pids.items()},
        }
        path = self.options.folder / "demo.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(document, indent=1), encoding="utf-8")
        new.replace(path)

    def _report(self, books: Books, restarts: Mapping[str, int]) -> dict[str, Any]:
        status = self.seen.status
        figures = status.get("figures", {})
        return {
            "schema": "inkgate.demo/1",
            "pens": self.options.pens,
            "seed": self.options.seed,
            "linked_together_s": status.get("linked_together_s", {}).get(str(self.options.pens), 0.0),
            **books.figures,
            "dot_to_screen_ms": figures.get("dot_to_screen_ms", {}),
            "penup_to_grade_ms": figures.get("penup_to_grade_ms", {}),
            "grade_to_receipt_ms": figures.get("grade_to_receipt_ms", {}),
            "seconds": round(time.monotonic() - self.began, 1),
            "peak_rss_mb": {name: round(mb, 1) for name, mb in sorted(self.seen.peak_rss_mb.items())},
            "restarts": dict(restarts),
            "faults": books.faults[:50],
            "balanced": books.balanced,
        }


def _roster(pens: int) -> str:
    """A class of made-up pupils; their numbers are none that anybody has."""
    lines = ["座号,姓名,学籍号"]
    for seat in range(1, pens + 1):
        name = "样" + _CLASS_NAMES[seat // 10 % 10] + _CLASS_NAMES[seat % 10]
        lines.append(f"{seat},{name},L{9_000_000_000 + seat}")
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _peak_rss_mb(pid: int) -> float | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
