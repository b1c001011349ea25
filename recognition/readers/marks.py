"""Marks in printed option boxes, by geometry and by the order in which they came. No network.

A mark is of the option in whose box its telling point lies: the lowest corner of a tick, where the lines of a cross
meet, the middle of a ring or fill. What lies between boxes or joins two is of both, and goes to a person. A scribble is
a mark where nothing was before; over an older mark it takes that back, unless it follows so closely that it is only a
heavy hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from recognition.readers.reading import Reading, ReadRequest, Thresholds
from recognition.readers.shapes import Shape, crossing, distance_to, shape_of
from recognition.sheets import Box, Choice

HEAVY_MS: Final = 2000
"""Ink over a mark within this time of it is emphasis, no withdrawal."""

_CROSS_GAP_MS: Final = 3000
_IN_BOX_MM: Final = 0.5
_NEAR_MM: Final = 5.0
_CORNER_RISE_MM: Final = 1.0
_FAR_SIDE: Final = 2.0
_SURE: Final = 0.99
_LINE_SURE: Final = 0.95

_Form: TypeAlias = Literal["tap", "line", "cross", "tick", "ring", "scribble", "other"]


@dataclass(frozen=True, slots=True)
class _Mark:
    strokes: tuple[int, ...]
    form: _Form
    options: tuple[int, ...]
    """One where it is clear, several where it may be of each, none for ink beside all boxes."""
    begin_ms: float
    end_ms: float


@dataclass(slots=True)
class _Option:
    """What happened to one option so far."""

    marked: bool = False
    faint: bool = False
    confidence: float = _SURE
    last_ms: float = 0.0
    strokes: list[int] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)


def read_marks(request: ReadRequest, thresholds: Thresholds) -> Reading:
    """Read which option is marked; every choice of the request has a box."""
    shapes = [shape_of(stroke) for stroke in request.strokes]
    options = [_Option() for _ in request.choices]
    reasons: list[str] = []
    unclear: set[int] = set()
    for mark in _marks(shapes, request.choices):
        if len(mark.options) > 1:
            unclear.update(mark.options)
        elif mark.options:
            _apply(options[mark.options[0]], mark)
        else:
            reasons.append("outside")
    return _conclude(request, options, unclear, reasons, thresholds)


def _conclude(
    request: ReadRequest, options: list[_Option], unclear: set[int], reasons: list[str], thresholds: Thresholds
) -> Reading:
    names = [choice.value for choice in request.choices]
    marked = [k for k, option in enumerate(options) if option.marked]
    taken_back = [k for k, option in enumerate(options) if option.withdrawn and not option.marked]
    named = sorted(set(marked) | unclear)
    withdrawn = tuple(sorted(k for option in options for k in option.withdrawn))
    if unclear:
        reasons.append("between_boxes")
    elif not marked:
        reasons.append("crossed_out" if taken_back else "faint" if any(o.faint for o in options) else "no_mark")
        named = [] if taken_back else [k for k, option in enumerate(options) if option.faint]
    elif len(marked) > 1 and not request.several:
        reasons.append("two_marks")
    else:
        confidence = min(options[k].confidence for k in marked)
        return Reading(
            value=",".join(names[k] for k in marked),
            confidence=confidence,
            accepted=confidence >= thresholds.mark and not request.offered_to,
            reasons=tuple(dict.fromkeys(reasons)),
            withdrawn=withdrawn,
        )
    share = 1 / len(named) if named else 0.0
    return Reading(
        value=None,
        confidence=0.0,
        accepted=False,
        alternatives=tuple((names[k], share) for k in named),
        reasons=tuple(dict.fromkeys(reasons)),
        withdrawn=withdrawn,
    )


def _apply(option: _Option, mark: _Mark) -> None:
    if mark.form == "tap":
        option.faint = True
        return
    over_old = option.marked and mark.begin_ms - option.last_ms > HEAVY_MS
    if mark.form == "scribble" and option.marked and not over_old:
        # The pen came back within two seconds: a heavy hand, and it may go on being heavy.
        option.last_ms = mark.end_ms
        option.strokes.extend(mark.strokes)
        return
    if mark.form == "scribble" and over_old:
        option.withdrawn += [*option.strokes, *mark.strokes]
        option.marked, option.strokes = False, []
    elif mark.form == "scribble" and option.withdrawn:
        option.withdrawn.extend(mark.strokes)
    else:
        option.marked = True
        option.confidence = min(option.confidence, _LINE_SURE) if mark.form == "line" else _SURE
        option.strokes.extend(mark.strokes)
    option.last_ms = mark.end_ms


def _marks(shapes: Sequence[Shape], choices: Sequence[Choice]) -> list[_Mark]:
    boxes = [choice.box_mm for choice in choices if choice.box_mm is not None]
    out: list[_Mark] = []
    number = 0
    while number < len(shapes):
        shape = shapes[number]
        following = shapes[number + 1] if number + 1 < len(shapes) else None
        if following is not None and (meet := _cross(shape, following)) is not None:
            strokes: tuple[int, ...] = (number, number + 1)
            mark = _Mark(strokes, "cross", _at(meet, boxes), shape.begin_ms, following.end_ms)
        else:
            strokes = (number,)
            form, options = _single(shape, boxes)
            mark = _Mark(strokes, form, options, shape.begin_ms, shape.end_ms)
        out.append(mark)
        number += len(strokes)
    return out


def _cross(one: Shape, other: Shape) -> tuple[float, float] | None:
    if not (one.is_line and other.is_line) or other.begin_ms - one.end_ms > _CROSS_GAP_MS:
        return None
    return crossing(one, other)


def _single(shape: Shape, boxes: Sequence[Box]) -> tuple[_Form, tuple[int, ...]]:
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
    if (corner := _lowest_corner(shape)) is not None:
        return "tick", _at(corner, boxes)
    return "other", _along(shape, middle, boxes)


def _lowest_corner(shape: Shape) -> tuple[float, float] | None:
    """The corner of a tick: its lowest point, where the pen came down to it and went up from it."""
    y = shape.xy[:, 1]
    lowest = int(y.argmax())
    if y[lowest] - y[0] >= _CORNER_RISE_MM and y[lowest] - y[-1] >= _CORNER_RISE_MM:
        return float(shape.xy[lowest, 0]), float(shape.xy[lowest, 1])
    return None


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
