"""Who is linked, where, and why not, over fake adapters and a clock turned by hand."""

import asyncio

from devices.adapters import PenGone
from devices.errors import LinkError
from devices.transport import Connected
from tests.devices.radio_fakes import AA, BB, Begin, FakeAdapter, FakeClock, Scene, mac


async def test_a_pen_that_is_wanted_and_heard_is_linked(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    scene = await begin(Scene.of(clock, a))
    await scene.let(0.2, (a, mac(1)))
    assert isinstance(scene.radios.links[mac(1)], Connected)
    assert scene.up[mac(1)].is_open
    assert scene.radios.heard[mac(1)].rssi == {AA: -60}


async def test_a_pen_that_is_not_wanted_is_only_heard(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    scene = await begin(Scene.of(clock, a))
    scene.wanted = lambda _: False
    await scene.let(0.5, (a, mac(1)))
    assert a.connects == []
    assert scene.reason(mac(1)) == "pen.not_wanted"
    assert mac(1) in scene.radios.heard


async def test_a_pen_never_heard_and_one_no_longer_heard_say_so(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    scene = await begin(Scene.of(clock, a))
    assert scene.reason(mac(9)) == "pen.not_heard"
    a.failures = [LinkError("no")] * 99
    await scene.let(0.3, (a, mac(1)))
    await scene.let(11)
    assert scene.reason(mac(1)) == "pen.not_heard"


async def test_without_any_adapter_the_reason_is_the_radio(clock: FakeClock, begin: Begin) -> None:
    scene = await begin(Scene.of(clock))
    assert scene.reason(mac(1)) == "radio.none"


async def test_an_adapter_connects_one_pen_at_a_time(clock: FakeClock, begin: Begin) -> None:
    a, b = FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock)
    scene = await begin(Scene.of(clock, a, b))
    await scene.let(2, *[(x, mac(n)) for n in range(10) for x in (a, b)])
    assert len(scene.up) == 10
    assert a.most_at_once == b.most_at_once == 1


async def test_pens_go_where_they_are_heard_best_when_there_is_room(clock: FakeClock, begin: Begin) -> None:
    a, b = FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock)
    scene = await begin(Scene.of(clock, a, b))
    for n in range(6):
        a.hear(mac(n), -85 if n % 2 else -50)
        b.hear(mac(n), -50 if n % 2 else -85)
    await scene.settle()
    assert sorted(a.connects) == [mac(n) for n in (0, 2, 4)]


async def test_a_pen_that_fails_on_one_adapter_falls_over_to_another(clock: FakeClock, begin: Begin) -> None:
    a, b = FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock)
    a.failures = [LinkError("no")] * 99
    scene = await begin(Scene.of(clock, a, b))
    for _ in range(20):
        clock.s += 0.1
        a.hear(mac(1), -40)
        b.hear(mac(1), -80)
        await scene.settle()
    assert len(a.connects) == 1
    assert b.links == 1


async def test_a_pen_whose_link_went_comes_back_to_its_adapter(clock: FakeClock, begin: Begin) -> None:
    a, b = FakeAdapter(AA, "hci0", clock), FakeAdapter(BB, "hci1", clock)
    scene = await begin(Scene.of(clock, a, b))
    await scene.let(0.2, (b, mac(1)))
    await scene.let(10, step_s=1)
    b.open[0].drop()
    assert scene.reason(mac(1)) == "pen.link_lost"
    await scene.let(0.3, (a, mac(1)), (b, mac(1)))
    assert b.links == 1
    assert scene.lost == [(mac(1), "pen.link_lost")]


async def test_a_late_word_of_an_old_link_does_not_close_the_new_one(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    scene = await begin(Scene.of(clock, a))
    await scene.let(0.2, (a, mac(1)))
    await scene.let(10, step_s=1)
    old = a.open[0]
    old.drop()
    await scene.let(0.3, (a, mac(1)))
    old.drop()
    assert isinstance(scene.radios.links[mac(1)], Connected)
    assert len(scene.lost) == 1


async def test_a_pen_that_the_stack_forgot_waits_until_it_is_heard_again(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    a.failures = [PenGone("not found")]
    scene = await begin(Scene.of(clock, a))
    a.hear(mac(1))
    await scene.settle()
    await scene.let(2)
    assert len(a.connects) == 1
    await scene.let(0.2, (a, mac(1)))
    assert a.links == 1


async def test_a_pen_no_longer_wanted_when_its_link_stands_is_let_go(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    a.hold = asyncio.Event()
    scene = await begin(Scene.of(clock, a))
    await scene.let(0.2, (a, mac(1)))
    scene.wanted = lambda _: False
    a.hold.set()
    await scene.settle()
    assert a.links == 0
    assert scene.up == {}


async def test_a_clock_that_jumps_ends_no_link_and_hides_no_pen(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    scene = await begin(Scene.of(clock, a))
    await scene.let(0.2, (a, mac(1)))
    utc = clock.now_ms
    clock.now_ms = lambda: utc() + 12 * 3600 * 1000  # type: ignore[method-assign]  # the box is told the time
    await scene.let(3, (a, mac(2)))
    assert len(scene.up) == 2
    assert scene.asked == []


async def test_stopping_hangs_up_and_tells_nobody(clock: FakeClock, begin: Begin) -> None:
    a = FakeAdapter(AA, "hci0", clock)
    scene = await begin(Scene.of(clock, a))
    await scene.let(1, (a, mac(1)), (a, mac(2)))
    assert a.links == 2
    await scene.radios.stop()
    assert a.links == 0
    assert scene.lost == []
