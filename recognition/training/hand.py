"""Learns the hand from real ink: insets in, one small file of statistics out. No sample of ink is kept.

Two passes: clusters of like shapes and how each writer slants them; then the forms of upright shapes.
The same ink gives the same bytes.
"""

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.handwriting.model import FORMAT, SHARE_UNIT, STYLE_UNIT
from recognition.training.hand_shapes import (
    MAX_STROKES,
    Floats,
    Ints,
    Trace,
    Trail,
    clusters_of,
    sampled,
    shared_points,
    slants_of,
    to_unit,
    traces_of,
)
from recognition.training.hand_statistics import (
    Form,
    effects,
    faithlessness,
    impostors,
    learnt_form,
    steady_sd,
    style_loads,
    to_int8,
)
from recognition.training.inkset import Sample, folded_writers, load

DIGITS: Final = "0123456789"
CAPITALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SMALL: Final = CAPITALS.lower()
SIGNS: Final = "+-=/()<>*%?!"
FILES: Final[Mapping[str, str]] = {
    "pendigits/digits": DIGITS,
    "unipen/digits": DIGITS,
    "unipen/upper": CAPITALS,
    "unipen/lower": SMALL,
    "unipen/symbols": SIGNS,
}
"""Insets under the ink folder, all CC BY 4.0, and the characters taken from each."""

_QUOTAS: Final = {DIGITS: 14, CAPITALS: 8, SMALL: 5, SIGNS: 3}
_HEIGHT_OF: Final = {DIGITS: DIGITS, CAPITALS: CAPITALS, SMALL: "bdhkl"}
"""The height of each alphabet is that of these characters."""
_MOST_OF_A_WRITER: Final = 12
_MANY_SLANTS: Final = 20
"""Only a writer with more characters than this tells how slants vary."""


@dataclass(slots=True, eq=False)
class _Character:
    """All ink of one character."""

    writers: NDArray[np.str_]
    scales: NDArray[np.str_]
    """Ink of the same writer, set and unit is of one scale."""
    hz: Ints
    stroke_counts: Ints
    points: Mapping[int, Ints]
    """Stroke count -> points of each stroke."""
    shapes: Floats
    paths: Sequence[Trail]
    log_sizes: Floats
    log_heights: Floats
    clusters: Ints


@dataclass(slots=True, eq=False)
class _Learnt:
    """The forms of all characters, and what size and time have to do with them."""

    forms: list[Form] = field(default_factory=list)
    concentrations: list[float] = field(default_factory=list)
    sizes: list[tuple[float, float, str, int]] = field(default_factory=list)
    """Log size, log height, scale, form."""
    times: list[tuple[float, str, int]] = field(default_factory=list)
    """Log seconds, writer, form and stroke."""


def learn_and_save(ink_dir: Path, out: Path) -> None:
    """Learn the hand from all writers of the insets under `ink_dir` and write `hand.npz` into the folder `out`.

    Raises:
        FileNotFoundError: An inset, or `out`, is not there.
        InkError: A file is no inset.
    """
    save(learn(read_ink(ink_dir)), out / "hand.npz")


def save(arrays: Mapping[str, NDArray[np.generic]], out: Path) -> None:
    """Write a learnt hand; the same arrays give the same bytes."""
    with out.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag


def read_ink(ink_dir: Path) -> Iterator[tuple[str, Sample]]:
    """The file's name and each usable character; copies under a second name are left out, their writers joined."""
    ink = {name: list(load(ink_dir / f"{name}.npz")) for name in FILES}
    folded = folded_writers(itertools.chain.from_iterable(ink.values()))
    seen: set[tuple[str, bytes]] = set()
    for name, samples in ink.items():
        for sample in samples:
            mark = (folded[sample.writer], sample.ink_hash())
            if sample.label in FILES[name] and mark not in seen:
                seen.add(mark)
                yield name, dataclasses.replace(sample, writer=folded[sample.writer])


