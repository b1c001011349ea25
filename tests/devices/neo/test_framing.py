from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.neo.framing import FRAME_LIMIT_BYTES, Deframer, Fault, Frame, frame, short_error

EVENTS = [0x24, 0x32, *range(0x60, 0x70), 0x73, 0x76, 0x77]
events = st.tuples(st.sampled_from(EVENTS), st.none(), st.binary(max_size=60))
replies = st.tuples(st.integers(0x80, 0xFF), st.integers(0, 255), st.binary(max_size=60))
bodies = st.lists(st.one_of(events, replies).map(Frame._make), max_size=8)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({min(n, len(data)) for n in at}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(bodies, st.lists(st.integers(0, 600), max_size=20))
def test_frames_survive_any_cut_of_the_stream(frames: list[Frame], at: list[int]) -> None:
    stream = b"".join(frame(f.command, f.payload, result=f.result) for f in frames)
    deframer = Deframer()
    assert [found for piece in cut(stream, at) for found in deframer.feed(piece)] == frames
    assert deframer.is_idle


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=20))
def test_any_bytes_give_the_same_frames_and_faults_however_they_are_cut(data: bytes, at: list[int]) -> None:
    pieces = Deframer()
    assert [found for piece in cut(data, at) for found in pieces.feed(piece)] == Deframer().feed(data)


@given(st.binary(max_size=200).filter(lambda noise: 0xC0 not in noise))
def test_noise_before_a_frame_is_skipped_and_told(noise: bytes) -> None:
    deframer = Deframer()
    found = deframer.feed(noise + frame(0x61, b"\x05"))
    assert found[-1] == Frame(0x61, None, b"\x05")
    assert found[:-1] == ([Fault("noise", noise[:64])] if noise else [])
    assert deframer.noise_bytes == len(noise)


def test_special_bytes_are_escaped_in_command_result_length_and_payload_alike() -> None:
    sent = frame(0xC1, b"\xc0\xc1\x7d", result=0x7D)
    assert sent == bytes.fromhex("c0 7de1 7d5d 0300 7de0 7de1 7d5d c1")
    assert Deframer().feed(sent) == [Frame(0xC1, 0x7D, b"\xc0\xc1\x7d")]


def test_an_escape_split_across_two_notifications_is_one_byte() -> None:
    deframer = Deframer()
    assert deframer.feed(bytes.fromhex("c06101007d")) == []
    assert deframer.feed(bytes.fromhex("e0c1")) == [Frame(0x61, None, b"\xc0")]


def test_a_new_start_inside_a_frame_starts_over_and_tells_the_cut() -> None:
    found = Deframer().feed(bytes.fromhex("c06c0e0003") + frame(0x61, b"\x07"))
    assert found == [Fault("cut", bytes.fromhex("6c0e0003")), Frame(0x61, None, b"\x07")]


@pytest.mark.parametrize("length", [0, 1, 3, 0xFFFF])
def test_a_length_field_that_lies_is_a_fault_and_the_next_frame_is_whole(length: int) -> None:
    """The vendor's parser ignores the field."""
    wrong = b"\xc0\x61" + length.to_bytes(2, "little") + b"\x01\x02\xc1"
    found = Deframer().feed(wrong + frame(0x61, b"\x07"))
    assert [type(each) for each in found] == [Fault, Frame]
    assert found[0][0] == "damaged"


def test_a_lost_end_mark_costs_32_kb_at_most() -> None:
    deframer = Deframer()
    found = deframer.feed(b"\xc0\x24" + bytes(2 * FRAME_LIMIT_BYTES))
    assert [each[0] for each in found] == ["too_long"]
    assert deframer.is_idle
    assert deframer.feed(frame(0x61, b"\x07"))[-1] == Frame(0x61, None, b"\x07")


def test_the_largest_frame_passes_and_one_byte_more_does_not() -> None:
    most = FRAME_LIMIT_BYTES - 3
    assert Deframer().feed(frame(0x24, bytes(most))) == [Frame(0x24, None, bytes(most))]
    assert Deframer().feed(frame(0x24, bytes(most + 1)))[0][0] == "too_long"


@given(st.lists(st.binary(max_size=64), max_size=30))
def test_faults_hold_64_bytes_at_most_and_nothing_is_raised(pieces: list[bytes]) -> None:
    deframer = Deframer()
    for piece in pieces:
        assert all(len(each.data) <= 64 for each in deframer.feed(piece) if isinstance(each, Fault))


def test_error_replies_come_with_a_length_or_without() -> None:
    assert Deframer().feed(frame(0x84, b"", result=2)) == [Frame(0x84, 2, b"")]
    assert Deframer().feed(short_error(0x84, 2)) == [Frame(0x84, 2, b"")]
    assert Deframer().feed(short_error(0xC1, 0xC0)) == [Frame(0xC1, 0xC0, b"")]


def test_a_short_reply_that_says_success_is_damaged() -> None:
    assert Deframer().feed(short_error(0x84, 0)) == [Fault("damaged", b"\x84\x00")]


def test_stray_bytes_alone_give_nothing() -> None:
    """The vendor's parser throws on them."""
    deframer = Deframer()
    assert deframer.feed(b"\x00") == []
    assert deframer.feed(b"\xc1") == []
