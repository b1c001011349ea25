"""The roles of marks in printed option boxes, by the order in which they came.

What a mark is and whose is geometry, and told by the reader of marks; what it does to an older mark is told here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from recognition.withdrawal.roles import Ledger, Roles, Why

HEAVY_MS: Final = 2000
"""Ink over a mark within this time of it is emphasis, no withdrawal."""

Form: TypeAlias = Literal["tap", "line", "cross", "tick", "ring", "scribble", "other"]
_EMPHASIS: Final[frozenset[Form]] = frozenset({"tick", "ring"})


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; strokes and options by their index."""

    strokes: tuple[int, ...]
    form: Form
    options: tuple[int, ...]
    """One where it is clear, several where it may be of each, none for ink beside all boxes."""
    begin_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRoles:
    """What the marks come to."""

    roles: Roles
    marked: tuple[int, ...]
    """Options with a mark that stands."""
    forms: dict[int, frozenset[Form]]
    """What the marks of each of these are."""
    withdrawn: tuple[int, ...]
    """Options that were marked and are no more."""
    faint: tuple[int, ...]
    """Options with a tap of the pen and no more."""
    shared: tuple[int, ...]
    """Options of which a mark may be or may not be."""


@dataclass(slots=True)
class _Option:
    """What happened to one option so far."""

    live: list[Mark] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    """Strokes that were taken back here."""
    strikes: list[Mark] = field(default_factory=list)
    """Marks over older ones which may take these back."""
    tapped: bool = False

    @property
    def last_ms(self) -> float:
        return max(mark.end_ms for mark in (*self.live, *self.strikes))

    def is_old(self, mark: Mark) -> bool:
        """Whether there is a mark, and another one comes too late to be the same heavy hand."""
        return bool(self.live) and mark.begin_ms - self.last_ms > HEAVY_MS


class _Work:
    def __init__(self, marks: Sequence[Mark], strokes: int, options: int, keep: Collection[int]) -> None:
        # A mark is kept whole: who says of one line of a cross that it stands means the cross.
        kept = {k for mark in marks if not set(keep).isdisjoint(mark.strokes) for k in mark.strokes}
        self.ledger = Ledger(strokes, kept)
        self.options = [_Option() for _ in range(options)]
        self.shared: set[int] = set()

    def take_back(self, option: _Option, by: Sequence[Mark], why: Why, how: Why) -> None:
        """Take back the marks of an option that nobody keeps."""
        lost = [mark for mark in option.live if not self.is_kept(mark)]
        doers = _strokes(by)
        self.ledger.withdraw(_strokes(lost), doers, why, how)
        option.live = [mark for mark in option.live if self.is_kept(mark)]
        option.strikes = []
        if lost:
            option.gone += [*_strokes(lost), *doers]

    def is_kept(self, mark: Mark) -> bool:
        return not self.ledger.keep.isdisjoint(mark.strokes)


def _strokes(marks: Sequence[Mark]) -> list[int]:
    return [k for mark in marks for k in mark.strokes]


def option_roles(
    marks: Sequence[Mark], *, strokes: int, options: int, several: bool = False, keep: Collection[int] = ()
) -> OptionRoles:
    """What marks say together.

    Args:
        marks: In the order in which they came; each stroke is in one of them.
        strokes: How many strokes there are.
        options: How many options there are.
        several: More than one may be chosen.
        keep: Strokes that were not taken back, as a person says, by their index.
    """
    work = _Work(marks, strokes, options, keep)
    for mark in marks:
        if not mark.options:
            work.ledger.note(mark.strokes, "outside")
        elif len(mark.options) > 1:
            _over_several(work, mark)
        else:
            _over_one(work, work.options[mark.options[0]], mark)
    _settle(work, several=several)
    found = work.options
    return OptionRoles(
        roles=Roles(strokes=tuple(work.ledger.roles), doubts=tuple(work.ledger.doubts)),
        marked=tuple(k for k, option in enumerate(found) if option.live),
        forms={k: frozenset(mark.form for mark in option.live) for k, option in enumerate(found) if option.live},
        withdrawn=tuple(k for k, option in enumerate(found) if option.gone and not option.live),
        faint=tuple(k for k, option in enumerate(found) if option.tapped and not (option.live or option.gone)),
        shared=tuple(sorted(work.shared)),
    )


def _over_several(work: _Work, mark: Mark) -> None:
    """A scribble over options that are all marked takes all of them back; anything else is a question."""
    options = [work.options[k] for k in mark.options]
    if mark.form == "scribble" and not work.is_kept(mark) and all(option.is_old(mark) for option in options):
        for option in options:
            option.live += option.strikes
            work.take_back(option, [mark], "scribbled_out", "scribble")
    else:
        work.shared.update(mark.options)


def _over_one(work: _Work, option: _Option, mark: Mark) -> None:
    if mark.form == "tap":
        option.tapped = True
    elif work.is_kept(mark) or not (option.live or option.gone):
        option.live.append(mark)
    elif mark.form == "scribble":
        _scribble(work, option, mark)
    elif not option.is_old(mark) or _is_emphasis(option, mark):
        _mark_again(work, option, mark)
    else:
        option.strikes.append(mark)


def _scribble(work: _Work, option: _Option, mark: Mark) -> None:
    if option.is_old(mark):
        option.live += option.strikes
        work.take_back(option, [mark], "scribbled_out", "scribble")
    elif not option.live:
        work.ledger.also(option.gone[-1], mark.strokes)
    elif mark.begin_ms < option.last_ms:
        work.ledger.doubt("order_only")
    else:
        # The pen came back within two seconds: a heavy hand, and it may go on being heavy.
        option.live.append(mark)


def _is_emphasis(option: _Option, mark: Mark) -> bool:
    return mark.form in _EMPHASIS or (mark.form == "cross" and any(old.form == "cross" for old in option.live))


def _mark_again(work: _Work, option: _Option, mark: Mark) -> None:
    """A mark on top of a mark that may have been struck out is the answer after all."""
    if option.strikes:
        work.take_back(option, option.strikes, "struck_out", "strike")
    option.live.append(mark)


def _settle(work: _Work, *, several: bool) -> None:
    """Marks that were struck are withdrawn where just one other option is marked; else a person looks."""
    plain = [option for option in work.options if option.live and not option.strikes]
    is_clear = not several and len(plain) == 1 and not work.shared
    for option in work.options:
        if option.strikes and (is_clear or all(work.is_kept(mark) for mark in option.live)):
            work.take_back(option, option.strikes, "struck_out", "strike")
        elif option.strikes:
            work.ledger.doubt("maybe_crossed_out")
