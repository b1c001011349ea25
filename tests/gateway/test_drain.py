"""Pens' memories, drained over the virtual pen's own dialogue into a real store, whatever dies meanwhile."""

from typing import Any

import pytest

from devices.events import PageChanged
from devices.neo.messages_deletion import DeletePages
from devices.virtual.memory import FOR_EVER
from tests.fakes.memory_pen import MemoryPen
from tests.gateway.drain_rig import T0, Killed, StillBox, missing
from tests.gateway.rig import mac

PAGE, OTHER = PageChanged(3, 1013, 4100, 1), PageChanged(3, 1013, 4100, 2)


async def linked(box: StillBox, pen: MemoryPen) -> None:
    """A pen whose ink flows."""
    box.link(pen)
    await box.beats(8)
    assert pen.is_live


def away(box: StillBox, pen: MemoryPen, *strokes: tuple[PageChanged, int]) -> None:
    """The pen writes these with no link."""
    if pen.link is not None:
        pen.notices(pen.link)
    for page, dots in strokes:
        pen.write(page, dots, box.pause)
        box.pause(200)


def ink(box: StillBox) -> list[tuple[Any, ...]]:
    """Dots and page of what is stored, by how it came."""
    return box.rows("select page, dots, how from ink order by pen_ms, piece")


async def test_what_lies_in_a_pen_is_stored_and_then_forgotten_by_the_pen() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    away(box, pen, (PAGE, 30), (OTHER, 20), (PAGE, 10))
    box.link(pen)
    await box.settle()
    assert ink(box) == [(1, 30, "memory"), (2, 20, "memory"), (1, 10, "memory")]
    assert pen.memory.kept == []
    assert box.rows("select pen, strokes, dots, pages, whole, why from drain") == [(mac(1), 3, 60, 2, 1, None)]
    assert (box.drains.pens_with_memory, box.drains.strokes_in_pens) == (0, 0)
    assert missing([box], pen) == []


async def test_draining_twice_changes_nothing() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    pen.memory.faults.deletes_nothing = True
    away(box, pen, (PAGE, 30), (PAGE, 1), (OTHER, 900))
    for _ in range(3):
        box.link(pen)
        await box.settle()
        box.lost(pen)
        box.pause(5_000)
    assert [row[1] for row in ink(box)] == [30, 1, 400, 400, 100]
    assert len(pen.memory.kept) == 3
    assert [len(batch.again) for batch in box.batches if batch.again] == [2, 3] * 2


async def test_a_drain_waits_while_the_pen_writes_and_goes_on_when_it_rests() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    away(box, pen, (PAGE, 30))
    box.link(pen)
    while not pen.is_live:
        await box.beats()
    for _ in range(20):
        pen.write(OTHER, 5, box.pause)
        await box.beats()
    assert not [row for row in ink(box) if row[2] == "memory"], "live ink comes first"
    await box.settle()
    assert [row for row in ink(box) if row[2] == "memory"] == [(1, 30, "memory")]


async def test_four_pens_hand_over_at_a_time_and_none_while_the_disk_is_low() -> None:
    box = StillBox()
    box.allowed = False
    pens = [box.pen(mac(n)) for n in range(1, 8)]
    for pen in pens:
        away(box, pen, (PAGE, 30))
        box.link(pen)
    await box.beats(30)
    assert ink(box) == []
    assert all(pen.memory.kept for pen in pens)
    box.allowed = True
    most = 0
    for _ in range(60):
        await box.beats()
        most = max(most, len(box.drains._under))
    assert most == 4
    assert len(ink(box)) == 7
    assert not any(pen.memory.kept for pen in pens)


async def test_nothing_is_forgotten_while_nothing_can_be_made_durable() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    away(box, pen, (PAGE, 30))
    pen.memory.faults.deletes_anyway = True
    await linked(box, box.pen(mac(2)))
    box.link(pen)
    await box.beats(5)
    box.full = True
    await box.beats(60)
    assert len(pen.memory.kept) == 1, "not even by a pen that deletes what it has handed over"
    box.full = False
    await box.settle()
    assert pen.memory.kept == []
    assert ink(box) == [(1, 30, "memory")]


# -- pens that do what they should not


async def test_a_pen_that_deletes_although_it_was_told_to_keep_loses_nothing() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    pen.memory.faults.deletes_anyway = True
    away(box, pen, *[(PAGE, 90)] * 12)
    link = box.link(pen)
    await box.settle()
    assert len(ink(box)) == 12
    assert DeletePages.COMMAND not in link.commands, "the fresh count is 0: there is nothing to delete"
    assert box.rows("select whole, why from drain") == [(1, None)]
    assert missing([box], pen) == []


