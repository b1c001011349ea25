"""Single characters and short numbers.

A number's strokes are cut into characters in every plausible way, a character model scores all pieces in one batch, and
the best value is weighed against every other. A field for one character is read as a whole: there the cuts only tell
that two characters may stand in it, which is a question and never its value. What is never done: drop ink (a tap is a
point or a question), repair a value by what is expected, read crossed-out ink.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.readers.reading import CharacterModel, Reading, ReadRequest, Thresholds
from recognition.shapes import Shape, around, shape_of, share_inside
from recognition.withdrawal import Roles, character_roles

DIGITS: Final = "0123456789"
POINT: Final = "."

_MOST_STROKES: Final = 24
"""More ink than this in one field is no short number."""
_CHARACTER_STROKES: Final = 4
_CHARACTERS_KEPT: Final = 3
_VALUES_KEPT: Final = 8
_NAMED: Final = 3
_LEAST: Final = 1e-6
_JOIN_PER_HEIGHT: Final = 6.0
"""How fast a gap, in heights of the tallest stroke, speaks against one character (natural log)."""
_APART_HEIGHTS: Final = 0.35
"""Ink further apart than this is never one character."""
_WIDE_HEIGHTS: Final = 1.4
"""Ink of several strokes wider than this is never one character."""
_USUAL_HEIGHTS, _WIDER_PER_HEIGHT = 0.85, 6.0
"""Up to which width, in heights, several strokes are usually one character, and how fast more speaks against it."""
_HALF_LOG: Final = -3.0
"""How far it speaks against a piece that ink of the next one lies over it."""
_COVERED: Final = 0.75
_FLAT: Final = 0.05
"""What is left of a lone flat line's chance to be a character; the model does not see that it is flat."""
_SMALL_HEIGHTS: Final = 0.3
_LOW_PART: Final = 0.6
_LEAST_HEIGHT_MM: Final = 2.0
_TOUCHING_MM: Final = 0.4
_BOX_SLACK_MM: Final = 2.0
_HALF: Final = 0.5
_HARMLESS: Final = frozenset({"crossed_out", "outside", "overwritten", "redo_box", "undone"})
"""What was noticed and leaves nothing open."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Strokes from `first` up to `end`, from left to right, taken as one character."""

    first: int
    end: int
    log: float
    """How far the place of its strokes speaks for one character, <= 0."""
    flat: bool


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to read some strokes."""

    value: str
    log: float
    worst: float
    """The least of its characters' probabilities."""


@dataclass(frozen=True, slots=True)
class _Ink:
    """The strokes that stand, from left to right, and the decimal point among them."""

    characters: list[Shape]
    point_mm: float | None
    doubts: list[str]


def read_characters(request: ReadRequest, model: CharacterModel, thresholds: Thresholds, *, alphabet: str) -> Reading:
    """Read digits or letters of `alphabet`: one, or for a number up to `request.max_digits`."""
    shapes = [shape_of(stroke) for stroke in request.strokes]
    roles = character_roles(shapes, redo_box=request.redo_box, keep=request.keep)
    standing = [shapes[k] for k in roles.standing]
    reasons = list(roles.notices)
    if not standing:
        return _nothing(*reasons, "nothing_after", roles=roles)
    if roles.either:
        return _either(request, [[shapes[k] for k in which] for which in roles.either], reasons, roles, model, alphabet)
    ink = _sorted(standing)
    if not ink.characters:
        return _nothing(*reasons, "only_a_tap", roles=roles)
    if len(ink.characters) > _MOST_STROKES:
        return _nothing(*reasons, "too_much_ink", roles=roles)
    reasons += ink.doubts + _beside_box(request, standing, roles)
    if request.offered_to:
        reasons.append("offered_to_two")
    ways = _ways(request, standing, ink, model, alphabet)
    return _concluded(request, ways, reasons, thresholds, roles)


def _ways(
    request: ReadRequest, standing: Sequence[Shape], ink: _Ink, model: CharacterModel, alphabet: str
) -> list[_Way]:
    return _read(ink, model, alphabet) if request.kind == "number" else _read_one(standing, ink, model, alphabet)


