"""What is asked of a reader, what it says, and what it needs of a character model.

A reading that cannot be relied on is no error: it is a `Reading` with `accepted` false and its reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recognition.ink import Stroke
from recognition.sheets import Box, Choice, Kind, Verdict
from recognition.withdrawal import StrokeRole

__all__ = ["Box", "CharacterModel", "Choice", "Kind", "ReadRequest", "Reading", "Thresholds", "Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From which confidence on a reader accepts, by kind of answer; set on writers that the model never saw."""

    digit: float = 0.9
    number: float = 0.9
    letter: float = 0.95
    mark: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """One answer field's ink. `expected` asks for a verdict and never changes the value."""

    kind: Kind
    strokes: tuple[Stroke, ...]
    """In the order in which they were written."""
    box: Box | None = None
    choices: tuple[Choice, ...] = ()
    expected: str | None = None
    max_digits: int = 3
    several: bool = False
    """More than one option may be chosen; the value is then "A,C"."""
    decimals: bool = False
    """A number may have a decimal point; without it a number with one is read and asked about."""
    redo_box: Box | None = None
    """Where the field has a box for a second try."""
    keep: frozenset[int] = frozenset()
    """Strokes that were not taken back, as a person says, by their index: the reading with a withdrawal undone."""
    offered_to: tuple[str, ...] = ()
    """Other fields that some of this ink may belong to: such ink is never accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader made of a field's ink."""

    value: str | None
    """What it reads even if not accepted; None where it cannot name one."""
    confidence: float
    """0..1, calibrated where the model is."""
    accepted: bool
    """False where the reader abstains: a person decides."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other values with their confidence, best first."""
    verdict: Verdict | None = None
    """Against `expected`, where that was given."""
    reasons: tuple[str, ...] = ()
    """Why it abstains or what it noticed, as codes: `blank`, `low_confidence`, `two_marks`, `crossed_out`, ..."""
    withdrawn: tuple[int, ...] = ()
    """Indices of the strokes that the child took back, and of the strokes that did it."""
    roles: tuple[StrokeRole, ...] = ()
    """What became of each stroke, and why; empty where all strokes simply stand."""


class CharacterModel(Protocol):
    """Strokes of one character each -> probabilities."""

    version: str
    """Name and content hash of the model: what a grade names as its reader."""

    def scores(self, strokes_batch: Sequence[Sequence[NDArray[np.floating]]], alphabet: str) -> NDArray[np.float32]:
        """Probabilities of each character of `alphabet`, in its order; last column: none of these.

        Args:
            strokes_batch: Characters, each a sequence of strokes (n >= 1, >= 2): x and y in mm, y down.
            alphabet: The characters asked for, each once.

        Returns:
            Shape (batch, len(alphabet) + 1), rows sum to 1.
        """
        ...
