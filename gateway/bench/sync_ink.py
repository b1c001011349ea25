"""Packed ink beside InkML and JSON, both gzipped: bytes and processor time a dot, in batches of several sizes.

The ink is real words of an inset where a folder is given, else what the learnt hand writes. Force of an inset is made
by the hand's law: insets have none.
"""

import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recognition.handwriting.hand import Hand
from recognition.handwriting.model import Model
from recognition.ink import pack, unpack
from recognition.pages import UNIT_MM
from recognition.training.inkset import load

Stroke: TypeAlias = NDArray[np.int64]

BATCHES: Final = (20_000, 500, 60)
_WORDS: Final = "unipen/words.npz"
_HUNDREDTHS_A_MM: Final = 100 / UNIT_MM
_FORCE: Final = 852
"""The highest that the pens of this family tell."""
_LEVEL: Final = 6
_HZ: Final = (60, 130)
_JITTERED: Final = 0.1
"""Share of dots whose time is a millisecond off."""
_LINE_MM: Final = 160.0
_LINES: Final = 30


def measure(ink_dir: Path | None, dots: int) -> dict[str, Any]:
    """Bytes and microseconds a dot, by size of batch and by form; a size for which the ink is too little is missing."""
    words = None if ink_dir is None else ink_dir / _WORDS
    real = words is not None and words.is_file()
    strokes = _taken(_from_inset(words) if real and words is not None else _from_hand(), dots)
    count = sum(map(len, strokes))
    return {
        "ink": "UNIPEN words, force made" if real else "the learnt hand",
        "dots": count,
        "batches": {str(size): _of_size(strokes, size) for size in BATCHES if size <= count},
    }


def inkml(strokes: Sequence[Stroke]) -> bytes:
    """An InkML document (W3C, 2011) with the channels X, Y, F and T."""
    traces = "".join(
        "<trace>" + ",".join(f"{x / 100:.2f} {y / 100:.2f} {f} {t}" for x, y, f, t in stroke.tolist()) + "</trace>"
        for stroke in strokes
    )
    channels = "".join(f'<channel name="{name}"/>' for name in "XYFT")
    return (f'<ink xmlns="http://www.w3.org/2003/InkML"><traceFormat>{channels}</traceFormat>{traces}</ink>').encode()


def json_columns(strokes: Sequence[Stroke]) -> bytes:
    """JSON with a list a channel: the smaller of the two usual ways."""
    columns = [dict(zip("xyft", stroke.T.tolist(), strict=True)) for stroke in strokes]
    return json.dumps(columns, separators=(",", ":")).encode()


def _of_size(strokes: Sequence[Stroke], size: int) -> dict[str, Any]:
    batches = list(_batches(strokes, size))
    dots = sum(len(stroke) for batch in batches for stroke in batch)
    packed, pack_us = _timed(pack, batches, dots)
    unpacked, unpack_us = _timed(unpack, packed, dots)
    if any(
        not np.array_equal(a, b)
        for old, new in zip(batches, unpacked, strict=True)
        for a, b in zip(old, new, strict=True)
    ):
        raise AssertionError("packed ink came back otherwise")
    xml, xml_us = _timed(lambda batch: gzip.compress(inkml(batch), _LEVEL), batches, dots)
    columns, columns_us = _timed(lambda batch: gzip.compress(json_columns(batch), _LEVEL), batches, dots)
    a_dot = {name: _bytes(made) / dots for name, made in (("packed", packed), ("xml", xml), ("json", columns))}
    return {
        "bytes_a_dot": round(a_dot["packed"], 2),
        "inkml_gzip_bytes_a_dot": round(a_dot["xml"], 2),
        "json_gzip_bytes_a_dot": round(a_dot["json"], 2),
        "size_to_inkml_gzip": round(a_dot["packed"] / a_dot["xml"], 3),
        "pack_us_a_dot": round(pack_us, 2),
        "unpack_us_a_dot": round(unpack_us, 2),
        "inkml_gzip_us_a_dot": round(xml_us, 2),
        "json_gzip_us_a_dot": round(columns_us, 2),
    }


