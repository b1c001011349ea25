"""Labelled ink: what teachers said stands there, kept on the box, and given out for training where that was allowed.

A label is kept for every value that a teacher gave. The ink itself goes with it only with consent
(`review.keep_labels`), and only such ink ever leaves: as an inset, the file that `recognition.training` reads, under a
number that is drawn anew for each pupil and each file. A decision that was taken back leaves no label.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from recognition.ink import pack, unpack

SOURCE: Final = "inkgate"
UNIT_MM: Final = 0.01
_MOST_UNITS: Final = np.iinfo(np.int16).max
_QUERY: Final = (
    "select l.pupil, l.kind, l.label, l.packed from label l join decision d on d.id = l.decision"
    " where l.consent = 1 and l.packed is not null and d.undone_ms is null and not exists (select 1 from label n"
    " join decision e on e.id = n.decision where n.pupil = l.pupil and n.ink = l.ink and n.id > l.id"
    " and e.undone_ms is null) order by l.id"
)
"""The newest word on each ink that stands and may be given out."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a teacher said of one answer's ink."""

    decision: str
    pupil: str
    """Pseudonym."""
    ink: str
    """Hash of the ink."""
    kind: str
    """The kind of its field."""
    text: str
    strokes: bytes | None
    """The ink, packed by `packed`; None where it was not at hand."""


class _Row(NamedTuple):
    pupil: str
    kind: str
    label: str
    packed: bytes


def keep(db: Database, label: Label, *, consent: bool, now_ms: int) -> None:
    """Note a label, inside the caller's transaction; without consent its ink is not copied."""
    db.conn.execute(
        "insert into label(decision, pupil, ink, kind, label, consent, packed, at_ms) values (?,?,?,?,?,?,?,?)",
        (
            *(label.decision, label.pupil, label.ink, label.kind, label.text, int(consent)),
            *(label.strokes if consent else None, now_ms),
        ),
    )


def packed(strokes: Sequence[NDArray[np.float32]]) -> bytes:
    """Strokes, each (n >= 1, 4) as `Stroke.points`, packed in hundredths of a mm, thousandths of the force and ms."""
    whole = [np.rint(points[:, [0, 1, 3, 2]] * np.array([100, 100, 1000, 1])).astype(np.int64) for points in strokes]
    return pack(whole)


def inset(connection: sqlite3.Connection) -> dict[str, NDArray[np.generic]] | None:
    """All labelled ink that may be given out, as the arrays of an inset (../shared/data/README.md); None for none."""
    rows = [_Row(*row) for row in connection.execute(_QUERY).fetchall()]
    inks = [unpack(row.packed) for row in rows]
    kept = [(row, ink) for row, ink in zip(rows, inks, strict=True) if ink and _fits(ink)]
    if not kept:
        return None
    writers = {pupil: secrets.token_hex(8) for pupil in {row.pupil for row, _ in kept}}
    names = sorted(writers.values())  # in the order of what was drawn, which says nothing of who they are
    texts = sorted({row.label for row, _ in kept})
    sources = sorted({f"{SOURCE}/{row.kind}" for row, _ in kept})
    return {
        "dxy": np.concatenate([_steps(ink) for _, ink in kept]),
        "npts": np.array([len(stroke) for _, ink in kept for stroke in ink], np.uint16),
        "nstrokes": np.array([len(ink) for _, ink in kept], np.uint16),
        "label": np.array([texts.index(row.label) for row, _ in kept], np.uint32),
        "writer": np.array([names.index(writers[row.pupil]) for row, _ in kept], np.uint32),
        "source": np.array([sources.index(f"{SOURCE}/{row.kind}") for row, _ in kept], np.uint32),
        "labels": np.array(texts),
        "writers": np.array(names),
        "sources": np.array(sources),
        "hz": np.array([_hz(ink) for _, ink in kept], np.uint16),
        "unit_mm": np.full(len(kept), UNIT_MM, np.float32),
    }


def write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write an inset under a name that is free; a file that is cut short never has that name.

    Raises:
        FileExistsError: There is a file of that name.
    """
    if path.exists():
        raise FileExistsError(path)
    beside = path.with_name(f"{path.name}.part")
    with beside.open("xb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes a flag by the same door
    beside.rename(path)


def _fits(ink: Sequence[NDArray[np.int64]]) -> bool:
    xy = np.concatenate([stroke[:, :2] for stroke in ink])
    return int((xy.max(axis=0) - xy.min(axis=0)).max()) <= _MOST_UNITS and max(map(len, ink)) <= np.iinfo(np.uint16).max


def _steps(ink: Sequence[NDArray[np.int64]]) -> NDArray[np.int16]:
    """Steps from point to point through all strokes; the first is from the ink's left top corner."""
    xy = np.concatenate([stroke[:, :2] for stroke in ink])
    xy = xy - xy.min(axis=0)
    steps: NDArray[np.int16] = np.diff(xy, axis=0, prepend=np.zeros((1, 2), np.int64)).astype(np.int16)
    return steps


def _hz(ink: Sequence[NDArray[np.int64]]) -> int:
    """Points a second, by the median step in time; 0 where no two points tell it."""
    gaps = np.concatenate([np.diff(stroke[:, 3]) for stroke in ink])
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    return round(1000 / usual) if usual > 0 else 0
