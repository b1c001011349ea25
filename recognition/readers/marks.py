"""Marks in printed option boxes and written signs, by geometry. No network.

A mark is of the option in whose box its telling point lies: the lowest corner of a tick, where the lines of a cross
meet, the middle of a ring or fill. What lies between boxes or joins two is of both, and goes to a person. What a mark
does to an older one is told by the rules of `recognition/withdrawal`.
"""

from collections.abc import Sequence
from typing import Final

from recognition.readers.reading import Reading, ReadRequest, Thresholds
from recognition.shapes import Shape, crossing, distance_to, shape_of
from recognition.sheets import Box, Choice
from recognition.withdrawal import Form, Mark, OptionRoles, character_roles, option_roles

TRUE: Final = "true"
FALSE: Final = "false"

_CROSS_GAP_MS: Final = 3000
_IN_BOX_MM: Final = 0.5
_NEAR_MM: Final = 5.0
_FAR_SIDE: Final = 2.0
_SURE: Final = 0.99
_LINE_SURE: Final = 0.95
_SIGN_SURE: Final = 0.95
_LEAST_RISE_MM: Final = 0.5
_STEEP: Final = 0.4


def read_marks(request: ReadRequest, thresholds: Thresholds) -> Reading:
    """Read which option is marked; every choice of the request has a box."""
    shapes = [shape_of(stroke) for stroke in request.strokes]
    found = option_roles(
        _marks(shapes, request.choices),
        strokes=len(shapes),
        options=len(request.choices),
        several=request.several,
        keep=request.keep,
    )
    reasons = list(found.roles.notices)
    if found.shared:
        reasons.append("between_boxes")
    elif not found.marked and not found.withdrawn:
        reasons.append("faint" if found.faint else "no_mark")
    elif not found.marked:
        reasons.append("nothing_after")
    elif len(found.marked) > 1 and not request.several:
        reasons.append("two_marks")
    elif not found.roles.doubts:
        return _marked(request, found, reasons, thresholds)
    return _asked(request, found, reasons)


def read_sign(request: ReadRequest, thresholds: Thresholds) -> Reading:
    """Read a written tick as true and a written cross as false; anything else is asked about."""
    shapes = [shape_of(stroke) for stroke in request.strokes]
    roles = character_roles(shapes, redo_box=request.redo_box, keep=request.keep, lines=False)
    reasons = list(roles.notices)
    value, others = None, tuple[tuple[str, float], ...]()
    if roles.either:
        named = [sign for which in roles.either if (sign := _sign([shapes[k] for k in which]))]
        others = tuple((sign, round(1 / len(set(named)), 4)) for sign in dict.fromkeys(named))
    elif roles.standing:
        value = _sign([shapes[k] for k in roles.standing])
        reasons += [] if value else ["no_mark"]
    else:
        reasons.append("nothing_after")
    if request.offered_to:
        reasons.append("offered_to_two")
    return Reading(
        value=value,
        confidence=_SIGN_SURE if value else 0.0,
        accepted=value is not None and thresholds.mark <= _SIGN_SURE and not (request.offered_to or roles.doubts),
        alternatives=others,
        reasons=tuple(reasons),
        withdrawn=roles.taken_back,
        roles=roles.told,
    )


def _marked(request: ReadRequest, found: OptionRoles, reasons: list[str], thresholds: Thresholds) -> Reading:
    confidence = _LINE_SURE if any("line" in found.forms[k] for k in found.marked) else _SURE
    return Reading(
        value=",".join(request.choices[k].value for k in found.marked),
        confidence=confidence,
        accepted=confidence >= thresholds.mark and not request.offered_to,
        reasons=tuple(reasons),
        withdrawn=found.roles.taken_back,
        roles=found.roles.told,
    )


def _asked(request: ReadRequest, found: OptionRoles, reasons: list[str]) -> Reading:
    """No value, with the options that may be meant; none of those that were taken back."""
    named = sorted({*found.marked, *found.shared}) or ([] if found.withdrawn else list(found.faint))
    return Reading(
        value=None,
        confidence=0.0,
        accepted=False,
        alternatives=tuple((request.choices[k].value, 1 / len(named)) for k in named),
        reasons=tuple(reasons),
        withdrawn=found.roles.taken_back,
        roles=found.roles.told,
    )


