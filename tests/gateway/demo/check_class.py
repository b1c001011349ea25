"""A lesson with answers that the shipped reader is really not sure of, left in a store for a gateway to take up.

The ink is the learnt hand's: every pupil writes until the reader hesitates. It proves how answers are checked, and says
nothing of how well anybody is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.strokes import Piece
from recognition.handwriting.model import Model
from recognition.handwriting.pupil import Pupil
from recognition.ink import Stroke
from recognition.pages import UNIT_MM
from recognition.readers.network import CharacterNetwork
from recognition.readers.reader import Reader
from recognition.readers.reading import ReadRequest
from tests.gateway.rig import PAGE1, SHEET, Class, class_at, mac

FIELD: Final = "q1"
SEATS: Final = 48
MEANT: Final = ("7", "1")
_TRIES: Final = 200
_FORCE: Final = 500


class Wrote(NamedTuple):
    """What a pupil wrote, and its ink: each (n, 4) as the hand gives it."""

    value: str
    strokes: list[NDArray[np.float64]]


async def leave(folder: Path) -> dict[int, str]:
    """A store with a lesson that runs, and what each seat wrote in it."""
    held = class_at(folder, seats=SEATS)
    await held.start()
    wrote = dict(_unsure())
    for seat, one in wrote.items():
        await held.commit(list(_pieces(held, seat, one)))
    held.clock.ms += 60_000
    held.store.close()
    return {seat: one.value for seat, one in wrote.items()}


def _unsure() -> Iterator[tuple[int, Wrote]]:
    model, net = Model.load(), CharacterNetwork()
    reader = Reader(net, net.thresholds)
    for seat in range(1, SEATS + 1):
        value = MEANT[seat % len(MEANT)]
        inks = (
            Pupil(seat * 1000 + k, model).answer("digit", SHEET.field(FIELD).box_mm, value, "messy")
            for k in range(_TRIES)
        )
        yield seat, Wrote(value, next(ink for ink in inks if not reader.read(_request(ink)).accepted))


def _request(strokes: list[NDArray[np.float64]]) -> ReadRequest:
    made = tuple(Stroke(stroke.astype(np.float32), int(stroke[0, 2])) for stroke in strokes)
    return ReadRequest(kind="digit", strokes=made, box=SHEET.field(FIELD).box_mm)


def _pieces(held: Class, seat: int, wrote: Wrote) -> Iterator[Piece]:
    begin_ms = held.clock.ms + 1_000
    for stroke in wrote.strokes:
        down_ms = begin_ms + int(stroke[0, 2])
        piece = Piece(mac(seat), PAGE1, down_ms, down_ms, time_known=True, tip="pen", ended="up")
        for x, y, at_ms, _ in stroke:
            delta_ms = int(at_ms - stroke[0, 2])
            piece.rows.append((round(x / UNIT_MM * 100), round(y / UNIT_MM * 100), _FORCE, delta_ms, 90, 90, 0))
        yield piece
