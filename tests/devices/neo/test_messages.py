"""A walk over all messages: whoever adds one is caught here if it does not come back from its own bytes."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import PenProtocolError
from devices.neo import messages, messages_control, messages_deletion, messages_ink, messages_memory
from devices.neo.framing import Deframer, Frame
from devices.neo.messages_ink import DotRecord
from devices.neo.messages_memory import MemoryChunk, StoredStroke, read_strokes, stored_dot
from devices.neo.wire import NoteAddress, to_frame

MODULES = (messages, messages_control, messages_deletion, messages_ink, messages_memory)
MESSAGES: dict[str, Any] = {
    name: kind
    for module in MODULES
    for name, kind in vars(module).items()
    if isinstance(kind, type) and hasattr(kind, "COMMAND") and kind.__module__ == module.__name__
}

u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
hundredths = st.integers(0, 0xFFFF * 100 + 99)
small_hundredths = st.integers(0, 255 * 100 + 99)
addresses = st.builds(NoteAddress, u8, st.integers(0, 2**24 - 1), u32)
numbers = st.lists(u32, max_size=20).map(tuple)


def words(most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=most)


dots = st.builds(
    DotRecord,
    delta_ms=u8,
    force=u16,
    x_hundredths=hundredths,
    y_hundredths=hundredths,
    tilt_x=u8,
    tilt_y=u8,
    twist=u16,
)
errors = st.builds(
    messages_ink.ImageErrorRecord,
    delta_ms=u8,
    force=u16,
    brightness=u8,
    exposure=u8,
    decoder_ms=u8,
    labels=u16,
    error=u8,
    code_class=u8,
    errors=u8,
)


def plain(kind: Callable[..., Any], xy: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.builds(kind, delta_ms=u8, x_hundredths=xy, y_hundredths=xy)


ANY: dict[str, st.SearchStrategy[Any]] = {
    "VersionRequest": st.builds(
        messages.VersionRequest,
        app_version=words(16),
        protocol=words(8),
        connection_code=st.binary(min_size=16, max_size=16),
        app_type=u16,
    ),
    "VersionReply": st.builds(
        messages.VersionReply,
        model=words(16),
        firmware=words(16),
        protocol=words(8),
        name=words(16),
        device_type=st.sampled_from([1, 2, 3, 5]),
        mac=st.binary(min_size=6, max_size=6),
        pressure_sensor=u8,
        company=u16,
        product=u8,
        color=u8,
    ),
    "SettingsRequest": st.just(messages.SettingsRequest()),
    "SettingsReply": st.builds(
        messages.SettingsReply,
        locked=st.booleans(),
        attempts_max=u8,
        attempts_used=u8,
        clock_ms=u64,
        auto_off_min=u16,
        force_max=u16,
        memory_percent=u8,
        cap_off=st.booleans(),
        auto_on=st.booleans(),
        beep=st.booleans(),
        hover=st.booleans(),
        battery_percent=st.integers(0, 127),
        charging=st.booleans(),
        stores_offline=st.booleans(),
        sensitivity=u8,
        local_name=words(16),
    ),
    "NotesOfInterest": st.builds(messages.NotesOfInterest, st.none() | st.lists(addresses, max_size=9).map(tuple)),
    "NotesOfInterestReply": st.just(messages.NotesOfInterestReply()),
    "LowBattery": st.builds(messages.LowBattery, u8),
    "PowerOffNotice": st.builds(messages.PowerOffNotice, u8),
    "PasswordRequest": st.builds(messages_control.PasswordRequest, words(16)),
    "PasswordReply": st.builds(messages_control.PasswordReply, u8, u8, u8),
    "PasswordChange": st.builds(messages_control.PasswordChange, st.booleans(), words(16), words(16)),
    "PasswordChangeReply": st.builds(messages_control.PasswordChangeReply, u8, u8, st.none() | u8),
    "SetSetting": st.builds(messages_control.SetSetting, u8, st.binary(max_size=20)),
    "SettingAnswer": st.builds(messages_control.SettingAnswer, u8, st.none() | u8),
    "DeleteNotes": st.builds(messages_deletion.DeleteNotes, u8, st.integers(0, 2**24 - 1), numbers),
    "DeleteNotesReply": st.builds(messages_deletion.DeleteNotesReply, numbers),
    "DeletePages": st.builds(messages_deletion.DeletePages, addresses, numbers),
    "DeletePagesReply": st.builds(messages_deletion.DeletePagesReply, st.binary(max_size=20)),
    "OldUpDown": st.builds(messages_ink.OldUpDown, up=st.booleans(), time_ms=u64, tip=u8, color=u32),
    "OldPage": st.builds(messages_ink.OldPage, addresses, u32),
    "OldDot": st.builds(messages_ink.OldDot, dots),
    "PlainDot": plain(messages_ink.PlainDot, hundredths),
    "ShortDot": plain(messages_ink.ShortDot, small_hundredths),
    "HoverDot": plain(messages_ink.HoverDot, hundredths),
    "ImageErrorRecord": errors,
    "CountedDown": st.builds(messages_ink.CountedDown, count=u8, time_ms=u64, tip=u8, color=u32),
    "CountedUp": st.builds(
        messages_ink.CountedUp,
        count=u8,
        time_ms=u64,
        dots_sent=u16,
        images_taken=u16,
        images_processed=u16,
        images_decoded=u16,
        images_sent=u16,
    ),
    "CountedPage": st.builds(messages_ink.CountedPage, u8, addresses, u32),
    "CountedDot": st.builds(messages_ink.CountedDot, u8, dots),
    "CountedImageError": st.builds(messages_ink.CountedImageError, u8, errors),
    "MemoryNotesRequest": st.builds(
        messages_memory.MemoryNotesRequest, st.none() | st.tuples(u8, st.integers(0, 2**24 - 2))
    ),
    "MemoryNotesReply": st.builds(messages_memory.MemoryNotesReply, st.lists(addresses, max_size=9).map(tuple)),
    "MemoryPagesRequest": st.builds(messages_memory.MemoryPagesRequest, addresses),
    "MemoryPagesReply": st.builds(messages_memory.MemoryPagesReply, addresses, numbers),
    "TransferRequest": st.builds(
        messages_memory.TransferRequest, address=addresses, pages=numbers, after=u8, compress=st.booleans()
    ),
    "TransferReply": st.builds(messages_memory.TransferReply, u32, u32, st.booleans()),
    "MemoryChunk": st.builds(
        MemoryChunk,
        packet=u16,
        compressed=st.booleans(),
        size_before=u16,
        size_after=u16,
        position=u8,
        address=addresses,
        strokes=u16,
        data=st.binary(max_size=90),
    ),
    "ChunkAck": st.builds(messages_memory.ChunkAck, u16, st.booleans()),
}


def test_every_message_has_values_to_try_and_a_command_of_its_own() -> None:
    assert set(ANY) == set(MESSAGES)
    assert len({kind.COMMAND for kind in MESSAGES.values()}) == len(MESSAGES)


@pytest.mark.parametrize("name", sorted(ANY))
@given(data=st.data())
def test_a_message_unpacks_to_itself_through_a_frame(name: str, data: st.DataObject) -> None:
    message = data.draw(ANY[name])
    (found,) = Deframer().feed(to_frame(message))
    assert isinstance(found, Frame)
    assert found.command == message.COMMAND
    assert type(message).unpack(found.payload) == message


@pytest.mark.parametrize("name", sorted(ANY))
@given(payload=st.binary(max_size=120))
def test_any_payload_is_read_or_refused_as_a_protocol_error(name: str, payload: bytes) -> None:
    try:
        MESSAGES[name].unpack(payload)
    except PenProtocolError as error:
        refused = error.data
    else:
        refused = payload
    assert refused == payload


SIZES = {
    "VersionRequest": 42,
    "VersionReply": 69,
    "SettingsRequest": 0,
    "SettingsReply": 64,
    "PasswordRequest": 16,
    "PasswordReply": 3,
    "PasswordChange": 33,
    "NotesOfInterestReply": 0,
    "LowBattery": 1,
    "PowerOffNotice": 1,
    "OldUpDown": 14,
    "OldPage": 12,
    "OldDot": 13,
    "PlainDot": 7,
    "ShortDot": 5,
    "HoverDot": 7,
    "ImageErrorRecord": 11,
    "CountedDown": 14,
    "CountedUp": 19,
    "CountedPage": 13,
    "CountedDot": 14,
    "CountedImageError": 12,
    "TransferReply": 9,
    "ChunkAck": 3,
}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
@given(data=st.data())
def test_a_message_packs_to_the_size_of_its_table(name: str, size: int, data: st.DataObject) -> None:
    assert len(data.draw(ANY[name]).pack()) == size


def test_a_pen_with_a_short_hello_is_understood() -> None:
    """64 and 65 bytes are sent by real pens; the vendor's parser throws below 69."""
    whole = messages.VersionReply(
        model="NWP-F30", firmware="1", protocol="2.18", name="dimo", mac=bytes(6), pressure_sensor=1, color=3
    )
    assert messages.VersionReply.unpack(whole.pack()[:64]).model == "NWP-F30"
    assert messages.VersionReply.unpack(whole.pack()[:65]).pressure_sensor == 1
    assert messages.VersionReply.unpack(whole.pack() + b"\x01").color == 3


