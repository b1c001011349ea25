"""How well a reader reads: figures per set of ink, the bound that a count allows, and the thresholds. numpy only."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SURE: Final = 0.95
_FEWEST_OF_A_WRITER: Final = 8
"""A writer of fewer answers says nothing about the worst tenth of writers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a set of answers was read. Shares are 0..1."""

    answers: int
    writers: int
    right: float
    """Of all answers, the share whose best reading is what was written."""
    accepted: float
    """Of all answers, the share that is relied on."""
    accepted_answers: int
    wrong_accepted: int
    error: float
    """Of the accepted answers, the share that is wrong."""
    error_bound: float
    """The true error is below this with 95 % confidence (one-sided Clopper-Pearson)."""
    worst_tenth_right: float
    """The share right of the writer at the worst tenth."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, shares rounded to five places."""
        return {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(self).items()}


def judged(right: NDArray[np.bool_], accepted: NDArray[np.bool_], writer: NDArray[np.str_]) -> Judged:
    """Figures of n >= 1 answers: whether the best reading is right, whether it is relied on, and who wrote it."""
    wrong = int((accepted & ~right).sum())
    kept = int(accepted.sum())
    by_writer = [right[writer == name] for name in np.unique(writer)]
    shares = sorted(float(one.mean()) for one in by_writer if len(one) >= _FEWEST_OF_A_WRITER)
    return Judged(
        answers=len(right),
        writers=len(by_writer),
        right=float(right.mean()),
        accepted=kept / len(right),
        accepted_answers=kept,
        wrong_accepted=wrong,
        error=wrong / kept if kept else 0.0,
        error_bound=upper_bound(wrong, kept),
        worst_tenth_right=shares[len(shares) // 10] if shares else float(right.mean()),
    )


def upper_bound(wrong: int, answers: int) -> float:
    """The share that lies above the true one with 95 % confidence (Clopper and Pearson 1934, one-sided); 1 for none."""
    if answers == 0 or wrong >= answers:
        return 1.0
    low, high = wrong / answers, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(wrong, answers, middle) > 1 - _SURE:
            low = middle
        else:
            high = middle
    return high


def _at_most(wrong: int, answers: int, share: float) -> float:
    """The chance of at most so many wrong ones when each is wrong with this chance."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    yes, no = math.log(share), math.log1p(-share)
    terms = [
        math.lgamma(answers + 1) - math.lgamma(k + 1) - math.lgamma(answers - k + 1) + k * yes + (answers - k) * no
        for k in range(wrong + 1)
    ]
    most = max(terms)
    return min(1.0, math.exp(most) * sum(math.exp(term - most) for term in terms))


def threshold_for(
    right: NDArray[np.bool_],
    confidence: NDArray[np.floating],
    writer: NDArray[np.str_],
    foreign: NDArray[np.floating],
    *,
    error: float,
    accepted: float,
    foreign_accepted: float,
) -> float:
    """The lowest threshold from 1/2 on that keeps the error and the foreign ink taken within bounds.

    Every writer counts the same, however much he wrote. Where the bounds would accept too little, the threshold accepts
    just enough: refusing too much helps nobody, and the figures tell the rest.

    Args:
        right: n answers of validation writers: read right?
        confidence: How sure each was.
        writer: Who wrote it.
        foreign: How sure the reader was of ink that is no answer; may be empty.
        error: Highest share wrong among the accepted.
        accepted: Least share accepted.
        foreign_accepted: Highest share of the foreign ink accepted.
    """
    _, row_of, counts = np.unique(writer, return_inverse=True, return_counts=True)
    weight = 1 / (counts[row_of] * len(counts))
    order = np.argsort(-confidence)
    sorted_confidence = confidence[order]
    kept = np.cumsum(weight[order])
    wrong = np.cumsum(weight[order] * ~right[order])
    good = np.flatnonzero(wrong <= error * kept)
    limit = float(sorted_confidence[good[-1]]) if len(good) else 1.0
    if len(foreign):
        limit = max(limit, float(np.quantile(foreign, 1 - foreign_accepted)))
    enough = float(sorted_confidence[min(len(order) - 1, int(np.searchsorted(kept, accepted)))])
    return max(0.5, min(limit, enough))


def best(probabilities: NDArray[np.float32], alphabet: str) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """The best character of each row of `scores`, never "none of these", and its probability."""
    of_alphabet = probabilities[:, : len(alphabet)]
    places = of_alphabet.argmax(axis=1)
    return np.array(list(alphabet))[places], of_alphabet[np.arange(len(places)), places]


def numbers_of(
    labels: Sequence[str], writers: Sequence[str], *, count: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """So many numbers of one to three digits, each of one writer's digits, as rows of the digits to put side by side.

    No leading zero. Writers with few digits get few numbers: their digits are not used more often than others'.
    """
    rows_of: dict[str, list[int]] = {}
    for row, writer in enumerate(writers):
        rows_of.setdefault(writer, []).append(row)
    names = list(rows_of)
    weight = np.array([len(rows_of[name]) for name in names], np.float64)
    numbers: list[tuple[int, ...]] = []
    while len(numbers) < count:
        rows = rows_of[names[int(rng.choice(len(names), p=weight / weight.sum()))]]
        number = tuple(int(row) for row in rng.choice(rows, size=int(rng.integers(1, 4))))
        if len(number) == 1 or labels[number[0]] != "0":
            numbers.append(number)
    return numbers
