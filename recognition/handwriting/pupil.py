"""A pupil at an answer field: what it means to write, and how, becomes ink inside the field. For the classroom."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from recognition.handwriting.hand import Hand
from recognition.handwriting.ink import Box, Floats, bounds, followed, held_inside
from recognition.handwriting.marks import STRIKES
from recognition.handwriting.model import Model

Manner: TypeAlias = Literal["plain", "messy", "corrected", "empty"]
MANNERS: Final[tuple[Manner, ...]] = get_args(Manner)

CAP_SHARE: Final = 0.55
"""A digit is at most so high as a part of its field."""
SECOND_THOUGHT_S: Final = 2.6
"""From a mark to its being blackened: sooner than two seconds it would be a heavy hand."""

_MARKED_KINDS: Final = ("choice", "truefalse", "seat")
_MARGIN: Final = 0.06
"""Left free at each side of a field, as a part of its shorter side."""
_WIDEST_MARK_MM: Final = 9.0
_CROSSES: Final = 0.2
"""So many pupils mark with a cross, the others with a tick."""


class Pupil:
    """One pupil: a hand that writes neatly or not, and habits of marking and correcting."""

    def __init__(self, seed: int, model: Model) -> None:
        """`seed` >= 0 names the pupil."""
        self.hand = Hand(seed, model, neat=1.3, variety=0.7)
        self._messy_hand = Hand(seed, model, neat=0.55, variety=0.9)
        self._marks_with_cross = bool(self.hand.rng.random() < _CROSSES)
        self._strike = STRIKES[int(self.hand.rng.integers(len(STRIKES)))]

    def answer(
        self,
        kind: str,
        box: Box,
        value: str,
        manner: str,
        *,
        option_boxes: Mapping[str, Box | None] | None = None,
        wrong_first: str | None = None,
    ) -> list[Floats]:
        """Answer a field.

        Args:
            kind: The field's kind; a choice, truefalse or seat is marked where it has option boxes, else
                written (a truefalse as a tick or a cross).
            box: The field in mm of the page: left, top, right, bottom.
            value: What it means; several options are "A,C".
            manner: plain, messy, corrected (needs `wrong_first`) or empty.
            option_boxes: Option -> its printed box.
            wrong_first: What is written or marked first and taken back.

        Returns:
            A stroke a pen-down, (n, 4): x mm and y mm of the page, ms from 0 through all strokes, force 0..1. All of it
            inside `box`.

        Raises:
            ValueError: The manner is not known, or there is a character that the hand has not learnt.
            KeyError: A value has no box among `option_boxes`.
        """
        if manner not in MANNERS:
            raise ValueError(f"a pupil writes {', '.join(MANNERS)}, not {manner!r}")
        if manner == "empty" or not value:
            return []
        first = wrong_first if manner == "corrected" else None
        hand = self._messy_hand if manner == "messy" else self.hand
        boxes = {name: place for name, place in (option_boxes or {}).items() if place is not None}
        if kind in _MARKED_KINDS and boxes:
            strokes = self._marked(hand, boxes, value.split(","), first)
        elif kind == "truefalse":
            strokes = _signed(hand, box, value, first)
        else:
            strokes = self._written(hand, box, value, first)
        return held_inside(strokes, box) if strokes else []

    def _marked(self, hand: Hand, boxes: Mapping[str, Box], values: list[str], first: str | None) -> list[Floats]:
        strokes: list[Floats] = []
        for name in first.split(",") if first else ():
            place = _mark_place(boxes[name])
            strokes = followed(strokes, self._mark(hand, place), 0.6)
            strokes = followed(strokes, held_inside(hand.strike(place, "blacken"), boxes[name]), SECOND_THOUGHT_S)
        for name in values:
            strokes = followed(strokes, self._mark(hand, _mark_place(boxes[name])), 0.6)
        return strokes

    def _mark(self, hand: Hand, place: Box) -> list[Floats]:
        drawn = hand.cross if self._marks_with_cross else hand.tick
        if hand is self.hand:
            return drawn(place)
        # A messy mark is larger than its box and beside its middle.
        wide = place[2] - place[0]
        grow, right, down = hand.rng.uniform([0.0, -0.1, -0.1], [0.15, 0.1, 0.1]) * wide
        left, top, end, bottom = place
        return drawn((left - grow + right, top - grow + down, end + grow + right, bottom + grow + down))

    def _written(self, hand: Hand, box: Box, value: str, first: str | None) -> list[Floats]:
        left, top, right, bottom = box
        margin = _MARGIN * min(right - left, bottom - top)
        cap = min(hand.cap_mm, CAP_SHARE * (bottom - top))
        foot, width = (top + bottom + cap) / 2, right - left - 2 * margin
        if first is None:
            strokes = hand.write(value, left + margin, foot, width, cap_mm=cap)
        else:
            strokes = hand.corrected(first, value, left + margin, foot, width, cap_mm=cap, kind=self._strike)
        if not strokes:
            return []
        low, high, end, below = bounds(strokes)
        free = (right - left) - (end - low), (bottom - top) - (below - high)
        off = hand.rng.normal(0, 0.06 * hand.wobble, 2).clip(-0.3, 0.3)
        moved = [stroke.copy() for stroke in strokes]
        for stroke in moved:
            stroke[:, 0] += left + free[0] * (0.5 + off[0]) - low
            stroke[:, 1] += top + free[1] * (0.5 + off[1]) - high
        return held_inside(moved, (left + margin, top + margin, right - margin, bottom - margin))


def _signed(hand: Hand, box: Box, value: str, first: str | None) -> list[Floats]:
    """A tick for true, a cross for anything else; what was there first stands left of it, blackened."""
    left, top, right, bottom = box
    sign = {True: hand.tick, False: hand.cross}
    if first is None:
        return sign[value.lower() == "true"](_mark_place(box))
    middle = (left + right) / 2
    before = _mark_place((left, top, middle, bottom))
    strokes = followed(sign[first.lower() == "true"](before), hand.strike(before, "blacken"), SECOND_THOUGHT_S)
    return followed(strokes, sign[value.lower() == "true"](_mark_place((middle, top, right, bottom))), 0.6)


def _mark_place(box: Box) -> Box:
    """Where a mark goes: the option's box, or the middle of a large one."""
    left, top, right, bottom = box
    half = min(_WIDEST_MARK_MM, right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - half, y - half, x + half, y + half
