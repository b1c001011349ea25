"""The ink that the character reader learns from and is judged by: who wrote it, in which part, and what it must not be.

A digit question must refuse an "A" and take an "O" that stands for itself nowhere; so each sample says for either
alphabet, digits and capitals, whether it is one of them, is none of them, or looks alike and teaches nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.errors import RecognitionError
from recognition.readers.characters import resampled
from recognition.readers.network import CAPITALS, CLASSES, DIGITS
from recognition.training.inkset import Part, Sample, load, parted_writers

OTHER: Final = len(CLASSES)
SETS: Final[Mapping[str, str]] = {
    "pendigits": "pendigits/digits.npz",
    "unipen-digits": "unipen/digits.npz",
    "unipen-upper": "unipen/upper.npz",
    "unipen-lower": "unipen/lower.npz",
    "unipen-symbols": "unipen/symbols.npz",
    "omniglot": "omniglot_ood/drawings.npz",
}
_EVERY: Final = {"unipen-lower": 6, "unipen-symbols": 2}
"""Of so many samples one is taken: these are many and only teach what is no digit."""
REQUIRED: Final = ("pendigits", "unipen-digits", "unipen-upper")

_UNLIKE_DIGITS: Final = frozenset("ACEFHKMNPRWX" + "adefkmnprwx" + '@-":*+=%#~_')
"""Letters and signs that no digit looks like."""
_UNLIKE_CAPITALS: Final = frozenset("34" + "adeghqr" + '@-":*=%#~_?&')
_LATIN: Final = "Latin/"


@dataclass(frozen=True, slots=True, eq=False)
class ReaderInk:
    """Characters as the net sees them. All arrays have one row a character."""

    points: NDArray[np.float32]
    """(n, 64, 3)"""
    label: NDArray[np.int64]
    """Index into `CLASSES`, or `OTHER`."""
    for_digits: NDArray[np.bool_]
    """It teaches what a digit question must answer."""
    for_capitals: NDArray[np.bool_]
    writer: NDArray[np.str_]
    of_set: NDArray[np.str_]

    def __len__(self) -> int:
        """Characters."""
        return len(self.label)

    def taken(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "ReaderInk":
        """These rows."""
        return ReaderInk(
            *(
                getattr(self, name)[rows]
                for name in ("points", "label", "for_digits", "for_capitals", "writer", "of_set")
            )
        )


def gathered(folder: Path, *, seed: int) -> tuple[ReaderInk, dict[str, Part]]:
    """All ink of a folder of insets, and the part of each writer.

    Raises:
        RecognitionError: One of the three sets of digits and capitals is not there.
    """
    found = {name: list(load(folder / file)) for name, file in SETS.items() if (folder / file).is_file()}
    if missing := [SETS[name] for name in REQUIRED if name not in found]:
        raise RecognitionError(f"{folder} lacks {', '.join(missing)}: the reader cannot be trained without")
    parts = parted_writers((sample for samples in found.values() for sample in samples), seed=seed)
    return joined([converted(name, samples[:: _EVERY.get(name, 1)]) for name, samples in found.items()]), parts


def converted(name: str, samples: Sequence[Sample]) -> ReaderInk:
    """One set as the net sees it; samples that teach nothing are left out."""
    rows = [(sample, *_taught(name, sample.label)) for sample in samples]
    rows = [row for row in rows if row[2] or row[3]]
    return ReaderInk(
        np.stack([resampled(sample.strokes) for sample, *_ in rows]),
        np.array([label for _, label, *_ in rows], np.int64),
        np.array([digits for *_, digits, _ in rows], np.bool_),
        np.array([capitals for *_, capitals in rows], np.bool_),
        np.array([sample.writer for sample, *_ in rows]),
        np.full(len(rows), name),
    )


def _taught(name: str, label: str) -> tuple[int, bool, bool]:
    """Class, and whether it teaches the digits' and the capitals' question."""
    if name == "omniglot":
        return OTHER, not label.startswith(_LATIN), not label.startswith(_LATIN)
    own = CLASSES.find(label)
    return (
        own if own >= 0 else OTHER,
        label in DIGITS or label in _UNLIKE_DIGITS,
        label in CAPITALS or label in _UNLIKE_CAPITALS,
    )


def joined(inks: Iterable[ReaderInk]) -> ReaderInk:
    """Several, one after the other."""
    kept = list(inks)
    return ReaderInk(
        *(
            np.concatenate([getattr(ink, name) for ink in kept])
            for name in ("points", "label", "for_digits", "for_capitals", "writer", "of_set")
        )
    )
