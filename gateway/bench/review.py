"""How many decisions a teacher needs for what the reader is unsure of, and how many answers stand in a wrong group.

Lessons of 48 pupils are composed from real ink of writers whom the model has not seen: ten questions, each with a right
answer that most give and wrong ones that some share. The shipped reader reads all of it; what it leaves open is grouped
as the box does it, and the writers' labels tell who stands beside answers that are others'.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from gateway.bench.read import DIGITS, GAP_HEIGHTS, Asked, question_of, unseen
from gateway.errors import Missing
from recognition.errors import RecognitionError
from recognition.likeness import MOST_APART, Doubtful, clusters
from recognition.readers.network import CharacterNetwork
from recognition.readers.reader import Reader
from recognition.readers.reading import Kind
from recognition.training.inkset import Sample, load
from recognition.training.judge import upper_bound

PUPILS: Final = 48
_DIGITS_OF: Final = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3)
"""How many digits the right answer of each question has."""
_SHARES: Final = (0.7, 0.12, 0.08, 0.05)
"""Of the class: the right answer, then three wrong ones that some share; the rest are wrong each in his own way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigures:
    """What `bench review` found. Shares are 0..1, counts without more are of all lessons together."""

    reader: str
    lessons: int
    pupils: int
    questions: int
    writers: int
    """Writers whose ink was used; each stands for more than one pupil where they are fewer than those."""
    most_apart: float
    unsure: int
    """Answers that the reader left to a person."""
    unsure_a_lesson: float
    decisions_a_lesson: float
    """Groups: so many decisions serve all of a lesson's unsure answers."""
    decisions_by_reading_a_lesson: float
    """Where the teacher takes in what is read alike and written otherwise (key A), and leaves out what is not it."""
    joined: int
    """Answers in a group of more than one."""
    wrong: int
    """Answers in a group whose most common writing is another."""
    wrong_share: float
    """Of the unsure answers."""
    wrong_bound: float
    """The true share is below this with 95 % confidence (one-sided), were the answers independent."""
    largest_group: int

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


class _Unsure(NamedTuple):
    wrote: str
    about: Doubtful


def run(ink_dir: Path | None, *, lessons: int = 24, seed: int = 1) -> ReviewFigures:
    """Compose lessons, read them, group what is unsure.

    Raises:
        Missing: No folder, no model, or too little ink of writers whom the model has not seen.
    """
    if ink_dir is None or not ink_dir.is_dir():
        raise Missing("bench review needs labelled ink: --ink DIR, a folder with pendigits/digits.npz or unipen/*.npz.")
    try:
        model = CharacterNetwork()
        found = {file: list(load(ink_dir / file)) for file in DIGITS.values() if (ink_dir / file).is_file()}
    except RecognitionError as error:
        raise Missing(str(error)) from None
    hands = _hands(sample for samples in unseen(found, model.training_writers)[0].values() for sample in samples)
    if not hands:
        raise Missing(f"{ink_dir} has no writer of all ten digits whom the model has not seen.")
    reader, rng = Reader(model, model.thresholds), np.random.default_rng(seed)
    return _figures([_lesson(reader, hands, rng) for _ in range(lessons)], reader.version, len(hands))


def _hands(samples: Iterable[Sample]) -> list[dict[str, list[Sample]]]:
    """The digits of each writer who wrote all ten."""
    by_writer: dict[str, dict[str, list[Sample]]] = {}
    for sample in samples:
        by_writer.setdefault(sample.writer, {}).setdefault(sample.label, []).append(sample)
    return [hand for _, hand in sorted(by_writer.items()) if len(hand) == len("0123456789")]


def _lesson(reader: Reader, hands: Sequence[dict[str, list[Sample]]], rng: np.random.Generator) -> list[_Unsure]:
    """What the reader leaves open of one lesson."""
    seats = rng.permutation(np.arange(PUPILS) % len(hands))
    out = []
    for number, digits in enumerate(_DIGITS_OF, 1):
        kind: Kind = "digit" if digits == 1 else "number"
        answers = _answers(digits, rng)
        for seat in seats:
            wrote = answers[int(rng.choice(len(answers), p=[*_SHARES, 1 - sum(_SHARES)]))] or _number(digits, rng)
            one = _written(hands[seat], wrote, kind, rng)
            reading = reader.read(one.request)
            if not reading.accepted:
                strokes = tuple(stroke.points for stroke in one.request.strokes)
                about = Doubtful(f"q{number}", reading.value, reading.alternatives, reading.reasons, strokes)
                out.append(_Unsure(wrote, about))
    return out


def _answers(digits: int, rng: np.random.Generator) -> list[str]:
    """The right answer and three near it; empty for any other."""
    right = _number(digits, rng)
    near: list[str] = []
    while len(near) < len(_SHARES) - 1:
        place = int(rng.integers(digits))
        other = right[:place] + str(rng.integers(1, 10)) + right[place + 1 :]
        if other not in {right, *near}:
            near.append(other)
    return [right, *near, ""]


def _number(digits: int, rng: np.random.Generator) -> str:
    low = 0 if digits == 1 else 10 ** (digits - 1)
    return str(rng.integers(low, 10**digits))


def _written(hand: dict[str, list[Sample]], wrote: str, kind: Kind, rng: np.random.Generator) -> Asked:
    samples = [hand[digit][int(rng.integers(len(hand[digit])))] for digit in wrote]
    return question_of(samples, kind, gap=float(rng.uniform(*GAP_HEIGHTS)))


def _figures(lessons: Sequence[Sequence[_Unsure]], reader: str, writers: int) -> ReviewFigures:
    unsure = sum(map(len, lessons))
    groups = [[lesson[k] for k in group] for lesson in lessons for group in clusters([one.about for one in lesson])]
    joined = [group for group in groups if len(group) > 1]
    wrong = sum(len(group) - Counter(one.wrote for one in group).most_common(1)[0][1] for group in joined)
    by_reading = sum(
        len(
            {
                (one.about.field, one.about.value, k if one.about.value is None else one.wrote)
                for k, one in enumerate(lesson)
            }
        )
        for lesson in lessons
    )
    return ReviewFigures(
        reader=reader,
        lessons=len(lessons),
        pupils=PUPILS,
        questions=len(_DIGITS_OF),
        writers=writers,
        most_apart=MOST_APART,
        unsure=unsure,
        unsure_a_lesson=unsure / len(lessons),
        decisions_a_lesson=len(groups) / len(lessons),
        decisions_by_reading_a_lesson=by_reading / len(lessons),
        joined=sum(map(len, joined)),
        wrong=wrong,
        wrong_share=wrong / unsure if unsure else 0.0,
        wrong_bound=upper_bound(wrong, unsure),
        largest_group=max(map(len, groups), default=0),
    )
