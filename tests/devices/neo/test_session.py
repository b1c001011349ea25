"""The handshake, requests and passwords of one link, and that no bytes can hurt it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.events import (
    Answered,
    Battery,
    MemoryListed,
    Oddity,
    PasswordState,
    PenEvent,
    PenSettings,
    Ready,
    Unanswered,
    Version,
)
from devices.neo.framing import Deframer, Frame, frame, short_error
from devices.neo.messages import NotesOfInterest, SettingsReply, SettingsRequest, VersionReply, VersionRequest
from devices.neo.messages_control import PasswordReply, PasswordRequest, SetSetting, Setting, SettingAnswer
from devices.neo.messages_memory import MemoryNotesReply, MemoryNotesRequest
from devices.neo.session import NeoSession
from devices.neo.wire import Message, NoteAddress, to_frame
from tests.devices.neo.ready_bytes import (
    BASE_MS,
    CLOCK_FRAME,
    D0,
    HELLO,
    HELLO_FRAME,
    MAC,
    NOTES_FRAME,
    NOW_MS,
    P1,
    SETTINGS_FRAME,
    U4,
    X2,
    X3,
    fed,
    linked,
)


def said(session: NeoSession) -> list[int]:
    """The commands that wait to be written."""
    return [found.command for found in Deframer().feed(session.data_to_send()) if isinstance(found, Frame)]


def begun(password: str | None = None, settings: SettingsReply | None = None) -> tuple[NeoSession, list[PenEvent]]:
    """A session that has had the hello and the settings, and what it told of the settings."""
    session = NeoSession(password=password)
    session.start(now_ms=NOW_MS)
    fed(session, HELLO_FRAME)
    session.data_to_send()
    return session, fed(session, SETTINGS_FRAME if settings is None else to_frame(settings))


def locked(used: int = 0, most: int = 10) -> SettingsReply:
    return SettingsReply(clock_ms=BASE_MS, locked=True, attempts_used=used, attempts_max=most)


def test_the_handshake_asks_in_the_order_that_works_and_ends_ready() -> None:
    session = NeoSession()
    session.start(now_ms=NOW_MS)
    (hello,) = Deframer().feed(session.data_to_send())
    assert isinstance(hello, Frame)
    assert float(VersionRequest.unpack(hello.payload).protocol) >= 2.12
    assert fed(session, HELLO_FRAME) == [Version(MAC, "NWP-F51", "1.05.0158", "2.18", "Smartpen", 1)]
    assert said(session) == [SettingsRequest.COMMAND]
    assert [type(event) for event in fed(session, SETTINGS_FRAME)] == [PenSettings]
    assert session.data_to_send() == to_frame(SetSetting.clock(NOW_MS))
    assert fed(session, CLOCK_FRAME) == [Answered(0x05, ok=True, payload=b"\x01\x00")]
    assert session.data_to_send() == to_frame(NotesOfInterest())
    assert fed(session, NOTES_FRAME) == [Answered(0x11, ok=True, payload=b""), Ready()]
    assert session.is_ready
    assert session.data_to_send() == b""


def test_the_clock_is_the_time_of_sending_and_not_of_asking() -> None:
    session = NeoSession()
    session.start(now_ms=NOW_MS)
    fed(session, HELLO_FRAME)
    fed(session, SETTINGS_FRAME, now_ms=NOW_MS + 100)
    session.data_to_send()
    assert list(session.tick(now_ms=NOW_MS + 9000)) == []
    assert session.data_to_send() == to_frame(SetSetting.clock(NOW_MS + 9000))


def test_the_hello_is_asked_three_times_and_then_given_up() -> None:
    session = NeoSession()
    session.start(now_ms=0)
    asked, events = said(session), []
    for now_ms in range(0, 20_000, 500):
        events += list(session.tick(now_ms=now_ms))
        asked += said(session)
    assert asked == [0x01] * 3
    assert events == [Unanswered(0x01)]


def test_a_pen_that_is_silent_about_its_clock_is_asked_for_ink_all_the_same() -> None:
    session, _ = begun()
    asked, events = said(session), []
    for now_ms in range(NOW_MS, NOW_MS + 20_000, 500):
        events += list(session.tick(now_ms=now_ms))
        asked += said(session)
    assert asked == [0x05, 0x05, 0x05, 0x11]
    assert events == [Unanswered(0x05)]
    assert Ready() in fed(session, NOTES_FRAME)


@pytest.mark.parametrize("refusal", [frame(0x91, b"", result=2), short_error(0x91, 2)], ids=["long", "short"])
def test_a_refused_step_is_asked_again_until_it_is_granted(refusal: bytes) -> None:
    """Error replies come in two forms; the vendor's parser drops both silently."""
    session, _ = begun()
    fed(session, CLOCK_FRAME)
    session.data_to_send()
    assert fed(session, refusal) == [Answered(0x11, ok=False, payload=b"\x02")]
    assert said(session) == []
    assert list(session.tick(now_ms=NOW_MS + 60_000)) == []
    assert said(session) == [0x11]
    assert Ready() in fed(session, NOTES_FRAME)


