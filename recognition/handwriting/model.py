"""The learnt file: statistics of how people write each character, decoded once.

One character has several *forms*; a form is a mean shape and up to six directions in which it varies. Shapes lie about
the origin with a mean square radius of 1, x right and y down.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recognition.errors import ModelError

FORMAT: Final = 1
"""The version of the file. Another one means other arrays or scales: the two do not mix."""
SHARE_UNIT: Final = 50
"""`between` is stored in fiftieths, `style` in thirty-seconds."""
STYLE_UNIT: Final = 32

Stored: TypeAlias = Mapping[str, NDArray[Any]]

_POINTS: Final = 24
_MAX_STROKES: Final = 4


@dataclass(frozen=True, eq=False)
class Model:
    """C characters, F forms, D directions, A style axes."""

    index: Mapping[str, int]
    """Character -> its number."""
    first: NDArray[np.int64]
    """(C + 1,): the first form of each character."""
    weight: NDArray[np.float64]
    """(F,): how usual a form is among its character's."""
    concentration: NDArray[np.float64]
    """(C,): small where a writer keeps to one form."""
    points: NDArray[np.int64]
    """(F, 4): points of each stroke, 24 in all; 0 for a stroke that is not there."""
    row: NDArray[np.int64]
    """(F + 1,): the first direction of each form."""
    mean: NDArray[np.float64]
    """(F, 48): x and y of each point in turn."""
    directions: NDArray[np.float64]
    """(D, 48): one standard deviation of change."""
    between: NDArray[np.float64]
    """(D,): the part of a direction's variance that lies between writers."""
    style: NDArray[np.float64]
    """(D, A): how far it follows the writer's style."""
    own: NDArray[np.float64]
    """(D,): how far it follows the writer but not the style."""
    time_steps: NDArray[np.float64]
    """(F, 24): time since the point before, in parts of the stroke's."""
    duration: NDArray[np.float64]
    """(F, 4): log seconds of each stroke."""
    size: NDArray[np.float64]
    """(F,): log radius in digit heights."""
    slant: NDArray[np.float64]
    """(4, 4): four independent numbers -> a writer's slant and stretch, as a matrix away from the identity."""
    pace_sd: float
    """Spread of log seconds between writers, then inside one."""
    pace_rest: float
    size_sd: float
    """Spread of log size."""

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a learnt file; without a path the one that comes with the product.

        Raises:
            ModelError: It is missing, damaged, or of another version.
        """
        source = path or resources.files("recognition") / "models" / "hand.npz"
        try:
            with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                stored = {name: arrays[name] for name in arrays.files}
            if int(stored["format"]) != FORMAT:
                raise ModelError(f"{source.name} is a learnt hand of version {stored['format']}, not {FORMAT}")
            _check(stored)
            return cls(**_decoded(stored))
        except OSError:
            raise ModelError(f"there is no learnt hand at {source.name}") from None
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile, EOFError, zlib.error):
            raise ModelError(f"{source.name} is no learnt hand, or is damaged") from None

    @cached_property
    def looseness(self) -> NDArray[np.float64]:
        """(F,): mean square change of a form's points. A loose form, above 0.1, holds shapes of several kinds."""
        squares = (self.directions**2).sum(axis=1) / _POINTS
        return np.asarray(np.add.reduceat(squares, self.row[:-1]))

    @property
    def characters(self) -> str:
        """What it can write, in the file's order."""
        return "".join(self.index)


def _check(stored: Stored) -> None:
    """ValueError unless all arrays fit each other."""
    characters, forms, directions = len(stored["characters"]), len(stored["weight"]), len(stored["directions"])
    shapes = {
        "first": (characters + 1,),
        "weight": (forms,),
        "concentration": (characters,),
        "points": (forms, _MAX_STROKES),
        "rank": (forms,),
        "mean": (forms, 2 * _POINTS),
        "mean_scale": (forms,),
        "directions": (directions, 2 * _POINTS),
        "directions_scale": (directions,),
        "between": (directions,),
        "style": (directions, stored["style"].shape[1]),
        "time_steps": (forms, _POINTS),
        "duration": (forms, _MAX_STROKES),
        "size": (forms,),
        "slant": (4, 4),
        "spread": (3,),
    }
    first, points = stored["first"].astype(np.int64), stored["points"].astype(np.int64)
    fits = (
        all(stored[name].shape == shape for name, shape in shapes.items())
        and stored["rank"].sum(dtype=np.int64) == directions
        and (first[0], first[-1]) == (0, forms)
        and (np.diff(first) > 0).all()
        and (stored["rank"] > 0).all()
        and (points.sum(axis=1) == _POINTS).all()
        and all(len(character) == 1 for character in stored["characters"].tolist())
    )
    if not fits:
        raise ValueError("the arrays do not fit each other")


def _decoded(stored: Stored) -> dict[str, Any]:
    real = {name: array.astype(np.float64) for name, array in stored.items() if array.dtype.kind != "U"}
    between = real["between"] / SHARE_UNIT
    style = real["style"] / STYLE_UNIT
    # A direction cannot follow the style further than it follows the writer.
    style *= np.minimum(1, np.sqrt(between) / np.linalg.norm(style, axis=1).clip(1e-6))[:, None]
    pace_sd, pace_rest, size_sd = real["spread"].tolist()
    return {
        "index": {character: number for number, character in enumerate(stored["characters"].tolist())},
        "first": stored["first"].astype(np.int64),
        "weight": real["weight"],
        "concentration": real["concentration"],
        "points": stored["points"].astype(np.int64),
        "row": np.concatenate([[0], np.cumsum(stored["rank"], dtype=np.int64)]),
        "mean": real["mean"] * real["mean_scale"][:, None],
        "directions": real["directions"] * real["directions_scale"][:, None],
        "between": between,
        "style": style,
        "own": np.sqrt((between - (style**2).sum(axis=1)).clip(0)),
        "time_steps": real["time_steps"],
        "duration": real["duration"],
        "size": real["size"],
        "slant": real["slant"],
        "pace_sd": pace_sd,
        "pace_rest": pace_rest,
        "size_sd": size_sd,
    }
