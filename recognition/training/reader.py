"""Makes the character reader: net, thresholds, figures and model card, in that order."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recognition.readers.characters import resampled
from recognition.readers.network import CAPITALS, CLASSES, DIGITS, CharacterNetwork, probabilities
from recognition.training.card import card
from recognition.training.inkset import PARTS, Part, split_hash, writer_hash
from recognition.training.judge import best, judged, numbers_of, threshold_for
from recognition.training.junk import junk
from recognition.training.learn import Plan, learn, logits
from recognition.training.net import CharacterNet, export
from recognition.training.reader_ink import ReaderInk, gathered

CHOICES: Final = "ABCD"
ERROR: Final = 0.003
ACCEPTED: Final = 0.95
NUMBERS_ACCEPTED: Final = 0.90
"""Two digits on average, each as sure as a single one must be."""
FOREIGN_ACCEPTED: Final = 0.03
_NUMBERS: Final = 4000
_JUNK: Final = 1000

_KNOWN: Final[tuple[tuple[tuple[tuple[float, float], ...], ...], ...]] = (
    (((0, 0), (3, -0.4), (6, 0), (5.2, 2), (3.8, 5), (2.6, 9)),),
    (((3, 0), (1.8, 3), (0, 6), (3, 6.2), (6, 6)), ((4.4, 3.6), (4.2, 7), (4, 10))),
    (((0, 9), (2, 4), (3.5, 0), (5, 4.2), (7, 9)), ((1.4, 6), (3.6, 5.8), (5.8, 6.1))),
    (((0, 0), (0.1, 0.05)),),
)
"""Four made-up characters (7, 4, A, a dot) that every copy of the net must answer as this one does."""


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What a net says of ink."""

    ink: ReaderInk
    logits: NDArray[np.float32]

    def of(self, rows: NDArray[np.bool_]) -> "_Told":
        return _Told(self.ink.taken(rows), self.logits[rows])


def learn_and_save(ink_dir: Path, out: Path, *, plan: Plan) -> None:
    """Train on a folder of insets and write characters.onnx, .json and .md; prints as it goes.

    Raises:
        RecognitionError: The folder lacks a set that is needed.
    """
    ink, parts = gathered(ink_dir, seed=plan.seed)
    part = np.array([parts[writer] for writer in ink.writer])
    print(f"{len(ink)} characters of {len(parts)} writers", flush=True)
    save(learn(ink.taken(part == "train"), plan), ink, parts, out, plan)


