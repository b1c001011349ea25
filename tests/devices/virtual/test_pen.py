import asyncio

import pytest

from devices.events import PageChanged
from devices.neo.messages import (
    LowBattery,
    NotesOfInterest,
    PowerOffNotice,
    Result,
    SettingsReply,
    SettingsRequest,
    VersionReply,
    VersionRequest,
)
from devices.neo.messages_control import PasswordReply, PasswordRequest, PasswordStatus, SetSetting, Setting
from devices.neo.messages_ink import CountedDot, CountedDown, CountedPage, CountedUp, DotRecord, OldDot, OldUpDown
from devices.neo.messages_memory import (
    ChunkAck,
    MemoryChunk,
    MemoryNotesReply,
    MemoryNotesRequest,
    MemoryPagesReply,
    MemoryPagesRequest,
    TransferReply,
    TransferRequest,
    read_strokes,
)
from devices.neo.wire import NoteAddress, to_frame
from devices.virtual.gatt import PROFILES, PenOptions
from devices.virtual.memory import STROKE_DOTS
from devices.virtual.motion import MotionDot
from devices.virtual.pen import VirtualPen
from devices.virtual.room import VirtualRoom
from devices.virtual.writing import Truth
from tests.devices.virtual.central import NOW_MS, Central, until

PAGE = PageChanged(3, 27, 603, 5)
NOTE = NoteAddress(3, 27, 603)


def dots(count: int, *, delta_ms: int = 5) -> list[MotionDot]:
    return [MotionDot(delta_ms, 2000 + n, 3000 + 2 * n, 200 + n, 90, 90, 0) for n in range(count)]


def dot_sum(written: list[MotionDot]) -> int:
    return sum(31 * dot.x_hundredths + 17 * dot.y_hundredths + dot.force for dot in written)


def of(books: list[Truth], kind: str) -> list[Truth]:
    return [line for line in books if line["kind"] == kind]


def counts(central: Central) -> list[int]:
    return [frame.payload[0] for frame in central.ink()]


async def test_the_advert_carries_the_mac_without_a_company_id_and_the_name(central: Central, pen: VirtualPen) -> None:
    advertisement = await central.heard(pen.mac)
    structures = dict(advertisement.data.ad_structures)
    assert structures[0xFF] == bytes.fromhex("9C7BD2500001")
    assert structures[0x09] == b"Neosmartpen"


async def test_a_pen_says_who_it_is_and_how_it_is_set(central: Central, pen: VirtualPen) -> None:
    await central.connect(pen.mac)
    hello = VersionReply.unpack((await central.ask(VersionRequest(app_version="test", protocol="2.12"))).payload)
    assert hello.mac == bytes.fromhex("9C7BD2500001")
    settings = SettingsReply.unpack((await central.ask(SettingsRequest())).payload)
    assert not settings.locked
    assert settings.battery_percent == pen.state.battery_percent


