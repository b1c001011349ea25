"""How like real ink the learnt hand is: the figures of its card. `python -m recognition.training.hand_check --ink DIR`.

The hand is learnt anew from seven tenths of the writers; the test part stays unseen. Read the figures as what they are:
measures of a generator, never of a reader.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recognition.errors import ModelError
from recognition.handwriting.hand import Hand
from recognition.handwriting.model import Model
from recognition.readers.network import CharacterNetwork
from recognition.training.hand import DIGITS, learn, read_ink, save
from recognition.training.hand_shapes import Floats, sampled, shared_points, to_unit, traces_of
from recognition.training.inkset import Sample, parted_writers

SPLIT_SEED: Final = 7

Shapes: TypeAlias = Mapping[str, tuple[Floats, NDArray[np.str_]]]
"""Character -> unit shapes (n, 2 points) and their writers (n,)."""

_POINTS: Final = 32
_LEAST_OF_A_WRITER: Final = 4


def written(hands: Iterable[Hand], text: str, times: int) -> Iterator[Sample]:
    """Every hand writes each character of the text so often."""
    for hand in hands:
        for character in text * times:
            strokes = tuple(stroke[:, :2].astype(np.float32) for stroke in hand.write(character, 0.0, 0.0))
            yield Sample(character, str(hand.seed), "hand", 80, 1.0, strokes)


def shapes_of(samples: Iterable[Sample]) -> Shapes:
    """Shapes without place and size, by character."""
    found: dict[str, list[tuple[Floats, str]]] = defaultdict(list)
    for sample in samples:
        if traces := traces_of(sample):
            counts = shared_points(np.array([trace.length[-1] for trace in traces]), _POINTS)
            found[sample.label].append((sampled(traces, counts).xy, sample.writer))
    return {
        character: (to_unit(np.array([xy for xy, _ in rows]))[0].reshape(len(rows), -1), np.array([w for _, w in rows]))
        for character, rows in found.items()
    }


def between_writers(shapes: Shapes) -> tuple[float, float]:
    """The share of the variance of shapes that lies between writers, and that variance (1 = a mean square radius)."""
    within, total = [], []
    for flat, writers in shapes.values():
        names, counts = np.unique(writers, return_counts=True)
        frequent = names[counts >= _LEAST_OF_A_WRITER]
        within += [flat[writers == name].var(axis=0, ddof=1).sum() for name in frequent]
        total.append(flat.var(axis=0).sum())
    return float(1 - np.mean(within) / np.mean(total)), float(np.mean(total) / _POINTS)


def nearest(shapes: Shapes, others: Shapes) -> Floats:
    """The distance of each shape to the nearest of the others with its label, 1 = their root mean square radius."""
    found = []
    for character, (flat, _) in shapes.items():
        other = others[character][0]
        for rows in np.array_split(flat, max(1, len(flat) // 200)):
            squares = (rows**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * rows @ other.T
            found.append(np.sqrt(squares.min(axis=1).clip(0) / _POINTS))
    return np.concatenate(found)


def read_right(network: CharacterNetwork, samples: Sequence[Sample], alphabet: str) -> float:
    """The share of generated characters that the product's reader names rightly."""
    right = 0
    for start in range(0, len(samples), 256):
        batch = samples[start : start + 256]
        scores = network.scores([sample.strokes for sample in batch], alphabet)[:, : len(alphabet)]
        right += sum(alphabet[best] == s.label for best, s in zip(scores.argmax(axis=1).tolist(), batch, strict=True))
    return right / len(samples)


def _distances(name: str, distance: Floats) -> None:
    least, low, tenth, middle = np.percentile(distance, [0, 1, 10, 50])
    close = 100 * (distance < 0.02).mean()  # noqa: PLR2004  # the bound of the card's table
    print(f"| {name} | {least:.3f} | {low:.3f} | {tenth:.3f} | {middle:.3f} | {close:.2f} % |")


def check(ink_dir: Path) -> None:
    """Print all figures."""
    ink = list(read_ink(ink_dir))
    part = parted_writers((sample for _, sample in ink), seed=SPLIT_SEED)
    seen = [(name, sample) for name, sample in ink if part[sample.writer] != "test"]
    with tempfile.TemporaryDirectory() as folder:
        save(learn(iter(seen)), Path(folder) / "hand.npz")
        model = Model.load(Path(folder) / "hand.npz")
    made = list(written((Hand(seed, model) for seed in range(200)), DIGITS, _LEAST_OF_A_WRITER))
    generated = shapes_of(made)
    unseen = shapes_of(s for _, s in ink if s.label in DIGITS and part[s.writer] == "test")
    known = shapes_of(sample for _, sample in seen if sample.label in DIGITS)
    for name, shapes in {"generated": generated, "unseen writers": unseen}.items():
        share, variance = between_writers(shapes)
        print(f"{name}: {share:.2f} of digit-shape variance {variance:.3f} lies between writers")
    print("| nearest seen digit of | least | 1 % | 10 % | 50 % | below .02 |\n|---|---|---|---|---|---|")
    for name, shapes in {"generated": generated, "unseen writers": unseen}.items():
        _distances(name, nearest(shapes, known))
        _distances(f"{name}, no 1s", nearest({c: s for c, s in shapes.items() if c != "1"}, known))
    try:
        network = CharacterNetwork()
    except ModelError as reason:
        print(f"no reading: {reason}")
        return
    tidy = list(written((Hand(seed, model, variety=0.7) for seed in range(200, 320)), DIGITS, 2))
    print(
        f"the product's reader names {100 * read_right(network, made, DIGITS):.1f} % of generated digits rightly, ",
        end="",
    )
    print(f"{100 * read_right(network, tidy, DIGITS):.1f} % at variety 0.7")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ink", type=Path, required=True, help="the folder with pendigits/ and unipen/")
    check(parser.parse_args().ink)