def learn(ink: Iterator[tuple[str, Sample]]) -> dict[str, NDArray[np.generic]]:
    """The arrays of the file (`recognition.handwriting.model` says what they mean)."""
    characters = _characters(ink)
    slants = _slants(characters)
    learnt = _learnt(characters, {writer: total for writer, (total, _) in slants.items()})
    sizes, size_sd = _form_sizes(learnt)
    seconds, pace_sd, pace_rest = _durations(learnt)
    bad = impostors(learnt.forms, (DIGITS, CAPITALS, SMALL))
    kept = [index for index in range(len(learnt.forms)) if index not in bad]
    forms = [learnt.forms[index] for index in kept]
    loads = style_loads(forms, sorted(slants))
    steady = np.array([total.ravel() for total, count in slants.values() if count > _MANY_SLANTS])
    count_of = Counter(form.character for form in forms)
    steps = np.array([form.time_steps for form in forms])
    mean, mean_scale = to_int8(np.array([form.mean for form in forms]), 100)
    directions, directions_scale = to_int8(np.concatenate([form.directions for form in forms]), 20)
    print(
        f"{len(characters)} characters, {len(forms)} forms ({len(bad)} struck off), {len(directions)} directions, "
        f"{len(slants)} writers; log sd of pace {pace_sd:.2f}, its rest {pace_rest:.2f}, of size {size_sd:.2f}"
    )
    return {
        "format": np.array(FORMAT, np.uint8),
        "characters": np.array(list(characters)),
        "first": np.cumsum([0, *(count_of[character] for character in characters)]).astype(np.uint16),
        "weight": np.array([form.share for form in forms], np.float16),
        "concentration": np.array(learnt.concentrations, np.float16),
        "points": np.array([np.pad(form.points, (0, MAX_STROKES - len(form.points))) for form in forms], np.uint8),
        "rank": np.array([len(form.directions) for form in forms], np.uint8),
        "mean": mean,
        "mean_scale": mean_scale,
        "directions": directions,
        "directions_scale": directions_scale,
        "between": np.rint(np.concatenate([form.between for form in forms]) * SHARE_UNIT).astype(np.uint8),
        "style": np.rint(loads * STYLE_UNIT).astype(np.int8),
        "time_steps": np.rint(steps / steps.max(axis=1, keepdims=True) * 60).astype(np.uint8),
        "duration": seconds[kept].astype(np.float16),
        "size": sizes[kept].astype(np.float16),
        "slant": np.linalg.cholesky(np.cov((steady - steady.mean(axis=0)).T) + 1e-6 * np.eye(4)).astype(np.float32),
        "spread": np.array([pace_sd, pace_rest, size_sd], np.float32),
    }


def _characters(ink: Iterator[tuple[str, Sample]]) -> dict[str, _Character]:
    """First pass: every character's ink, clustered. In the order of the alphabets."""
    found: dict[str, list[tuple[Sample, str, list[Trace]]]] = defaultdict(list)
    counts: Counter[tuple[str, str]] = Counter()
    for name, sample in ink:
        traces = traces_of(sample)
        counts[sample.label, sample.writer] += 1
        if traces and counts[sample.label, sample.writer] <= _MOST_OF_A_WRITER:
            scale = f"{sample.writer}|{name}|{sample.unit_mm}"
            found[sample.label].append((sample, scale, traces))
    gathered = {
        character: _character(found[character], quota)
        for alphabet, quota in _QUOTAS.items()
        for character in alphabet
        if character in found
    }
    return {character: ink for character, ink in gathered.items() if ink.clusters.max() >= 0}


def _character(found: Sequence[tuple[Sample, str, list[Trace]]], quota: int) -> _Character:
    writers = np.array([sample.writer for sample, _, _ in found])
    stroke_counts = np.array([len(traces) for _, _, traces in found])
    lengths = [np.array([trace.length[-1] for trace in traces]) for _, _, traces in found]
    points = {
        int(count): shared_points(np.mean([each / each.sum() for each in lengths if len(each) == count], axis=0))
        for count in np.unique(stroke_counts)
    }
    paths = [sampled(traces, points[len(traces)]) for _, _, traces in found]
    shapes = np.array([path.xy for path in paths])
    unit_shapes, sizes = to_unit(shapes)
    return _Character(
        writers=writers,
        scales=np.array([scale for _, scale, _ in found]),
        hz=np.array([sample.hz for sample, _, _ in found]),
        stroke_counts=stroke_counts,
        points=points,
        shapes=unit_shapes,
        paths=paths,
        log_sizes=np.log(sizes),
        log_heights=np.log(np.ptp(shapes[..., 1], axis=1).clip(1e-3)),
        clusters=clusters_of(unit_shapes, stroke_counts, writers, quota),
    )


