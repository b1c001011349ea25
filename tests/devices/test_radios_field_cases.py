"""Field cases 4, 5 and 6, and what stands next to them, over fake adapters and a clock turned by hand."""

import asyncio

from devices.adapters import ConnectHung, HalfLink, NoServices
from devices.errors import RadioLost
from devices.radios import RadioMemory
from devices.radios.backoff import TRIES_IN_A_ROW
from devices.transport import Connected, Connecting, Disconnected
from tests.devices.radio_fakes import AA, BB, CC, Begin, FakeAdapter, FakeClock, Scene, mac


class TestCase4DisconnectedAlthoughTheLinkIsUp:
    async def test_two_false_failures_then_one_link_and_one_place(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        a.failures = [HalfLink("failed to discover services, device disconnected"), NoServices("empty")]
        scene = await begin(Scene.of(clock, a))
        seen = set()
        for _ in range(20):
            await scene.let(0.1, (a, mac(1)))
            seen.add(type(scene.radios.links[mac(1)]))
        assert seen == {Connecting, Connected}, "the seat says connecting all the time, never lost"
        assert len(a.connects) == 3
        assert a.links == 1
        assert scene.radios.counts["connect_false_failures"] == 2
        assert a.forgotten == [mac(1)], "what the stack remembered of the empty list is dropped"
        assert [view.links for view in scene.radios.adapters()] == [1]

    async def test_after_five_tries_in_a_row_it_rests(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        a.failures = [HalfLink("no")] * 99
        scene = await begin(Scene.of(clock, a))
        await scene.let(7, (a, mac(1)))
        assert len(a.connects) == TRIES_IN_A_ROW
        assert scene.reason(mac(1)) == "radio.retry_later"
        state = scene.radios.links[mac(1)]
        assert isinstance(state, Disconnected)
        assert state.detail["tries"] == TRIES_IN_A_ROW
        await scene.let(60, (a, mac(1)), step_s=0.5)
        assert TRIES_IN_A_ROW < len(a.connects) < TRIES_IN_A_ROW + 5, "no tight loop, and not for ever"

    async def test_a_link_that_is_up_and_dead_is_asked_then_closed(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a))
        await scene.let(0.2, (a, mac(1)))
        await scene.let(9, step_s=0.5)
        assert scene.asked == []
        await scene.let(2.5, step_s=0.5)
        assert scene.asked == [mac(1)]
        await scene.let(6, step_s=0.5)
        assert scene.lost == [(mac(1), "pen.silent")]
        assert a.links == 0

    async def test_a_pen_that_answers_stays(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a))
        await scene.let(0.2, (a, mac(1)))
        for _ in range(10):
            await scene.let(3, step_s=0.5)
            a.open[0].heard_ms = clock.now_ms()
        assert scene.lost == []

    async def test_a_pen_that_drops_at_once_every_time_is_not_tried_in_a_tight_loop(
        self, clock: FakeClock, begin: Begin
    ) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a))
        for _ in range(60):
            await scene.let(0.1, (a, mac(1)))
            for link in a.open:
                if link.is_open:
                    link.drop()
        assert len(a.connects) <= TRIES_IN_A_ROW


class TestCase5AnAdapterComesBackUnderAnotherName:
    async def _three(
        self, clock: FakeClock, begin: Begin, memory: RadioMemory | None = None
    ) -> tuple[Scene, list[FakeAdapter]]:
        adapters = [FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock), FakeAdapter(CC, "hci2", clock)]
        scene = await begin(Scene.of(clock, *adapters, places=12, memory=memory))
        return scene, adapters

    async def test_its_pens_return_and_the_others_never_notice(self, clock: FakeClock, begin: Begin) -> None:
        scene, (a, b, c) = await self._three(clock, begin)
        on_a = [(a, mac(n)) for n in range(12)]
        await scene.let(2, *on_a, (b, mac(20)), (c, mac(21)))
        assert a.links == 12
        untouched = scene.up[mac(20)], scene.up[mac(21)]
        a.vanish()
        await scene.settle()
        assert {reason for _, reason in scene.lost} == {"radio.lost"}
        assert len(scene.lost) == 12
        again = FakeAdapter(AA, "hci4", clock)
        scene.source.plugged = [again, b, c]
        await scene.let(3, *[(again, m) for _, m in on_a])
        assert again.links == 12
        assert (scene.up[mac(20)], scene.up[mac(21)]) == untouched
        assert scene.radios.counts["radio_renames"] == 1
        assert next((v.address, v.name, v.links) for v in scene.radios.adapters()) == (AA, "hci4", 12)

    async def test_they_take_free_places_elsewhere_while_it_is_away(self, clock: FakeClock, begin: Begin) -> None:
        scene, (a, b, c) = await self._three(clock, begin)
        pens = [mac(n) for n in range(12)]
        await scene.let(2, *[(a, m) for m in pens])
        a.vanish()
        await scene.let(5, *[(x, m) for m in pens for x in (b, c)])
        assert b.links + c.links == 12
        assert abs(b.links - c.links) <= 2, "spread by free places"

    async def test_after_a_boot_that_swaps_names_no_pen_changes_its_adapter(
        self, clock: FakeClock, begin: Begin
    ) -> None:
        memory = RadioMemory()
        scene, (a, b, c) = await self._three(clock, begin, memory)
        pens = {mac(n): x for n, x in enumerate([a, b, c, a, b, c])}
        await scene.let(2, *[(x, m) for m, x in pens.items()])
        homes = dict(memory.homes)
        await scene.radios.stop()
        swapped = [FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci2", clock), FakeAdapter(CC, "hci1", clock)]
        after = await begin(Scene.of(clock, *swapped, places=12, memory=memory))
        await after.let(2, *[(x, m) for m in pens for x in swapped])
        assert {m: x.address for x in swapped for m in x.connects} == homes
        assert after.radios.counts["radio_renames"] == 2

    async def test_an_adapter_that_is_powered_down_is_said_so(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a))
        a.vanish()
        scene.source.troubles = {AA: "off"}
        await scene.settle()
        assert scene.radios.adapters_state() == {"hci0": "off"}

    async def test_a_connect_that_ends_because_the_adapter_goes_is_no_fault_of_the_pen(
        self, clock: FakeClock, begin: Begin
    ) -> None:
        a, b = FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock)
        a.failures = [RadioLost("gone")] * 9
        scene = await begin(Scene.of(clock, a, b))
        await scene.let(0.1, (a, mac(1)))
        a.vanish()
        await scene.let(0.2, (b, mac(1)))
        assert b.links == 1


