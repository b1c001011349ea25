"""The live feed: one committed batch in, the same bytes to every page.

The beat calls `publish` after its commit. A frame says which seq came before it, so that a page sees a hole whatever
made it: a slow page's mailbox is emptied, never waited for, and the page asks for a snapshot.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from gateway.dashboard.frames import MOST_DOTS, Kind, pack
from gateway.dashboard.source import LiveChunk, StrokeView

MAILBOX_CAP: Final = 240
"""Messages that wait for one page: eight seconds of beats."""


class Mailbox:
    """What one page has not been sent yet."""

    def __init__(self, cap: int = MAILBOX_CAP) -> None:
        self._cap = cap
        self._messages: deque[bytes | str] = deque()
        self._filled = asyncio.Event()
        self.snapshot_wanted = True
        """The page has just come, or saw a hole."""
        self.emptied = 0
        """How often it was too slow."""

    def put(self, message: bytes | str) -> None:
        """Leave a message; a full mailbox is emptied first."""
        if len(self._messages) >= self._cap:
            self._messages.clear()
            self.emptied += 1
            self.snapshot_wanted = True
        self._messages.append(message)
        self._filled.set()

    def want_snapshot(self) -> None:
        """The page saw a hole."""
        self.snapshot_wanted = True
        self._filled.set()

    def clear(self) -> None:
        """A snapshot taken now holds all of it."""
        self._messages.clear()

    async def wait(self) -> None:
        """Until there is something to do."""
        await self._filled.wait()

    def take(self) -> bytes | str | None:
        """The next message; None for none."""
        if self._messages:
            return self._messages.popleft()
        self._filled.clear()
        return None

    def __len__(self) -> int:
        return len(self._messages)


class Feed:
    """All pages that look on. Lives in the loop's thread."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._pages: set[Mailbox] = set()
        self._texts: dict[str, str] = {}
        self._before = 0
        self.frames = 0
        self.bytes = 0

    @property
    def pages(self) -> int:
        """How many look on."""
        return len(self._pages)

    def join(self) -> Mailbox:
        """A page has come; its first need is a snapshot."""
        mailbox = Mailbox()
        self._pages.add(mailbox)
        return mailbox

    def leave(self, mailbox: Mailbox) -> None:
        """A page has gone."""
        self._pages.discard(mailbox)

    def publish(self, seq: int, batch: Sequence[LiveChunk]) -> None:
        """Show a batch that is committed. `seq` grows from call to call; a beat without ink may be left out."""
        if not batch:
            return
        before, self._before = self._before, seq
        if not self._pages:
            return
        frame = pack(Kind.LIVE, batch, seq=seq, before=before, box_ms=self._now_ms())
        self.frames += 1
        self.bytes += len(frame)
        for page in self._pages:
            page.put(frame)

    def restart(self) -> None:
        """What was shown so far is no longer what is shown: another lesson. Every page takes a snapshot."""
        for page in self._pages:
            page.want_snapshot()

    def tell(self, kind: str, text: str) -> None:
        """Hand a JSON message of this kind to every page, if it says something new."""
        if self._texts.get(kind) == text:
            return
        self._texts[kind] = text
        self.say(text)

    def say(self, text: str) -> None:
        """Hand a JSON message to every page."""
        for page in self._pages:
            page.put(text)

    def texts(self) -> list[str]:
        """The newest message of each kind, for a page that comes now."""
        return list(self._texts.values())

    def snapshot_frames(self, seq: int, strokes: Sequence[StrokeView]) -> Iterator[bytes]:
        """A snapshot in frames of at most some `MOST_DOTS` dots, so that whoever sends may let others in between."""
        box_ms = self._now_ms()
        yield pack(Kind.SNAPSHOT_BEGINS, (), seq=seq, before=seq, box_ms=box_ms)
        part: list[LiveChunk] = []
        dots = 0
        for stroke in strokes:
            part.append(LiveChunk(stroke.seat, stroke.page, stroke.at_ms, stroke.dots, first=True, ended=stroke.ended))
            dots += len(stroke.dots)
            if dots >= MOST_DOTS:
                yield pack(Kind.SNAPSHOT_GOES_ON, part, seq=seq, before=seq, box_ms=box_ms)
                part, dots = [], 0
        yield pack(Kind.SNAPSHOT_ENDS, part, seq=seq, before=seq, box_ms=box_ms)
