"""The roles of the strokes of a written answer: numbers, letters, words, and written signs."""

from collections.abc import Collection, Sequence
from typing import Final

from recognition.shapes import Shape, share_inside
from recognition.sheets import Box
from recognition.withdrawal.crossing import cross_out
from recognition.withdrawal.overwriting import Overwritten, overwritten
from recognition.withdrawal.roles import Ledger, Roles, StrokeRole

_IN_REDO: Final = 0.5
_REDO_SLACK_MM: Final = 1.0


def character_roles(
    shapes: Sequence[Shape], *, redo_box: Box | None = None, keep: Collection[int] = (), lines: bool = True
) -> Roles:
    """What each stroke of one field is, by all rules of this room.

    Args:
        shapes: The strokes, in the order in which they were written.
        redo_box: The field's box for a second try, where its sheet has one.
        keep: Strokes that were not taken back, as a person says, by their index.
        lines: Whether a line can strike out; not where lines are the answer's own, as a written cross is.
    """
    ledger = Ledger(len(shapes), keep)
    cross_out(shapes, ledger, lines=lines)
    either = _overwritten(shapes, ledger)
    if redo_box is not None:
        either = _redone(shapes, ledger, redo_box) or either
    return Roles(strokes=tuple(ledger.roles), doubts=tuple(ledger.doubts), either=tuple(dict.fromkeys(either)))


def _overwritten(shapes: Sequence[Shape], ledger: Ledger) -> list[tuple[int, ...]]:
    """Withdraw what later characters cover; what may be the answer where older ones can still be seen."""
    doubtful: list[Overwritten] = []
    for found in overwritten(shapes, [k for k in range(len(shapes)) if ledger.stands(k)]):
        if ledger.keep.intersection(found.earlier):
            continue
        if found.is_covered:
            ledger.withdraw(found.earlier, found.later, "overwritten", "")
        else:
            doubtful.append(found)
    if not doubtful:
        return []
    ledger.doubt("maybe_overwritten")
    standing = [k for k in range(len(shapes)) if ledger.stands(k)]
    earlier = {k for found in doubtful for k in found.earlier}
    # Whoever was covered since stands for it no more, but what covers it does.
    later = {by for found in doubtful for k in found.later for by in (ledger.roles[k].by or (k,))}
    sets = [tuple(k for k in standing if k not in left_out) for left_out in (earlier, later)]
    return [which for which in sets if which]


def _redone(shapes: Sequence[Shape], ledger: Ledger, redo_box: Box) -> list[tuple[int, ...]]:
    """Give the redo box its role; what may be the answer where ink stands in both."""
    inside = {k for k, s in enumerate(shapes) if share_inside(s, redo_box, margin=_REDO_SLACK_MM) >= _IN_REDO}
    redo = tuple(k for k in sorted(inside) if ledger.stands(k))
    beside = tuple(k for k in range(len(shapes)) if k not in inside and ledger.stands(k))
    for k in redo:
        ledger.roles[k] = StrokeRole("redo", ledger.roles[k].why)
    if not redo or not beside:
        return []
    ledger.doubt("both_boxes")
    return [redo, beside]
