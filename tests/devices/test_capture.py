"""What the air said, written down and given back."""

import asyncio
import contextlib
import resource
import signal
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.capture import (
    Capture,
    CaptureError,
    FamilyMissing,
    Header,
    Kind,
    Record,
    Recorder,
    Replay,
    read_capture,
    replayed,
    session_for,
    to_line,
)
from devices.errors import LinkError
from devices.events import (
    Dot,
    OfflineStroke,
    PageChanged,
    PenEvent,
    PenUp,
    Ready,
    StrokeBroken,
    TransferEnded,
    Unanswered,
)
from devices.neo.messages_control import PasswordChange, PasswordRequest
from devices.neo.messages_memory import TransferRequest
from devices.neo.session import NeoSession
from devices.neo.wire import NoteAddress, to_frame
from devices.pen import Pen
from devices.transport import Arrival
from devices.virtual.gatt import PenOptions
from devices.virtual.motion import MotionDot
from devices.virtual.pen import VirtualPen
from devices.virtual.room import VirtualRoom
from tests.contracts.linking import PenOnAdapter
from tests.devices.neo.ready_bytes import CLOCK_FRAME, D0, HELLO_FRAME, NOTES_FRAME, P1, SETTINGS_FRAME, U4, X2, X3
from tests.devices.test_pen import FakeLink
from tests.devices.virtual.central import until

START_MS = 1_700_000_000_000
HEADER = Header(pen="9C:7B:D2:01:02:03", family="Neo", started_ms=START_MS, begins="link")
PAGE = PageChanged(3, 27, 603, 5)

kinds: st.SearchStrategy[Kind] = st.sampled_from(("<", ">", "x", "!"))
records = st.builds(Record, st.integers(0, 1 << 45), kinds, st.binary(max_size=300))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.capture"


def written(path: Path, *lines: Record, header: Header = HEADER) -> Path:
    path.write_text(header.to_line() + "".join(to_line(line, header.started_ms) for line in lines))
    return path


def came(*notifications: bytes, every_ms: int = 10) -> list[Record]:
    return [Record(START_MS + every_ms * n, "<", data) for n, data in enumerate(notifications)]


def events_of(capture: Capture) -> list[PenEvent]:
    return [arrived.event for arrived in replayed(capture, session_for(capture))]


