"""The two-sided proof: per box and day, count and exclusive-or of row digests on both ends; a difference, by id."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from sync.messages import DaySum, Proof, day_sum
from sync.sums import NOT_IN_PROOF, WAITING, Unsettled

Verdict: TypeAlias = Literal["equal", "waiting", "different"]
What: TypeAlias = Literal["box_only", "district_only", "box_newer", "district_newer", "content"]


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

    @property
    def what(self) -> What:
        """In a word; `content` is the same revision with other content."""
        if self.district_rev is None:
            return "box_only"
        if self.box_rev is None:
            return "district_only"
        if self.box_rev == self.district_rev:
            return "content"
        return "box_newer" if self.box_rev > self.district_rev else "district_newer"


class Day(NamedTuple):
    """One day as the box judges it by the district's proof."""

    day: str
    verdict: Verdict
    """`waiting`: they differ, but results of that day are under way, so that nobody can tell yet."""
    box: DaySum | None
    district: DaySum | None
    unsettled: int
    """Results of that day that wait for a receipt, or for a younger proof."""


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


def judge(box: Mapping[str, DaySum], proof: Proof, unsettled: Collection[Unsettled]) -> list[Day]:
    """Every day that the proof speaks of, in order. What was refused is no excuse for a difference."""
    district = proof.sums()
    under_way: dict[str, int] = {}
    for one in unsettled:
        if one.why in {WAITING, NOT_IN_PROOF}:
            under_way[one.day] = under_way.get(one.day, 0) + 1
    out = []
    for day in sorted(box.keys() | district.keys()):
        if day < proof.since:
            continue
        here, there = box.get(day), district.get(day)
        verdict: Verdict = "equal" if here == there else "waiting" if day in under_way else "different"
        out.append(Day(day, verdict, here, there, under_way.get(day, 0)))
    return out
