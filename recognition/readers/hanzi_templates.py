"""The stroke templates of Chinese characters and their look-alikes, from `hanzi_strokes.npz`.

The file is ours and compact: coordinates in bytes, steps instead of places. It is made by
`python -m recognition.training --only hanzi` and stands under the Arphic Public License, as what it is made from.
A template that is known to be wrong is struck off in `hanzi_struck_off.toml`; its character is then left to people.
"""

import tomllib
import zipfile
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recognition.errors import ModelError
from recognition.readers.hanzi_alignment import Template, even

MODELS: Final = Path(__file__).resolve().parents[1] / "models"
STROKES: Final = "hanzi_strokes.npz"
STRUCK_OFF: Final = "hanzi_struck_off.toml"
SIDE: Final = 256
"""The template's square in the file, units a side."""
NOBODY: Final = 0xFFFF
"""Fills the table where a character has fewer look-alikes."""

_KEPT: Final = 1024


class HanziTemplates:
    """Templates by character."""

    def __init__(self, folder: Path = MODELS, *, struck_off: Collection[str] | None = None) -> None:
        """Load the templates; `struck_off` stands for the list beside them.

        Raises:
            ModelError: A file is missing or damaged.
        """
        try:
            with np.load(folder / STROKES) as arrays:
                self.characters: tuple[str, ...] = tuple(arrays["characters"].tolist())
                self._strokes = np.cumsum(np.concatenate([[0], arrays["strokes"]]))
                self._points = np.cumsum(np.concatenate([[0], arrays["points"]]))
                # Bytes wrap round: a step of 250 is one of -6, and their sum is right again.
                self._xy = np.cumsum(arrays["steps"], axis=0, dtype=np.uint8)
                self._look_alikes = arrays["look_alikes"]
            self.struck_off = frozenset(listed(folder / STRUCK_OFF) if struck_off is None else struck_off)
        except OSError as error:
            raise ModelError(f"the stroke templates cannot be read: {error}") from None
        except (KeyError, ValueError, zipfile.BadZipFile, EOFError):
            raise ModelError(f"{folder / STROKES} is damaged") from None
        self._place = {character: place for place, character in enumerate(self.characters)}
        if len(self._strokes) != len(self._place) + 1 or self._points[-1] != len(self._xy):
            raise ModelError(f"{folder / STROKES} is damaged: its counts do not fit")
        self.template = lru_cache(_KEPT)(self._template)
        """Of a character; KeyError where there is none or it is struck off."""

    def __contains__(self, character: object) -> bool:
        return character in self._place and character not in self.struck_off

    def look_alikes(self, character: str) -> tuple[str, ...]:
        """Characters that one stroke more or less, or a little care, tells from this one; the nearest first."""
        place = self._place.get(character)
        if place is None:
            return ()
        return tuple(self.characters[k] for k in self._look_alikes[place].tolist() if k != NOBODY)

    def strokes(self, character: str) -> list[NDArray[np.float64]]:
        """The strokes of a template, each (n >= 2, 2), in shares of its square; KeyError where there is none."""
        place = self._place[character]
        ends = self._points[self._strokes[place] : self._strokes[place + 1] + 1].tolist()
        return [self._xy[a:b] / SIDE for a, b in pairwise(ends)]

    def _template(self, character: str) -> Template:
        if character not in self:
            raise KeyError(character)
        return Template(character, even(self.strokes(character)))


def packed(characters: Sequence[Sequence[NDArray[np.floating]]]) -> dict[str, Any]:
    """Characters, each a sequence of strokes (n >= 1, 2) in 0..1 -> the arrays `strokes`, `points` and `steps`."""
    every = [stroke for strokes in characters for stroke in strokes]
    places = np.clip(np.round(np.concatenate(every) * SIDE), 0, SIDE - 1).astype(np.uint8)
    return {
        "strokes": np.array([len(strokes) for strokes in characters], np.uint8),
        "points": np.array([len(stroke) for stroke in every], np.uint8),
        "steps": np.diff(places, axis=0, prepend=np.zeros((1, 2), np.uint8)),
    }


def listed(path: Path) -> frozenset[str]:
    """The characters of a list of templates struck off: a TOML table `[struck_off]`, character = reason.

    Raises:
        ModelError: It is there and cannot be used.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))["struck_off"]
    except FileNotFoundError:
        return frozenset()
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{path} is no list of templates struck off") from None
    if not isinstance(table, dict) or any(len(character) != 1 for character in table):
        raise ModelError(f"{path} names something that is not one character")
    return frozenset(table)
