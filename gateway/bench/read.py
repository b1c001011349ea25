"""How well and how fast the shipped reader reads real ink of writers whom its model never saw.

It goes the whole way of an answer in the product: strokes in mm, `Reader.read`, OpenCV. Every writer whom the model
lists as seen is left out, and so is everybody who is joined with one by identical ink.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Missing
from recognition.errors import RecognitionError
from recognition.ink import Stroke
from recognition.readers.characters import maps, resampled, sequences
from recognition.readers.network import CharacterNetwork
from recognition.readers.reader import Reader
from recognition.readers.reading import Choice, Kind, ReadRequest
from recognition.training.inkset import Sample, folded_writers, load, writer_hash
from recognition.training.judge import Judged, judged, numbers_of
from recognition.training.risk import Risk, curve
from recognition.training.suspects import look_alikes, suspects

DIGITS: Final = {"digits, pendigits": "pendigits/digits.npz", "digits, UNIPEN": "unipen/digits.npz"}
_UPPER: Final = "unipen/upper.npz"
_FOREIGN: Final = "omniglot_ood/drawings.npz"
_FILES: Final = (*DIGITS.values(), _UPPER, _FOREIGN)
_LATIN: Final = "Latin/"
_CHOICES: Final = "ABCD"
_NUMBERS: Final = 1000
_HEIGHT_MM: Final = 7.0
GAP_HEIGHTS: Final = (0.15, 0.4)
"""White space between the digits of a composed number, least and most."""
_POINT_MS: Final = 10
_LIFT_MS: Final = 120
_TIMED: Final = 300
_ROUNDS: Final = 5
_WEIGHED: Final = frozenset({"low_confidence", "crossed_out", "outside"})
"""Reasons that leave it to the confidence whether a reading is relied on; with any other it never is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFigures:
    """What `bench read` found."""

    reader: str
    engine: str
    writers: int
    """Writers who were read."""
    writers_left_out: int
    """Writers in the folder whom the model has seen, or who share ink with one of those."""
    answers: dict[str, Judged]
    """By what was asked: single digits of each set and together, letters A to D, composed numbers of 1 to 3 digits."""
    curves: dict[str, list[Risk]]
    """Of the same questions: the risk at several shares refused."""
    foreign_offered: int
    foreign_accepted: int
    """Letters of other scripts that look like no digit, and how many were taken for one; 0 of 0 without such a set."""
    ms_per_answer: float
    """Median of a single digit, from strokes to reading."""
    ms_per_answer_p99: float
    ms_net: float
    """Median of the net alone, one character."""
    ratio_to_net: float

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys."""
        plain = asdict(self)
        plain["answers"] = {name: one.to_json() for name, one in self.answers.items()}
        plain["curves"] = {name: [point.to_json() for point in points] for name, points in self.curves.items()}
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in plain.items()}


class Asked(NamedTuple):
    """A question whose right answer is known."""

    request: ReadRequest
    wrote: str
    writer: str


class _Answered(NamedTuple):
    """One row a question."""

    right: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    sure: NDArray[np.float64]
    """Its confidence; 0 where something else than that speaks against it."""
    writer: NDArray[np.str_]
    ms: NDArray[np.float64]

    def judged(self) -> Judged:
        return judged(self.right, self.accepted, self.writer)


def run(ink_dir: Path | None, *, seed: int = 1) -> ReadFigures:
    """Read everything in a folder of insets that the model has not learnt from.

    Raises:
        Missing: No folder, nothing in it, nobody in it whom the model has not seen, or no model.
    """
    if ink_dir is None or not ink_dir.is_dir():
        raise Missing("bench read needs labelled ink: --ink DIR, a folder with pendigits/digits.npz or unipen/*.npz.")
    try:
        model = CharacterNetwork()
        found = {file: list(load(ink_dir / file)) for file in _FILES if (ink_dir / file).is_file()}
    except RecognitionError as error:
        raise Missing(str(error)) from None
    kept, left_out = unseen(found, model.training_writers)
    asked = _questions(kept, np.random.default_rng(seed))
    if not asked:
        raise Missing(f"{ink_dir} has no answers of a writer whom the model has not seen ({left_out} left out).")
    reader = Reader(model, model.thresholds)
    answered = {name: _read(reader, questions) for name, questions in asked.items()}
    singles = [answered[name] for name in DIGITS if name in answered]
    if singles:
        answered["digits, together"] = _Answered(*(np.concatenate(columns) for columns in zip(*singles, strict=True)))
    known = look_alikes()
    others = [s for s in kept.get(_FOREIGN, ()) if not s.label.startswith(_LATIN) and s.label not in known]
    foreign = [question_of([sample], "digit") for sample in others]
    timed = next(iter(asked.values()))[:_TIMED]
    ms, ms_net = _best_ms(reader, timed), _net_ms(model, timed)
    return ReadFigures(
        reader=reader.version,
        engine=model.engine,
        writers=len({one.writer for questions in asked.values() for one in questions}),
        writers_left_out=left_out,
        answers={name: rows.judged() for name, rows in answered.items()},
        curves={name: curve(rows.right, rows.sure, rows.writer) for name, rows in answered.items()},
        foreign_offered=len(foreign),
        foreign_accepted=sum(reader.read(one.request).accepted for one in foreign),
        ms_per_answer=float(np.median(ms)),
        ms_per_answer_p99=float(np.percentile(ms, 99)),
        ms_net=ms_net,
        ratio_to_net=float(np.median(ms)) / ms_net,
    )


def unseen(found: dict[str, list[Sample]], seen: frozenset[str]) -> tuple[dict[str, list[Sample]], int]:
    """The samples of writers whom the model does not know, and how many writers were left out."""
    folded = folded_writers(sample for samples in found.values() for sample in samples)
    known = {root for name, root in folded.items() if writer_hash(name) in seen}
    kept = {file: [s for s in samples if folded[s.writer] not in known] for file, samples in found.items()}
    return kept, sum(root in known for root in folded.values())


def _questions(kept: dict[str, list[Sample]], rng: np.random.Generator) -> dict[str, list[Asked]]:
    """What is asked, by its name in the report; nothing under a name for which there is no ink."""
    asked = {name: [question_of([sample], "digit") for sample in kept.get(file, ())] for name, file in DIGITS.items()}
    doubted = suspects()
    uni = kept.get(DIGITS["digits, UNIPEN"], ())
    asked["digits, UNIPEN without suspects"] = [
        one for one, sample in zip(asked["digits, UNIPEN"], uni, strict=True) if sample.ink_hash() not in doubted
    ]
    letters = (sample for sample in kept.get(_UPPER, ()) if sample.label in _CHOICES)
    asked["letters A-D"] = [question_of([sample], "choice") for sample in letters]
    digits = [sample for file in DIGITS.values() for sample in kept.get(file, ())]
    if digits:
        labels, writers = [s.label for s in digits], [s.writer for s in digits]
        numbers = numbers_of(labels, writers, count=_NUMBERS, rng=rng)
        asked["numbers of 1 to 3 digits, composed"] = [
            question_of([digits[row] for row in number], "number", gap=float(rng.uniform(*GAP_HEIGHTS)))
            for number in numbers
        ]
    return {name: questions for name, questions in asked.items() if questions}


def question_of(samples: Sequence[Sample], kind: Kind, *, gap: float = 0.0) -> Asked:
    """One writer's characters side by side on one line, each 7 mm on its longer side."""
    strokes: list[Stroke] = []
    left, now_ms = 0.0, 0
    for sample in samples:
        every = np.concatenate(sample.strokes)
        low, high = every.min(axis=0), every.max(axis=0)
        scale = _HEIGHT_MM / max(float((high - low).max()), 1e-6)
        for xy in sample.strokes:
            points = np.full((len(xy), 4), 0.5, np.float32)
            points[:, 0] = (xy[:, 0] - low[0]) * scale + left
            points[:, 1] = (xy[:, 1] - high[1]) * scale
            points[:, 2] = np.arange(len(xy)) * _POINT_MS + now_ms
            strokes.append(Stroke(points, now_ms))
            now_ms += len(xy) * _POINT_MS + _LIFT_MS
        left += float(high[0] - low[0]) * scale + gap * _HEIGHT_MM
    choices = tuple(Choice(value) for value in _CHOICES) if kind == "choice" else ()
    request = ReadRequest(kind=kind, strokes=tuple(strokes), choices=choices)
    return Asked(request, "".join(sample.label for sample in samples), samples[0].writer)


