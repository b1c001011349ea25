"""A character written over another one, to change it: the pen does not rub out, so both are there.

Strokes of one character follow each other at once and stand beside or across each other. What comes after a pause and
lies over an earlier character, as large as that, is another one over it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from recognition.shapes import Shape, around
from recognition.sheets import Box

_PAUSE_MS: Final = 700
_LINE_PAUSE_MS: Final = 2000
"""A line is often the last stroke of a character, and a stem its first."""
_OVER: Final = 0.5
"""Two characters stand in one place where they share so much of the smaller one's box."""
_LEAST_HEIGHT: Final = 0.6
_THIN_MM: Final = 0.3
_COVERED_MM: Final = 0.7
_COVERED: Final = 0.9
_STEP: Final = 2


class Overwritten(NamedTuple):
    """One character over another; strokes by their index."""

    earlier: tuple[int, ...]
    later: tuple[int, ...]
    is_covered: bool
    """Next to nothing of the earlier one can be seen beside the later."""


def overwritten(shapes: Sequence[Shape], standing: Sequence[int]) -> Iterator[Overwritten]:
    """Every character that was written over an earlier one, among the strokes that stand, in their order."""
    standing = [k for k in standing if not shapes[k].is_tap]
    used: set[int] = set()
    for place, number in enumerate(standing):
        if number in used:
            continue
        earlier = [k for k in standing[:place] if k not in used and _in_one_place(shapes[k].box, shapes[number].box)]
        if not earlier:
            continue
        pause_ms = shapes[number].begin_ms - max(shapes[k].end_ms for k in earlier)
        if pause_ms < _PAUSE_MS:
            continue
        later = _with_following(shapes, standing[place:], around([shapes[k] for k in earlier]))
        only_lines = any(all(shapes[k].is_line for k in group) for group in (earlier, later))
        if (only_lines and pause_ms < _LINE_PAUSE_MS) or not _are_as_high(shapes, earlier, later):
            continue
        used.update(earlier)
        yield Overwritten(tuple(earlier), tuple(later), _is_covered(shapes, earlier, later))


def _with_following(shapes: Sequence[Shape], numbers: Sequence[int], place: Box) -> list[int]:
    """The first stroke, and those that follow at once in the same place: the rest of its character."""
    later = [numbers[0]]
    for number in numbers[1:]:
        if shapes[number].begin_ms - shapes[later[-1]].end_ms >= _PAUSE_MS:
            break
        if _in_one_place(shapes[number].box, place):
            later.append(number)
    return later


def _in_one_place(one: Box, other: Box) -> bool:
    a, b = _padded(one), _padded(other)
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    return width * height >= _OVER * min((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))


def _padded(box: Box) -> Box:
    return box[0] - _THIN_MM, box[1] - _THIN_MM, box[2] + _THIN_MM, box[3] + _THIN_MM


def _are_as_high(shapes: Sequence[Shape], earlier: Sequence[int], later: Sequence[int]) -> bool:
    boxes = [around([shapes[k] for k in group]) for group in (earlier, later)]
    low, high = sorted(box[3] - box[1] for box in boxes)
    return low >= _LEAST_HEIGHT * high


def _is_covered(shapes: Sequence[Shape], earlier: Sequence[int], later: Sequence[int]) -> bool:
    below, above = (np.concatenate([shapes[k].xy for k in group])[::_STEP] for group in (earlier, later))
    step = below[:, None] - above[None]
    nearest = (step * step).sum(axis=2).min(axis=1)
    return bool((nearest <= _COVERED_MM**2).mean() >= _COVERED)