def test_a_wired_pens_decoder_text_is_not_taken_for_codes() -> None:
    wired = messages.VersionReply(
        model="G", firmware="1", protocol="2.2", name="", device_type=4, mac=bytes(6), color=9
    )
    assert messages.VersionReply.unpack(wired.pack()).color == 0


def test_settings_stand_where_the_reference_shows_them() -> None:
    told = messages.SettingsReply.unpack(
        bytes.fromhex("000a000068e5cf8b0100001400540307000101005d010200004d7950656e") + bytes(34)
    )
    assert (told.battery_percent, told.sensitivity, told.local_name) == (93, 2, "MyPen")
    assert told == messages.SettingsReply(
        clock_ms=1_700_000_000_000, memory_percent=7, battery_percent=93, local_name="MyPen"
    )


def test_short_settings_are_understood_and_the_battery_byte_is_split() -> None:
    """The vendor's parser hands over 183 for 55 % and charging."""
    told = messages.SettingsReply(clock_ms=1, battery_percent=55, charging=True)
    assert told.pack()[20] == 0xB7
    assert messages.SettingsReply.unpack(told.pack()[:23]) == told


def test_an_old_app_that_sends_no_protocol_version_is_understood() -> None:
    whole = messages.VersionRequest(app_version="1.0", protocol="2.18")
    assert messages.VersionRequest.unpack(whole.pack()[:34]).protocol == ""


