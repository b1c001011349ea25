"""An end to work that could go on for long: so many calls, and then it stops wherever it is.

Calls are counted, not seconds: a busy box must not turn an answer into a question, and pure code reads no clock. What
is counted are calls of Python's and of built-in functions. One long step of arithmetic is not stopped, nor a loop that
calls nothing: numbers are bounded by whoever makes them.
"""

import sys
from collections.abc import Callable
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any, TypeVar

_T = TypeVar("_T")


class Spent(BaseException):
    """The calls are used up. No `Exception`, so that no library under way takes it for one of its own."""


class Budget:
    """Calls that may still be made."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self._is_counting = False

    def spend(self, work: Callable[[], _T]) -> _T:
        """Do some work and count its calls, those of this thread alone.

        Raises:
            Spent: From within the work, when no call is left.
        """
        before = sys.getprofile()
        self._is_counting = True
        sys.setprofile(self._count)
        try:
            return work()
        finally:
            # Before the next line, which is a call too.
            self._is_counting = False
            sys.setprofile(before)

    def unspent(self, work: Callable[[], _T]) -> _T:
        """Within `spend`: do something that is no part of the work, such as an import."""
        self._is_counting = False
        sys.setprofile(None)
        try:
            return work()
        finally:
            sys.setprofile(self._count)
            self._is_counting = True

    def _count(self, frame: FrameType, event: str, _of: Any) -> None:  # noqa: ANN401  # Python's own signature
        if not self._is_counting:
            return
        self.left -= 1
        if self.left >= 0 or event not in ("call", "c_call"):
            return
        # A generator is also called to be closed when nobody needs it any more, and what it raises then is lost.
        if event == "c_call" or not frame.f_code.co_flags & CO_GENERATOR:
            raise Spent
