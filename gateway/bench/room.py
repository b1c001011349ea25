"""The pens' side of `bench live`: a virtual room whose pens write without a pause, in a process of its own.

It says `ready` when the sockets are open and counts what it wrote when its input ends. On the line `answers` each pen
writes one tick after a pause, so that the way from pen-up to grade can be seen. On `air RETRANSMIT DROP` the air turns
bad, on `burst N` every pen writes N short answers within a second and goes on.
"""

import argparse
import asyncio
import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from devices.events import PageChanged
from devices.virtual.motion import MotionDot, to_dots
from devices.virtual.pen import VirtualPen
from devices.virtual.room import VirtualRoom
from recognition.sheets import bundled, load

_STROKE_DOTS = 300
_CENTRE_MM, _RADIUS_MM = (105.0, 280.0), 6.0


def scribble(rate: float, phase: float) -> list[MotionDot]:
    """One stroke of three hundred dots at the foot of the page, in no field."""
    at = np.arange(_STROKE_DOTS)
    x = _CENTRE_MM[0] + 60 * math.cos(phase) + _RADIUS_MM * np.cos(at / 9)
    y = _CENTRE_MM[1] + _RADIUS_MM * np.sin(at / 7)
    return to_dots(np.column_stack([x, y, at * 1000 / rate, np.full(len(at), 0.6)]), hz=rate)


async def write_on(pen: VirtualPen, page: PageChanged, dots: list[MotionDot], stop: asyncio.Event) -> None:
    """Write the same stroke again and again."""
    await pen.wait_ready()
    while not stop.is_set():
        await pen.write(page, dots)


async def _burst(pen: VirtualPen, answers: int) -> None:
    """So many short answers, each in a field, in about a second: a stroke of four dots each."""
    sheet = load(bundled("demo"))
    fields = [(PageChanged(*sheet.address_of(i)), f) for i, p in enumerate(sheet.pages) for f in p.fields]
    for number in range(answers):
        page, field = fields[number % len(fields)]
        x0, y0, x1, y1 = field.box_mm
        x, top, bottom = (x0 + x1) / 2, y0 + 0.2 * (y1 - y0), y1 - 0.2 * (y1 - y0)
        down = np.array([[x, y, 10.0 * i, 0.6] for i, y in enumerate(np.linspace(top, bottom, 4))])
        await pen.write(page, to_dots(down, hz=100))


async def _end(writing: list[asyncio.Task[None]]) -> None:
    for task in writing:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*writing, return_exceptions=True)


async def _serve(options: argparse.Namespace) -> None:
    count = {"dots": 0, "dropped_events": 0}

    def ledger(line: dict[str, Any]) -> None:
        if line["kind"] == "stroke":
            count["dots"] += line["dots"]
        elif line["cause"] == "host_dropped":
            count["dropped_events"] += line["events"]

    sheet = load(bundled("demo"))
    page = PageChanged(*sheet.address_of(0))
    choice = next(f for p in sheet.pages for f in p.fields if f.choices)
    page_of_choice = PageChanged(*sheet.address_of(sheet.pages.index(sheet.page_of(choice.id))))
    box = next(c.box_mm for c in choice.choices if c.box_mm is not None)
    tick = np.array([[box[0] + 1, box[1] + 1, 0, 0.6], [box[2] - 1, box[3] - 1, 120, 0.6]])
    room = VirtualRoom(options.folder, pens=options.pens, ledger=ledger)
    await room.start()
    _say("ready")
    stop = asyncio.Event()

    def write_all() -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(write_on(pen, page, scribble(options.rate, number), stop))
            for number, pen in enumerate(room.pens.values())
        ]

    writing = write_all()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"answers":
            stop.set()
            await asyncio.gather(*writing, return_exceptions=True)
            await asyncio.gather(*(pen.write(page_of_choice, to_dots(tick)) for pen in room.pens.values()))
            _say("answered")
        elif line.startswith(b"air "):
            for pen in room.pens.values():
                pen.outlet.air.retransmit, pen.outlet.air.drop_at_host = map(float, line.split()[1:])
            _say("air_changed")
        elif line.startswith(b"burst "):
            await _end(writing)
            await asyncio.gather(*(_burst(pen, int(line.split()[1])) for pen in room.pens.values()))
            writing = write_all()
            _say("burst_done")
    await _end(writing)
    await room.stop()
    _say("end", **count)


def _say(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run until the input ends."""
    parser = argparse.ArgumentParser(description="The pens of `inkgate bench live`.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pens", type=int, default=48)
    parser.add_argument("--rate", type=float, default=100)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