def _slants(characters: Mapping[str, _Character]) -> dict[str, tuple[Floats, int]]:
    """Writer -> its slant and stretch as a matrix away from the identity, and the characters it is made of."""
    of_writer: dict[str, list[Floats]] = defaultdict(list)
    for ink in characters.values():
        for cluster in range(ink.clusters.max() + 1):
            members = ink.clusters == cluster
            matrices = slants_of(ink.shapes[members], ink.shapes[members].mean(axis=0))
            for writer, matrix in zip(ink.writers[members].tolist(), matrices, strict=True):
                of_writer[writer].append(matrix - np.eye(2))
    return {
        writer: (np.sum(matrices, axis=0) / (len(matrices) + 4), len(matrices))
        for writer, matrices in of_writer.items()
    }


def _learnt(characters: Mapping[str, _Character], slants: Mapping[str, Floats]) -> _Learnt:
    """Second pass: the forms of shapes with their writers' slants taken out."""
    learnt = _Learnt()
    for character, ink in characters.items():
        first = len(learnt.forms)
        shares = np.bincount(ink.clusters[ink.clusters >= 0]) / (ink.clusters >= 0).sum()
        learnt.concentrations.append(faithlessness(ink.clusters, ink.writers, shares))
        back = np.linalg.inv([np.eye(2) + slants.get(writer, 0) for writer in ink.writers.tolist()])
        upright = to_unit(np.einsum("nij,ntj->nti", back, ink.shapes))[0]
        passed = np.array([path.passed for path in ink.paths])
        for cluster, share in enumerate(shares.tolist()):
            members = ink.clusters == cluster
            points = ink.points[int(ink.stroke_counts[members][0])]
            learnt.forms.append(
                learnt_form(
                    character, upright[members], passed[members], ink.writers[members], share=share, points=points
                )
            )
        for at in np.flatnonzero(ink.clusters >= 0).tolist():
            form = first + int(ink.clusters[at])
            learnt.sizes.append((ink.log_sizes[at], ink.log_heights[at], str(ink.scales[at]), form))
            if ink.hz[at]:
                learnt.times += [
                    (np.log(max(steps, 2) / ink.hz[at]), str(ink.writers[at]), form * MAX_STROKES + stroke)
                    for stroke, steps in enumerate(ink.paths[at].steps)
                ]
    return learnt


def _form_sizes(learnt: _Learnt) -> tuple[Floats, float]:
    """Log size of each form (radius in digit heights), and the spread that neither form nor scale explains."""
    log_sizes, log_heights, scales, forms = (np.array(column) for column in zip(*learnt.sizes, strict=True))
    of_scale, of_form, rest = effects(log_sizes, scales, forms)
    characters = np.array([form.character for form in learnt.forms])
    heights = log_heights - np.array([of_scale[scale] for scale in scales.tolist()])
    usual = {
        alphabet: float(np.mean([np.median(heights[characters[forms] == character]) for character in known]))
        for alphabet, reference in _HEIGHT_OF.items()
        if (known := [character for character in reference if character in characters])
    }
    # Signs have no height of their own: they are measured by the digits of those who wrote both.
    beside = [
        effect - of_scale[digits]
        for scale, effect in of_scale.items()
        if "symbols" in scale and (digits := scale.replace("symbols", "digits")) in of_scale
    ]
    if beside:
        usual[SIGNS] = usual[DIGITS] - float(np.median(beside))
    sizes = np.zeros(len(learnt.forms))
    for index, character in enumerate(characters.tolist()):
        middle = np.median([of_form[other] for other in np.flatnonzero(characters == character).tolist()])
        height = next((height for alphabet, height in usual.items() if character in alphabet), usual[DIGITS])
        sizes[index] = np.clip(of_form[index], middle - 0.15, middle + 0.15) - height
    return sizes, steady_sd(rest)


def _durations(learnt: _Learnt) -> tuple[Floats, float, float]:
    """Log seconds of each form's strokes (forms, MAX_STROKES); spread between writers, and what is left."""
    log_seconds, writers, kinds = (np.array(column) for column in zip(*learnt.times, strict=True))
    of_writer, of_kind, rest = effects(log_seconds, writers, kinds)
    seconds = np.zeros((len(learnt.forms), MAX_STROKES))
    for index, form in enumerate(learnt.forms):
        for stroke, points in enumerate(form.points.tolist()):
            unknown = float(np.log(0.02 * points))
            seconds[index, stroke] = of_kind.get(index * MAX_STROKES + stroke, unknown)
    return seconds, steady_sd(np.array(list(of_writer.values()))), steady_sd(rest)
