"""A pen with a memory and no radio: the virtual pen's own dialogue and memory, on a link that a test cuts at each end.

Times are the test's. What it wrote is in `truth`, as the demo's classroom writes it, with the test's time beside the
pen's. Between the moment that the air is gone and the moment that the pen notices, what it writes is lost; from then on
it goes to its memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from devices.errors import LinkError
from devices.events import PageChanged
from devices.neo.framing import Deframer, Frame
from devices.neo.messages_ink import DotRecord
from devices.transport import Arrival
from devices.virtual.dialogue import Dialogue, PenClock, PenState
from devices.virtual.memory import Memory
from devices.virtual.motion import MotionDot
from devices.virtual.writing import Run, Speech

DOT_MS = 10


@dataclass(slots=True, eq=False)
class MemoryLink:
    """The box's end of one link, as `Transport`."""

    pen: "MemoryPen"
    is_open: bool = True
    air: bool = True
    """False: nothing gets through any more, and nobody has noticed."""
    arrived: list[Arrival] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    """What the box asked and acknowledged, in order."""
    _deframer: Deframer = field(default_factory=Deframer)

    def take(self) -> list[Arrival]:
        """As `Transport`."""
        out, self.arrived = self.arrived, []
        return out

    async def write(self, data: bytes) -> None:
        """As `Transport`."""
        if not self.is_open:
            raise LinkError("gone")
        for request in self._deframer.feed(data):
            if isinstance(request, Frame):
                self.commands.append(request.command)
                if self.air:
                    self.pen.hears(self, request)

    async def close(self) -> None:
        """As `Transport`: both ends know."""
        self.is_open = False
        self.pen.notices(self)

    def say(self, frame: bytes) -> None:
        """The pen's end: a notification."""
        if self.air:
            self.arrived.append(Arrival(self.pen.now_ms(), frame))


class MemoryPen:
    """One pen."""

    def __init__(self, mac: str, now_ms: Callable[[], int], *, capacity_dots: int = 100_000, clock_ms: int = 0) -> None:
        self.mac, self.now_ms = mac, now_ms
        self.clock = PenClock(lambda: now_ms() / 1000, start_ms=clock_ms or now_ms())
        self.memory = Memory(capacity_dots)
        self.state = PenState(mac=bytes.fromhex(mac.replace(":", "")))
        self.truth: list[dict[str, Any]] = []
        self.not_stored = 0
        self.link: MemoryLink | None = None
        self._dialogue: Dialogue | None = None
        self._speech = Speech(counted=True)
        self._dots = 0
        self._downs: set[int] = set()
        self._began_ms = 0

    @property
    def is_live(self) -> bool:
        """Whether it sends what it writes."""
        return self._dialogue is not None and self._dialogue.ready

    def connect(self) -> MemoryLink:
        """A box links it: an older link is over for the pen too."""
        if self.link is not None:
            self.notices(self.link)
        self.link = MemoryLink(self)
        self._dialogue = Dialogue(self.state, self.clock, self.memory, self.memory.kept.clear)
        return self.link

    def hears(self, link: MemoryLink, request: Frame) -> None:
        """A request reaches the pen."""
        if link is not self.link or self._dialogue is None:
            return
        was_live = self.is_live
        for reply in self._dialogue.answer(request):
            link.say(reply)
        if self.is_live and not was_live:
            self._speech = Speech(self._dialogue.counted)

    def notices(self, link: MemoryLink) -> None:
        """The pen knows that its link is over."""
        link.air = False
        if link is self.link:
            self.link = self._dialogue = None

    def write(self, page: PageChanged, dots: int, pause: Callable[[int], None]) -> None:
        """A stroke of so many dots; `pause(ms)` turns the clock between them. Live as long as the pen thinks so."""
        run = self._begin(page)
        for _ in range(dots):
            if run.live != self.is_live:
                self._end(run)
                run = self._begin(page)
            self._dots += 1
            where = 1_000 + self._dots % 5_000
            delta_ms = DOT_MS if run.dots else 0
            record = run.add(MotionDot(delta_ms, where, where // 2, 300, 90, 90, 0), delta_ms=delta_ms)
            self._say(run, record)
            pause(DOT_MS)
        self._end(run)

    def _begin(self, page: PageChanged) -> Run:
        down_ms = self.clock.now_ms()
        while down_ms in self._downs:
            down_ms += 1  # a stroke is known by its pen, its page and its pen-down
        self._downs.add(down_ms)
        self._began_ms = self.now_ms()
        run = Run(page, down_ms, live=self.is_live)
        if run.live and self.link is not None:
            self.link.say(self._speech.down(run.down_ms))
            self.link.say(self._speech.page(page))
        return run

    def _say(self, run: Run, record: DotRecord) -> None:
        if run.live and self.link is not None:
            self.link.say(self._speech.dot(record))

    def _end(self, run: Run) -> None:
        if not run.dots:
            return
        line = run.truth(self.mac) | {"began_ms": self._began_ms, "ended_ms": self._began_ms + run.up_ms - run.down_ms}
        if run.live:
            if self.link is not None and self.is_live:
                self.link.say(self._speech.up(run))
        elif not (self.state.stores_offline and self.memory.keep(run.page, run.stored())):
            self.not_stored += run.dots
            line["how"] = "not_stored"
        self.truth.append(line)