def test_a_locked_pen_without_a_password_waits_for_a_person() -> None:
    session, events = begun(None, locked(used=1))
    assert events[1:] == [PasswordState("needed", 1, 10)]
    assert said(session) == []
    assert list(session.offer_password("1234", now_ms=NOW_MS)) == []
    assert session.data_to_send() == to_frame(PasswordRequest("1234"))
    assert fed(session, to_frame(PasswordReply(1, 0, 10))) == [PasswordState("accepted", 0, 10)]
    assert said(session) == [0x05]


def test_a_known_password_is_given_before_the_clock_is_set() -> None:
    session, events = begun("1234", locked())
    assert [type(event) for event in events] == [PenSettings]
    assert said(session) == [0x02]
    fed(session, to_frame(PasswordReply(1, 0, 10)))
    assert said(session) == [0x05]


def test_a_wrong_password_is_never_sent_again() -> None:
    session, _ = begun("1234", locked())
    said(session)
    assert fed(session, bytes.fromhex("c0 8200 0300 00010a c1")) == [PasswordState("needed", 1, 10)]
    assert said(session) == []
    list(session.tick(now_ms=NOW_MS + 100_000))
    assert said(session) == []


def test_an_unanswered_password_is_not_repeated_and_counts_as_an_attempt() -> None:
    session, _ = begun("1234", locked(used=7))
    assert said(session) == [0x02]
    assert list(session.tick(now_ms=NOW_MS + 100_000)) == [Unanswered(0x02)]
    assert list(session.offer_password("5678", now_ms=NOW_MS)) == [PasswordState("refused_to_send", 8, 10)]
    assert said(session) == []


@pytest.mark.parametrize(("used", "sent"), [(0, True), (7, True), (8, False), (9, False), (10, False), (200, False)])
def test_a_password_is_not_risked_below_the_safety_margin(used: int, *, sent: bool) -> None:
    session, events = begun("1234", locked(used=used))
    assert (said(session) == [0x02]) is sent
    assert (PasswordState("refused_to_send", used, 10) in events) is not sent


@pytest.mark.parametrize("none", ["0000", ""])
def test_four_zeros_mean_no_password_and_are_never_sent(none: str) -> None:
    session, events = begun(none, locked())
    assert events[1:] == [PasswordState("needed", 0, 10)]
    assert list(session.offer_password(none, now_ms=NOW_MS)) == [PasswordState("needed", 0, 10)]
    assert said(session) == []


def test_a_password_goes_by_no_other_way() -> None:
    session = linked()
    with pytest.raises(ValueError, match="offer_password"):
        session.ask(PasswordRequest("1234"), now_ms=NOW_MS)


