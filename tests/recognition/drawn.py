"""Ink drawn from points, as the field cases write it: 40 mm/s, a dot each 10 ms; and plain characters."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.ink import Stroke
from recognition.pages import PageAddress
from recognition.sheets import Choice, Field, SheetPage

GLYPHS: Final[dict[str, str]] = {
    "0": "5,0>1.5,1.5>0.5,5>1.5,8.5>5,10>8.5,8.5>9.5,5>8.5,1.5>5,0",
    "1": "5,0>5,10",
    "2": "0.5,2>3,0>7,0>9,2.5>7,5.5>0.5,10>9.5,10",
    "3": "1,1>5,0>8.5,1.5>8,3.8>4.5,4.7>8.5,6>9,8>5.5,10>1,9",
    "4": "5,0>0.5,6>9.5,6|7,3>7,10",
    "5": "1.5,0>1,4.5>5,3.8>9,5.5>9,8>6,10>1,9.5|1.5,0>9,0",
    "6": "8,0>3,2.5>0.8,6>1.5,9>5,10>8.5,9>9,6.5>6,5>1.5,6.5",
    "7": "0.5,0>9.5,0>4,10",
    "8": "8.5,1.5>5,0>1.5,1.5>2.5,3.8>7.5,6>9,8>5,10>1,8>2.5,6>7.5,3.8>8.5,1.5",
    "9": "8.5,3>6,5>2,4>1.5,1.5>5,0>8.5,1.5>8.5,4>7,10",
    "A": "0.5,10>5,0>9.5,10|2.5,6.5>7.5,6.5",
    "B": "1,0>1,10|1,0>7,0.5>8,2.5>6,4.7>1,5>8,5.5>9.5,7.8>7,10>1,10",
    "C": "9,2>6,0>2.5,0.8>0.5,5>2.5,9.2>6,10>9,8.5",
    "D": "1,0>1,10|1,0>6,0.5>9.5,5>6,9.5>1,10",
}
"""Strokes of each character in a square of 10, y down."""


def dense(points: Sequence[tuple[float, float]], start_ms: float) -> NDArray[np.float32]:
    """Corners -> dots (n, 4) at 40 mm/s, one each 10 ms."""
    way = [np.array(points[:1], float)]
    for a, b in pairwise(points):
        count = max(1, int(np.ceil(np.hypot(b[0] - a[0], b[1] - a[1]) / 0.4)))
        way.append(np.linspace(a, b, count + 1)[1:])
    xy = np.concatenate(way)
    out = np.full((len(xy), 4), 0.5, np.float32)
    out[:, :2] = xy
    out[:, 2] = start_ms + 10 * np.arange(len(xy))
    return out


def stroke(corners: str, at_s: float = 1.0) -> Stroke:
    """`a,b>c,d` -> one stroke that begins at second `at_s`."""
    points = [(float(x), float(y)) for x, y in (corner.split(",") for corner in corners.split(">"))]
    return Stroke(dense(points, at_s * 1000), round(at_s * 1000))


def strokes(*parts: tuple[str, float]) -> list[Stroke]:
    """Several strokes, each with its second."""
    return [stroke(corners, at_s) for corners, at_s in parts]


def zigzag(box: tuple[float, float, float, float], turns: int, at_s: float) -> Stroke:
    """One stroke that goes up and down over a box."""
    xs = np.linspace(box[0], box[2], turns + 2)
    points = [(float(x), box[1] if k % 2 else box[3]) for k, x in enumerate(xs)]
    return Stroke(dense(points, at_s * 1000), round(at_s * 1000))


def ring(x: float, y: float, rx: float, ry: float, at_s: float, rounds: float = 1.05) -> Stroke:
    """A ring around a middle."""
    t = np.linspace(0, rounds * 2 * np.pi, round(40 * rounds))
    points = [(x + rx * float(np.cos(a)), y + ry * float(np.sin(a))) for a in t]
    return Stroke(dense(points, at_s * 1000), round(at_s * 1000))


def written(text: str, box: tuple[float, float, float, float], at_s: float) -> list[Stroke]:
    """Characters side by side that fill a box; 200 ms between strokes."""
    left, top, right, bottom = box
    pitch = (right - left) / (len(text) - 0.25) if len(text) > 1 else right - left
    width, out, at_ms = pitch * (0.75 if len(text) > 1 else 1.0), [], at_s * 1000
    for number, character in enumerate(text):
        for part in GLYPHS[character].split("|"):
            corners = (corner.split(",") for corner in part.split(">"))
            points = [
                (left + number * pitch + float(x) / 10 * width, top + float(y) / 10 * (bottom - top))
                for x, y in corners
            ]
            rows = dense(points, at_ms)
            out.append(Stroke(rows, round(at_ms)))
            at_ms = float(rows[-1, 2]) + 200
    return out


def joined(*groups: Iterable[Stroke]) -> tuple[Stroke, ...]:
    """All of these, in order."""
    return tuple(one for group in groups for one in group)


OPTIONS: Final = tuple(Choice(v, (20.0 + 10 * k, 40.0, 25.0 + 10 * k, 45.0)) for k, v in enumerate("ABCD"))
CHOICE: Final = Field(
    id="choice", kind="choice", page=1, box_mm=(18, 38, 57, 47), keys=("B",), points=2, choices=OPTIONS
)
F: Final = Field(id="F", kind="number", page=1, box_mm=(20, 60, 60, 70), keys=("74",), points=2)
G: Final = Field(id="G", kind="number", page=1, box_mm=(20, 78, 60, 88), keys=("8",), points=1)
PAPER: Final = SheetPage(1, (210, 297), (CHOICE, F, G))
"""The field cases' ready paper."""
ADDRESS: Final = PageAddress(3, 1013, 4100, 1)
CROSS_B: Final = ("30.5,40.5>34.5,44.5", "34.5,40.5>30.5,44.5")
CROSS_C: Final = ("40.5,40.5>44.5,44.5", "44.5,40.5>40.5,44.5")
BOX_B: Final = (30.0, 40.0, 35.0, 45.0)
