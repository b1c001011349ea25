"""What the air does to notifications on their way out of a pen."""

import asyncio
from random import Random

import pytest

from devices.neo.framing import Deframer, Frame, frame
from devices.virtual.air import Air
from devices.virtual.dongle import Beam
from devices.virtual.outlet import AirFaults, Outlet
from tests.devices.virtual.central import KeptPort, until
from tests.devices.virtual.test_air import dongle_with_host

_HEADER_BYTES = 12
_EVENT_S = 0.003


class Way:
    """One pen's outlet, a dongle at its end, and what came out there."""

    def __init__(self, air: AirFaults, *, mtu: int = 247) -> None:
        self.dropped: list[tuple[str, int, int]] = []
        self.outlet = Outlet(event_s=_EVENT_S, phase_s=0, dropped=self._dropped, air=air)
        dongle, self._port = dongle_with_host(Air())
        self.outlet.open(Beam(dongle, 1, 7, unread=lambda _events, _dots: None), mtu=mtu)

    def _dropped(self, cause: str, events: int, dots: int) -> None:
        self.dropped.append((cause, events, dots))

    @property
    def port(self) -> KeptPort:
        return self._port

    @property
    def came(self) -> list[bytes]:
        return [packet[_HEADER_BYTES:] for packet in self.port.notifications]

    def put(self, count: int, *, size: int = 4) -> list[bytes]:
        """Put frames of one event and one dot each."""
        frames = [number.to_bytes(size, "big") for number in range(count)]
        for each in frames:
            self.outlet.put(each, events=1, dots=1)
        return frames


def hurt(*, retransmit: float = 0.0, drop: float = 0.0, seed: int = 1) -> AirFaults:
    return AirFaults(retransmit, drop, Random(seed))  # noqa: S311  # a run that can be repeated


async def test_an_air_without_faults_delivers_all_at_once() -> None:
    way = Way(hurt())
    frames = way.put(100)
    way.outlet.flush()
    assert way.came == frames


async def test_packets_sent_again_come_late_all_of_them_and_in_their_order() -> None:
    way = Way(hurt(retransmit=0.2))
    frames = way.put(60)
    way.outlet.flush()
    came_at_once = len(way.came)
    assert came_at_once < len(frames)
    way.outlet.flush()
    assert len(way.came) == came_at_once, "the same connection event brought what it could not"
    await until(lambda: len(way.came) == len(frames))
    assert way.came == frames
    assert way.dropped == []


async def test_what_is_put_meanwhile_stays_behind_what_is_late() -> None:
    way = Way(hurt(retransmit=0.5))
    first = way.put(10)
    way.outlet.flush()
    second = way.put(10, size=5)
    way.outlet.flush_later()
    await until(lambda: len(way.came) == 20)
    assert way.came == first + second


async def test_what_is_late_when_the_link_goes_is_lost_and_told() -> None:
    way = Way(hurt(retransmit=0.999))
    way.put(10)
    way.outlet.flush()
    came = len(way.came)
    way.outlet.close("link_lost")
    assert way.dropped == [("link_lost", 10 - came, 10 - came)]
    await asyncio.sleep(2 * _EVENT_S)
    assert len(way.came) == came


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_what_vanishes_at_the_host_is_told_and_the_rest_is_whole(seed: int) -> None:
    way = Way(hurt(drop=0.1, seed=seed))
    frames = way.put(300)
    way.outlet.flush()
    missing = len(frames) - len(way.came)
    assert 5 < missing < 70
    assert way.dropped == [("host_dropped", 1, 1)] * missing
    assert [each for each in frames if each in set(way.came)] == way.came


async def test_the_same_seed_drops_the_same() -> None:
    came = []
    for seed in (7, 7, 8):
        way = Way(hurt(drop=0.2, seed=seed))
        way.put(100)
        way.outlet.flush()
        came.append(way.came)
    assert came[0] == came[1] != came[2]


async def test_a_frame_in_pieces_is_lost_whole_and_told_once() -> None:
    way = Way(hurt(drop=0.3, seed=5), mtu=23)
    payloads = [bytes(range(number, number + 50)) for number in range(40)]
    for payload in payloads:
        way.outlet.put(frame(0x6C, payload), events=1, dots=1)
    way.outlet.flush()
    found = Deframer().feed(b"".join(way.came))
    # Two halves may make a frame of the right length, for it has no other check.
    whole = sum(isinstance(each, Frame) and each.payload in payloads for each in found)
    assert 0 < whole < 40
    assert way.dropped == [("host_dropped", 1, 1)] * (40 - whole)