def save(net: CharacterNet, ink: ReaderInk, parts: Mapping[str, Part], out: Path, plan: Plan) -> None:
    """Set the thresholds of a trained net on the validation writers, judge it on the test writers, write all down."""
    part = np.array([parts[writer] for writer in ink.writer])
    rng = np.random.default_rng(plan.seed)
    held = ink.taken(part == "validation")
    thresholds = _thresholds(_Told(held, logits(net, held.points)), rng)
    about = _about(net, out, thresholds, parts, plan)
    (out / "characters.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    shipped = CharacterNetwork(out)
    tested = ink.taken(part == "test")
    said = _Told(tested, _through(shipped, tested.points))
    about["figures"] = _figures(said, _through(shipped, _junk_points(tested, rng)), thresholds, rng)
    about["bytes"] = (out / "characters.onnx").stat().st_size
    about["writers"] = {name: sum(its == name for its in parts.values()) for name in PARTS}
    (out / "characters.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    (out / "characters.md").write_text(card(about), "utf-8")
    print(json.dumps(about["figures"], indent=1))


def _about(
    net: CharacterNet, out: Path, thresholds: Mapping[str, float], parts: Mapping[str, Part], plan: Plan
) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    export(net, out / "characters.onnx")
    points = np.stack([resampled([np.array(stroke, np.float32) for stroke in one]) for one in _KNOWN])
    known = logits(net, points)
    return {
        "schema": "inkgate.characters/1",
        "classes": CLASSES,
        "sha256": hashlib.sha256((out / "characters.onnx").read_bytes()).hexdigest(),
        "parameters": sum(values.numel() for values in net.parameters()),
        "thresholds": {kind: round(value, 4) for kind, value in thresholds.items()},
        "seed": plan.seed,
        "epochs": plan.epochs,
        "split": split_hash(parts),
        "training_writers": sorted(writer_hash(name) for name, its in parts.items() if its != "test"),
        "self_test": [
            {"strokes": one, "logits": [round(float(value), 5) for value in row]}
            for one, row in zip(_KNOWN, known, strict=True)
        ],
    }


def _thresholds(held: _Told, rng: np.random.Generator) -> dict[str, float]:
    """Kind -> threshold, on writers that the net did not learn from and that are not tested on."""
    foreign = held.of(held.ink.of_set == "omniglot").logits
    out: dict[str, float] = {}
    for kind, alphabet, accepted in (
        ("digit", DIGITS, ACCEPTED),
        ("letter", CHOICES, ACCEPTED),
        ("number", DIGITS, NUMBERS_ACCEPTED),
    ):
        own = held.of(_asks(held.ink, alphabet))
        read, sure = best(probabilities(own.logits, alphabet), alphabet)
        right, writer = read == _labels(own.ink), own.ink.writer
        if kind == "number":
            right, sure, writer = _numbers(held, rng)
        out[kind] = threshold_for(
            right,
            sure,
            writer,
            best(probabilities(foreign, alphabet), alphabet)[1],
            error=ERROR,
            accepted=accepted,
            foreign_accepted=FOREIGN_ACCEPTED,
        )
    return out


def _figures(
    tested: _Told, made: NDArray[np.float32], thresholds: Mapping[str, float], rng: np.random.Generator
) -> dict[str, Any]:
    """What the model card says, through the shipped file and OpenCV, on the test writers."""
    out: dict[str, Any] = {}
    questions = (
        ("digits, both sets", "digit", DIGITS, ("pendigits", "unipen-digits")),
        ("digits, pendigits", "digit", DIGITS, ("pendigits",)),
        ("digits, UNIPEN", "digit", DIGITS, ("unipen-digits",)),
        ("letters A-D", "letter", CHOICES, ("unipen-upper",)),
        ("letters A-Z", "letter", CAPITALS, ("unipen-upper",)),
    )
    for name, kind, alphabet, sets in questions:
        own = tested.of(_asks(tested.ink, alphabet) & np.isin(tested.ink.of_set, sets))
        read, sure = best(probabilities(own.logits, alphabet), alphabet)
        out[name] = judged(read == _labels(own.ink), sure >= thresholds[kind], own.ink.writer).to_json()
    right, sure, writer = _numbers(tested, rng)
    out["numbers of 1 to 3 digits, cut right"] = judged(right, sure >= thresholds["number"], writer).to_json()
    for name, kind, alphabet in (("digit", "digit", DIGITS), ("A-D", "letter", CHOICES)):
        foreign = tested.of(tested.ink.of_set == "omniglot")
        out[f"foreign letters taken for {name}"] = _taken(foreign.logits, alphabet, thresholds[kind])
        out[f"junk taken for {name}"] = _taken(made, alphabet, thresholds[kind])
    unlike = tested.of((tested.ink.of_set == "unipen-upper") & tested.ink.for_digits)
    out["capitals unlike a digit taken for digit"] = _taken(unlike.logits, DIGITS, thresholds["digit"])
    return out


def _taken(said: NDArray[np.float32], alphabet: str, threshold: float) -> dict[str, Any]:
    _, sure = best(probabilities(said, alphabet), alphabet)
    return {"offered": len(sure), "taken": round(float((sure >= threshold).mean()), 5)}


def _asks(ink: ReaderInk, alphabet: str) -> NDArray[np.bool_]:
    """Which characters are right answers of this alphabet."""
    asked: NDArray[np.bool_] = np.isin(ink.label, [CLASSES.index(character) for character in alphabet])
    return asked


def _labels(ink: ReaderInk) -> NDArray[np.str_]:
    return np.array([*CLASSES, ""])[ink.label]


def _numbers(told: _Told, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.str_]]:
    """Numbers of one writer's digits each, cut rightly: right or not, the least confidence, the writer."""
    own = told.of(_asks(told.ink, DIGITS))
    read, sure = best(probabilities(own.logits, DIGITS), DIGITS)
    labels = _labels(own.ink)
    numbers = numbers_of(labels.tolist(), own.ink.writer.tolist(), count=_NUMBERS, rng=rng)
    right = np.array([all(read[row] == labels[row] for row in number) for number in numbers])
    least = np.array([sure[list(number)].min() for number in numbers])
    return right, least, np.array([own.ink.writer[number[0]] for number in numbers])


def _junk_points(ink: ReaderInk, rng: np.random.Generator) -> NDArray[np.float32]:
    return junk(ink.points[(ink.label < len(DIGITS)) & (ink.label != 1)], _JUNK, rng)


def _through(model: CharacterNetwork, points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([model.forward(points[start : start + 256]) for start in range(0, len(points), 256)])
