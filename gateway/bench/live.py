"""`bench live`: the gateway's whole live path against a bare subscription by stock bumble, for the same pens.

Both in the same run: a room of pens that write without a pause, in a process of its own; first the bare subscription,
then the gateway with a lesson and five pages that look on. What counts is processor time a notification.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import connect

from gateway import control
from gateway.bench.parts import measure
from gateway.dashboard.frames import unpack
from gateway.errors import GatewayError, NotRunning

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_READY_S: Final = 60.0
_SETTLE_S: Final = 2.0
_SETTLE_MS: Final = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """What was measured."""

    pens: int
    dots_per_s_each: float
    pages: int
    seconds: float
    stock_us_per_notification: float
    gateway_us_per_dot: float
    ratio: float
    """Gateway against the bare subscription; at most 1 is the goal."""
    gateway_core_percent: float
    stock_notifications_per_s: int
    gateway_dots_per_s: int
    us_per_dot_by_part: dict[str, float]
    dot_to_screen_ms: dict[str, Any]
    dot_to_page_ms: dict[str, Any]
    """As a page over a real socket sees it."""
    penup_to_grade_ms: dict[str, Any]
    parts_ms: dict[str, Any]
    """Where the time goes: on the air, until the beat, the commit, and the silence before an answer is read."""
    rss_mb: dict[str, float]

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


async def run(*, pens: int, rate: float, seconds: float, pages: int) -> LiveFigures:
    """Measure. Takes some 3 × `seconds` and the start of everything."""
    folder = Path(tempfile.mkdtemp(prefix="inkgate-bench-"))
    try:
        specs = [f"unix:{folder}/hci{i}" for i in range(4)]
        async with room(folder, pens, rate):
            stock = await _stock(specs, seconds)
        async with room(folder, pens, rate) as pens_side:
            seen = await _gateway(folder, pens_side, pens=pens, seconds=seconds, pages=pages)
        return _figures(seen, stock, pens=pens, rate=rate, seconds=seconds, pages=pages)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def room(folder: Path, pens: int, rate: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """The pens' side, writing without a pause, in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bench.room", "--folder", str(folder)),
        *("--pens", str(pens), "--rate", str(rate)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await hear_facts(child, "ready")
        yield child
    finally:
        if child.stdin is not None:
            child.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await child.wait()
        if child.returncode is None:
            child.kill()
            await child.wait()


async def hear_facts(child: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """Wait until the pens' side tells this event; gives what it tells with it."""
    async with asyncio.timeout(_READY_S):
        while child.stdout is not None and (line := await child.stdout.readline()):
            said: dict[str, Any] = json.loads(line)
            if said.get("event") == event:
                return said
    raise GatewayError("The bench's pens ended before they were needed.")


async def _stock(specs: list[str], seconds: float) -> dict[str, float]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.bench.stock", "--seconds", str(seconds), *specs),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    if child.returncode:
        raise GatewayError("The bare subscription failed; its error is above.")
    said: dict[str, float] = json.loads(out.splitlines()[-1])
    return said


@dataclass(slots=True)
class _Seen:
    """What was seen of the gateway while the pens wrote."""

    dots: int
    cpu_s: float
    wall_s: float
    status: dict[str, Any]
    graded: dict[str, Any]
    lags: list[float]
    rss_mb: dict[str, float]


async def _gateway(folder: Path, room: asyncio.subprocess.Process, *, pens: int, seconds: float, pages: int) -> _Seen:
    command = [sys.executable, "-m", "gateway", "--settings", str(settings(folder))]
    with (folder / "gateway.log").open("wb") as log:
        gateway = await asyncio.create_subprocess_exec(*command, "run", stderr=log)
    lags: list[float] = []
    try:
        await until(lambda: status_of(folder) is not None)
        await prepare(folder, command, pens)
        await until(lambda: (status_of(folder) or {}).get("linked") == pens)
        looking = [asyncio.create_task(look_on(folder, lags)) for _ in range(pages)]
        await asyncio.sleep(_SETTLE_S)
        before, cpu_s, began = status_of(folder) or {}, _cpu_s(gateway.pid), time.monotonic()
        await asyncio.sleep(seconds)
        after, cpu_s = status_of(folder) or {}, _cpu_s(gateway.pid) - cpu_s
        wall_s = time.monotonic() - began
        graded = await _answers(folder, room, pens)
        rss = {"gateway": _rss_mb(gateway.pid), "room": _rss_mb(room.pid), "reader": _rss_mb(graded["reader_pid"])}
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
    finally:
        gateway.terminate()
        await gateway.wait()
    return _Seen(after["dots"] - before["dots"], cpu_s, wall_s, after["figures"], graded["figures"], lags, rss)


def settings(folder: Path) -> Path:
    """Settings of a gateway on the four adapters in this folder; gives their file."""
    path = folder / "gateway.toml"
    adapters = ", ".join(f'"unix:{folder}/hci{i}"' for i in range(4))
    path.write_text(
        f'[box]\nfolder = "{folder}"\n[radio]\nadapters = [{adapters}]\nplaces = 12\nconnect_timeout_s = 4\n'
        f'[dashboard]\nport = 0\n[sync]\nbroker = "127.0.0.1:1"\n[reading]\nsettle_ms = {_SETTLE_MS}\n',
        encoding="utf-8",
    )
    return path


def _figures(
    seen: _Seen, stock: dict[str, float], *, pens: int, rate: float, seconds: float, pages: int
) -> LiveFigures:
    each = 1e6 * stock["cpu_s"] / max(1, stock["notifications"])
    ours = 1e6 * seen.cpu_s / max(1, seen.dots)
    return LiveFigures(
        pens=pens,
        dots_per_s_each=rate,
        pages=pages,
        seconds=seconds,
        stock_us_per_notification=round(each, 1),
        gateway_us_per_dot=round(ours, 1),
        ratio=round(ours / each, 2),
        gateway_core_percent=round(100 * seen.cpu_s / seen.wall_s, 1),
        stock_notifications_per_s=round(stock["notifications"] / stock["wall_s"]),
        gateway_dots_per_s=round(seen.dots / seen.wall_s),
        us_per_dot_by_part=measure(),
        dot_to_screen_ms=seen.status["dot_to_screen_ms"],
        dot_to_page_ms=summary(seen.lags),
        penup_to_grade_ms=seen.graded["penup_to_grade_ms"],
        parts_ms={
            "air": seen.status["air_ms"],
            "batch": seen.status["batch_ms"],
            "commit": seen.status["commit_ms"],
            "settle": _SETTLE_MS,
        },
        rss_mb=seen.rss_mb,
    )


async def prepare(folder: Path, command: list[str], pens: int) -> None:
    """Roster, bindings and a lesson, by the product's own commands."""
    roster = "\n".join(["座号,姓名,学籍号", *(f"{n},样,L{n}" for n in range(1, pens + 1))])
    (folder / "roster.csv").write_text(roster, encoding="utf-8")
    pairs = "\n".join(f"9C:7B:D2:50:{n >> 8:02X}:{n & 255:02X},{n}" for n in range(1, pens + 1))
    (folder / "pens.csv").write_text(pairs, encoding="utf-8")
    for words in (
        ["roster", "import", str(folder / "roster.csv")],
        ["pens", "bind", "--file", str(folder / "pens.csv")],
        ["lesson", "start"],
    ):
        child = await asyncio.create_subprocess_exec(*command, *words, stdout=asyncio.subprocess.DEVNULL)
        if await child.wait():
            raise GatewayError(f"`inkgate {' '.join(words[:2])}` failed; its error is above.")


async def _answers(folder: Path, room: asyncio.subprocess.Process, pens: int) -> dict[str, Any]:
    """Let every pen tick a box, and wait until all are graded."""
    if room.stdin is not None:
        room.stdin.write(b"answers\n")
    await hear_facts(room, "answered")
    await until(lambda: (status_of(folder) or {}).get("graded", 0) >= pens)
    return status_of(folder) or {}


async def look_on(folder: Path, lags: list[float]) -> None:
    """A page that looks on over a real socket and notes how old each dot is when it comes."""
    where = await asyncio.to_thread(control.ask, folder, "page")
    base = where["url"].rstrip("/")
    cookie = await asyncio.to_thread(_log_in, base, where["pin"])
    feed = base.replace("http://", "ws://") + "/feed"
    async with connect(feed, origin=base, additional_headers={"Cookie": cookie}, compression=None) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                now_ms = time.time() * 1000
                frame = unpack(message)
                if frame.kind == 1:
                    lags += [now_ms - chunk.at_ms for chunk in frame.chunks if chunk.dots]


def _log_in(base: str, pin: str) -> str:
    class _Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:  # noqa: ANN401  urllib's own signature
            return None

    request = urllib.request.Request(base + "/login", f"pin={pin}".encode(), {"Origin": base})  # noqa: S310  our own page
    try:
        urllib.request.build_opener(_Stay).open(request, timeout=5)
    except urllib.error.HTTPError as answer:
        found = re.match(r"[^;]+", answer.headers.get("Set-Cookie", ""))
        answer.close()
        if found:
            return found[0]
    raise GatewayError("The page did not let the bench in.")


def status_of(folder: Path) -> dict[str, Any] | None:
    """What the gateway says of itself; None while none answers."""
    try:
        said: dict[str, Any] = control.ask(folder, "status", timeout_s=5)
    except NotRunning:
        return None
    return said


async def until(done: Any) -> None:  # noqa: ANN401  a question asked in a thread
    """Ask in a thread until the answer is yes."""
    end = time.monotonic() + _READY_S
    while not await asyncio.to_thread(done):
        if time.monotonic() > end:
            raise GatewayError("The gateway was not ready in time.")
        await asyncio.sleep(0.2)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _rss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def summary(values: list[float]) -> dict[str, Any]:
    """Median, 99th percentile and number, in ms."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None, "n": 0}
    last = len(ordered) - 1
    return {"p50": round(ordered[last // 2], 1), "p99": round(ordered[int(last * 0.99)], 1), "n": len(ordered)}