def _either(
    request: ReadRequest,
    sets: Sequence[list[Shape]],
    reasons: list[str],
    roles: Roles,
    model: CharacterModel,
    alphabet: str,
) -> Reading:
    """Ink that is one of several answers: each is named as it would be read alone, and a person says which."""
    named: dict[str, float] = {}
    for standing in sets:
        ink = _sorted(standing)
        if (
            ink.characters
            and len(ink.characters) <= _MOST_STROKES
            and (ways := _ways(request, standing, ink, model, alphabet))
        ):
            named[ways[0].value] = max(named.get(ways[0].value, 0.0), ways[0].worst)
    whole = sum(named.values())
    return Reading(
        value=None,
        confidence=0.0,
        accepted=False,
        alternatives=tuple((value, round(p / whole, 4)) for value, p in named.items()),
        reasons=tuple(reasons),
        withdrawn=roles.taken_back,
        roles=roles.told,
    )


def _nothing(*reasons: str, roles: Roles) -> Reading:
    return Reading(
        value=None, confidence=0.0, accepted=False, reasons=reasons, withdrawn=roles.taken_back, roles=roles.told
    )


def _concluded(
    request: ReadRequest, ways: list[_Way], reasons: list[str], thresholds: Thresholds, roles: Roles
) -> Reading:
    if not ways:
        return _nothing(*reasons, "no_character", roles=roles)
    best, likeliest = ways[0], max(ways, key=lambda way: way.log)
    whole = sum(np.exp(way.log - best.log) for way in ways)
    confidence = min(float(1 / whole), best.worst)
    if sum(c != POINT for c in likeliest.value) > (request.max_digits if request.kind == "number" else 1):
        reasons.append("too_many_characters")
    if POINT in likeliest.value and not request.decimals:
        reasons.append("point")
    least = {"number": thresholds.number, "digit": thresholds.digit}.get(request.kind, thresholds.letter)
    if confidence < least:
        reasons.append("low_confidence")
    others = sorted(ways[1:], key=lambda way: -way.log)[:_NAMED]
    named = [(way.value, float(np.exp(way.log - best.log) / whole)) for way in (best, *others)]
    # A tap that is no clear point leaves open what a number is.
    open_value = "tap" in reasons and request.kind == "number"
    return Reading(
        value=None if open_value else best.value,
        confidence=0.0 if open_value else round(confidence, 4),
        accepted=not set(reasons) - _HARMLESS,
        alternatives=tuple((value, round(p, 4)) for value, p in named[0 if open_value else 1 :]),
        reasons=tuple(reasons),
        withdrawn=roles.taken_back,
        roles=roles.told,
    )


def _sorted(standing: Sequence[Shape]) -> _Ink:
    """Tell characters from points. A tap is never left out: what is no clear point is a doubt."""
    height = _tallest(standing)
    small = [s for s in standing if s.is_tap or _stands_alone_small(s, standing, height)]
    characters = sorted((s for s in standing if s not in small), key=_middle)
    if not characters:
        return _Ink([], None, [])
    points = [p for p in small if min(_apart(p, c) for c in characters) > _TOUCHING_MM]
    if not points:
        return _Ink(characters, None, [])
    top, bottom = around(characters)[1::2]
    clear = [
        p
        for p in points
        if (p.box[1] + p.box[3]) / 2 >= top + _LOW_PART * (bottom - top) and _is_between(_middle(p), characters)
    ]
    if len(points) == len(clear) == 1:
        return _Ink(characters, _middle(clear[0]), [])
    return _Ink(characters, None, ["tap"])


def _stands_alone_small(shape: Shape, standing: Sequence[Shape], height: float) -> bool:
    if shape.size >= _SMALL_HEIGHTS * height:
        return False
    return not any(o is not shape and o.box[0] < shape.box[2] and shape.box[0] < o.box[2] for o in standing)


def _is_between(x: float, characters: Sequence[Shape]) -> bool:
    before, after = any(c.box[2] <= x for c in characters), any(c.box[0] >= x for c in characters)
    return before and after and not any(c.box[0] < x < c.box[2] for c in characters)


def _apart(one: Shape, other: Shape) -> float:
    step = one.xy[:, None] - other.xy[None]
    return float(np.sqrt((step * step).sum(axis=2).min()))


def _tallest(shapes: Sequence[Shape]) -> float:
    return max(_LEAST_HEIGHT_MM, *(shape.box[3] - shape.box[1] for shape in shapes))


def _middle(shape: Shape) -> float:
    return (shape.box[0] + shape.box[2]) / 2


def _read(ink: _Ink, model: CharacterModel, alphabet: str) -> list[_Way]:
    """The values that the ink may have, best first."""
    if ink.point_mm is None:
        return _read_row(ink.characters, model, alphabet)
    left = _read_row([c for c in ink.characters if _middle(c) < ink.point_mm], model, alphabet)
    right = _read_row([c for c in ink.characters if _middle(c) >= ink.point_mm], model, alphabet)
    both = [_Way(a.value + POINT + b.value, a.log + b.log, min(a.worst, b.worst)) for a in left for b in right]
    return _kept(both)