def _read(reader: Reader, questions: Sequence[Asked]) -> _Answered:
    right, accepted, sure, ms = [], [], [], []
    for one in questions:
        began = time.perf_counter()
        reading = reader.read(one.request)
        ms.append((time.perf_counter() - began) * 1000)
        right.append(reading.value == one.wrote)
        accepted.append(reading.accepted)
        sure.append(0.0 if set(reading.reasons) - _WEIGHED else reading.confidence)
    writers = np.array([one.writer for one in questions])
    return _Answered(np.array(right), np.array(accepted), np.array(sure), writers, np.array(ms))


def _best_ms(reader: Reader, questions: Sequence[Asked]) -> NDArray[np.float64]:
    """Of each question the best of five, from strokes to reading."""
    best = np.full(len(questions), np.inf)
    for _ in range(_ROUNDS):
        best = np.minimum(best, _read(reader, questions).ms)
    return best


def _net_ms(model: CharacterNetwork, questions: Sequence[Asked]) -> float:
    """Median of the net alone, one character at a time, the best of five; features made before."""
    points = [resampled([stroke.points for stroke in one.request.strokes])[None] for one in questions]
    inputs = [(sequences(one), maps(one)) for one in points]
    best = np.full(len(inputs), np.inf)
    for _ in range(_ROUNDS):
        for row, (traces, grids) in enumerate(inputs):
            began = time.perf_counter()
            model.bare(traces, grids)
            best[row] = min(best[row], (time.perf_counter() - began) * 1000)
    return float(np.median(best))
