"""What is wrong on this box, and the one thing to do about it. Works with no adapter, no network and no gateway."""

import importlib
import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gateway import aside, clock, control, store
from gateway.disk import Disk, free_bytes
from gateway.errors import GatewayError
from gateway.settings import Settings

Verdict = Literal["ok", "warn", "fail", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: how it went, in one sentence, and the cure."""

    id: str
    verdict: Verdict
    sentence: str
    cure: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, quickest first; none waits longer than a second or two."""
    for look in _CHECKS:
        try:
            yield from look(settings)
        except (OSError, GatewayError) as error:
            yield Finding(look.__name__.strip("_"), "fail", str(error))


def _python(settings: Settings) -> Iterator[Finding]:
    del settings
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", f"Python {version}.")
    for name in ("numpy", "cv2", "bumble", "bleak", "paho.mqtt", "sqlite_utils", "starlette"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            cure = "Remove .venv and start ./inkgate again; it makes the environment anew."
            yield Finding(f"library.{name}", "fail", f"{name} cannot be loaded: {error}", cure)


def _clock(settings: Settings, trusted: Callable[[], bool] = clock.is_trusted) -> Iterator[Finding]:
    del settings
    if trusted():
        yield Finding("clock", "ok", "The clock is set.")
    else:
        yield Finding(
            "clock", "fail", "The clock is not set; times of this lesson will be marked.", "Connect a network."
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.box.folder
    while not folder.exists():
        folder = folder.parent
    free = free_bytes(folder)
    keep = settings.disk
    watched = Disk(settings.box.folder, low_mb=keep.low_mb, reserve_mb=keep.reserve_mb)
    cure = "Free space, or move box.folder to a larger disk; the gateway goes on by itself."
    if watched.is_full():
        sentence = f"The disk is full ({free >> 20} MB are free): no ink is taken, the pens keep it."
        yield Finding("disk.full", "fail", sentence, cure)
    elif free < keep.low_mb * (1 << 20):
        sentence = f"Only {free >> 20} MB are free: pens' memories are not emptied."
        yield Finding("disk.low", "fail", sentence, cure)
    else:
        yield Finding("disk", "ok", f"{free >> 20} MB are free.")
    if not os.access(folder, os.W_OK):
        yield Finding("folder", "fail", f"{folder} cannot be written.", f"Run as its owner, or chown {folder}.")


def _database(settings: Settings) -> Iterator[Finding]:
    if not settings.database.exists():
        yield Finding("database", "skipped", "There is no store yet; the first `inkgate run` makes it.")
        return
    problems = store.check(settings.database)
    if problems:
        sentence = f"The store is hurt: {problems[0]}"
        cure = "`inkgate db check` says what is whole; `inkgate db restore` brings a backup back. It is left untouched."
        yield Finding("database", "fail", sentence, cure)
    else:
        yield Finding("database", "ok", "The store is whole.")
    yield from _put_aside(settings.database)


def _put_aside(database: Path) -> Iterator[Finding]:
    """Stores that were put aside damaged, and wait to be joined."""
    there = {path.name for path in aside.listed(database)}
    with suppress(sqlite3.Error), store.looking(database) as connection:
        waiting = connection.execute("select name from aside where joined_ms is null and name like '%.damaged-%'")
        for (name,) in waiting:
            if name in there:
                sentence = f"A damaged store was put aside as {name}; capture went on in a new one."
                cure = "Stop the gateway and run `inkgate db check --salvage`: what can be read is joined."
                yield Finding("store.damaged", "fail", sentence, cure)


def _radio(settings: Settings) -> Iterator[Finding]:
    for spec in settings.radio.adapters:
        if spec.startswith("bluez"):
            there = list(Path("/sys/class/bluetooth").glob("hci*")) if Path("/sys/class/bluetooth").is_dir() else []
            if there:
                yield Finding("radio", "ok", f"{len(there)} Bluetooth adapters: {', '.join(p.name for p in there)}.")
            else:
                yield Finding("radio", "fail", "No Bluetooth adapter is there.", "Plug one in, or set radio.adapters.")
        elif spec.startswith(("unix:", "serial:")):
            path = spec.partition(":")[2].partition(",")[0]
            verdict: Verdict = "ok" if Path(path).exists() else "fail"
            state = "is there" if verdict == "ok" else "is not there"
            yield Finding("radio", verdict, f"{path} {state}.", "" if verdict == "ok" else "Plug the adapter in.")


def _broker(settings: Settings) -> Iterator[Finding]:
    # Several places are nodes of one cluster: each is looked at, for one that is away is not noticed otherwise.
    for place in settings.sync.broker.split(","):
        host, _, port = place.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
        except (OSError, ValueError):
            sentence = f"No broker answers at {place.strip()}; results wait on the box, none is lost."
            yield Finding("broker", "warn", sentence, "Check the network and sync.broker.")
        else:
            yield Finding("broker", "ok", f"The broker at {place.strip()} answers.")


def _gateway(settings: Settings) -> Iterator[Finding]:
    try:
        said = control.ask(settings.box.folder, "status", timeout_s=2)
    except GatewayError as error:
        yield Finding("gateway", "skipped", str(error))
        return
    yield Finding("gateway", "ok", f"The gateway runs; {said['linked']} pens are linked.")
    for warning in said["warnings"]:
        yield Finding(f"gateway.{warning['code']}", "fail", warning["sentence"], warning["cure"])


_CHECKS: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (
    *(_python, _clock, _disk, _database, _radio, _broker, _gateway),
)