@given(st.lists(records, max_size=20))
def test_a_capture_reads_as_it_was_written(lines: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert read_capture(written(Path(folder) / "c", *lines)) == Capture(HEADER, tuple(lines), is_cut=False)


@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_a_capture_cut_anywhere_in_its_last_line_is_the_one_before_it(lines: list[Record], data: st.DataObject) -> None:
    last = to_line(lines[-1], START_MS)
    kept = data.draw(st.integers(1, len(last) - 2))
    with tempfile.TemporaryDirectory() as folder:
        whole = written(Path(folder) / "c", *lines)
        text = whole.read_text()
        whole.write_text(text[: len(text) - len(last) + kept])
        assert read_capture(whole) == Capture(HEADER, tuple(lines[:-1]), is_cut=True)


@given(st.binary(max_size=400))
def test_bytes_that_are_no_capture_are_refused_and_nothing_else_happens(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c"
        path.write_bytes(noise)
        with pytest.raises(CaptureError):
            read_capture(path)


@given(st.binary(max_size=100))
def test_noise_after_the_header_is_refused_or_left_out(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c"
        path.write_bytes(HEADER.to_line().encode() + noise)
        with contextlib.suppress(CaptureError):
            assert len(read_capture(path).records) <= noise.count(b"[")


def test_a_line_damaged_in_the_middle_is_named(path: Path) -> None:
    path.write_text(HEADER.to_line() + '[0,"<","c0"]\n[1,"<","zz"]\n[2,"<","c1"]\n')
    with pytest.raises(CaptureError, match="line 3"):
        read_capture(path)


@pytest.mark.parametrize(
    "header",
    [
        '{"schema":"inkgate.capture/9","pen":"a","family":"Neo","started_ms":1,"begins":"link"}',
        '{"schema":"inkgate.capture/1","pen":"a","family":"Neo","started_ms":"1","begins":"link"}',
        '{"schema":"inkgate.capture/1","pen":"a","family":"Neo","started_ms":1,"begins":"end"}',
        '{"schema":"inkgate.capture/1"}',
        "[]",
    ],
)
def test_a_header_that_is_not_understood_is_refused(path: Path, header: str) -> None:
    path.write_text(header + "\n")
    with pytest.raises(CaptureError):
        read_capture(path)


async def test_a_recorder_hands_everything_on_and_writes_it_down_for_its_owner_only(path: Path) -> None:
    link = FakeLink()
    recorder = Recorder(link, path, HEADER, now_ms=lambda: START_MS + 5)
    link.arrived = [Arrival(START_MS + 1, b"\xc0\x01"), Arrival(START_MS + 2, b"\xc1")]
    assert recorder.take() == [Arrival(START_MS + 1, b"\xc0\x01"), Arrival(START_MS + 2, b"\xc1")]
    await recorder.write(b"hello")
    assert read_capture(path).records == (
        Record(START_MS + 1, "<", b"\xc0\x01"),
        Record(START_MS + 2, "<", b"\xc1"),
        Record(START_MS + 5, ">", b"hello"),
    ), "it is flushed as it goes"
    link.arrived = [Arrival(START_MS + 6, b"last")]
    await recorder.close()
    assert recorder.take() == [Arrival(START_MS + 6, b"last")]
    assert [record.kind for record in read_capture(path).records] == ["<", "<", ">", "<", "x"]
    assert (link.written, recorder.is_open, recorder.why) == ([b"hello"], False, "link_lost")
    told = path.stat()  # noqa: ASYNC240  # nothing else runs in this loop
    assert (recorder.came, recorder.written, recorder.bytes) == (3, 1, told.st_size)
    assert stat.S_IMODE(told.st_mode) == 0o600


async def test_a_capture_never_holds_a_password(path: Path) -> None:
    link = FakeLink()
    recorder = Recorder(link, path, HEADER, now_ms=lambda: START_MS)
    secret = to_frame(PasswordRequest("4711"))
    change = to_frame(PasswordChange(use=True, old="4711", new="0815"))
    await recorder.write(b"\xc0\x04\x00\x00\xc1" + secret + change + b"\xc0\x21\x00\x00\xc1")
    recorder.stop()
    [record] = read_capture(path).records
    assert record.data == b"\xc0\x04\x00\x00\xc1\xc0\x02\xc1\xc0\x03\xc1\xc0\x21\x00\x00\xc1"
    assert link.written == [b"\xc0\x04\x00\x00\xc1" + secret + change + b"\xc0\x21\x00\x00\xc1"]


def test_a_capture_is_bounded_and_the_link_goes_on(path: Path) -> None:
    link = FakeLink()
    recorder = Recorder(link, path, HEADER, now_ms=lambda: START_MS, limit=1_000)
    for _ in range(100):
        link.arrived = [Arrival(START_MS, bytes(20))]
        assert len(recorder.take()) == 1
    assert path.stat().st_size < 1_100
    assert read_capture(path).records[-1].kind == "!"
    assert (recorder.why, recorder.is_open) == ("too_long", True)


def test_a_disk_that_fails_ends_the_capture_and_not_the_link(path: Path) -> None:
    link = FakeLink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    recorder = Recorder(link, path, HEADER, now_ms=lambda: START_MS)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
        link.arrived = [Arrival(START_MS, bytes(200))]
        assert len(recorder.take()) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert (recorder.why, recorder.is_open) == ("disk", True)
    link.arrived = [Arrival(START_MS, b"on")]
    assert recorder.take() == [Arrival(START_MS, b"on")]


def test_a_file_that_is_there_is_never_written_over(path: Path) -> None:
    path.write_text("a bug report")
    with pytest.raises(FileExistsError):
        Recorder(FakeLink(), path, HEADER, now_ms=lambda: START_MS)
    assert path.read_text() == "a bug report"


def test_a_replay_gives_all_at_once_with_the_times_of_then() -> None:
    replay = Replay(Capture(HEADER, (*came(b"a", b"b"), Record(START_MS + 11, "x", b"")), is_cut=False))
    assert replay.take() == [Arrival(START_MS, b"a"), Arrival(START_MS + 10, b"b")]
    assert (replay.is_open, replay.is_over, replay.now_ms, replay.take()) == (False, True, START_MS + 11, [])


def test_a_replay_at_the_pace_of_then() -> None:
    now = [50]
    replay = Replay(Capture(HEADER, tuple(came(b"a", b"b", b"c")), is_cut=False), clock=lambda: now[0])
    taken = []
    for now[0] in (50, 59, 60, 75):
        taken.append([arrival.data for arrival in replay.take()])
    assert taken == [[b"a"], [], [b"b"], [b"c"]]
    assert (replay.is_over, replay.is_open, replay.now_ms) == (True, True, START_MS + 25)


async def test_nobody_hears_what_is_written_to_a_replay_and_it_can_be_closed() -> None:
    replay = Replay(Capture(HEADER, (), is_cut=False))
    await replay.write(b"hello")
    await replay.close()
    await replay.close()
    with pytest.raises(LinkError):
        await replay.write(b"hello")


def test_a_capture_from_the_beginning_of_a_link_makes_a_pen_ready() -> None:
    records = came(HELLO_FRAME, SETTINGS_FRAME, CLOCK_FRAME, NOTES_FRAME, D0, P1, X2, X3, U4)
    events = events_of(Capture(HEADER, tuple(records), is_cut=False))
    assert Ready() in events
    assert sum(isinstance(event, Dot) for event in events) == 2
    assert isinstance(events[-1], PenUp)


def test_a_capture_begun_in_the_middle_of_a_link_gives_its_ink() -> None:
    header = Header(pen=HEADER.pen, family="Neo", started_ms=START_MS, begins="middle")
    events = events_of(Capture(header, tuple(came(X2, X3, U4, D0, P1, X2)), is_cut=False))
    assert sum(isinstance(event, Dot) for event in events) >= 1


def test_a_pen_that_says_nothing_is_unanswered_in_the_replay_too() -> None:
    records = (Record(START_MS + 20_000, "x", b""),)
    assert Unanswered(0x01) in events_of(Capture(HEADER, records, is_cut=False))


def test_a_clock_that_leapt_by_years_does_not_make_a_replay_endless() -> None:
    records = (*came(HELLO_FRAME), Record(START_MS + (1 << 50), "<", b"\xc0"))
    assert events_of(Capture(HEADER, records, is_cut=False))


def test_a_family_that_is_not_installed_is_named() -> None:
    header = Header(pen=HEADER.pen, family="Quill", started_ms=START_MS, begins="link")
    with pytest.raises(FamilyMissing, match="Quill"):
        session_for(Capture(header, (), is_cut=False))


class TestALiveRun:
    """A virtual pen over the real central side, recorded, and its replay."""

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="air") as name:
            yield Path(name)

    @pytest.fixture(params=[None, "4711"], ids=["open", "locked"])
    def password(self, request: pytest.FixtureRequest) -> str | None:
        given: str | None = request.param
        return given

    @pytest.fixture
    async def room(self, folder: Path, password: str | None) -> AsyncIterator[VirtualRoom]:
        options = PenOptions(password=password, advertising_ms=20)
        room = VirtualRoom(folder, ledger=lambda _line: None, pens=1, adapters=1, options=options, events_ms=5)
        await room.start()
        yield room
        await room.stop()

    @pytest.mark.slow
    async def test_a_recorded_run_replays_to_equal_events(
        self, room: VirtualRoom, folder: Path, password: str | None
    ) -> None:
        pen = next(iter(room.pens.values()))
        await pen.write(PAGE, dots(40))
        at_hand = PenOnAdapter(f"unix:{room.sockets[0]}", pen.mac, password=password)
        header = Header(pen=pen.mac, family="Neo", started_ms=now_ms(), begins="link")
        link = Recorder(await at_hand.connect(), folder / "a.capture", header, now_ms=now_ms)
        session = NeoSession(password=password)
        session.start(now_ms=header.started_ms)
        live: list[PenEvent] = []
        await _talk(Pen(link, session), session, pen, live)
        await at_hand.close()
        capture = read_capture(folder / "a.capture")
        assert events_of(capture) == live
        assert {type(event) for event in live} >= {Dot, Ready, OfflineStroke, TransferEnded, StrokeBroken}
        assert capture.password_was_given == (password is not None)
        assert b"4711" not in b"".join(record.data for record in capture.records)


async def _talk(pen: Pen, session: NeoSession, virtual: VirtualPen, live: list[PenEvent]) -> None:
    """Handshake, two strokes, the memory, and a link that breaks in the third stroke."""

    async def beat() -> None:
        while pen.transport.is_open:
            live.extend(arrived.event for arrived in pen.take(now_ms()))
            if pen.wants_to_write:
                await pen.flush()
            await asyncio.sleep(0.005)

    def seen(kind: type, count: int = 1) -> bool:
        return sum(isinstance(event, kind) for event in live) >= count

    beating = asyncio.create_task(beat())
    await until(lambda: seen(Ready))
    for count in (1, 2):
        await virtual.write(PAGE, dots(30))
        await until(lambda count=count: seen(PenUp, count))  # type: ignore[misc]  # mypy cannot infer a bound default
    session.ask(TransferRequest(address=NoteAddress(3, 27, 603)), now_ms=now_ms())
    await until(lambda: seen(TransferEnded))
    writing = asyncio.create_task(virtual.write(PAGE, dots(200)))
    await until(lambda: seen(Dot, 65))
    virtual.drop_link()
    await beating
    live.extend(arrived.event for arrived in pen.take(now_ms()))
    await writing


def dots(count: int) -> list[MotionDot]:
    return [MotionDot(3, 2000 + n, 3000, 200 + n, 90, 90, 0) for n in range(count)]


def now_ms() -> int:
    return time.time_ns() // 1_000_000
