"""A lesson that is really read: digits of real writers in the fields of the demo's sheet, by the product's reader."""

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gateway import audit_models
from gateway.audit_models import SHIPPED
from gateway.cli.read import answer_of, request_of
from gateway.reading import Answer
from gateway.settings import BoxSettings, ReadingSettings, Settings
from gateway.store import Store
from gateway.strokes import Piece, Row
from recognition.pages import UNIT_MM
from recognition.readers.hanzi import open_hanzi
from recognition.readers.network import CharacterNetwork
from recognition.readers.reader import Reader
from recognition.training.inkset import Sample, load
from tests.fakes.desk_reader import DeskReader
from tests.fakes.small_model import INK
from tests.gateway.rig import PAGE1, Class, mac

MIDDLES = {"q1": (148.0, 48.0), "q2": (148.0, 84.0)}
HEIGHT_MM = 9.0


class RealReader(DeskReader):
    """Answers by the product's reader in this process, from models that are kept as the box keeps them."""

    def __init__(self, on_answer: Any, box: Path, source: Path) -> None:  # noqa: ANN401  as `DeskReader`
        super().__init__(on_answer)
        folder = audit_models.keep(box, source)
        network = CharacterNetwork(folder)
        self.reader = Reader(network, network.thresholds, hanzi=open_hanzi(folder))
        self.version = self.reader.version

    def answer(self) -> int:
        jobs, self.open = self.open, []
        for job in jobs:
            request = request_of(json.loads(json.dumps(job.request)))
            said = json.loads(json.dumps(answer_of(self.reader.read(request))))
            others, reasons = tuple(map(tuple, said["alternatives"])), tuple(said["reasons"])
            self.tell(
                Answer(
                    job.id, said["value"], said["confidence"], said["accepted"], others, reasons, self.reader.version
                )
            )
        return len(jobs)


class ReadClass(Class):
    """A class whose ink is read."""

    def __init__(self, folder: Path, *, source: Path = SHIPPED, seats: int = 2) -> None:
        self.folder, self.source = folder, source
        super().__init__(Store(folder / "gateway.db"), seats=seats)

    def new_desk(self) -> Any:  # noqa: ANN401  as `Class`
        desk = super().new_desk()
        real = RealReader(desk._on_answer, self.folder, self.source)
        self.readers.append(real)
        desk.reader = desk._means.reader = real
        return desk

    async def digit(self, seat: int, name: str, number: int) -> None:
        """A pupil writes a digit of the sample into a field, and it is read."""
        pieces = []
        for rows in strokes(number, MIDDLES[name]):
            self.clock.ms += 400
            made = Piece(mac(seat), PAGE1, self.clock.ms, self.clock.ms, time_known=True, tip="pen", ended="up")
            made.rows = rows
            pieces.append(made)
        await self.beat(pieces)
        await self.read()


@cache
def samples() -> list[Sample]:
    return list(load(INK))


def strokes(number: int, middle: tuple[float, float]) -> list[list[Row]]:
    """The rows of a digit's strokes, put around a point."""
    sample = samples()[number]
    every = np.vstack(sample.strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = HEIGHT_MM / max(high[1] - low[1], (high[0] - low[0]) / 1.5, 1)
    out = []
    for stroke in sample.strokes:
        xy = (stroke - (low + high) / 2) * scale + np.array(middle)
        units = np.rint(xy / UNIT_MM * 100).astype(int)
        out.append([(int(x), int(y), 400, k * 10, 90, 90, 0) for k, (x, y) in enumerate(units)])
    return out


def settings_of(folder: Path, models: str = "") -> Settings:
    return Settings(box=BoxSettings(folder=folder, language="en"), reading=ReadingSettings(models=models))


async def a_lesson(folder: Path, *, source: Path = SHIPPED, stop: bool = True) -> Path:
    """Two pupils, two digits each, read and graded; the store is closed. Returns its path."""
    room = ReadClass(folder, source=source)
    await room.start()
    for number, (seat, name) in enumerate([(1, "q1"), (2, "q1"), (1, "q2"), (2, "q2")]):
        await room.digit(seat, name, 10 * number + 3)
    if stop:
        await room.desk.stop()
    await asyncio.to_thread(room.store.close)
    return room.store.path
