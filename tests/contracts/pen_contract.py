"""What every pen keeps to, be it virtual or in a hand: the suite that both run.

A subclass gives the fixture `pen`. What needs somebody to write uses the fixture `hand`, which skips where nobody does.
"""

import time
from typing import Protocol

import pytest

from devices.errors import LinkError
from devices.neo.messages_ink import CountedDot, CountedDown, CountedPage, CountedUp
from devices.neo.messages_memory import MemoryNotesReply, MemoryNotesRequest
from devices.transport import Transport
from tests.contracts.conversation import PEN_UP, Conversation

CLOCK_SLACK_MS = 2_000
STROKE_S = 30.0
"""A person needs a moment to find the paper."""


class PenAtHand(Protocol):
    """A pen that the suite may talk to."""

    mac: str
    password: str | None

    async def connect(self) -> Transport:
        """A fresh link, notifications on."""


class Hand(Protocol):
    """Somebody who writes."""

    async def write_stroke(self) -> None:
        """Write one stroke, or ask a person to; what was written arrives later."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class PenContract:
    """The suite."""

    async def talk(self, pen: PenAtHand) -> Conversation:
        return Conversation(await pen.connect())

    async def test_the_hello_names_the_mac(self, pen: PenAtHand) -> None:
        link = await self.talk(pen)
        assert (await link.hello()).mac.hex(":").upper() == pen.mac
        await link.transport.close()

    async def test_the_settings_tell_the_battery(self, pen: PenAtHand) -> None:
        link = await self.talk(pen)
        await link.hello()
        settings = await link.settings()
        assert 0 <= settings.battery_percent <= 100
        assert settings.force_max > 0
        await link.transport.close()

    async def test_the_clock_keeps_what_it_is_set_to(self, pen: PenAtHand) -> None:
        link = await self.talk(pen)
        await link.make_ready(now_ms=now_ms(), password=pen.password)
        assert abs((await link.settings()).clock_ms - now_ms()) < CLOCK_SLACK_MS
        await link.transport.close()

    async def test_the_memory_can_be_listed(self, pen: PenAtHand) -> None:
        link = await self.talk(pen)
        await link.make_ready(now_ms=now_ms(), password=pen.password)
        reply = await link.ask(MemoryNotesRequest())
        assert not reply.result
        MemoryNotesReply.unpack(reply.payload)
        await link.transport.close()

    async def test_a_closed_link_says_so_and_closes_twice(self, pen: PenAtHand) -> None:
        link = await self.talk(pen)
        was_open = link.transport.is_open
        await link.transport.close()
        await link.transport.close()
        assert (was_open, link.transport.is_open) == (True, False)
        with pytest.raises(LinkError):
            await link.transport.write(b"\xc0\x04\x00\x00\xc1")

    async def test_a_written_stroke_arrives_whole(self, pen: PenAtHand, hand: Hand) -> None:
        link = await self.talk(pen)
        await link.make_ready(now_ms=now_ms(), password=pen.password)
        await hand.write_stroke()
        await link.until(link.ups, seconds=STROKE_S)
        ink = [frame for frame in link.frames if frame.command in (0x69, 0x6A, 0x6B, 0x6C)]
        assert [frame.command for frame in ink[:2]] == [CountedDown.COMMAND, CountedPage.COMMAND]
        up = CountedUp.unpack(link.of(PEN_UP)[0].payload)
        dots = [CountedDot.unpack(frame.payload).dot for frame in link.of(CountedDot.COMMAND)]
        assert len(dots) == up.dots_sent > 0
        down_ms = CountedDown.unpack(ink[0].payload).time_ms
        assert abs(down_ms - now_ms()) < 1000 * STROKE_S
        assert up.time_ms >= down_ms
        await link.transport.close()

    async def test_the_counter_has_no_gap(self, pen: PenAtHand, hand: Hand) -> None:
        link = await self.talk(pen)
        await link.make_ready(now_ms=now_ms(), password=pen.password)
        await hand.write_stroke()
        await link.until(link.ups, seconds=STROKE_S)
        counts = link.counts()
        assert counts == [(counts[0] + n) % 256 for n in range(len(counts))]
        await link.transport.close()

    @pytest.mark.slow
    async def test_a_new_link_counts_anew(self, pen: PenAtHand, hand: Hand) -> None:
        for _ in range(2):
            link = await self.talk(pen)
            await link.make_ready(now_ms=now_ms(), password=pen.password)
            await hand.write_stroke()
            await link.until(link.ups, seconds=STROKE_S)
            assert link.counts()[0] == 0
            await link.transport.close()