@pytest.mark.slow
async def test_a_stroke_arrives_whole_and_the_books_say_the_same(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    assert pen.ready
    written = dots(30)
    assert await pen.write(PAGE, written) == 30
    await until(lambda: central.count(CountedUp.COMMAND))
    ink = central.ink()
    assert [frame.command for frame in ink] == [0x69, 0x6B, *[0x6C] * 30, 0x6A]
    assert counts(central) == list(range(33))
    down = CountedDown.unpack(ink[0].payload)
    page = CountedPage.unpack(ink[1].payload)
    assert (page.address, page.page) == (NOTE, 5)
    arrived = [CountedDot.unpack(frame.payload).dot for frame in ink[2:-1]]
    assert arrived == [
        DotRecord(delta_ms=5, force=dot.force, x_hundredths=dot.x_hundredths, y_hundredths=dot.y_hundredths)
        for dot in written
    ]
    up = CountedUp.unpack(ink[-1].payload)
    assert (up.dots_sent, up.time_ms - down.time_ms) == (30, 150)
    assert NOW_MS <= down.time_ms < NOW_MS + 10_000
    assert books == [
        {
            "kind": "stroke",
            "pen": pen.mac,
            "page": [3, 27, 603, 5],
            "down_ms": down.time_ms,
            "up_ms": up.time_ms,
            "dots": 30,
            "sum": dot_sum(written),
            "how": "live",
        }
    ]


async def test_no_ink_is_sent_before_it_was_asked_for(central: Central, pen: VirtualPen, books: list[Truth]) -> None:
    await central.connect(pen.mac)
    await central.ask(VersionRequest(app_version="test", protocol="2.12"))
    await pen.write(PAGE, dots(5))
    await central.ask(SettingsRequest())
    assert central.ink() == []
    assert [line["how"] for line in of(books, "stroke")] == ["memory"]
    assert pen.memory.dots == 5


async def test_a_driver_that_asks_for_an_old_protocol_gets_the_uncounted_family(
    central: Central, pen: VirtualPen
) -> None:
    await central.connect(pen.mac)
    await central.make_ready(protocol="2.10")
    await pen.write(PAGE, dots(3))
    await until(lambda: central.count(OldUpDown.COMMAND) == 2)
    assert [frame.command for frame in central.ink()] == [0x63, 0x64, 0x65, 0x65, 0x65, 0x63]
    assert OldDot.unpack(central.ink()[2].payload).dot.x_hundredths == 2000


async def test_the_counter_begins_anew_with_each_link(central: Central, pen: VirtualPen) -> None:
    for _ in range(2):
        await central.connect(pen.mac)
        await central.make_ready()
        await pen.write(PAGE, dots(3))
        await until(lambda: central.count(CountedUp.COMMAND))
        assert counts(central) == list(range(6))
        await central.hang_up()
        await until(lambda: not pen.linked)


@pytest.mark.parametrize("options", [PenOptions(password="4711", advertising_ms=20)])  # noqa: S106  # a test's
async def test_a_locked_pen_does_nothing_before_its_password(central: Central, pen: VirtualPen) -> None:
    await central.connect(pen.mac)
    await central.ask(VersionRequest(app_version="test", protocol="2.12"))
    assert SettingsReply.unpack((await central.ask(SettingsRequest())).payload).locked
    assert (await central.ask(NotesOfInterest())).result == Result.NO_PERMISSION
    wrong = PasswordReply.unpack((await central.ask(PasswordRequest("1234"))).payload)
    assert (wrong.status, wrong.attempts_used, wrong.attempts_max) == (PasswordStatus.WRONG, 1, 10)
    right = PasswordReply.unpack((await central.ask(PasswordRequest("4711"))).payload)
    assert (right.status, right.attempts_used) == (PasswordStatus.ACCEPTED, 0)
    assert (await central.ask(NotesOfInterest())).result == Result.OK
    assert pen.ready


@pytest.mark.parametrize("options", [PenOptions(password="4711", advertising_ms=20)])  # noqa: S106  # a test's
async def test_the_tenth_wrong_password_erases_the_pen(central: Central, pen: VirtualPen, books: list[Truth]) -> None:
    await pen.write(PAGE, dots(4))
    await central.connect(pen.mac)
    for _ in range(10):
        reply = PasswordReply.unpack((await central.ask(PasswordRequest("no"))).payload)
    assert reply.status == PasswordStatus.RESET
    assert pen.memory.dots == 0
    assert [(line["cause"], line["dots"]) for line in of(books, "dropped")] == [("erased", 4)]


async def test_identify_is_remembered_and_a_command_unknown_is_refused(central: Central, pen: VirtualPen) -> None:
    await central.connect(pen.mac)
    await central.ask(SetSetting.led(0xFF27E0C8))
    await central.ask(SetSetting.switch(Setting.BEEP, on=True))
    assert (pen.state.led_argb, pen.state.identified) == (0xFF27E0C8, 2)
    await central.write(bytes.fromhex("c0410000c1"))
    await until(lambda: central.count(0xC1))
    assert central.frames[-1].result == Result.NOT_SUPPORTED


@pytest.mark.slow
async def test_what_was_written_alone_is_listed_and_handed_over_with_its_own_time(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    for page in (5, 6, 6):
        await pen.write(PageChanged(3, 27, 603, page), dots(100, delta_ms=1))
    await central.connect(pen.mac)
    await central.make_ready()
    assert MemoryNotesReply.unpack((await central.ask(MemoryNotesRequest())).payload).notes == (NOTE,)
    assert MemoryPagesReply.unpack((await central.ask(MemoryPagesRequest(NOTE))).payload).pages == (5, 6)
    reply = TransferReply.unpack((await central.ask(TransferRequest(address=NOTE))).payload)
    assert reply.strokes == 3
    strokes = []
    for packet in range(2):
        await central.until_count(MemoryChunk.COMMAND, packet + 1)
        chunk = MemoryChunk.unpack(central.frames[-1].payload)
        found, rest = read_strokes(chunk.body(), chunk.strokes)
        assert (chunk.packet, rest) == (packet, b"")
        strokes += found
        await central.write(to_frame(ChunkAck(packet, go_on=packet == 0)))
    told = [(line["down_ms"], line["up_ms"], line["dots"]) for line in of(books, "stroke")]
    assert [(each.down_ms, each.up_ms, len(each.dots)) for each in strokes] == told
    assert pen.memory.dots == 300


async def test_a_stroke_too_long_for_a_chunk_is_cut_when_it_is_stored(pen: VirtualPen, books: list[Truth]) -> None:
    written = dots(2 * STROKE_DOTS + 1, delta_ms=0)
    assert await pen.write(PAGE, written) == len(written)
    assert [len(each.stroke.dots) for each in pen.memory.kept] == [STROKE_DOTS, STROKE_DOTS, 1]
    told = of(books, "stroke")
    assert [line["dots"] for line in told] == [STROKE_DOTS, STROKE_DOTS, 1]
    assert len({line["down_ms"] for line in told}) == 3
    assert sum(line["sum"] for line in told if isinstance(line["sum"], int)) % 2**32 == dot_sum(written) % 2**32


@pytest.mark.slow
async def test_a_stroke_cut_by_a_lost_link_is_one_live_and_one_in_memory(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    written = dots(60)
    writing = asyncio.ensure_future(pen.write(PAGE, written))
    await until(lambda: central.count(CountedDot.COMMAND) > 10)
    pen.drop_link()
    assert await writing == 60
    live, kept = of(books, "stroke")
    assert (live["how"], kept["how"]) == ("live", "memory")
    assert isinstance(live["dots"], int)
    assert live["dots"] + pen.memory.dots == 60
    assert (live["sum"], kept["sum"]) == (dot_sum(written[: live["dots"]]), dot_sum(written[live["dots"] :]))
    assert live["down_ms"] != kept["down_ms"]
    dropped = sum(line["dots"] for line in of(books, "dropped") if isinstance(line["dots"], int))
    assert central.count(CountedDot.COMMAND) + dropped == live["dots"]
    assert central.reasons == [0x08]


@pytest.mark.slow
async def test_a_stroke_begun_alone_goes_on_live_when_the_link_is_ready(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    writing = asyncio.ensure_future(pen.write(PAGE, dots(120)))
    await central.make_ready()
    await writing
    await until(lambda: central.count(CountedUp.COMMAND))
    kept, live = of(books, "stroke")
    assert (kept["how"], live["how"]) == ("memory", "live")
    assert central.count(CountedDot.COMMAND) == live["dots"]
    assert CountedDown.unpack(central.ink()[0].payload).time_ms == live["down_ms"]


@pytest.mark.slow
async def test_what_nobody_heard_before_the_link_died_is_in_the_books(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    writing = asyncio.ensure_future(pen.write(PAGE, dots(160)))
    await until(lambda: central.count(CountedDot.COMMAND) > 10)
    pen.out_of_range(0.6)
    await writing
    live = of(books, "stroke")[0]
    [dropped] = of(books, "dropped")
    assert dropped["cause"] == "link_lost"
    assert isinstance(live["dots"], int)
    assert isinstance(dropped["dots"], int)
    assert dropped["dots"] > 50
    assert central.count(CountedDot.COMMAND) + dropped["dots"] == live["dots"]
    assert live["dots"] + pen.memory.dots == 160
    await central.connect(pen.mac)


@pytest.mark.slow
async def test_a_pen_back_in_range_in_time_loses_nothing(central: Central, pen: VirtualPen, books: list[Truth]) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    writing = asyncio.ensure_future(pen.write(PAGE, dots(60)))
    pen.out_of_range(0.1)
    await writing
    await until(lambda: central.count(CountedUp.COMMAND))
    assert counts(central) == list(range(63))
    assert not of(books, "dropped")


@pytest.mark.slow
async def test_a_dead_host_loses_only_what_it_had_not_read(
    central: Central, room: VirtualRoom, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    writing = asyncio.ensure_future(pen.write(PAGE, dots(160)))
    await until(lambda: central.count(CountedDot.COMMAND) > 10)
    await central.vanish()
    await writing
    live = of(books, "stroke")[0]
    assert isinstance(live["dots"], int)
    dropped = sum(line["dots"] for line in of(books, "dropped") if isinstance(line["dots"], int))
    missing = live["dots"] - central.count(CountedDot.COMMAND)
    assert missing <= dropped <= missing + 3  # nobody can say whether the last notification was read
    assert {line["cause"] for line in of(books, "dropped")} <= {"link_lost", "host_gone"}
    async with Central(room.sockets[0]) as again:
        await again.connect(pen.mac)
        await again.make_ready()


async def test_lost_events_are_a_jump_of_the_counter_and_a_line_in_the_books(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    pen.outlet.faults.lose_next = 4
    await pen.write(PAGE, dots(5))
    await until(lambda: central.count(CountedUp.COMMAND))
    assert counts(central) == [4, 5, 6, 7]
    dropped = [(line["events"], line["dots"], line["cause"]) for line in of(books, "dropped")]
    assert dropped == [(1, 0, "fault"), (1, 0, "fault"), (1, 1, "fault"), (1, 1, "fault")]


async def test_notifications_may_be_doubled_cut_or_joined(central: Central, pen: VirtualPen) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    faults = pen.outlet.faults
    faults.duplicate = True
    await pen.write(PAGE, dots(2))
    await until(lambda: central.count(CountedUp.COMMAND) == 2)
    assert counts(central) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    faults.duplicate, faults.slices = False, True
    before = len(central.raw)
    await central.ask(SettingsRequest())
    assert {len(value) for value in central.raw[before:-1]} == {20}
    faults.slices, faults.joined = False, True
    before, ups = len(central.raw), central.count(CountedUp.COMMAND)
    await pen.write(PAGE, dots(9, delta_ms=1))
    await until(lambda: central.count(CountedUp.COMMAND) > ups)
    assert len(central.raw) - before < 12


async def test_a_small_mtu_cuts_frames(central: Central, pen: VirtualPen) -> None:
    await central.connect(pen.mac, mtu=23)
    await central.make_ready()
    assert max(len(value) for value in central.raw) == 20


async def test_a_pen_up_may_be_forgotten_and_is_not_counted(
    central: Central, pen: VirtualPen, books: list[Truth]
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    pen.forget_next_up()
    await pen.write(PAGE, dots(1))
    await pen.write(PAGE, dots(1))
    await until(lambda: central.count(CountedUp.COMMAND))
    assert [frame.command for frame in central.ink()] == [0x69, 0x6B, 0x6C, 0x69, 0x6B, 0x6C, 0x6A]
    assert counts(central) == list(range(7))
    assert len(of(books, "stroke")) == 2


async def test_a_clock_at_zero_runs_from_zero_until_it_is_set(central: Central, pen: VirtualPen) -> None:
    pen.clock_at_zero()
    await central.connect(pen.mac)
    await central.ask(VersionRequest(app_version="test", protocol="2.12"))
    assert SettingsReply.unpack((await central.ask(SettingsRequest())).payload).clock_ms < 10_000
    await central.make_ready()
    assert pen.clock.now_ms() >= NOW_MS


async def test_a_dying_battery_says_so_and_what_is_written_then_is_not_seen(
    central: Central, room: VirtualRoom, pen: VirtualPen
) -> None:
    await central.connect(pen.mac)
    await central.make_ready()
    await pen.battery_dies()
    await until(lambda: not central.is_linked)
    assert [frame.command for frame in central.frames[-2:]] == [LowBattery.COMMAND, PowerOffNotice.COMMAND]
    assert PowerOffNotice.unpack(central.frames[-1].payload).words == "low_battery"
    assert await pen.write(PAGE, dots(3)) == 0
    await pen.switch_on()
    await central.connect(pen.mac)
    assert room.dots_in_pens == 0


async def test_an_old_pen_speaks_by_the_old_service(room: VirtualRoom, books: list[Truth]) -> None:
    pen = VirtualPen(
        room.air, "9C:7B:D2:50:FF:01", ledger=books.append, options=PenOptions(profile="V2", advertising_ms=20)
    )
    await pen.switch_on()
    async with Central(room.sockets[0], profile=PROFILES["V2"]) as central:
        advertisement = await central.heard(pen.mac)
        assert dict(advertisement.data.ad_structures)[0x03] == bytes.fromhex("f119")
        await central.connect(pen.mac)
        await central.make_ready()
        await asyncio.wait_for(pen.wait_ready(), 5)
    await pen.switch_off()


async def test_two_strokes_never_have_the_same_pen_down(pen: VirtualPen, books: list[Truth]) -> None:
    for _ in range(5):
        await pen.write(PAGE, [MotionDot(0, 1, 1, 1, 90, 90, 0)])
        pen.clock.set(NOW_MS)
    assert len({str(line["down_ms"]) for line in books}) == 5
