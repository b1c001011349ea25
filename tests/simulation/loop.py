"""An event loop whose time is simulated: waiting costs nothing, and the clock jumps to whatever is due next.

Everything runs in one thread: what is handed to an executor runs inside the loop, after a delay that the lesson draws.
So the order of all that happens depends on nothing but the seed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

BASE_MS: Final = 1_789_977_600_000
"""When every lesson begins: 2026-09-21 08:00 UTC."""


class _NoSockets:
    """Stands where the loop expects its selector: nothing ever arrives, but time passes."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[Any]:
        """Let so much simulated time pass."""
        if timeout_s is None:
            raise RuntimeError("nothing will ever happen again: every task waits for another one")
        self._loop.now_s += timeout_s
        return []


class SimulatedLoop(asyncio.BaseEventLoop):
    """Simulated time, from 0 on; `after_step` is called after every turn of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.executor_delay_s: Callable[[], float] = lambda: 0.0
        self.after_step: Callable[[], None] = lambda: None
        self._clock_resolution = 1e-9
        self._selector = _NoSockets(self)

    def time(self) -> float:
        """Seconds since the lesson began."""
        return self.now_s

    def now_ms(self) -> int:
        """Milliseconds UTC by a clock that is always right."""
        return BASE_MS + round(self.now_s * 1000)

    def tick_ms(self) -> int:
        """Milliseconds of a clock that never goes back."""
        return round(self.now_s * 1000)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # noqa: ANN401  asyncio's own signature, without its type variables
        """Run it in the loop itself, a little later."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        self.call_later(self.executor_delay_s(), self._do, future, func, args)
        return future

    def _do(self, future: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if future.cancelled():
            return
        try:
            result = func(*args)
        except BaseException as error:  # noqa: BLE001  handed to whoever waits for it, as an executor does
            if not future.done():  # whoever waited may have died of this very work
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # asyncio's own turn of the loop, which its stubs leave out
        self.after_step()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""