def _read_one(standing: Sequence[Shape], ink: _Ink, model: CharacterModel, alphabet: str) -> list[_Way]:
    """What all ink is as one character, best first; then the values of two and more that may stand there instead."""
    flat = len(standing) == 1 and _is_flat(standing[0])
    row = model.scores([_written(standing)], alphabet)[0, :-1] * (_FLAT if flat else 1.0)
    likely = [(alphabet[k], max(float(row[k]), _LEAST)) for k in np.argsort(-row)[:_CHARACTERS_KEPT].tolist()]
    whole = [_Way(character, float(np.log(p)), p) for character, p in likely]
    if len(ink.characters) == 1:
        return whole
    return whole + [way for way in _read(ink, model, alphabet) if len(way.value) > 1]


def _written(shapes: Sequence[Shape]) -> list[NDArray[np.float64]]:
    """Strokes as the model has learnt them: in the order in which they were written."""
    return [shape.xy for shape in sorted(shapes, key=lambda shape: shape.begin_ms)]


def _read_row(characters: Sequence[Shape], model: CharacterModel, alphabet: str) -> list[_Way]:
    pieces = list(_pieces(characters))
    scores = model.scores([_written(characters[piece.first : piece.end]) for piece in pieces], alphabet)
    ways: list[list[_Way]] = [[] for _ in range(len(characters) + 1)]
    ways[0] = [_Way("", 0.0, 1.0)]
    for piece, row in zip(pieces, scores, strict=True):
        likely = row[:-1] * _FLAT if piece.flat else row[:-1]
        before = ways[piece.first] = _kept(ways[piece.first])
        for k in np.argsort(-likely)[:_CHARACTERS_KEPT].tolist():
            p = max(float(likely[k]), _LEAST)
            log = float(np.log(p)) + piece.log
            ways[piece.end] += [_Way(w.value + alphabet[k], w.log + log, min(w.worst, p)) for w in before]
    return _kept(ways[-1])


def _kept(ways: list[_Way]) -> list[_Way]:
    """The best ways, one a value."""
    best: dict[str, _Way] = {}
    for way in sorted(ways, key=lambda way: -way.log):
        best.setdefault(way.value, way)
    return list(best.values())[:_VALUES_KEPT]


def _pieces(characters: Sequence[Shape]) -> Iterator[_Piece]:
    """Every run of strokes that may be one character, by its first stroke."""
    height = _tallest(characters)
    count = len(characters)
    for first in range(count):
        log, edge = 0.0, characters[first].box[2]
        for end in range(first + 1, min(count, first + _CHARACTER_STROKES) + 1):
            here = characters[first:end]
            width = 0.0
            if len(here) > 1:
                gap = max(here[-1].box[0] - edge, 0.0) / height
                edge = max(edge, here[-1].box[2])
                width = (edge - min(s.box[0] for s in here)) / height
                if gap > _APART_HEIGHTS or width > _WIDE_HEIGHTS:
                    break
                log -= gap * _JOIN_PER_HEIGHT
            place = log - max(width - _USUAL_HEIGHTS, 0.0) * _WIDER_PER_HEIGHT
            half = end < count and _lies_over(here, characters[end])
            yield _Piece(first, end, place + half * _HALF_LOG, len(here) == 1 and _is_flat(here[0]))


def _lies_over(left: Sequence[Shape], right: Shape) -> bool:
    """Whether a stroke overlaps the ones before it by most of the narrower width."""
    box = around(left)
    overlap = min(box[2], right.box[2]) - max(box[0], right.box[0])
    narrower = min(box[2] - box[0], right.box[2] - right.box[0])
    return overlap >= 0 and overlap >= _COVERED * narrower


def _is_flat(shape: Shape) -> bool:
    left, top, right, bottom = shape.box
    return shape.is_line and right - left > 2 * (bottom - top)


def _beside_box(request: ReadRequest, standing: Sequence[Shape], roles: Roles) -> list[str]:
    """`outside` where no ink is in its box for the most part, `ink_outside` where some is and some is far from it."""
    if request.box is None or any(role.role == "redo" for role in roles.strokes):
        return []
    shares = [share_inside(shape, request.box, margin=_BOX_SLACK_MM) for shape in standing]
    if max(shares) < _HALF:
        return ["outside"]
    return ["ink_outside"] if min(shares) == 0 else []
