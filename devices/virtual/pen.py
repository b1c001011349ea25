"""A pen of the virtual room: a real GATT server that writes, remembers, answers and fails as real ones do.

It writes whether or not anybody listens. While a link is ready (the driver asked for ink, 0x11) events go out live;
else strokes go to memory. A stroke during which that changes is two: each is wholly live or wholly in memory, so that
every dot of the truth has one place where it must be found. What was sent and never delivered is told as `dropped`.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bumble.device import Device
from bumble.keys import MemoryKeyStore
from bumble.transport.common import AsyncPipeSink

from devices.events import PageChanged
from devices.neo.framing import Deframer, Frame
from devices.neo.messages import LowBattery, PowerOffNotice
from devices.neo.wire import to_frame
from devices.virtual.air import Air
from devices.virtual.dialogue import Dialogue, PenClock, PenState
from devices.virtual.dongle import Dongle
from devices.virtual.gatt import PROFILES, PenOptions, configuration, ink_service
from devices.virtual.memory import STROKE_DOTS, Memory
from devices.virtual.motion import MotionDot
from devices.virtual.outlet import AirFaults, Outlet
from devices.virtual.radio import POWERED_OFF, QuietHost, Radio
from devices.virtual.writing import Ledger, Run, Speech

_MTU: Final = 247
_EARLY_S: Final = 0.0001
_LOW_BATTERY, _POWER_KEY = 1, 3
_DYING_PERCENT: Final = 1


@dataclass(slots=True)
class _Hand:
    """Where the hand is in the stroke it writes."""

    page: PageChanged
    dots: Sequence[MotionDot]
    at: int
    due_s: float
    taken: int
    done: "asyncio.Future[None]"
    timer: asyncio.TimerHandle | None = None


class VirtualPen:
    """One pen. Faults are methods, or switches of `outlet.faults`, `memory.faults` and `state`.

    Attributes:
        mac: Its identity, AA:BB:CC:DD:EE:FF.
        state: What it knows of itself, and what identify did to it.
        memory: What it keeps.
        outlet: Its way out, with the faults of notifications.
    """

    def __init__(self, air: Air, mac: str, *, ledger: Ledger, options: PenOptions | None = None) -> None:
        self.mac = mac
        self.options = options or PenOptions()
        self._air, self._ledger = air, ledger
        self._mac_bytes = bytes.fromhex(mac.replace(":", ""))
        self.clock = PenClock(asyncio.get_running_loop().time, start_ms=self.options.clock_ms)
        self.memory = Memory(self.options.capacity_dots)
        self.state = PenState(
            mac=self._mac_bytes,
            protocol=self.options.protocol,
            password=self.options.password,
            battery_percent=self.options.battery_percent,
        )
        event_s = self.options.events_ms / 1000
        # Pens of one dongle share the air in turns: a phase each.
        phase_s = self._mac_bytes[-1] % 12 / 12 * event_s
        dice = Random(f"{self.options.seed}/{mac}")  # noqa: S311  # a run that can be repeated, not a secret
        air_faults = AirFaults(self.options.retransmit, self.options.drop_at_host, dice)
        self.outlet = Outlet(event_s=event_s, phase_s=phase_s, dropped=self._dropped, air=air_faults)
        self._device: Any = None
        self._radio: Radio | None = None
        self._ink: Any = None
        self._link: Any = None
        self._boots = 0
        self._dialogue: Dialogue | None = None
        self._speech = Speech(counted=True)
        self._deframer = Deframer()
        self._ready = asyncio.Event()
        self._run: Run | None = None
        self._hand: _Hand | None = None
        self._turn = asyncio.Lock()
        self._downs: set[int] = set()
        self._lifts_to_forget = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._range: list[asyncio.TimerHandle] = []

    @property
    def is_on(self) -> bool:
        """Whether it is switched on."""
        return self._device is not None

    @property
    def linked(self) -> bool:
        """Whether a gateway holds a link to it."""
        return self._link is not None

    @property
    def ready(self) -> bool:
        """Whether what it writes now goes out live."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until what it writes goes out live."""
        await self._ready.wait()

    async def switch_on(self) -> None:
        """Start with a new random address and advertise. Its memory, clock and settings are as they were."""
        if self.is_on:
            return
        self._boots += 1
        radio = self._radio = Radio(f"pen {self.mac}", self._air)
        config = configuration(self._mac_bytes, self.state.name, self.options, boots=self._boots)
        device = Device(config=config, host=QuietHost(radio, AsyncPipeSink(radio)))
        device.keystore = MemoryKeyStore()  # bumble's default writes keys into the home directory
        device.gatt_server.max_mtu = _MTU
        service, self._ink = ink_service(PROFILES[self.options.profile], self._on_write, self._on_subscription)
        device.add_service(service)
        device.on("connection", self._on_connection)
        self._device = device
        await device.power_on()
        await device.start_advertising()

    async def switch_off(self, *, reason: int | None = _POWER_KEY) -> None:
        """Say goodbye (0x62, unless the reason is None), hang up and go off the air; the hand writes unseen."""
        device, radio = self._device, self._radio
        if device is None or radio is None:
            return
        self._end_run()
        if self.outlet.is_open and reason is not None:
            self.outlet.put(to_frame(PowerOffNotice(reason)))
            self.outlet.flush()
        self._device = None
        self._link_gone("power_off")
        radio.le_legacy_advertiser.stop()
        self._air.part(radio, reason=POWERED_OFF)
        self._air.leave(radio)
        for timer in self._range:
            timer.cancel()
        self._back_in_range()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await device.power_off()

    async def write(self, page: PageChanged, dots: Sequence[MotionDot]) -> int:
        """Write one stroke in real time, whatever the state of the link; gives how many dots the pen saw.

        One stroke at a time: a second call waits for its turn. A cancelled one lifts the pen where it is.
        """
        async with self._turn:
            if not dots or not self.is_on:
                return 0
            loop = asyncio.get_running_loop()
            hand = self._hand = _Hand(page, dots, 0, loop.time() + dots[0].delta_ms / 1000, 0, loop.create_future())
            self._begin(page)
            self._step(hand)
            try:
                await hand.done
            finally:
                if hand.timer is not None:
                    hand.timer.cancel()
                self._lift()
                self.outlet.flush_later()
                self._hand = None
            return hand.taken

    def drop_link(self) -> None:
        """A fault: both ends see a supervision timeout now."""
        if self._radio is not None:
            self._air.part(self._radio)

    def out_of_range(self, seconds: float) -> None:
        """A fault: nobody hears the pen for a while; a link ends by silence."""
        if self._radio is None:
            return
        self._radio.in_range = self.outlet.is_audible = False
        loop = asyncio.get_running_loop()
        for timer in self._range:
            timer.cancel()
        self._range = [
            loop.call_later(self.options.supervision_s, self._silent_too_long),
            loop.call_later(seconds, self._back_in_range),
        ]

    async def battery_dies(self) -> None:
        """A fault: low battery (0x61), power off (0x62) with reason 1, gone."""
        self.state.battery_percent = _DYING_PERCENT
        if self.outlet.is_open:
            self.outlet.put(to_frame(LowBattery(_DYING_PERCENT)))
        await self.switch_off(reason=_LOW_BATTERY)

    def clock_at_zero(self) -> None:
        """A fault: the clock forgets the time, until it is set again."""
        self.clock.set(0)

    def forget_next_up(self) -> None:
        """A fault: the next pen-up is never sent, nor counted."""
        self._lifts_to_forget += 1

    def _on_connection(self, link: Any) -> None:  # noqa: ANN401  # a bumble connection
        self._link = link
        self._deframer = Deframer()
        self._dialogue = Dialogue(self.state, self.clock, self.memory, self._erased)
        link.on("disconnection", lambda _reason: self._on_disconnection(link))

    def _on_disconnection(self, link: Any) -> None:  # noqa: ANN401  # a bumble connection
        if link is self._link:
            self._link_gone("link_lost")
        if self._device is not None:
            self._spawn(self._device.start_advertising())

    def _on_subscription(self, link: Any, notify: bool, _indicate: bool) -> None:  # noqa: ANN401, FBT001  # bumble's call
        dongle = self._air.find_le_controller(link.peer_address)
        if not notify or not isinstance(dongle, Dongle):
            return
        beam = dongle.beam(self._device.random_address, self._ink.handle, unread=self._unread)
        if beam is not None:
            self.outlet.open(beam, mtu=link.att_mtu)

    def _on_write(self, _link: Any, value: bytes) -> None:  # noqa: ANN401  # a bumble connection
        dialogue = self._dialogue
        if dialogue is None:
            return
        for request in self._deframer.feed(value):
            if isinstance(request, Frame):
                for reply in dialogue.answer(request):
                    self.outlet.put(reply)
        if dialogue.ready and not self.ready and self.outlet.is_open:
            self._on_ready(dialogue)
        self.outlet.flush_later()

    def _on_ready(self, dialogue: Dialogue) -> None:
        self._speech = Speech(dialogue.counted)
        self._lift()  # what was begun in memory ends there; its rest begins anew, live
        self._ready.set()

    def _link_gone(self, cause: str) -> None:
        if self._run is not None and self._run.live:
            self._end_run()
        self._link = self._dialogue = None
        self._ready.clear()
        self.outlet.close(cause)

    def _silent_too_long(self) -> None:
        if self._radio is not None:
            self._air.part(self._radio)

    def _back_in_range(self) -> None:
        if self._radio is not None:
            self._radio.in_range = True
        self.outlet.is_audible = True
        for timer in self._range:
            timer.cancel()
        self._range = []

    def _step(self, hand: _Hand) -> None:
        """Write all dots that are due, send them, and come back at the connection event after the next is due."""
        loop = asyncio.get_running_loop()
        now_s = loop.time() + _EARLY_S
        dots = hand.dots
        while hand.due_s <= now_s:
            self._dot(hand, dots[hand.at])
            hand.at += 1
            if hand.at == len(dots):
                if not hand.done.done():
                    hand.done.set_result(None)
                self._lift()
                self.outlet.flush()
                return
            hand.due_s += dots[hand.at].delta_ms / 1000
        self.outlet.flush()
        hand.timer = loop.call_at(self.outlet.next_event_s(hand.due_s), self._step, hand)

    def _begin(self, page: PageChanged) -> Run:
        down_ms = self.clock.now_ms()
        while down_ms in self._downs:
            down_ms += 1  # a stroke is known by its pen, its page and its pen-down
        self._downs.add(down_ms)
        run = self._run = Run(page, down_ms, live=self.ready)
        if run.live:
            self.outlet.put(self._speech.down(down_ms), events=1)
            self.outlet.put(self._speech.page(page), events=1)
        return run

    def _dot(self, hand: _Hand, dot: MotionDot) -> None:
        if not self.is_on:
            return
        if self._run is not None and not self._run.live and self._run.dots == STROKE_DOTS:
            self._end_run()
        run = self._run
        delta_ms = dot.delta_ms
        if run is None:
            run, delta_ms = self._begin(hand.page), 0
        hand.taken += 1
        record = run.add(dot, delta_ms=delta_ms)
        if run.live:
            self.outlet.put(self._speech.dot(record), events=1, dots=1)

    def _lift(self) -> None:
        run = self._run
        if run is not None and run.live:
            if self._lifts_to_forget:
                self._lifts_to_forget -= 1
            else:
                self.outlet.put(self._speech.up(run), events=1)
        self._end_run()

    def _end_run(self) -> None:
        """The stroke, or this part of it, is over: into memory, and into the books."""
        run, self._run = self._run, None
        if run is None or not run.dots:
            return
        if run.live or (self.state.stores_offline and self.memory.keep(run.page, run.stored())):
            self._ledger(run.truth(self.mac))
        else:
            self._dropped("not_stored", run.dots, run.dots)

    def _unread(self, events: int, dots: int) -> None:
        self._dropped("host_gone", events, dots)

    def _erased(self) -> None:
        dots = self.memory.dots
        self.memory.kept.clear()
        if dots:
            self._dropped("erased", dots, dots)

    def _dropped(self, cause: str, events: int, dots: int) -> None:
        at_ms = self.clock.now_ms()
        self._ledger(
            {"kind": "dropped", "pen": self.mac, "events": events, "dots": dots, "at_ms": at_ms, "cause": cause}
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
