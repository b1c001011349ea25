"""Makes the files of the reader of Chinese characters from stroke templates: strokes, look-alikes, recogniser, card.

numpy alone. The same bytes for a seed on one machine with one version of numpy.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recognition.readers.hanzi import ABOUT, content_hash
from recognition.readers.hanzi_alignment import Template, align
from recognition.readers.hanzi_alignment import even as laid
from recognition.readers.hanzi_features import FEATURES, features
from recognition.readers.hanzi_recogniser import RECOGNISER, DirectionRecogniser
from recognition.readers.hanzi_templates import NOBODY, STROKES, packed
from recognition.training.hanzi_card import CARD, LICENCE, card
from recognition.training.hanzi_ink import EM, LOOSE, even, written
from recognition.training.inkset import Sample, load

TEMPLATES: Final = Path("hanzi_templates") / "medians.npz"
"""In the folder of insets, with its licence beside it."""

_SAMPLES: Final = 5
"""Pieces of made ink a character."""
_DIMENSIONS: Final = 96
_RIDGE: Final = 0.02
_NEAREST: Final = 8
_LOOK_ALIKES: Final = 12
_ALIKE: Final = 0.05
"""Costs of an alignment up to which two characters are alike: two strokes without a partner, and a little."""
_PART_NEAR: Final = 4.0
"""How far a character without one stroke may be from another one, in the recogniser's eyes, to be looked at."""


def learn_and_save(ink_dir: Path, out: Path, *, seed: int) -> None:
    """Make all files from a folder of insets; prints as it goes.

    Raises:
        RecognitionError: The templates are damaged.
        FileNotFoundError: They, or their licence, are missing.
    """
    source = ink_dir / TEMPLATES
    samples = [sample for sample in load(source) if _is_character(sample.label)]
    characters = [sample.label for sample in samples]
    print(f"{len(samples)} templates", flush=True)
    learnt = _recogniser(samples, np.random.default_rng(seed))
    np.savez_compressed(out / RECOGNISER, **learnt)
    recogniser = DirectionRecogniser(characters, out)
    print("recogniser made", flush=True)
    alike = _look_alikes(samples, recogniser)
    strokes = packed([[stroke / EM for stroke in sample.strokes] for sample in samples])
    np.savez_compressed(out / STROKES, characters=np.array(characters), look_alikes=alike, **strokes)
    shutil.copyfile(source.with_name("ARPHICPL.TXT"), out / LICENCE)
    (out / LICENCE).chmod(0o644)
    about = _about(out, samples, alike, seed)
    (out / ABOUT).write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    (out / CARD).write_text(card(about), "utf-8")


def _is_character(label: str) -> bool:
    """Whether a template is of a character proper; some are of parts."""
    return "\u3400" <= label <= "\u9fff"


def _recogniser(samples: Sequence[Sample], rng: np.random.Generator) -> dict[str, Any]:
    """Whitening by the spread inside characters, then the directions in which characters differ most."""
    middles = np.empty((len(samples), FEATURES))
    inside = np.zeros((FEATURES, FEATURES))
    for part in np.array_split(np.arange(len(samples)), max(len(samples) // 100, 1)):
        rest = []
        for place in part.tolist():
            template = even(samples[place].strokes)
            seen = np.stack([features(written(template, rng, LOOSE)) for _ in range(_SAMPLES)]).astype(np.float64)
            middles[place] = seen.mean(axis=0)
            rest.append(seen - middles[place])
        apart = np.concatenate(rest)
        inside += apart.T @ apart
    inside /= len(samples) * (_SAMPLES - 1)
    inside += np.eye(FEATURES) * (_RIDGE * np.trace(inside) / FEATURES)
    spread, axes = np.linalg.eigh(inside)
    white = axes / np.sqrt(spread)
    origin = middles.mean(axis=0)
    between = (middles - origin) @ white
    _, most = np.linalg.eigh(between.T @ between)
    way = (white @ most[:, ::-1][:, : min(_DIMENSIONS, FEATURES)]).astype(np.float16)
    placed = (middles - origin) @ way.astype(np.float64)
    scale = (np.abs(placed).max(axis=0) / 127).astype(np.float32)
    return {
        "origin": origin.astype(np.float16),
        "way": way,
        "middles": np.round(placed / scale).astype(np.int8),
        "scale": scale,
    }


def _look_alikes(samples: Sequence[Sample], recogniser: DirectionRecogniser) -> NDArray[np.uint16]:
    """(characters, 12): places of each one's look-alikes, the nearest by alignment first, then `NOBODY`."""
    inks = [laid(sample.strokes) / EM for sample in samples]
    templates = [Template(sample.label, ink) for sample, ink in zip(samples, inks, strict=True)]
    counts = np.array([len(ink) for ink in inks])
    pairs: set[tuple[int, int]] = set()
    for place, ink in enumerate(inks):
        away = recogniser.distances(features(list(ink))[None])[0]
        away[np.abs(counts - counts[place]) > 1] = np.inf
        others = np.argsort(away)[: _NEAREST + 1].tolist()
        pairs |= {_pair(place, other) for other in (*others, *_without_one(ink, counts, recogniser)) if other != place}
    print(f"{len(pairs)} pairs to align", flush=True)
    costs: list[list[tuple[float, int]]] = [[] for _ in samples]
    for one, two in sorted(pairs):
        fewer, more = sorted((one, two), key=lambda place: int(counts[place]))
        cost = align(inks[more], templates[fewer]).cost
        if cost <= _ALIKE:
            costs[one].append((cost, two))
            costs[two].append((cost, one))
    out = np.full((len(samples), _LOOK_ALIKES), NOBODY, np.uint16)
    for place, found in enumerate(costs):
        nearest = [other for _, other in sorted(found)[:_LOOK_ALIKES]]
        out[place, : len(nearest)] = nearest
    return out


def _without_one(ink: NDArray[np.float64], counts: NDArray[np.int64], recogniser: DirectionRecogniser) -> Iterator[int]:
    """Characters that this one may be when any one of its strokes is left out."""
    if len(ink) == 1:
        return
    seen = np.stack([features(list(np.delete(ink, left_out, axis=0))) for left_out in range(len(ink))])
    away = recogniser.distances(seen)
    away[:, counts != len(ink) - 1] = np.inf
    best = away.argmin(axis=1)
    yield from best[away.min(axis=1) <= _PART_NEAR * _DIMENSIONS].tolist()


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


def _about(out: Path, samples: Sequence[Sample], alike: NDArray[np.uint16], seed: int) -> dict[str, Any]:
    return {
        "sha256": content_hash(out),
        "seed": seed,
        "characters": len(samples),
        "strokes": sum(len(sample.strokes) for sample in samples),
        "look_alikes": int((alike != NOBODY).sum()),
        "bytes": {name: (out / name).stat().st_size for name in (STROKES, RECOGNISER)},
    }
