"""A writer who turns text into ink. The same seed is the same hand for ever; what it writes differs from time to time.

For the virtual classroom, tests and load. It must never be used to state an accuracy or to choose a threshold: those
come from real ink of writers whom the reader has not seen.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recognition.handwriting import marks
from recognition.handwriting.ink import Box, Floats, Pen, Piece, bounds, end_s, followed, held_inside, later
from recognition.handwriting.model import Model

_FOOT_BELOW: Final[Mapping[str, float]] = {**dict.fromkeys("gjpqy", 0.40), "Q": 0.12}
"""How far below the line a character ends, in digit heights."""
_MIDDLE_ABOVE: Final[Mapping[str, float]] = {**dict.fromkeys("+-=<>×÷*", 0.46), **dict.fromkeys("/()%", 0.48)}
"""How high above the line a sign has its middle."""
_DRAWN_AS: Final[Mapping[str, tuple[str, float]]] = {
    "×": ("X", 0.55),
    "÷": ("-", 0.9),
    "−": ("-", 1.0),
    "（": ("(", 1.0),
    "）": (")", 1.0),
    "？": ("?", 1.0),
    "！": ("!", 1.0),
}
"""Characters that were not learnt: which one they are made of, and how large."""
_DOTS: Final[Mapping[str, tuple[tuple[float, float], ...]]] = {
    ".": ((-0.03, 0.0),),
    ",": ((-0.03, 0.16),),
    "·": ((-0.46, 0.0),),
    ":": ((-0.62, 0.0), (-0.12, 0.0)),
    "÷": ((-0.72, 0.0), (-0.2, 0.0)),
}
"""Dots by rule: height of each and the length of its tail."""
_ROOT: Final = "√"
_SPACED_SIGNS: Final = "+-−=×÷"
_SMALL: Final = "abcdefghijklmnopqrstuvwxyz"

_FAITH: Final = 4.0
"""How far a writer keeps to its forms: set so that digits of these hands lie as far apart as those of people."""
_LOOSE: Final = 0.1
"""Above this a form holds shapes of several kinds, and a mixture of them may be none."""
_MARK_PACE: Final = 1.25
"""The pace at which the times of the drawn marks were set."""
_BORDER_MM: Final = 0.15
"""A line that must fit keeps this away from both ends: tremor, and curves that swing past their nodes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Habit:
    """What one writer does with one character."""

    odds: Floats
    """(forms,): cumulated, the last is 1."""
    scores: Floats
    """(directions of all its forms,): this writer's place on each."""
    growth: float
    """Log of how large it writes it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Characters laid side by side in digit heights, foot of the line at y = 0, left edge at x = 0."""

    characters: list[list[Piece]]
    width: float


