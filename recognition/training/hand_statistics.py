"""Statistics of the learnt hand: the mean and the directions of a form, what writers share, and what belongs to chance.

Names: a *form* (allograph) is one way to write a character; a *direction* is a shape change of one standard deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.training.hand_shapes import POINTS, Floats, Ints

STYLE_AXES: Final = 6
"""What a writer's characters have in common, as so many numbers."""

_MOST_DIRECTIONS: Final = 6
_VARIANCE_KEPT: Final = 0.94
_NEAR_SHARE: Final = 0.93
"""The farthest samples of a form are left out: wrong labels, other forms."""
_LEAST_GAIN: Final = 0.02
_TWIN: Final = 0.09
"""Two forms nearer than this (mean square, 1 = their radius) are the same shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One way to write a character, as learnt."""

    character: str
    points: Ints
    """Points of each stroke; their sum is POINTS."""
    share: float
    """Part of the character's samples."""
    mean: Floats
    """(2 POINTS,): x and y of each point in turn."""
    directions: Floats
    """(rank, 2 POINTS)."""
    between: Floats
    """(rank,): the part of the variance that lies between writers."""
    time_steps: Floats
    """(POINTS,): time from the point before, 0 at the first of a stroke."""
    writers: NDArray[np.str_]
    writer_means: Floats
    """(writers, rank)."""
    writer_counts: Ints


def learnt_form(
    character: str, shapes: Floats, passed: Floats, writers: NDArray[np.str_], *, share: float, points: Ints
) -> Form:
    """Mean shape, main directions and mean timing of the samples of one form: (n, POINTS, 2), (n, POINTS), (n,)."""
    flat = shapes.reshape(len(shapes), -1)
    far = ((flat - np.median(flat, axis=0)) ** 2).sum(axis=1)
    near = far <= np.quantile(far, _NEAR_SHARE)
    flat, mean = flat[near], flat[near].mean(axis=0)
    _, singular, axes = np.linalg.svd(flat - mean, full_matrices=False)
    variance = singular**2 / len(flat)
    enough = 1 + int(np.searchsorted(np.cumsum(variance) / variance.sum(), _VARIANCE_KEPT))
    rank = min(_MOST_DIRECTIONS, enough)
    scores = (flat - mean) @ axes[:rank].T / np.sqrt(variance[:rank])
    names, who = np.unique(writers[near], return_inverse=True)
    counts = np.bincount(who)
    means = np.stack([np.bincount(who, scores[:, axis]) / counts for axis in range(rank)], axis=1)
    within = ((scores - means[who]) ** 2).sum(axis=0) / max(len(scores) - len(counts), 1)
    time_steps = np.diff(passed.mean(axis=0), prepend=0)
    time_steps[np.concatenate([[0], np.cumsum(points)[:-1]])] = 0
    return Form(
        character=character,
        points=points,
        share=share,
        mean=mean,
        directions=axes[:rank] * np.sqrt(variance[:rank, None]),
        between=np.clip(1 - within, 0.1, 0.9),
        time_steps=time_steps,
        writers=names,
        writer_means=means,
        writer_counts=counts,
    )


def faithlessness(clusters: Ints, writers: NDArray[np.str_], shares: Floats) -> float:
    """The Dirichlet concentration of a character's forms: small where a writer keeps to one."""
    if len(shares) == 1:
        return 1.0
    used = clusters >= 0
    counts = np.array(
        [np.bincount(clusters[used & (writers == writer)], minlength=len(shares)) for writer in np.unique(writers)]
    )
    each = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum() / max((each * (each - 1)).sum(), 1)
    return float(np.clip((1 - same) / max(same - (shares**2).sum(), _LEAST_GAIN), 0.05, 8))


def effects(
    values: Floats, writers: NDArray[np.str_], kinds: Ints
) -> tuple[dict[str, float], dict[int, float], Floats]:
    """Part values into a writer's effect (held near 0 where there are few), a kind's effect, and the rest."""
    names, who = np.unique(writers, return_inverse=True)
    sorts, what = np.unique(kinds, return_inverse=True)
    of_writer, of_kind = np.zeros(len(names)), np.zeros(len(sorts))
    for _ in range(20):
        of_kind = np.bincount(what, values - of_writer[who]) / np.bincount(what)
        of_writer = np.bincount(who, values - of_kind[what]) / (np.bincount(who) + 2)
    rest = values - of_writer[who] - of_kind[what]
    return (
        dict(zip(names.tolist(), of_writer.tolist(), strict=True)),
        dict(zip(sorts.tolist(), of_kind.tolist(), strict=True)),
        rest,
    )


def style_loads(forms: Sequence[Form], writers: Sequence[str]) -> Floats:
    """(directions of all forms, STYLE_AXES): how far each direction follows the writers' style axes.

    A factor analysis with holes, by alternating ridge regressions: nobody writes all forms.
    """
    place = {name: index for index, name in enumerate(writers)}
    firsts = np.concatenate([[0], np.cumsum([len(form.directions) for form in forms])])
    table = [
        (first + axis, place[name], means[axis], count)
        for first, form in zip(firsts.tolist(), forms, strict=False)
        for name, means, count in zip(form.writers.tolist(), form.writer_means, form.writer_counts, strict=True)
        for axis in range(len(means))
    ]
    rows, who, values, weights = (np.array(column) for column in zip(*table, strict=True))
    of_writer = [np.flatnonzero(who == index) for index in range(len(writers))]
    of_row = [np.flatnonzero(rows == index) for index in range(int(firsts[-1]))]
    # A fixed start, not chance: the same ink must give the same file.
    loads: Floats = np.random.default_rng(0).normal(0, 0.3, (int(firsts[-1]), STYLE_AXES))
    for _ in range(25):
        styles = np.array([_ridge(loads[rows[at]], values[at], weights[at], 2.0) for at in of_writer])
        styles /= styles.std(axis=0).clip(1e-6)
        loads = np.array([_ridge(styles[who[at]], values[at], weights[at], 8.0) for at in of_row])
    loads *= np.minimum(1, 0.85 / np.linalg.norm(loads, axis=1).clip(1e-6))[:, None]
    return loads


def _ridge(inputs: Floats, values: Floats, weights: Floats, held: float) -> Floats:
    weighted = inputs * weights[:, None]
    return np.asarray(np.linalg.solve(inputs.T @ weighted + held * np.eye(inputs.shape[1]), weighted.T @ values))


def impostors(forms: Sequence[Form], alphabets: Sequence[str]) -> set[int]:
    """Rare one-stroke forms that are the main shape of another character: a wrong label, a lost stroke."""

    def taken(form: Form, by: Form) -> bool:
        kin = any(form.character in alphabet and by.character in alphabet for alphabet in alphabets)
        return bool(
            kin
            and form.character != by.character
            and len(form.points) == len(by.points) == 1
            and form.share < min(0.09, by.share / 2)
            and ((form.mean - by.mean) ** 2).sum() < _TWIN * POINTS
        )

    return {index for index, form in enumerate(forms) if any(taken(form, by) for by in forms)}


def steady_sd(values: Floats) -> float:
    """Standard deviation that a few wild values cannot move."""
    return float(1.48 * np.median(np.abs(values - np.median(values))))


def to_int8(rows: Floats, top: int) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Rows in whole numbers up to `top`, and the scale of each row."""
    scale = np.abs(rows).max(axis=1, keepdims=True).clip(1e-9) / top
    return np.rint(rows / scale).astype(np.int8), scale[:, 0].astype(np.float16)
