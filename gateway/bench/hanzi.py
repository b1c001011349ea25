"""What the reader of Chinese characters does with neat ink, with a stroke left out, with look-alikes; and how fast.

The ink is made from stroke templates, not written by anybody: the figures say whether the program does what it should,
never how well it reads handwriting. Characters are drawn from GB 2312, everyone as likely.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Missing
from recognition.errors import RecognitionError
from recognition.ink import Stroke
from recognition.readers.hanzi import HanziReader, open_hanzi
from recognition.readers.hanzi_templates import HanziTemplates
from recognition.readers.reading import Reading, ReadRequest
from recognition.training.hanzi import TEMPLATES
from recognition.training.hanzi_ink import LOOSE, NEAT, Neatness, even, written
from recognition.training.inkset import load
from recognition.training.judge import upper_bound

HAND: Final = "ink made from templates, nobody's handwriting"
_POINT_MS: Final = 13
_LIFT_MS: Final = 120
_TIMED: Final = 100
_TIMES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """How a set of answers was marked; shares 0..1. Bounds are one-sided with 95 % (Clopper-Pearson)."""

    answers: int
    right: float
    right_bound: float
    """At least so many, where the answers are right; else at most."""
    wrong: float
    wrong_bound: float
    """At most so many."""
    ask: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HanziFigures:
    """What `bench hanzi` found."""

    reader: str
    hand: str
    asked: dict[str, Marked]
    reasons: dict[str, int]
    """Why neat characters were asked about, how often each."""
    ms_per_character: float
    """Median over characters of the best of five."""
    ms_per_character_p99: float

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys."""
        plain = asdict(self)
        plain["ms_per_character"] = round(self.ms_per_character, 3)
        plain["ms_per_character_p99"] = round(self.ms_per_character_p99, 3)
        plain["asked"] = {
            name: {key: round(value, 5) if isinstance(value, float) else value for key, value in its.items()}
            for name, its in plain["asked"].items()
        }
        return plain


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is written from, and who reads it."""

    inks: dict[str, NDArray[np.float64]]
    templates: HanziTemplates
    reader: HanziReader

    def verdicts(
        self,
        count: int,
        rng: np.random.Generator,
        pair: Callable[[str, np.random.Generator], str | None],
        *,
        neat: Neatness = NEAT,
        left_out: bool = False,
    ) -> Iterator[Reading]:
        """Readings of `count` characters against a key; `pair` names what is written for a key, None for nothing.

        None where no character has a pair.
        """
        keys = [key for key in self.inks if pair(key, rng) is not None]
        for _ in range(count if keys else 0):
            key = keys[int(rng.integers(len(keys)))]
            yield self.reader.read(self.request(pair(key, rng) or key, rng, expected=key, neat=neat, left_out=left_out))

    def request(
        self,
        character: str,
        rng: np.random.Generator,
        *,
        expected: str | None = None,
        neat: Neatness = NEAT,
        left_out: bool = False,
    ) -> ReadRequest:
        ink = self.inks[character]
        if left_out:
            ink = np.delete(ink, int(rng.integers(len(ink))), axis=0)
        strokes, now_ms = [], 0
        for xy in written(ink, rng, neat):
            points = np.full((len(xy), 4), 0.5, np.float32)
            points[:, :2] = xy
            points[:, 2] = np.arange(len(xy)) * _POINT_MS + now_ms
            strokes.append(Stroke(points, now_ms))
            now_ms += len(xy) * _POINT_MS + _LIFT_MS
        return ReadRequest(kind="hanzi", strokes=tuple(strokes), expected=expected)

    def itself(self, key: str, _: np.random.Generator) -> str:
        return key

    def several(self, key: str, _: np.random.Generator) -> str | None:
        return key if len(self.inks[key]) > 1 else None

    def look_alike(self, key: str, rng: np.random.Generator) -> str | None:
        others = [other for other in self.templates.look_alikes(key) if other in self.inks]
        return others[int(rng.integers(len(others)))] if others else None

    def another(self, key: str, rng: np.random.Generator) -> str | None:
        others = [other for other in self.inks if other != key]
        return others[int(rng.integers(len(others)))] if others else None


def run(ink_dir: Path | None, *, seed: int = 1, pairs: int = 3000) -> HanziFigures:
    """Mark `pairs` made characters of each sort.

    Raises:
        Missing: No folder, no templates in it, or no model.
    """
    if ink_dir is None or not (ink_dir / TEMPLATES).is_file():
        raise Missing(f"bench hanzi needs stroke templates: --ink DIR, a folder with {TEMPLATES}.")
    try:
        reader, templates = open_hanzi(), HanziTemplates()
        inks = {s.label: even(s.strokes) for s in load(ink_dir / TEMPLATES) if _is_simplified(s.label)}
    except RecognitionError as error:
        raise Missing(str(error)) from None
    inks = {character: ink for character, ink in inks.items() if character in templates}
    if reader is None or not inks:
        raise Missing("There are no stroke templates to read with; make them with `python -m recognition.training`.")
    bench = _Bench(inks, templates, reader)
    rng = np.random.default_rng(seed)
    taught = list(bench.verdicts(pairs, rng, bench.itself))
    few = max(pairs // 3, 1)
    answers = {
        "neat, as taught": taught,
        "neat, one stroke left out": list(bench.verdicts(pairs, rng, bench.several, left_out=True)),
        "neat, a look-alike of the key": list(bench.verdicts(pairs, rng, bench.look_alike)),
        "neat, any other character": list(bench.verdicts(few, rng, bench.another)),
        "looser, as taught": list(bench.verdicts(few, rng, bench.itself, neat=LOOSE)),
    }
    asked = {
        name: _marked(readings, is_right=name.endswith("as taught")) for name, readings in answers.items() if readings
    }
    asked["neat, without a key"] = _free(bench, few, rng)
    best = _times_ms(bench, min(pairs, _TIMED), rng)
    return HanziFigures(
        reader=reader.version,
        hand=HAND,
        asked=asked,
        reasons=dict(Counter(reason for one in taught if one.verdict == "ask" for reason in one.reasons).most_common()),
        ms_per_character=median(best),
        ms_per_character_p99=float(np.percentile(best, 99)),
    )


def _is_simplified(character: str) -> bool:
    """Whether a character is in GB 2312: the 6,763 in use."""
    return len(character.encode("gb2312", "ignore")) > 1


def _marked(readings: list[Reading], *, is_right: bool) -> Marked:
    counted = Counter(one.verdict for one in readings)
    return _shares(counted["right"], counted["wrong"], len(readings), is_right=is_right)


def _shares(right: int, wrong: int, answers: int, *, is_right: bool) -> Marked:
    return Marked(
        answers=answers,
        right=right / answers,
        right_bound=1 - upper_bound(answers - right, answers) if is_right else upper_bound(right, answers),
        wrong=wrong / answers,
        wrong_bound=upper_bound(wrong, answers),
        ask=(answers - right - wrong) / answers,
    )


def _free(bench: _Bench, count: int, rng: np.random.Generator) -> Marked:
    """Without a key: accepted as what was written, accepted as something else, or asked about."""
    right = wrong = 0
    characters = list(bench.inks)
    for _ in range(count):
        character = characters[int(rng.integers(len(characters)))]
        reading = bench.reader.read(bench.request(character, rng))
        right += reading.accepted and reading.value == character
        wrong += reading.accepted and reading.value != character
    return _shares(right, wrong, count, is_right=True)


def _times_ms(bench: _Bench, count: int, rng: np.random.Generator) -> list[float]:
    """The best of five times of each of `count` characters, against a key."""
    characters, best = list(bench.inks), []
    for _ in range(count):
        character = characters[int(rng.integers(len(characters)))]
        request = bench.request(character, rng, expected=character)
        taken = []
        for _ in range(_TIMES):
            began = time.perf_counter()
            bench.reader.read(request)
            taken.append((time.perf_counter() - began) * 1000)
        best.append(min(taken))
    return best