@pytest.mark.parametrize(("status", "word"), [(2, "reset"), (3, "error"), (77, "error")])
def test_what_became_of_a_password_is_told_by_name(status: int, word: str) -> None:
    session, _ = begun("1234", locked())
    (event,) = fed(session, to_frame(PasswordReply(status, 1, 10)))
    assert isinstance(event, PasswordState)
    assert event.status == word


def test_requests_wait_for_each_other_and_answers_come_as_events() -> None:
    session = linked()
    led, beep = SetSetting.led(0xFF00FF00), SetSetting.switch(Setting.BEEP, on=True)
    session.ask(led, now_ms=NOW_MS)
    session.ask(beep, now_ms=NOW_MS)
    assert session.data_to_send() == to_frame(led)
    assert fed(session, to_frame(SettingAnswer(Setting.LED, 0))) == [Answered(0x05, ok=True, payload=b"\x08\x00")]
    assert session.data_to_send() == to_frame(beep)
    assert fed(session, to_frame(SettingAnswer(Setting.BEEP, 1))) == [Answered(0x05, ok=False, payload=b"\x05\x01")]


def test_two_equal_answers_to_two_equal_requests_are_no_copies() -> None:
    session = linked()
    beep = SetSetting.switch(Setting.BEEP, on=True)
    answer = to_frame(SettingAnswer(Setting.BEEP, 0))
    for _ in range(2):
        session.ask(beep, now_ms=NOW_MS)
        assert fed(session, answer) == [Answered(0x05, ok=True, payload=b"\x05\x00")]
    assert fed(session, answer) == []


def test_a_request_without_an_answer_is_told_and_the_next_one_sent() -> None:
    session = linked()
    session.ask(MemoryNotesRequest(), now_ms=NOW_MS)
    session.ask(SettingsRequest(), now_ms=NOW_MS)
    assert said(session) == [0x21]
    assert list(session.tick(now_ms=NOW_MS + 4_999)) == []
    assert list(session.tick(now_ms=NOW_MS + 5_000)) == [Unanswered(0x21)]
    assert said(session) == [0x04]
    assert [type(event) for event in fed(session, SETTINGS_FRAME)] == [PenSettings]
    assert said(session) == []


def test_a_refused_request_is_answered_and_the_next_one_sent() -> None:
    session = linked()
    session.ask(MemoryNotesRequest(), now_ms=NOW_MS)
    session.ask(SettingsRequest(), now_ms=NOW_MS)
    session.data_to_send()
    assert fed(session, short_error(0xA1, 2)) == [Answered(0x21, ok=False, payload=b"\x02")]
    assert said(session) == [0x04]


def test_the_list_of_the_memory_is_told() -> None:
    session = linked()
    session.ask(MemoryNotesRequest(), now_ms=NOW_MS)
    reply: Message = MemoryNotesReply((NoteAddress(3, 27, 603),))
    assert fed(session, to_frame(reply)) == [MemoryListed(((3, 27, 603),))]


def test_a_low_battery_is_told() -> None:
    assert fed(linked(), frame(0x61, b"\x07")) == [Battery(7, charging=False)]


def test_a_full_force_of_zero_means_the_usual_one() -> None:
    _, events = begun(None, SettingsReply(clock_ms=BASE_MS, force_max=0))
    assert isinstance(events[0], PenSettings)
    assert events[0].force_max == 852


@pytest.mark.parametrize("command", [0x32, 0x50, 0x73, 0x7F])
def test_unknown_events_are_kept_raw_and_cost_no_framing(command: int) -> None:
    session = linked()
    assert fed(session, D0, frame(command, b"\x01\x02"), P1)[1:-1] == [Oddity("unknown", command, b"\x01\x02")]
    assert session.counts == {"unknown": 1}


