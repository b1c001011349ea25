"""The two-sided proof: per box and day, count and exclusive-or of row digests on both ends; a difference, by id."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sync.messages import DaySum, day_sum


class Difference(NamedTuple):
    """A day on which box and district do not have the same rows; None where a side has none at all."""

    day: str
    box: DaySum | None
    district: DaySum | None


class NamedDifference(NamedTuple):
    """One result that the two ends do not have alike; a revision of None means that this end lacks it."""

    id: str
    box_rev: int | None
    district_rev: int | None


def district_side(digests: Iterable[tuple[str, str, bytes]]) -> dict[str, dict[str, DaySum]]:
    """The district's sums by box and day, out of (box, day, row digest)."""
    boxes: dict[str, dict[str, list[bytes]]] = {}
    for box, day, value in digests:
        boxes.setdefault(box, {}).setdefault(day, []).append(value)
    return {box: {day: day_sum(values) for day, values in sorted(days.items())} for box, days in sorted(boxes.items())}


def differences(box: Mapping[str, DaySum], district: Mapping[str, DaySum]) -> list[Difference]:
    """The days of one box that differ, in order; empty means that both ends have the same rows."""
    days = sorted(box.keys() | district.keys())
    pairs = [Difference(day, box.get(day), district.get(day)) for day in days]
    return [pair for pair in pairs if pair.box != pair.district]


def named(box: Mapping[str, tuple[int, bytes]], district: Mapping[str, tuple[int, bytes]]) -> list[NamedDifference]:
    """The results of one day that differ, by id, out of (rev, digest) on each end."""
    out = []
    for code in sorted(box.keys() | district.keys()):
        here, there = box.get(code), district.get(code)
        if here != there:
            out.append(NamedDifference(code, None if here is None else here[0], None if there is None else there[0]))
    return out
