"""Writes insets, for tests and for the sample in tests/data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognition.training.inkset import Sample


def write_inkset(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples as an inset; coordinates are rounded."""
    columns = {name: [getattr(sample, name) for sample in samples] for name in ("label", "writer", "source")}
    words = {name: sorted(set(values)) for name, values in columns.items()}
    steps = [_steps(sample) for sample in samples]
    arrays: dict[str, Any] = {
        "dxy": np.concatenate(steps).astype(np.int16),
        "npts": np.array([len(stroke) for sample in samples for stroke in sample.strokes], np.uint16),
        "nstrokes": np.array([len(sample.strokes) for sample in samples], np.uint16),
        "hz": np.array([sample.hz for sample in samples], np.uint16),
        "unit_mm": np.array([sample.unit_mm for sample in samples], np.float32),
    }
    for name, values in columns.items():
        arrays[name] = np.array([words[name].index(value) for value in values], np.uint16)
        arrays[f"{name}s"] = np.array(words[name])
    np.savez_compressed(path, **arrays)


def drawn(label: str, writer: str, *strokes: Sequence[tuple[float, float]], source: str = "made") -> Sample:
    """A sample of these points."""
    return Sample(label, writer, source, 0, 0.0, tuple(np.array(stroke, np.float32) for stroke in strokes))


def _steps(sample: Sample) -> NDArray[np.int64]:
    points = np.concatenate(sample.strokes).round().astype(np.int64)
    return np.diff(points, axis=0, prepend=np.zeros((1, 2), np.int64))