def _sign(shapes: Sequence[Shape]) -> str | None:
    if len(shapes) == 1:
        y = shapes[0].xy[:, 1]
        lowest, end = int(y.argmax()), float(y[-1])
        short, long = float(y[lowest] - y[0]), float(y[lowest] - end)
        is_tick = 0 < lowest < len(y) - 1 and long > short >= _LEAST_RISE_MM and shapes[0].turns <= 1
        return TRUE if is_tick else None
    if len(shapes) == 2 and all(shape.is_line for shape in shapes) and crossing(*shapes):  # noqa: PLR2004  # two lines
        steep = [abs(s.xy[-1, 1] - s.xy[0, 1]) > _STEEP * abs(s.xy[-1, 0] - s.xy[0, 0]) for s in shapes]
        return FALSE if all(steep) else None
    return None


def _marks(shapes: Sequence[Shape], choices: Sequence[Choice]) -> list[Mark]:
    boxes = [choice.box_mm for choice in choices if choice.box_mm is not None]
    out: list[Mark] = []
    number = 0
    while number < len(shapes):
        shape = shapes[number]
        following = shapes[number + 1] if number + 1 < len(shapes) else None
        if following is not None and (meet := _cross(shape, following)) is not None:
            strokes: tuple[int, ...] = (number, number + 1)
            mark = Mark(strokes, "cross", _at(meet, boxes), shape.begin_ms, following.end_ms)
        else:
            strokes = (number,)
            form, options = _single(shape, boxes)
            mark = Mark(strokes, form, options, shape.begin_ms, shape.end_ms)
        out.append(mark)
        number += len(strokes)
    return out


def _cross(one: Shape, other: Shape) -> tuple[float, float] | None:
    if not (one.is_line and other.is_line) or other.begin_ms - one.end_ms > _CROSS_GAP_MS:
        return None
    return crossing(one, other)


def _single(shape: Shape, boxes: Sequence[Box]) -> tuple[Form, tuple[int, ...]]:
    """What one stroke is, and whose."""
    left, top, right, bottom = shape.box
    middle = ((left + right) / 2, (top + bottom) / 2)
    if shape.is_tap:
        return "tap", _at(middle, boxes)
    if shape.is_ring:
        return "ring", _ringed(shape, middle, boxes)
    if shape.is_scribble:
        return "scribble", _scribbled(shape, middle, boxes)
    if shape.is_line:
        return "line", _along(shape, middle, boxes)
    if shape.corner is not None:
        return "tick", _at(shape.corner, boxes)
    return "other", _along(shape, middle, boxes)


def _at(point: tuple[float, float], boxes: Sequence[Box]) -> tuple[int, ...]:
    """The option at a point; several where none is clearly nearest."""
    distances = [distance_to(*point, box) for box in boxes]
    order = sorted(range(len(boxes)), key=distances.__getitem__)
    nearest = distances[order[0]]
    if nearest > _NEAR_MM:
        return ()
    if nearest <= _IN_BOX_MM or len(order) == 1:
        return (order[0],)
    return tuple(sorted(k for k in order if distances[k] <= max(_FAR_SIDE * nearest, nearest + 1.0)))


def _ringed(shape: Shape, middle: tuple[float, float], boxes: Sequence[Box]) -> tuple[int, ...]:
    """The boxes whose middle is inside the ring; else the one in which it lies."""
    left, top, right, bottom = shape.box
    held = tuple(
        k for k, b in enumerate(boxes) if left <= (b[0] + b[2]) / 2 <= right and top <= (b[1] + b[3]) / 2 <= bottom
    )
    return held or _at(middle, boxes)


def _scribbled(shape: Shape, middle: tuple[float, float], boxes: Sequence[Box]) -> tuple[int, ...]:
    touched = _along(shape, middle, boxes)
    held = _ringed(shape, middle, boxes)
    return tuple(sorted({*touched, *held})) if len(held) > 1 else touched


def _along(shape: Shape, middle: tuple[float, float], boxes: Sequence[Box]) -> tuple[int, ...]:
    """The option with most of the ink that lies in boxes; all touched where none has."""
    shares = [_ink_in(shape, box) for box in boxes]
    total = sum(shares)
    if total <= 0:
        return _at(middle, boxes)
    best = max(range(len(boxes)), key=shares.__getitem__)
    if shares[best] >= 0.8 * total:
        return (best,)
    return tuple(k for k, share in enumerate(shares) if share > 0.1 * total)


def _ink_in(shape: Shape, box: Box) -> float:
    xy = shape.xy
    inside = (xy[:, 0] >= box[0]) & (xy[:, 0] <= box[2]) & (xy[:, 1] >= box[1]) & (xy[:, 1] <= box[3])
    return float(inside.mean())
