"""Words for what becomes of a stroke: its role, the reason of it, and what is left open."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["answer", "withdrawn", "redo", "scratch", "note"]
Why: TypeAlias = Literal[
    "",
    "kept",
    "scribbled_out",
    "struck_out",
    "overwritten",
    "scribble",
    "strike",
    "undone",
    "outside",
]
Doubt: TypeAlias = Literal["maybe_crossed_out", "maybe_overwritten", "both_boxes", "order_only"]


@dataclass(frozen=True, slots=True)
class StrokeRole:
    """What a stroke is, and why."""

    role: Role = "answer"
    why: Why = ""
    by: tuple[int, ...] = ()
    """The strokes that took it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The roles of a field's strokes, in their order."""

    strokes: tuple[StrokeRole, ...]
    doubts: tuple[Doubt, ...] = ()
    """Why a person must look, whatever the strokes that stand are read as."""
    either: tuple[tuple[int, ...], ...] = ()
    """Sets of strokes each of which may be the whole answer, the later one first; empty where one alone can be."""

    @property
    def standing(self) -> tuple[int, ...]:
        """Indices of the strokes that are the answer."""
        return tuple(k for k, stroke in enumerate(self.strokes) if stroke.role in ("answer", "redo"))

    @property
    def taken_back(self) -> tuple[int, ...]:
        """Indices of the strokes that do not stand, and of those that did it."""
        return tuple(k for k, stroke in enumerate(self.strokes) if stroke.role == "withdrawn")

    @property
    def told(self) -> tuple[StrokeRole, ...]:
        """The roles, for a reading: empty where all strokes simply stand."""
        return self.strokes if any(stroke != StrokeRole() for stroke in self.strokes) else ()

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reading says of all this, as codes: what happened, then what is in doubt."""
        whys = {stroke.why for stroke in self.strokes}
        happened = {
            "crossed_out": not whys.isdisjoint(("scribbled_out", "struck_out")),
            "overwritten": "overwritten" in whys,
            "redo_box": any(stroke.role == "redo" for stroke in self.strokes),
            "undone": not whys.isdisjoint(("kept", "undone")),
            "outside": "outside" in whys,
        }
        return (*(code for code, is_so in happened.items() if is_so), *self.doubts)


class Ledger:
    """The roles while they are found. What a person keeps is never taken back."""

    def __init__(self, count: int, keep: Iterable[int]) -> None:
        self.keep = frozenset(keep)
        self.roles = [StrokeRole("answer", "kept" if k in self.keep else "") for k in range(count)]
        self.doubts: list[Doubt] = []

    def withdraw(self, targets: Iterable[int], by: Iterable[int], why: Why, how: Why) -> None:
        """Take strokes back by others, which then say no more themselves.

        Args:
            targets: The strokes that no longer stand.
            by: The strokes that did it.
            why: What happened to the ones.
            how: What the others are; empty where they stand as an answer.
        """
        doers = tuple(by)
        lost = [k for k in targets if k not in self.keep]
        for k in lost:
            self.roles[k] = StrokeRole("withdrawn", why, doers)
        for k in doers if how else ():
            if k not in self.keep:
                self.roles[k] = StrokeRole("withdrawn", how) if lost else StrokeRole("note", "undone")

    def note(self, strokes: Iterable[int], why: Why) -> None:
        """Leave strokes out of the answer which nobody took back."""
        for k in strokes:
            self.roles[k] = StrokeRole("note", why)

    def also(self, like: int, strokes: Iterable[int]) -> None:
        """More strokes with the role of an earlier one."""
        for k in strokes:
            self.roles[k] = self.roles[like]

    def stands(self, number: int) -> bool:
        """Whether a stroke is still part of the answer."""
        return self.roles[number].role in ("answer", "redo")

    def doubt(self, code: Doubt) -> None:
        """Leave something to a person."""
        if code not in self.doubts:
            self.doubts.append(code)