async def test_a_page_with_a_stroke_that_stays_damaged_is_kept_in_the_pen_and_said_so() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    away(box, pen, (PAGE, 30))
    pen.memory.faults.wrong_sums = FOR_EVER
    pen.memory.faults.deletes_anyway = True
    box.link(pen)
    await box.settle()
    assert (ink(box), len(pen.memory.kept)) == ([], 1), "half a stroke would stand in the way of the whole"
    assert box.rows("select whole, why from drain") == [(0, "hurt")]
    assert box.rows("select count(*) from oddity where kind = 'bad_sum'")[0][0] > 0
    assert (box.drains.pens_with_memory, box.drains.strokes_in_pens) == (1, 1)
    box.lost(pen)
    box.pause(10_000)
    pen.memory.faults.wrong_sums, pen.memory.faults.deletes_anyway = 0, False
    box.link(pen)
    await box.settle()
    assert (ink(box), pen.memory.kept) == ([(1, 30, "memory")], [])
    assert box.drains.pens_with_memory == 0


@pytest.mark.parametrize("fault", ["wrong_sums", "wrong_zlib", "twice", "stalls"])
async def test_a_chunk_that_comes_damaged_twice_or_not_once_is_asked_for_again(fault: str) -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    away(box, pen, *[(PAGE, 90)] * 12)
    setattr(pen.memory.faults, fault, 2)
    box.link(pen)
    await box.settle(3_000)
    assert len(ink(box)) == 12
    assert pen.memory.kept == []
    assert missing([box], pen) == []


# -- gaps


async def test_a_link_that_was_lost_while_nobody_wrote_is_healed_up_to_what_the_pen_may_not_have_noticed() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    await linked(box, pen)
    pen.write(PAGE, 30, box.pause)
    await box.beats(2)
    last_ms = box.rows("select max(up_ms) from ink")[0][0]
    box.lost(pen)
    seen_ms = box.ms
    box.pause(60_000)
    box.link(pen)
    await box.settle()
    ((healed, *gap), *left) = box.rows("select healed_by is not null, from_ms, to_ms, cause from loss order by id")
    assert (healed, gap) == (1, [last_ms, gap[1], "link_lost"])
    assert left == [(0, last_ms, seen_ms + 6_000, "link_lost")]
    assert [(h.pen, h.from_ms, h.to_ms) for b in box.batches for h in b.healed] == [(mac(1), gap[0], gap[1])]
    assert [loss.to_ms for b in box.batches if b.healed for _, loss in b.losses] == [seen_ms + 6_000]


async def test_the_first_stroke_in_memory_shows_when_the_pen_knew_that_its_link_was_over() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    await linked(box, pen)
    pen.write(PAGE, 300, box.pause)
    await box.beats(2)
    last_ms = box.rows("select max(up_ms) from ink")[0][0]
    box.lost(pen)
    box.pause(300)
    away(box, pen, (PAGE, 20), (PAGE, 20))
    box.pause(60_000)
    box.link(pen)
    await box.settle()
    down_ms = box.rows("select min(down_ms) from ink where how = 'memory'")[0][0]
    assert box.rows("select from_ms, to_ms, cause from unhealed") == [(last_ms, down_ms, "link_lost")]
    assert down_ms - last_ms < 1_000


async def test_a_pen_that_had_no_link_before_has_nothing_missing_once_it_is_drained() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    box.links.expect([mac(1)], box.ms)
    away(box, pen, (PAGE, 20))
    box.link(pen)
    await box.settle()
    assert box.rows("select cause, healed_by from loss") == [("memory_unread", 1)]
    assert box.rows("select count(*) from unhealed") == [(0,)]


@pytest.mark.parametrize("fault", ["full", "not_storing"])
async def test_a_memory_that_took_nothing_heals_nothing(fault: str) -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    box.links.expect([mac(1)], box.ms)
    if fault == "full":
        pen.memory.faults.full = True
    else:
        pen.state.stores_offline = False
    away(box, pen, (PAGE, 20))
    assert pen.not_stored == 20
    box.link(pen)
    await box.settle()
    assert box.rows("select cause from unhealed") == [("memory_unread",)]
    assert pen.state.stores_offline, "it keeps what it writes from now on"
    await box.stop()
    assert missing([box], pen) == []


async def test_a_link_that_breaks_before_the_box_knows_that_the_pen_is_ready_may_have_lost_ink_too() -> None:
    """The first stroke in memory shows only when the link before it was over, not the one after it."""
    box = StillBox()
    pen = box.pen(mac(1))
    await linked(box, pen)
    pen.write(PAGE, 300, box.pause)
    await box.beats(2)
    box.lost(pen)
    away(box, pen, (PAGE, 20))
    link = box.link(pen)
    for _ in range(20):
        await box.beats()
        if pen.is_live:
            break
    link.air = False
    link.arrived.clear()
    pen.write(PAGE, 50, box.pause)
    box.lost(pen)
    box.pause(5_000)
    away(box, pen, (PAGE, 20))
    box.link(pen)
    await box.settle()
    assert len(box.rows("select 1 from unhealed")) == 2
    await box.stop()
    assert missing([box], pen) == []


