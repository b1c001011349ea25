"""A pen of the simulated classroom: the hand that writes, the memory that keeps, the dialogue that answers.

It is `devices.virtual.pen` without the radio: the words it says and the memory it has are those of the virtual pens.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from devices.events import PageChanged
from devices.neo.framing import Deframer, Frame
from devices.neo.messages import PowerOffNotice
from devices.neo.wire import to_frame
from devices.virtual.dialogue import Dialogue, PenClock, PenState
from devices.virtual.memory import DEFAULT_CAPACITY_DOTS, Kept, Memory
from devices.virtual.motion import MotionDot
from devices.virtual.writing import Run, Speech
from tests.simulation.air import Link
from tests.simulation.history import History
from tests.simulation.loop import BASE_MS, SimulatedLoop
from tests.simulation.truth import Truth

SECTION: Final = 3
OWNER: Final = 27
NOTE: Final = 603
PAGES: Final = (1, 2)
_POWER_KEY: Final = 3
_MOST_DOTS: Final = 14
_SLOWEST_MS: Final = 160
LONGEST_STROKE_MS: Final = _MOST_DOTS * _SLOWEST_MS
_ROOM_DOTS: Final = 40
"""Left in a memory that is almost full."""
_HOMEWORK_STROKE_DOTS: Final = 20


def serials_of(kept: Kept) -> list[int]:
    """Which dots a stroke in memory has."""
    return [each.dot.x_hundredths for each in kept.stroke.dots]


class _Memory(Memory):
    """A memory that tells what it forgets."""

    def __init__(self, pen: "SimulatedPen", capacity_dots: int) -> None:
        super().__init__(capacity_dots)
        self._pen = pen

    def forget(self, gone: list[Kept]) -> None:
        """As `Memory.forget`."""
        super().forget(gone)
        if gone:
            self._pen.has_forgotten(gone)


@dataclass(slots=True)
class _Stroke:
    page: PageChanged
    left: int
    run: Run | None = None


class SimulatedPen:
    """One pen and the child that holds it.

    Attributes:
        link: The link that the pen believes in.
        is_on: Whether it sees what is written.
    """

    def __init__(
        self,
        number: int,
        loop: SimulatedLoop,
        chance: Random,
        history: History,
        truth: Truth,
        *,
        homework_dots: int = 0,
    ) -> None:
        self.mac = f"9C:7B:D2:00:00:{number:02X}"
        self.name = f"pen {number}"
        self._loop, self._chance, self._history, self._truth = loop, chance, history, truth
        self.clock = PenClock(loop.time, start_ms=BASE_MS + chance.randrange(-400, 400))
        self.state = PenState(mac=bytes.fromhex(self.mac.replace(":", "")))
        self.memory = _Memory(self, homework_dots + _ROOM_DOTS if homework_dots else DEFAULT_CAPACITY_DOTS)
        self.link: Link | None = None
        self.is_on = True
        self._dialogue: Dialogue | None = None
        self._deframer = Deframer()
        self._speech = Speech(counted=True)
        self._stroke: _Stroke | None = None
        self._downs: set[int] = set()
        self._is_ready = False
        self._remember(homework_dots)

    def _remember(self, dots: int) -> None:
        """What it wrote at home, an hour ago."""
        at_ms = BASE_MS - 3_600_000
        while dots > 0:
            run = Run(PageChanged(SECTION, OWNER, NOTE, self._chance.choice(PAGES)), at_ms, live=False)
            for _ in range(min(dots, _HOMEWORK_STROKE_DOTS)):
                serial = self._truth.born(self.mac, run.page.page, run.up_ms, "pen", 0.0).serial
                run.add(MotionDot(50, serial, serial, 400, 90, 90, 0), delta_ms=50)
            dots -= run.dots
            at_ms += 5_000
            self.memory.keep(run.page, run.stored())

    @property
    def is_free(self) -> bool:
        """Whether it advertises, so that a gateway may link it."""
        return self.is_on and self.link is None

    # -- the link

    def linked(self, link: Link) -> None:
        """A gateway made a link."""
        self.link = link
        self._deframer = Deframer()
        self._dialogue = Dialogue(self.state, self.clock, self.memory, lambda: None)
        self._is_ready = False

    def hear(self, data: bytes) -> None:
        """The gateway wrote something."""
        dialogue, link = self._dialogue, self.link
        if dialogue is None or link is None:
            return
        for request in self._deframer.feed(data):
            if isinstance(request, Frame):
                for reply in dialogue.answer(request):
                    link.say(reply)
        if dialogue.ready and not self._is_ready:
            self._is_ready = True
            self._speech = Speech(dialogue.counted)
            self._history.note(self.name, "is asked for its ink; what it writes goes out live")
            self._end_run()  # what was begun in memory ends there; its rest begins anew, live

    def link_lost(self, link: Link) -> None:
        """It notices that its link is over; from here on its memory takes what it writes."""
        if link is not self.link:
            return
        self._history.note(self.name, "notices that its link is over")
        if self._stroke is not None and self._stroke.run is not None and self._stroke.run.live:
            self._stroke.run = None
        self.link = self._dialogue = None
        self._is_ready = False

    def switch_off(self) -> None:
        """It says good-bye and is off; nobody sees what the hand writes."""
        self._history.note(self.name, "is switched off")
        self._lift()
        self._stroke = None
        link, self.link = self.link, None
        self._dialogue, self._is_ready, self.is_on = None, False, False
        if link is not None:
            link.say(to_frame(PowerOffNotice(_POWER_KEY)))
            link.pen_hangs_up()

    def switch_on(self) -> None:
        """It is on again, with memory and clock as they were."""
        self.is_on = True
        self._history.note(self.name, "is switched on")

    def has_forgotten(self, gone: list[Kept]) -> None:
        """Strokes were let go on the gateway's word: from here on only the box can have them."""
        serials = [serial for kept in gone for serial in serials_of(kept)]
        self._history.note(self.name, f"forgets {len(gone)} strokes, {len(serials)} dots, on the gateway's word")
        for serial in serials:
            dot = self._truth.dots[serial]
            if dot.was_kept:
                self._truth.put((serial,), "gone", self._loop.now_s)  # asked before the box's disk was put back
            elif dot.place != "kept":
                self._history.breach(f"{self.name} was told to forget dot {serial}, which is not durable anywhere")

    # -- the hand

    def write(self) -> bool:
        """Begin a stroke, if none is being written; whatever the state of the link."""
        if self._stroke is not None or not self.is_on:
            return False
        page = PageChanged(SECTION, OWNER, NOTE, self._chance.choice(PAGES))
        self._stroke = _Stroke(page, self._chance.randrange(2, _MOST_DOTS + 1))
        self._step()
        return True

    def _step(self) -> None:
        stroke = self._stroke
        if stroke is None or not self.is_on:
            return
        if not stroke.left:
            self._lift()
            self._stroke = None
            return
        stroke.left -= 1
        delta_ms = self._chance.randrange(40, _SLOWEST_MS)
        self._dot(stroke, delta_ms if stroke.run is not None else 0)
        self._loop.call_later(delta_ms / 1000, self._step)

    def _dot(self, stroke: _Stroke, delta_ms: int) -> None:
        run = stroke.run
        if run is None:
            run = stroke.run = self._begin(stroke)
        dot = self._truth.born(self.mac, stroke.page.page, run.up_ms + delta_ms, "pen", self._loop.now_s)
        serial = dot.serial
        record = run.add(
            MotionDot(delta_ms, serial, 7 * serial % 90_000, 300 + serial % 500, 90, 90, 0), delta_ms=delta_ms
        )
        if run.live and self.link is not None:
            dot.place = "air"
            self.link.say(self._speech.dot(record), (serial,), counted=True)

    def _begin(self, stroke: _Stroke) -> Run:
        down_ms = self.clock.now_ms()
        while down_ms in self._downs:
            down_ms += 1
        self._downs.add(down_ms)
        run = Run(stroke.page, down_ms, live=self._is_ready and self.link is not None)
        if run.live and self.link is not None:
            self.link.say(self._speech.down(down_ms), counted=True)
            self.link.say(self._speech.page(stroke.page), counted=True)
        return run

    def _lift(self) -> None:
        stroke = self._stroke
        if stroke is not None and stroke.run is not None and stroke.run.live and self.link is not None:
            self.link.say(self._speech.up(stroke.run), counted=True)
        self._end_run()

    def _end_run(self) -> None:
        stroke = self._stroke
        run = None if stroke is None else stroke.run
        if stroke is None or run is None:
            return
        stroke.run = None
        if run.live or not run.dots:
            return
        if not self.memory.keep(run.page, run.stored()):
            self._history.note(self.name, f"has no room for a stroke of {run.dots} dots")
            self._truth.put((record.x_hundredths for record in run.records), "gone", self._loop.now_s)
