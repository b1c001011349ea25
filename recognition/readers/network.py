"""The door to OpenCV: runs the character net by cv2.dnn's new engine. A `CharacterModel`; not for two threads at once.

Beside `characters.onnx` stands `characters.json`: thresholds, the hash of the net, characters with the answers that
the net must give, and hashes of the writers that it learnt from. A net that does not give its own answers is not used:
OpenCV's engines have given wrong numbers without a word before (ConvTranspose1d in 5.0's classic one).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.errors import ModelError
from recognition.readers.characters import maps, resampled, sequences
from recognition.readers.reading import Thresholds

DIGITS: Final = "0123456789"
CAPITALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES: Final = DIGITS + CAPITALS
"""The net's classes in the order of its outputs; "other" comes after them."""
INPUTS: Final = ("sequences", "maps")
OUTPUT: Final = "logits"
MODELS: Final = Path(__file__).resolve().parents[1] / "models"

_TOLERANCE: Final = 1e-3
_MOST_AT_ONCE: Final = 256


class CharacterNetwork:
    """The shipped net over digits, capitals and "none of these"."""

    def __init__(self, folder: Path = MODELS) -> None:
        """Load the net and have it answer its own test.

        Raises:
            ModelError: A file is missing or damaged, the net does not give its stored answers, or OpenCV is too old.
        """
        net, about = _read(folder / "characters.onnx"), _described(folder / "characters.json")
        self.sha256 = hashlib.sha256(net).hexdigest()
        if self.sha256 != about["sha256"]:
            raise ModelError(f"{folder / 'characters.onnx'} is not the net that characters.json describes")
        self.version = f"characters-{self.sha256[:12]}"
        self.thresholds = Thresholds(**about["thresholds"])
        """The least confidences that are relied on; a number's is the least of its digits'."""
        self.training_writers: frozenset[str] = frozenset(about["training_writers"])
        """Hashes (`recognition.training.inkset.writer_hash`) of the writers that the net learnt from."""
        self.engine = f"OpenCV {cv2.__version__}"
        self._net = _opened(net)
        self._test(about["self_test"])

    def scores(self, strokes_batch: Sequence[Sequence[NDArray[np.floating]]], alphabet: str) -> NDArray[np.float32]:
        """Probabilities of each character of `alphabet`; last column: none of these. See `CharacterModel`.

        A character that the net does not know gets 0. A question of digits never weighs capitals, and the other way
        round: an O in a digit's place is a 0.
        """
        return probabilities(self.logits(strokes_batch), alphabet)

    def logits(self, strokes_batch: Sequence[Sequence[NDArray[np.floating]]]) -> NDArray[np.float32]:
        """What the net says before any question is put: (batch, classes and "other")."""
        if not strokes_batch:
            return np.empty((0, len(CLASSES) + 1), np.float32)
        points = np.stack([resampled(strokes) for strokes in strokes_batch])
        parts = range(0, len(points), _MOST_AT_ONCE)
        return np.concatenate([self.forward(points[start : start + _MOST_AT_ONCE]) for start in parts])

    def forward(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for resampled characters (batch >= 1, 64, 3)."""
        return self.bare(sequences(points), maps(points))

    def bare(self, traces: NDArray[np.float32], grids: NDArray[np.float32]) -> NDArray[np.float32]:
        """The net alone: (batch, 7, 64) and (batch, 9, 24, 24) in, logits out."""
        for name, values in zip(INPUTS, (traces, grids), strict=True):
            self._net.setInput(values, name)
        # The engine reuses its output's memory in the next call.
        said: NDArray[np.float32] = np.array(self._net.forward(), np.float32)
        return said

    def _test(self, known: Sequence[Mapping[str, Any]]) -> None:
        inks = [[np.array(stroke, np.float32) for stroke in one["strokes"]] for one in known]
        wanted = np.array([one["logits"] for one in known], np.float32)
        try:
            away = float(np.abs(self.logits(inks) - wanted).max())
        except (cv2.error, ValueError) as error:
            raise ModelError(f"the character net does not run here: {error}") from None
        if not away <= _TOLERANCE:
            raise ModelError(
                f"the character net is {away:.2g} away from its stored answers; OpenCV is {cv2.__version__}"
            )


def probabilities(logits: NDArray[np.float32], alphabet: str) -> NDArray[np.float32]:
    """Logits (batch, classes and "other") -> (batch, len(alphabet) + 1) under the question's alphabet, rows sum to 1.

    The last column holds "other" and what else of digits or capitals the ink could be, where the alphabet has some.
    """
    places = [CLASSES.find(character) for character in alphabet]
    known = {place for place in places if place >= 0}
    family: set[int] = set()
    for members in (range(len(DIGITS)), range(len(DIGITS), len(CLASSES))):
        if known & set(members):
            family |= set(members)
    weighed = [*sorted(family), len(CLASSES)]
    raised = np.zeros_like(logits, np.float32)
    raised[:, weighed] = np.exp(logits[:, weighed] - logits[:, weighed].max(axis=1, keepdims=True))
    out = np.zeros((len(logits), len(alphabet) + 1), np.float32)
    for column, place in enumerate(places):
        if place >= 0:
            out[:, column] = raised[:, place]
    out[:, -1] = raised[:, [*sorted(family - known), len(CLASSES)]].sum(axis=1)
    out /= out.sum(axis=1, keepdims=True)
    return out


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None


def _described(path: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(_read(path))
        if about["classes"] != CLASSES:
            raise ModelError(f"{path} describes a net of other classes")
        missing = {"sha256", "thresholds", "training_writers", "self_test"} - about.keys()
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{path} is damaged") from None
    if missing:
        raise ModelError(f"{path} lacks {', '.join(sorted(missing))}")
    return about


def _opened(net: bytes) -> Any:  # noqa: ANN401  # cv2 has no types
    engine = getattr(cv2.dnn, "ENGINE_NEW", None)
    if engine is None:
        raise ModelError(f"the character net needs OpenCV 5's new engine; this is {cv2.__version__}")
    # One character is too little work to share out: more threads only wait for each other.
    cv2.setNumThreads(1)
    try:
        return cv2.dnn.readNetFromONNX(np.frombuffer(net, np.uint8), engine)
    except cv2.error as error:
        raise ModelError(f"OpenCV {cv2.__version__} cannot open the character net: {error}") from None
