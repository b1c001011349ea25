"""The classroom's process: the virtual radio, 48 pens, and pupils who write with a learnt hand.

It knows the truth and writes it to truth.jsonl as it goes. It hears one JSON line a command on standard input (`card`,
`lesson`, `rest`) and says one a fact on standard output. Nothing else is between it and the gateway but the radio.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from devices.events import PageChanged
from devices.virtual.motion import to_dots
from devices.virtual.pen import VirtualPen
from devices.virtual.room import VirtualRoom, mac_of
from gateway.demo.lives import Intention, intentions
from recognition.handwriting.model import Model
from recognition.handwriting.pupil import Pupil
from recognition.pages import PageAddress
from recognition.sheets import bundled, load

_THINKING_S: Final = (0.4, 2.2)
_TROUBLES_S: Final = (1.0, 2.5)
"""Without --calm something happens to some pen of a full class so often."""
_FULL_CLASS: Final = 48


class Classroom:
    """The pupils and their pens."""

    def __init__(self, room: VirtualRoom, truth: "Truth", options: argparse.Namespace) -> None:
        self.room, self.truth, self.options = room, truth, options
        self.sheet = load(bundled("demo.toml"))
        self.card = load(bundled("link-card.toml"))
        self.speed: float = options.speed
        self.count = 0
        model = Model.load()
        self.pupils = {seat: Pupil(options.seed * 1000 + seat, model) for seat in range(1, options.pens + 1)}

    def pen(self, seat: int) -> VirtualPen:
        """The pen of a seat."""
        return self.room.pens[mac_of(seat)]

    async def write_card(self, seats: Iterable[int] | None = None) -> None:
        """Every pupil, or those at these seats, ticks the box of the own seat."""
        await asyncio.gather(*(self._tick_seat(seat) for seat in seats or self.pupils))

    async def write_lesson(self, lesson: str, number: int) -> None:
        """Every pupil answers the sheet."""
        troubles = asyncio.create_task(self._troubles(number))
        try:
            await asyncio.gather(*(self._answer_all(seat, lesson, number) for seat in self.pupils))
        finally:
            troubles.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await troubles

    async def _tick_seat(self, seat: int) -> None:
        dice = random.Random(f"{self.options.seed}/card/{seat}")  # noqa: S311  a play with dice, not a secret
        await self.pen(seat).wait_ready()
        await self._pause(dice.uniform(0.1, 1.5))
        box = next(f for page in self.card.pages for f in page.fields if f.seat == seat).box_mm
        strokes = self.pupils[seat].answer("choice", box, "x", "plain", option_boxes={"x": box})
        await self._write(seat, self.card.address_of(0), strokes)

    async def _answer_all(self, seat: int, lesson: str, number: int) -> None:
        dice = random.Random(f"{self.options.seed}/{lesson}/{seat}")  # noqa: S311  as above
        await self._pause(dice.uniform(0, 2))
        for intention in intentions(self.sheet, seed=self.options.seed, seat=seat, lesson=number):
            await self._pause(dice.uniform(*_THINKING_S))
            if not self.pen(seat).is_on:
                return
            await self._answer(seat, intention)
            self.truth.write(
                {
                    "kind": "answer",
                    "seat": seat,
                    "field": intention.field.id,
                    "meant": intention.meant,
                    "wrote": intention.wrote,
                    "manner": intention.manner,
                    "lesson": lesson,
                }
            )

    async def _answer(self, seat: int, intention: Intention) -> None:
        about = intention.field
        options = {choice.value: choice.box_mm for choice in about.choices} or None
        strokes = self.pupils[seat].answer(
            about.kind,
            about.box_mm,
            intention.meant,
            intention.manner,
            option_boxes=options,
            wrong_first=intention.wrong_first,
        )
        await self._write(seat, self.sheet.address_of(self.sheet.pages.index(self.sheet.page_of(about.id))), strokes)

    async def _write(self, seat: int, page: PageAddress, strokes: Iterable[NDArray[np.float64]]) -> None:
        pen, last_ms = self.pen(seat), 0.0
        for stroke in strokes:
            timed = stroke.copy()
            timed[:, 2] /= self.speed
            await asyncio.sleep(max(0.0, timed[0, 2] - last_ms) / 1000)
            last_ms = float(timed[-1, 2])
            timed[:, 2] -= timed[0, 2]
            await pen.write(PageChanged(*page), to_dots(timed, hz=80, seed=self._strokes(seat)))

    def _strokes(self, seat: int) -> int:
        """A number of its own for each stroke of the class: the seed of how its dots scatter."""
        self.count += 1
        return self.count * 100 + seat

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    async def _troubles(self, number: int) -> None:
        """What happens in a real room: links drop, pens leave the range, one battery dies."""
        if self.options.calm:
            return
        dice = random.Random(f"{self.options.seed}/troubles/{number}")  # noqa: S311  as above
        await self._pause(5)
        await self.pen(dice.choice(list(self.pupils))).battery_dies()
        while True:
            await self._pause(dice.uniform(*_TROUBLES_S) * _FULL_CLASS / len(self.pupils))
            pen = self.pen(dice.choice(list(self.pupils)))
            if dice.random() < 0.5:  # noqa: PLR2004  as likely one as the other
                pen.drop_link()
            else:
                pen.out_of_range(dice.uniform(1.0, 4.0) / self.speed)


class Truth:
    """truth.jsonl: a line at a time, flushed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self.dots = self.strokes = 0

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        if line["kind"] == "stroke":
            self.dots += line["dots"]
            self.strokes += 1
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """No more lines."""
        self._file.close()


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    truth = Truth(options.truth)
    room = VirtualRoom(
        options.folder,
        pens=options.pens,
        seed=options.seed,
        ledger=truth.write,
        retransmit=options.retransmit,
        drop_at_host=options.drop,
    )
    await room.start()
    classroom = Classroom(room, truth, options)
    _say("ready")
    commands = asyncio.create_task(_listen(classroom, end))
    await end.wait()
    commands.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await commands
    await room.stop()
    truth.close()


async def _listen(classroom: Classroom, end: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    writing: asyncio.Task[None] | None = None
    while line := await reader.readline():
        command = json.loads(line)
        if writing is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            writing = None
        if command["do"] == "rest":
            _say("rest_done")
        else:
            writing = asyncio.create_task(_do(classroom, command))
    end.set()


async def _do(classroom: Classroom, command: Mapping[str, Any]) -> None:
    """One errand of the class; a later command cuts it short."""
    if command["do"] == "card":
        await classroom.write_card(command.get("seats"))
    elif command["do"] == "lesson":
        await classroom.write_lesson(command["lesson"], command["number"])
    _say(command["do"] + "_done", dots=classroom.truth.dots, strokes=classroom.truth.strokes)


def _say(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the classroom until its input ends."""
    parser = argparse.ArgumentParser(description="The demo's classroom; `inkgate demo` starts it.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--pens", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--calm", action="store_true")
    parser.add_argument("--retransmit", type=float, default=0.0, metavar="SHARE", help="packets that come later")
    parser.add_argument("--drop", type=float, default=0.0, metavar="SHARE", help="notifications that never come")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
