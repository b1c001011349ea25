"""H4: the same packets however the stream was cut, ink the short way, everything else untouched and in order."""

import struct

import pytest
from bumble import core, hci
from hypothesis import given
from hypothesis import strategies as st

from devices.hci_wire import H4Parser, QuietHost, Sink, sink_key

LINK, HANDLE = 0x041, 0x0012


class Packets:
    """Keeps what came."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def on_packet(self, packet: bytes) -> None:
        self.got.append(packet)


def notification(value: bytes, *, link: int = LINK, handle: int = HANDLE, flags: int = 0x2000) -> bytes:
    att = struct.pack("<BH", 0x1B, handle) + value
    frame = struct.pack("<HH", len(att), 4) + att
    return struct.pack("<BHH", 2, link | flags, len(frame)) + frame


def event(code: int, body: bytes) -> bytes:
    return bytes([4, code, len(body)]) + body


def advert(data: bytes, rssi: int = -60, reports: int = 1) -> bytes:
    return event(
        0x3E,
        bytes([2, reports, 0, 1]) + b"\x06\x05\x04\x03\x02\x01" + bytes([len(data)]) + data + struct.pack("b", rssi),
    )


def parser() -> tuple[H4Parser, Packets, list[bytes]]:
    packets, ink = Packets(), list[bytes]()
    return H4Parser(packets, {sink_key(LINK, HANDLE): ink.append}), packets, ink


packets_of_any_kind = st.one_of(
    st.binary(max_size=60).map(notification),
    st.binary(max_size=60).map(lambda v: notification(v, handle=HANDLE + 1)),
    st.binary(max_size=60).map(lambda v: notification(v, link=LINK + 1)),
    st.binary(max_size=255).map(lambda b: event(0x0E, b)),
    st.binary(max_size=31).map(advert),
)


@given(st.lists(packets_of_any_kind, max_size=12), st.lists(st.integers(1, 40), max_size=60))
def test_any_cut_of_the_stream_gives_the_same_packets_in_order(packets: list[bytes], cuts: list[int]) -> None:
    whole, cut = parser(), parser()
    stream = b"".join(packets)
    whole[0].feed_data(stream)
    at = 0
    for size in [*cuts, len(stream) + 1]:
        cut[0].feed_data(stream[at : at + size])
        at += size
    assert (cut[1].got, cut[2]) == (whole[1].got, whole[2])
    assert len(whole[1].got) + len(whole[2]) == len(packets)


def test_a_notification_of_a_subscribed_characteristic_goes_straight_to_its_subscriber() -> None:
    parse, packets, ink = parser()
    parse.feed_data(notification(b"ink"))
    assert ink == [b"ink"]
    assert packets.got == []


@pytest.mark.parametrize(
    "packet",
    [
        notification(b"ink", handle=HANDLE + 1),
        notification(b"ink", link=LINK + 1),
        notification(b"ink", flags=0x1000),
        notification(b"ink").replace(b"\x1b", b"\x1d"),
        struct.pack("<BHHHH", 2, LINK | 0x2000, 10, 40, 4) + b"\x1b\x12\x00abc",
        struct.pack("<BHHHHBH", 2, LINK | 0x2000, 7, 3, 5, 0x1B, HANDLE),
        struct.pack("<BHHHHBH", 2, LINK | 0x2000, 7, 3, 0x104, 0x1B, HANDLE),
        struct.pack("<BHH", 2, LINK | 0x2000, 0),
    ],
    ids=[
        "not subscribed",
        "another link",
        "a continuation",
        "an indication",
        "a first fragment",
        "not ATT",
        "not ATT, high",
        "empty",
    ],
)
def test_everything_else_goes_through_bumble(packet: bytes) -> None:
    parse, packets, ink = parser()
    parse.feed_data(packet + notification(b"next"))
    assert packets.got == [packet]
    assert ink == [b"next"]


def test_the_broadcast_and_boundary_flags_are_no_part_of_the_link() -> None:
    parse, _, ink = parser()
    parse.feed_data(notification(b"a", flags=0x0000) + notification(b"b", flags=0x2000))
    assert ink == [b"a", b"b"]


@pytest.mark.parametrize("kind", [0, 1, 3, 5, 0xC0, 0xFF])
def test_a_wrong_type_is_out_of_step_and_the_rest_of_the_piece_is_dropped(kind: int) -> None:
    parse, packets, ink = parser()
    with pytest.raises(core.InvalidPacketError):
        parse.feed_data(notification(b"before") + bytes([kind]) + notification(b"lost"))
    parse.feed_data(event(0x0E, b"ok"))
    assert ink == [b"before"]
    assert packets.got == [event(0x0E, b"ok")]


def test_whoever_asked_is_told_of_a_stream_out_of_step_instead() -> None:
    parse, _, ink = parser()
    told: list[None] = []
    parse.on_out_of_step = lambda: told.append(None)
    parse.feed_data(b"\xff" + notification(b"x"))
    assert (len(told), ink) == (1, [])


@given(st.binary(max_size=31), st.integers(-127, 20))
def test_an_advertising_report_goes_to_whoever_scans(data: bytes, rssi: int) -> None:
    parse, packets, _ = parser()
    heard = []
    parse.on_advert = lambda *report: heard.append(report)
    parse.feed_data(advert(data, rssi))
    assert heard == [(0, 1, b"\x06\x05\x04\x03\x02\x01", data, rssi)]
    parse.on_advert = None
    parse.feed_data(advert(data, rssi))
    assert packets.got == [advert(data, rssi)]


def test_reports_in_one_event_and_broken_ones_go_through_bumble() -> None:
    parse, packets, _ = parser()
    parse.on_advert = lambda *_: pytest.fail("not ours")
    broken = event(0x3E, bytes([2, 1, 0, 1]) + bytes(6) + bytes([30]) + b"short" + b"\x00")
    several = advert(b"", reports=2)
    connected = event(0x3E, bytes([1]) + bytes(18))
    parse.feed_data(broken + several + connected)
    assert packets.got == [broken, several, connected]


def test_a_sink_that_is_removed_gets_nothing_more() -> None:
    packets, ink = Packets(), list[bytes]()
    sinks: dict[int, Sink] = {sink_key(LINK, HANDLE): ink.append}
    parse = H4Parser(packets, sinks)
    parse.feed_data(notification(b"1"))
    sinks.clear()
    parse.feed_data(notification(b"2"))
    assert ink == [b"1"]
    assert packets.got == [notification(b"2")]


def test_every_piece_of_the_stream_is_a_sign_of_life() -> None:
    parse, _, _ = parser()
    parse.feed_data(b"\x04")
    parse.feed_data(b"\x0e")
    assert parse.chunks == 2


async def test_the_quiet_host_sends_and_takes_what_bumbles_own_does() -> None:
    sent = Packets()
    host = QuietHost()
    host.set_packet_sink(sent)
    host.send_hci_packet(hci.HCI_Reset_Command())
    assert sent.got == [bytes(hci.HCI_Reset_Command())]