def test_the_clock_is_set_as_the_reference_shows() -> None:
    assert to_frame(messages_control.SetSetting.clock(1_700_000_000_000)).hex() == "c0050900010068e5cf8b010000c1"


def test_the_led_takes_its_colour_as_a_r_g_b() -> None:
    assert messages_control.SetSetting.led(0xFF3C6BF0).pack().hex() == "08ff3c6bf0"


def test_all_notes_are_asked_for_as_the_reference_shows() -> None:
    assert to_frame(messages.NotesOfInterest()).hex() == "c0110200ffffc1"


def test_power_off_reasons_have_names_and_unknown_ones_a_number() -> None:
    assert [messages.PowerOffNotice(n).words for n in (0, 4, 8, 9)] == [
        "auto_power_off",
        "cap",
        "disconnected",
        "reason_9",
    ]


stored = st.builds(
    StoredStroke,
    page=u32,
    down_ms=u64,
    up_ms=u64,
    tip=u8,
    color=u32,
    dots=st.lists(dots.map(stored_dot), max_size=5).map(tuple),
)


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "plain"])
@given(strokes=st.lists(stored, max_size=5), address=addresses)
def test_stored_strokes_come_back_out_of_a_chunk(
    strokes: list[StoredStroke],
    address: NoteAddress,
    *,
    compress: bool,
) -> None:
    chunk = MemoryChunk.of(strokes, packet=1, position=2, address=address, compress=compress)
    assert read_strokes(MemoryChunk.unpack(chunk.pack()).body(), len(strokes)) == (strokes, b"")


def test_the_sum_of_a_stored_dot_is_the_reference_s() -> None:
    raw = bytes.fromhex("00c80014001e0019325a64b4000000b7")
    assert stored_dot(DotRecord.read(raw, 0)).raw == raw


def test_a_chunk_that_inflates_beyond_64_kb_is_refused() -> None:
    bomb = zlib.compress(bytes(10_000_000))
    chunk = MemoryChunk(
        packet=0,
        compressed=True,
        size_before=0,
        size_after=0,
        position=2,
        address=NoteAddress(3, 27, 603),
        strokes=1,
        data=bomb,
    )
    with pytest.raises(PenProtocolError):
        chunk.body()


def test_position_bytes_are_unsigned() -> None:
    """One SDK reads stored positions as signed."""
    raw = struct.pack("<BHHHBBBBH", 0, 1, 0xFFFF, 0x8000, 99, 0, 90, 90, 0)
    record = DotRecord.read(raw, 0)
    assert (record.x_hundredths, record.y_hundredths) == (6_553_599, 3_276_800)