class Hand:
    """One writer."""

    def __init__(
        self,
        seed: int,
        model: Model,
        *,
        neat: float = 1.0,
        cap_mm: float | None = None,
        pace: float = 1.25,
        hz: float = 80,
        variety: float = 1.0,
    ) -> None:
        """Make a writer.

        Args:
            seed: Names the writer, >= 0.
            model: The learnt statistics.
            neat: 1 as the people learnt from, 2 careful, 0.5 messy.
            cap_mm: Height of a digit; None: the writer's own, 4 to 9 mm.
            pace: Time taken, 1 as the adults learnt from; 1.25 is a guess at a child.
            hz: Dots a second.
            variety: 1 as learnt, less: rare and loose forms are rarer; 0.7 for the demo.
        """
        own = np.random.default_rng([seed, 1])
        traits, (shaky, heavy) = own.normal(size=10).clip(-2, 2), own.random(2).tolist()
        self.seed, self.model, self.variety = seed, model, variety
        self.rng = np.random.default_rng([seed, 2])
        self.style: Floats = np.asarray(own.normal(size=model.style.shape[1]))
        self.wobble = (0.75 + 0.35 * shaky) / neat
        self.slant: Floats = np.eye(2) + (model.slant @ traits[:4].clip(-1.6, 1.6)).reshape(2, 2)
        self.cap_mm = cap_mm or float(6.2 * np.exp(0.18 * traits[4]))
        self.pace = pace * float(np.exp(0.7 * model.pace_sd * traits[5]))
        self.gap, self.space = 0.2 + 0.05 * float(traits[6]), 0.6 + 0.12 * float(traits[7])
        self.slope = 0.012 * float(traits[8]) / neat
        self.pen = Pen(self.rng, hz, 0.42 + 0.38 * heavy, 0.007 * self.wobble * self.cap_mm)
        self._habits: dict[str, _Habit] = {}

    def can_write(self, text: str) -> bool:
        """Whether it knows every character."""
        return all(c in (" ", _ROOT) or c in _DOTS or _DRAWN_AS.get(c, (c, 1))[0] in self.model.index for c in text)

    def write(
        self, text: str, x_mm: float, y_mm: float, width_mm: float | None = None, *, cap_mm: float | None = None
    ) -> list[Floats]:
        """Write a line of text.

        Args:
            text: What to write; a space is wide, no line breaks.
            x_mm: Where the line begins.
            y_mm: Its foot, on which digits stand; y points down.
            width_mm: All ink is kept in x_mm .. x_mm + width_mm; the writing gets smaller where it must.
            cap_mm: Height of a digit in this line, if not the writer's own.

        Returns:
            A stroke a pen-down, (n, 4), n >= 3: x mm, y mm, ms from 0, force 0..1. Times rise through all strokes.

        Raises:
            ValueError: There is a character that it has not learnt (`can_write`).
        """
        line = self._laid(text)
        if not line.characters:
            return []
        cap = self._fitting_cap(cap_mm or self.cap_mm, line.width, width_mm)
        return _within(self._drawn(line, x_mm, y_mm, cap), x_mm, width_mm)

    def fraction(self, top: str, below: str, x_mm: float, y_mm: float) -> list[Floats]:
        """A stacked fraction, neither part empty; `y_mm` is the height of its bar. Raises as `write` does."""
        cap = self.cap_mm
        upper = self.write(top, x_mm + 0.2 * cap, y_mm - 0.35 * cap)
        lower = self.write(below, x_mm + 0.2 * cap, y_mm + 1.35 * cap)
        right = max(bounds(upper)[2], bounds(lower)[2]) + 0.2 * cap
        bar = np.linspace([x_mm, y_mm], [right, y_mm + self.rng.normal(0, 0.05 * cap)], 8)
        return followed(followed(upper, self._marks([Piece(bar, 0.35)]), 0.15), lower, 0.2)

    def corrected(
        self,
        first: str,
        then: str,
        x_mm: float,
        y_mm: float,
        width_mm: float | None = None,
        *,
        cap_mm: float | None = None,
        kind: marks.Strike | None = None,
    ) -> list[Floats]:
        """Write, cross out, write again beside it. `kind` None: chosen by chance. The rest as in `write`."""
        wrong, right = self._laid(first), self._laid(then)
        if not wrong.characters or not right.characters:
            raise ValueError("a correction needs something to cross out and something to write")
        apart = 0.75
        cap = self._fitting_cap(cap_mm or self.cap_mm, wrong.width + apart + right.width, width_mm)
        strokes = self._drawn(wrong, x_mm, y_mm, cap)
        crossed = bounds(strokes)
        strokes = followed(strokes, self.strike(crossed, kind), 0.9)
        strokes = followed(strokes, self._drawn(right, crossed[2] + apart * cap, y_mm, cap), 0.6)
        return _within(strokes, x_mm, width_mm)

    def tick(self, box: Box) -> list[Floats]:
        """A tick that stays inside the box (mm)."""
        return held_inside(self._marks(marks.tick(box, self.rng)), box)

    def cross(self, box: Box) -> list[Floats]:
        """A cross that stays inside the box (mm)."""
        return held_inside(self._marks(marks.cross(box, self.rng)), box)

    def circle(self, box: Box) -> list[Floats]:
        """A circle about the box's middle, as wide as the box or a little wider."""
        return self._marks(marks.circle(box, self.rng))

    def strike(self, box: Box, kind: marks.Strike | None = None) -> list[Floats]:
        """Cross out what stands in the box; it goes a little beyond. `kind` None: chosen by chance."""
        chosen = kind or marks.STRIKES[int(self.rng.integers(len(marks.STRIKES)))]
        return self._marks(marks.strike(box, chosen, self.rng))

    def scribble(self, box: Box, seconds: float = 2.0) -> list[Floats]:
        """Ink that says nothing."""
        return held_inside(self._marks(marks.scribble(box, seconds, self.rng)), box)

    def _marks(self, pieces: Sequence[Piece]) -> list[Floats]:
        strokes: list[Floats] = []
        for piece in pieces:
            stroke = self.pen.stroke(piece._replace(seconds=piece.seconds * self.pace / _MARK_PACE))
            strokes = followed(strokes, [stroke], 0.12)
        return strokes

    def _fitting_cap(self, cap_mm: float, width: float, width_mm: float | None) -> float:
        if width_mm is None:
            return cap_mm
        return min(cap_mm, max(width_mm - 2 * _BORDER_MM, 0.5 * width_mm) / max(width, 1e-3))

    def _laid(self, text: str) -> _Line:
        """Characters one after the other, as this writer spaces them."""
        characters: list[list[Piece]] = []
        at = width = 0.0
        for character, following in itertools.pairwise(text + " "):
            if character == " ":
                at += self.space
                continue
            pieces = [piece._replace(nodes=piece.nodes + np.array([at, 0])) for piece in self._character(character)]
            characters.append(pieces)
            width = max(width, *(float(piece.nodes[:, 0].max()) for piece in pieces))
            wide = 1.0
            if character in _SPACED_SIGNS or following in _SPACED_SIGNS:
                wide = 1.5
            elif character in _SMALL and following in _SMALL:
                wide = 0.6
            at = width + wide * (self.gap + 0.03 * self.wobble * self.rng.normal())
        return _Line(characters, width)

    def _drawn(self, line: _Line, x_mm: float, y_mm: float, cap_mm: float) -> list[Floats]:
        rng, slope = self.rng, self.slope + self.rng.normal(0, 0.008)
        strokes: list[Floats] = []
        start_s = 0.0
        for pieces in line.characters:
            for piece in pieces:
                nodes = piece.nodes * cap_mm + np.array([x_mm + _BORDER_MM, y_mm])
                nodes[:, 1] += slope * (nodes[:, 0] - x_mm)
                if strokes:
                    away_mm = float(np.hypot(*(nodes[0] - strokes[-1][-1, :2])))
                    start_s += 0.07 + 0.006 * away_mm * self.pace + rng.exponential(0.02)
                strokes += later([self.pen.stroke(piece._replace(nodes=nodes))], start_s)
                start_s = end_s(strokes)
            start_s += rng.exponential(0.08)
        return strokes

    def _character(self, character: str) -> list[Piece]:
        """One character in digit heights, foot of the line at y = 0, left edge at x = 0."""
        rng, width = self.rng, 0.0
        if character == _ROOT:
            corners = np.array([[0.05, -0.45], [0.33, 0], [1.05, -1.05]]) + rng.normal(0, 0.05, (3, 2))
            return [Piece(marks.elbow(corners), 0.35)]
        pieces: list[Piece] = []
        if character in _DRAWN_AS or character not in _DOTS:
            pieces, width = self._glyph_on_line(character)
        for height, tail in _DOTS.get(character, ()):
            nodes = np.array([width / 2 + 0.02, height]) + rng.normal(0, 0.012, (4, 2))
            nodes += np.linspace(0, 1, 4)[:, None] * [-tail / 2, tail]
            pieces.append(Piece(nodes, 0.06, np.ones(4)))
        return pieces

    def _glyph_on_line(self, character: str) -> tuple[list[Piece], float]:
        drawn_as, scale = _DRAWN_AS.get(character, (character, 1.0))
        if drawn_as not in self.model.index:
            raise ValueError(f"the hand has not learnt {character!r}")
        glyph = [piece._replace(nodes=piece.nodes * scale) for piece in self._glyph(drawn_as)]
        nodes = np.concatenate([piece.nodes for piece in glyph])
        (left, top), (right, bottom) = nodes.min(axis=0).tolist(), nodes.max(axis=0).tolist()
        known_as = character if character in _MIDDLE_ABOVE else drawn_as
        if known_as in _MIDDLE_ABOVE:
            down = -_MIDDLE_ABOVE[known_as] - (top + bottom) / 2
        else:
            down = _FOOT_BELOW.get(character, 0) - bottom
        down += 0.025 * self.wobble * self.rng.normal()
        return [piece._replace(nodes=piece.nodes + np.array([-left, down])) for piece in glyph], right - left

    def _glyph(self, character: str) -> list[Piece]:
        """A learnt character about the origin, in digit heights."""
        model, rng = self.model, self.rng
        habit = self._habit(character)
        first = model.first[model.index[character]]
        form = int(first + np.searchsorted(habit.odds, rng.random() * 0.9999))
        rows = slice(model.row[form], model.row[form + 1])
        scores = habit.scores[rows.start - model.row[first] : rows.stop - model.row[first]]
        scores = scores + np.sqrt(1 - model.between[rows]) * self.wobble * rng.normal(size=len(scores))
        # Far from the middle in many directions at once, a shape falls apart.
        scores *= min(1.0, (1 + np.sqrt(len(scores))) / np.sqrt((scores**2).sum()))
        shape = (model.mean[form] + scores.clip(-2.2, 2.2) @ model.directions[rows]).reshape(-1, 2) @ self.slant.T
        now = 0.45 * model.size_sd * self.wobble * np.clip(rng.normal(), -2, 2)
        shape *= np.exp(model.size[form] + habit.growth + now) / np.sqrt((shape**2).sum(axis=1).mean())
        counts = model.points[form][model.points[form] > 0]
        cuts = np.cumsum(counts)[:-1]
        rest = 0.6 * model.pace_rest * rng.normal(size=len(counts)).clip(-2, 2)
        seconds = np.exp(model.duration[form][: len(counts)] + rest) * self.pace
        return [
            Piece(nodes, duration, steps)
            for nodes, duration, steps in zip(
                np.split(shape, cuts), seconds.tolist(), np.split(model.time_steps[form], cuts), strict=True
            )
        ]

    def _habit(self, character: str) -> _Habit:
        """This writer's own odds of the forms of a character, its shapes and its size: drawn once, from the seed."""
        if character not in self._habits:
            model, number = self.model, self.model.index[character]
            own = np.random.default_rng([self.seed, 3, number])
            first, last = model.first[number : number + 2]
            weight = model.weight[first:last] ** (1 / self.variety)
            if self.variety < 1:
                tight = np.minimum(1, _LOOSE / model.looseness[first:last])
                weight *= tight ** (4 * (1 / self.variety - 1))
            odds = own.gamma((model.concentration[number] * weight / weight.sum()).clip(1e-3)) + 1e-12
            odds **= _FAITH
            rows = slice(model.row[first], model.row[last])
            scores = model.style[rows] @ self.style + model.own[rows] * own.normal(size=rows.stop - rows.start)
            growth = float(0.3 * model.size_sd * own.normal())
            self._habits[character] = _Habit(np.cumsum(odds / odds.sum()), scores, growth)
        return self._habits[character]


def _within(strokes: list[Floats], x_mm: float, width_mm: float | None) -> list[Floats]:
    if width_mm is None:
        return strokes
    return held_inside(strokes, (x_mm, -np.inf, x_mm + width_mm, np.inf))