class TestCase6AFullAdapterSaysNothing:
    async def test_the_sixth_pen_is_never_tried_and_told_why_within_a_second(
        self, clock: FakeClock, begin: Begin
    ) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a, places=5))
        await scene.let(1, *[(a, mac(n)) for n in range(6)])
        assert a.links == 5
        assert len(a.connects) == 5, "no connect on a full adapter"
        (left,) = set(map(mac, range(6))) - set(scene.up)
        state = scene.radios.links[left]
        assert isinstance(state, Disconnected)
        assert (state.reason, state.detail) == ("radio.full", {"used": 5, "places": 5})

    async def test_another_adapter_with_a_place_gets_it(self, clock: FakeClock, begin: Begin) -> None:
        a, b = FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock)
        scene = await begin(Scene.of(clock, a, b, places=5))
        await scene.let(1, *[(a, mac(n)) for n in range(6)])
        await scene.let(1, (b, mac(0)), (b, mac(1)), (b, mac(2)), (b, mac(3)), (b, mac(4)), (b, mac(5)))
        assert len(scene.up) == 6
        assert b.links == 1

    async def test_two_hang_ups_at_n_links_teach_n(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a, places=12))
        await scene.let(1, *[(a, mac(n)) for n in range(5)])
        a.failures = [ConnectHung("no answer"), ConnectHung("no answer")]
        for _ in range(2):
            a.hold = asyncio.Event()
            await scene.let(1, (a, mac(9)))
            a.hold.set()
            await scene.settle()
        a.hold = None
        await scene.let(3, (a, mac(9)))
        assert scene.reason(mac(9)) == "radio.full"
        assert len(a.connects) == 7
        view = scene.radios.adapters()[0]
        assert (view.places, view.learnt) == (5, True)
        assert scene.radios.memory.learnt_places == {AA: 5}

    async def test_an_absent_pen_teaches_nothing(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        scene = await begin(Scene.of(clock, a, places=12))
        await scene.let(1, (a, mac(1)))
        for _ in range(4):
            a.failures = [ConnectHung("no answer")]
            a.hear(mac(2))
            await scene.settle()
            clock.s += 5
        assert scene.radios.memory.learnt_places == {}

    async def test_an_adapter_that_says_it_is_full_teaches_at_once(self, clock: FakeClock, begin: Begin) -> None:
        a = FakeAdapter(AA, "hci0", clock, true_places=3)
        scene = await begin(Scene.of(clock, a, places=12))
        await scene.let(3, *[(a, mac(n)) for n in range(5)])
        assert a.links == 3
        assert len(a.connects) == 4
        assert scene.radios.memory.learnt_places == {AA: 3}

    async def test_a_place_is_given_back_when_a_connect_is_cancelled_half_way(
        self, clock: FakeClock, begin: Begin
    ) -> None:
        a = FakeAdapter(AA, "hci0", clock)
        a.hold = asyncio.Event()
        scene = await begin(Scene.of(clock, a, places=1))
        await scene.let(0.2, (a, mac(1)))
        assert scene.radios.adapters()[0].links == 1, "a connect under way holds its place"
        await scene.radios.stop()
        assert scene.radios.adapters()[0].links == 0

    async def test_one_absent_pen_never_holds_more_than_one_place(self, clock: FakeClock, begin: Begin) -> None:
        adapters = [FakeAdapter(address, address, clock) for address in (AA, BB, CC)]
        for adapter in adapters:
            adapter.failures = [ConnectHung("no answer")] * 99
        scene = await begin(Scene.of(clock, *adapters, places=1))
        for _ in range(30):
            await scene.let(0.3, *[(adapter, mac(1)) for adapter in adapters])
            assert sum(view.links for view in scene.radios.adapters()) <= 1
        for adapter in adapters:
            adapter.failures = []
        await scene.let(2, *[(adapter, mac(n)) for n in (2, 3, 4) for adapter in adapters])
        assert len(scene.up) == 3, "everybody else finds a place"
