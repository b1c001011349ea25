"""Risk against coverage: how often a reader errs among what it accepts, at a stated share refused. numpy only."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recognition.training.judge import upper_bound

REFUSED: Final = (0.0, 0.01, 0.02, 0.05)
_DRAWS: Final = 1000
_SURE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One point of the curve. Shares are 0..1."""

    refused: float
    """Share refused, as asked for."""
    threshold: float
    kept: int
    wrong: int
    error: float
    """Share wrong of those kept."""
    bound: float
    """One-sided 95 %: the larger of Clopper-Pearson's and that of a bootstrap over writers."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Thresholds set on the writers of all folds but one, for the same share refused, on the writers of that one."""

    wanted: float
    least_refused: float
    most_refused: float
    refused: float
    """Of all answers, over all folds."""
    error: float
    """Of all that was kept, over all folds."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def threshold_at(sure: NDArray[np.floating], refused: float) -> float:
    """The threshold that refuses this share of n >= 1 answers; what is as sure as the threshold is kept."""
    return float(np.sort(sure)[min(len(sure) - 1, round(refused * len(sure)))])


def risk_at(
    right: NDArray[np.bool_], sure: NDArray[np.floating], writer: NDArray[np.str_], refused: float, *, seed: int = 0
) -> Risk:
    """The risk of n >= 1 answers, with this share refused."""
    threshold = threshold_at(sure, refused) if refused else 0.0
    kept = sure >= threshold
    wrong, count = int((kept & ~right).sum()), int(kept.sum())
    return Risk(
        refused=refused,
        threshold=threshold,
        kept=count,
        wrong=wrong,
        error=wrong / count if count else 0.0,
        bound=max(upper_bound(wrong, count), bound_by_writer(~right[kept], writer[kept], seed=seed)),
    )


def bound_by_writer(wrong: NDArray[np.bool_], writer: NDArray[np.str_], *, seed: int = 0) -> float:
    """The 95 % quantile of the error when whole writers are drawn anew, as many as there are; 0 for no answers."""
    if not len(wrong):
        return 0.0
    names, row_of = np.unique(writer, return_inverse=True)
    errors = np.bincount(row_of, weights=wrong, minlength=len(names))
    counts = np.bincount(row_of, minlength=len(names))
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=_DRAWS)
    return float(np.quantile(drawn @ errors / (drawn @ counts), _SURE))


def transfer(right: NDArray[np.bool_], sure: NDArray[np.floating], fold: NDArray[np.int64], refused: float) -> Transfer:
    """How a threshold travels from some writers to others."""
    shares, wrong, kept = [], 0, 0
    for one in np.unique(fold):
        here = fold == one
        passed = sure[here] >= threshold_at(sure[~here], refused)
        shares.append(1 - float(passed.mean()))
        wrong += int((passed & ~right[here]).sum())
        kept += int(passed.sum())
    return Transfer(
        wanted=refused,
        least_refused=min(shares),
        most_refused=max(shares),
        refused=1 - kept / len(sure),
        error=wrong / kept if kept else 0.0,
    )


def curve(
    right: NDArray[np.bool_], sure: NDArray[np.floating], writer: NDArray[np.str_], shares: Sequence[float] = REFUSED
) -> list[Risk]:
    """The risk at several shares refused."""
    return [risk_at(right, sure, writer, refused) for refused in shares]