async def test_strokes_of_a_clock_that_was_never_set_have_no_known_time_and_come_once() -> None:
    box = StillBox()
    pen = box.pen(mac(1), clock_ms=1)
    pen.memory.faults.deletes_nothing = True
    away(box, pen, (PAGE, 20), (PAGE, 20))
    for _ in range(2):
        box.link(pen)
        await box.settle()
        box.lost(pen)
        box.pause(20_000)
    rows = box.rows("select pen_ms, time_known, down_ms from ink order by pen_ms")
    assert [row[:2] for row in rows] == [(1, 0), (401, 0)]
    assert [abs(row[2] - T0 - row[0]) <= 2 for row in rows] == [True] * 2, "as near as the pen's clock tells"


async def test_a_clock_that_was_wrong_at_the_hello_says_nothing_of_when_a_link_was_over() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    await linked(box, pen)
    pen.write(PAGE, 300, box.pause)
    await box.beats(2)
    box.lost(pen)
    seen_ms = box.ms
    box.pause(5_000)
    pen.clock.set(box.ms - 4_000)
    away(box, pen, (PAGE, 20))
    box.pause(20_000)
    box.link(pen)
    await box.settle()
    assert box.rows("select time_known from ink where how = 'memory'") == [(0,)]
    assert box.rows("select to_ms from unhealed") == [(seen_ms + 6_000,)]


# -- deaths


@pytest.mark.parametrize("faults", [(), ("deletes_anyway",), ("twice",)])
async def test_a_box_that_dies_at_any_step_of_the_dialogue_loses_and_doubles_nothing(faults: tuple[str, ...]) -> None:
    died = 0
    for step in range(len(faults), 80, 3):
        box = StillBox()
        pen = box.pen(mac(1))
        for fault in faults:
            setattr(pen.memory.faults, fault, True)
        await linked(box, pen)
        pen.write(PAGE, 300, box.pause)
        await box.beats(2)
        box.lost(pen)
        away(box, pen, *[(PAGE, 90)] * 8, (OTHER, 20))
        left = [step]

        def now(_: str, left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] < 0

        box.kill_at = now
        try:
            box.link(pen)
            await box.settle()
        except Killed:
            died += 1
        box.kill_at = lambda _: False
        box.die()
        box.pause(3_000)
        box.link(pen)
        await box.settle()
        await box.stop()
        assert missing([box], pen) == [], f"step {step}"
        assert pen.memory.kept == []
    assert died > 12


async def test_a_store_that_went_back_says_so_and_heals_nothing_that_it_cannot_know() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    await linked(box, pen)
    pen.write(PAGE, 100, box.pause)
    await box.beats(2)
    image = box.image()
    box.lost(pen)
    away(box, pen, (PAGE, 20))
    box.link(pen)
    await box.settle()
    assert pen.memory.kept == []
    pen.write(PAGE, 100, box.pause)
    await box.beats(2)
    box.put_back(image)
    box.die()
    box.pause(5_000)
    away(box, pen, (PAGE, 20))
    assert box.linking.set_back is not None
    assert box.linking.set_back.beats > 0
    box.link(pen)
    await box.settle()
    await box.stop()
    assert missing([box], pen) == []
    box.die()
    assert box.linking.set_back is None, "it is said once, by the start that found it"


async def test_a_pen_that_another_box_had_meanwhile_leaves_each_stroke_in_one_store() -> None:
    ours, theirs = StillBox(), StillBox()
    pen = ours.pen(mac(1))
    theirs.pens[pen.mac] = pen
    pen.now_ms = ours.now_ms
    await linked(ours, pen)
    pen.write(PAGE, 100, ours.pause)
    await ours.beats(2)
    ours.lost(pen)
    away(ours, pen, (PAGE, 20), (OTHER, 20))
    theirs.ms = ours.ms
    theirs.link(pen)
    await theirs.settle()
    assert len(ink(theirs)) == 2
    ours.ms = theirs.ms
    theirs.lost(pen)
    ours.pause(10_000)
    away(ours, pen, (PAGE, 20))
    ours.link(pen)
    await ours.settle()
    await ours.stop()
    theirs.ms = ours.ms
    await theirs.stop()
    assert missing([ours, theirs], pen) == []
    assert [row[1] for row in ink(ours)] == [100, 20]


async def test_the_rig_finds_a_stroke_that_is_nowhere() -> None:
    box = StillBox()
    pen = box.pen(mac(1))
    away(box, pen, (PAGE, 20))
    pen.memory.kept.clear()
    await box.stop()
    assert len(missing([box], pen)) == 1
