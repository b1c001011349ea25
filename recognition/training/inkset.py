"""Reads insets (`.npz` files of labelled ink) and parts their writers. Feeds both the reader's and the hand's training.

The same ink stands under two writer names here and there in UNIPEN; a split by name alone would let test ink into
training. So writers who share identical ink are joined before any split.
"""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from recognition.errors import InkError

Part: TypeAlias = Literal["train", "validation", "test"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

_ROUND: Final[tuple[Part, ...]] = (
    *("train", "train", "test", "train", "train"),
    *("validation", "train", "train", "test", "train"),
)
"""How ten neighbours in the order of writers are shared out: 70, 10 and 20 %."""


_TELLING_POINTS: Final = 12
"""Shorter ink, a full stop or a comma of a few points, is the same by chance and joins nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One labelled piece of ink: a character or a word."""

    label: str
    writer: str
    source: str
    hz: int
    """Points a second, 0 = not known."""
    unit_mm: float
    """Millimetres a coordinate unit, 0 = not known."""
    strokes: tuple[NDArray[np.float32], ...]
    """Each (n, 2), n >= 1: x right, y down, in the set's own units, in writing order."""

    def ink_hash(self) -> bytes:
        """16 bytes that two samples share only if all their points are the same."""
        digest = hashlib.sha256()
        for stroke in self.strokes:
            digest.update(len(stroke).to_bytes(4, "little"))
            digest.update(stroke.tobytes())
        return digest.digest()[:16]


def load(path: Path) -> Iterator[Sample]:
    """Read an inset, sample by sample, in its order.

    Raises:
        InkError: The file is there and is no inset.
        FileNotFoundError: There is no such file.
    """
    try:
        with np.load(path) as arrays:
            named = {name: arrays[name] for name in arrays.files}
        yield from _samples(named)
    except (KeyError, ValueError, IndexError, zipfile.BadZipFile, EOFError):
        raise InkError(f"{path.name} is no inset") from None


def _samples(named: Mapping[str, NDArray[np.generic]]) -> Iterator[Sample]:
    counts = named["nstrokes"].astype(np.int64)
    stroke_ends = np.cumsum(counts)
    lengths = named["npts"].astype(np.int64)
    point_ends = np.cumsum(lengths)
    steps = named["dxy"].astype(np.int64)
    if len(lengths) != counts.sum() or len(steps) != lengths.sum():
        raise InkError("an inset whose counts do not fit")
    labels, writers, sources = (named[name].tolist() for name in ("labels", "writers", "sources"))
    columns = [named[name].tolist() for name in ("label", "writer", "source", "hz", "unit_mm")]
    for index, (label, writer, source, hz, unit_mm) in enumerate(zip(*columns, strict=True)):
        first, last = int(stroke_ends[index] - counts[index]), int(stroke_ends[index])
        ends = point_ends[first:last]
        start = int(ends[0] - lengths[first])
        points = np.cumsum(steps[start : int(ends[-1])], axis=0).astype(np.float32)
        strokes = tuple(np.split(points, ends[:-1] - start))
        yield Sample(labels[label], writers[writer], sources[source], hz, unit_mm, strokes)


def folded_writers(samples: Iterable[Sample]) -> dict[str, str]:
    """Writer -> the first name of all writers who are joined with them by identical ink (themselves, if none)."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    owner: dict[bytes, str] = {}
    for sample in samples:
        root.setdefault(sample.writer, sample.writer)
        if sum(map(len, sample.strokes)) < _TELLING_POINTS:
            continue
        other = owner.setdefault(sample.ink_hash(), sample.writer)
        one, two = sorted((find(sample.writer), find(other)))
        root[two] = one
    return {name: find(name) for name in root}


def parted_writers(samples: Iterable[Sample], *, seed: int) -> dict[str, Part]:
    """Writer -> part; joined writers share theirs. 70 % train, 10 % validation, 20 % test, spread over the sources."""
    kept = list(samples)
    folded = folded_writers(kept)
    source: dict[str, str] = {}
    for sample in kept:
        known = source.setdefault(folded[sample.writer], sample.source)
        source[folded[sample.writer]] = min(known, sample.source)
    order = sorted(source, key=lambda name: (source[name], hashlib.sha256(f"{seed}:{name}".encode()).digest()))
    part = {name: _ROUND[place % len(_ROUND)] for place, name in enumerate(order)}
    return {name: part[root] for name, root in folded.items()}


def split_hash(parts: Mapping[str, Part]) -> str:
    """SHA-256 in hex over the sorted writer names of each part: names a split in a model card."""
    digest = hashlib.sha256()
    for part in PARTS:
        names = sorted(name for name, its in parts.items() if its == part)
        digest.update(f"{part}:{','.join(names)}\n".encode())
    return digest.hexdigest()


def writer_hash(writer: str) -> str:
    """16 hex digits that stand for a writer's name in a model's file."""
    return hashlib.sha256(f"inkgate writer {writer}".encode()).hexdigest()[:16]