def test_another_pen_than_expected_is_told_and_known_by_its_own_word() -> None:
    session = NeoSession(mac_expected="9C:7B:D2:00:00:01")
    session.start(now_ms=NOW_MS)
    version, odd = fed(session, HELLO_FRAME)
    assert isinstance(version, Version)
    assert version.mac == MAC
    assert odd == Oddity("other_pen", 0x81, HELLO.pack())


def test_a_second_hello_that_differs_does_not_change_the_pen() -> None:
    session = linked()
    other = VersionReply(model="X", firmware="1", protocol="2.18", name="", mac=bytes(6))
    assert fed(session, to_frame(other)) == [Oddity("second_hello", 0x81, other.pack())]
    assert session.version is not None
    assert session.version.mac == MAC


def test_a_lenient_session_listens_without_a_hello_and_says_nothing() -> None:
    session = NeoSession(lenient=True)
    events = fed(session, D0, P1, X2, X3, U4, HELLO_FRAME, to_frame(locked()), now_ms=0)
    assert len(events) == 7
    assert session.data_to_send() == b""


DIALOGUE = b"".join(
    (
        HELLO_FRAME,
        SETTINGS_FRAME,
        CLOCK_FRAME,
        NOTES_FRAME,
        D0,
        P1,
        X2,
        X3,
        U4,
        frame(0x61, b"\xc0"),
        frame(0x62, b"\x00"),
    )
)


def dialogue(pieces: list[bytes]) -> tuple[list[PenEvent], bytes]:
    session = NeoSession()
    session.start(now_ms=NOW_MS)
    return fed(session, *pieces), session.data_to_send()


@given(st.lists(st.integers(0, len(DIALOGUE)), max_size=30))
def test_a_dialogue_is_the_same_however_it_is_cut(at: list[int]) -> None:
    edges = [0, *sorted(at), len(DIALOGUE)]
    pieces = [DIALOGUE[a:b] for a, b in pairwise(edges)]
    assert dialogue(pieces) == dialogue([DIALOGUE])


@pytest.mark.parametrize("size", range(1, 40))
def test_a_dialogue_in_slices_of_one_size_is_the_same(size: int) -> None:
    """The settings end in a run of zeros: equal slices that are no copies."""
    pieces = [DIALOGUE[n : n + size] for n in range(0, len(DIALOGUE), size)]
    assert dialogue(pieces) == dialogue([DIALOGUE])


@pytest.mark.parametrize("size", [20, 40, 61, 100])
def test_slices_that_each_come_twice_are_the_same_dialogue(size: int) -> None:
    frames = (HELLO_FRAME, SETTINGS_FRAME, CLOCK_FRAME, NOTES_FRAME, D0, P1, X2, X3, U4)
    pieces = [each[n : n + size] for each in frames for n in range(0, len(each), size)]
    events, _ = dialogue([piece for piece in pieces for _ in range(2)])
    assert events == dialogue(list(frames))[0]


framed = st.builds(frame, st.integers(0, 255), st.binary(max_size=40))
replied = st.builds(
    lambda command, payload, result: frame(command, payload, result=result),
    st.integers(0x80, 0xFF),
    st.binary(max_size=80),
    st.integers(0, 6),
)
anything = st.lists(st.one_of(st.binary(max_size=60), framed, replied), max_size=25)


@given(anything, st.booleans(), st.sampled_from([None, "1234"]))
def test_no_bytes_can_make_a_session_raise(pieces: list[bytes], lenient: bool, password: str | None) -> None:  # noqa: FBT001  # hypothesis
    session = NeoSession(password=password, lenient=lenient)
    session.start(now_ms=0)
    for n, piece in enumerate([*pieces, HELLO_FRAME, *pieces, SETTINGS_FRAME, *pieces]):
        list(session.receive(piece, now_ms=100 * n))
        list(session.tick(now_ms=100 * n))
        session.data_to_send()
    list(session.link_lost())
    assert min(session.counts.values(), default=0) >= 0