def _timed(work: Callable[[Any], Any], inputs: Sequence[Any], dots: int) -> tuple[list[Any], float]:
    """What the work makes of each, and microseconds of processor a dot."""
    began_s = time.process_time()
    made = [work(one) for one in inputs]
    return made, 1e6 * (time.process_time() - began_s) / dots


def _bytes(made: Sequence[bytes]) -> int:
    return sum(map(len, made))


def _batches(strokes: Sequence[Stroke], size: int) -> Iterator[list[Stroke]]:
    """Whole strokes until there are `size` dots or more; what is left over at the end is not measured."""
    batch: list[Stroke] = []
    dots = 0
    for stroke in strokes:
        batch.append(stroke)
        dots += len(stroke)
        if dots >= size:
            yield batch
            batch, dots = [], 0


def _taken(strokes: Iterator[Stroke], dots: int) -> list[Stroke]:
    out, count = [], 0
    for stroke in strokes:
        out.append(stroke)
        count += len(stroke)
        if count >= dots:
            break
    return out


def _from_hand() -> Iterator[Stroke]:
    """Sums, line after line, by many writers, each a class's pupil of its own."""
    hands = [Hand(seed, Model.load(), variety=0.7) for seed in range(48)]
    chance = np.random.default_rng(1)
    line, clock_ms = 0, 0
    while True:
        for hand in hands:
            a, b = chance.integers(10, 999, 2).tolist()
            x_mm, y_mm = 20 + 60 * (line % 3), 20 + 8 * (line // 3 % _LINES)
            for stroke in hand.write(f"{a}+{b}={a + b}", x_mm, y_mm):
                whole = stroke.copy()
                whole[:, 2] += clock_ms
                yield _as_pen_tells(whole)
                last = int(whole[-1, 2])
            clock_ms = last + int(chance.integers(400, 3_000))
            line += 1


def _from_inset(path: Path) -> Iterator[Stroke]:
    """Words laid out on a page in lines, with the set's own pace and pauses of a writer between strokes."""
    chance = np.random.default_rng(1)
    at, clock_ms = np.array([20.0, 20.0]), 0.0
    for sample in load(path):
        if sample.unit_mm <= 0 or not _HZ[0] <= sample.hz <= _HZ[1]:
            continue
        for stroke in sample.strokes:
            count = len(stroke)
            times = (
                clock_ms
                + np.arange(count) * 1000 / sample.hz
                + chance.integers(-1, 2, count) * (chance.random(count) < _JITTERED)
            )
            force = np.minimum(1, np.minimum(np.arange(count) + 1, np.arange(count)[::-1] + 1) / 4)
            force = (0.54 + np.cumsum(chance.normal(0, 0.009, count))).clip(0.1, 1) * force
            yield _as_pen_tells(np.column_stack([stroke * sample.unit_mm + at, times, force]))
            clock_ms = float(times[-1]) + float(chance.integers(80, 400))
        width = float(max(stroke[:, 0].max() for stroke in sample.strokes)) * sample.unit_mm
        at[0] += width + 4
        if at[0] > _LINE_MM:
            at = np.array([20.0, at[1] + 10 if at[1] < 10 * _LINES else 20.0])


def _as_pen_tells(stroke: NDArray[np.floating[Any]]) -> Stroke:
    """Columns x mm, y mm, ms, force 0..1 -> x, y in hundredths of a unit, force, ms; times of a stroke rise."""
    x, y, ms, force = stroke.T
    columns = (x * _HUNDREDTHS_A_MM, y * _HUNDREDTHS_A_MM, force * _FORCE, ms)
    whole: Stroke = np.rint(np.column_stack(columns)).astype(np.int64)
    return whole
