"""A stack of answers to check without a store: groups that go when they are decided, and come back."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.dashboard.check import CheckView, DecisionView, Done, GroupView, Guess, InkView, Order
from gateway.dashboard.source import FieldBox
from gateway.errors import GatewayError, TryLater

LESSON = "lesson-1"


class Refused(GatewayError):
    """As a decision that cannot be made."""

    def __init__(self, said: str, **params: str) -> None:
        super().__init__(said)
        self.said, self.params = said, params


def group(field: str, value: str, *seats: int) -> GroupView:
    """A group of seats."""
    inks = [InkView(seat, f"ink-{seat}", [[14_200, 4_200, 15_200, 5_200]]) for seat in seats]
    return GroupView(
        id=f"{field}-{value}",
        field=FieldBox(field, field[1:], (140, 40, 156, 56)),
        prompt={"": "3 + 4 ="},
        kind="digit",
        key="7",
        max_points=1.0,
        guesses=[Guess(value, float(value == "7")), Guess("4", 0.0)],
        reasons=["low_confidence"],
        inks=inks,
    )


class FakeCheck:
    """As `ReviewDesk` towards the page."""

    def __init__(self, *groups: GroupView) -> None:
        self.groups = list(groups)
        self.decided: list[tuple[Order, list[GroupView]]] = []
        self.is_full = False

    async def stack(self, lesson: str | None = None) -> CheckView:
        """As `Checking`."""
        del lesson
        undo = None
        if self.decided:
            order = self.decided[-1][0]
            undo = DecisionView(label="1", kind="value", value=order.value, points=1.0, answers=len(order.inks))
        remain = sum(len(one.inks) for one in self.groups)
        return CheckView(lesson=LESSON, remain=remain, groups=self.groups, undo=undo)

    async def take(self, order: Order) -> Done:
        """As `Checking`."""
        if self.is_full:
            raise TryLater("the disk is full")
        if order.do == "undo":
            if not self.decided:
                raise Refused("review.nothing_to_undo")
            undone, self.groups = self.decided.pop()
            return Done(answers=len(undone.inks))
        if order.do == "skip":
            self.groups.append(self.groups.pop(0))
            return Done(answers=len(order.inks))
        if order.value is None and order.verdict is None:
            raise Refused("review.nothing_said")
        self.decided.append((order, list(self.groups)))
        self.groups = [left for one in self.groups if (left := _without(one, order.field, order.inks)).inks]
        return Done(answers=len(order.inks))


def _without(one: GroupView, field: str, inks: Mapping[int, str]) -> GroupView:
    if one.field.field != field:
        return one
    return replace(one, inks=[ink for ink in one.inks if inks.get(ink.seat) != ink.ink])
