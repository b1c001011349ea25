"""What each part of the live path costs, alone: processor time a dot, in this process, best of several rounds."""

import time
from collections.abc import Callable
from typing import Final

from sqlite_utils import Database

from devices.events import Dot, PageChanged, PenDown, PenEvent
from devices.neo.messages_ink import CountedDot, CountedDown, CountedPage, DotRecord
from devices.neo.session import NeoSession
from devices.neo.wire import NoteAddress, to_frame
from gateway import journal
from gateway.dashboard.feed import Feed
from gateway.dashboard.source import LiveChunk
from gateway.journal import Batch
from gateway.schema import migrations
from gateway.strokes import PenInk, Piece
from recognition.pages import PageAddress

_DOTS: Final = 6_000
_ROUNDS: Final = 5
_BEAT_DOTS, _BEAT_PENS = 160, 48
_PAGES: Final = 5


def measure() -> dict[str, float]:
    """Microseconds a dot by part."""
    return {
        "session": _best(_session()),
        "strokes": _best(_strokes()),
        "journal": _best(_journal()),
        "fan_out_5_pages": _best(_fan_out()),
    }


def _best(work: Callable[[], int]) -> float:
    """The least time a dot over some rounds; `work` says how many dots it took."""
    least = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        dots = work()
        least = min(least, (time.process_time() - began) / dots)
    return round(least * 1e6, 2)


def _session() -> Callable[[], int]:
    record = DotRecord(delta_ms=10, force=300, x_hundredths=2025, y_hundredths=3050, tilt_x=90, tilt_y=90, twist=180)
    head = [
        to_frame(CountedDown(count=0, time_ms=1_700_000_000_000)),
        to_frame(CountedPage(1, NoteAddress(3, 1013, 4100), 1)),
    ]
    frames = [to_frame(CountedDot(i % 256, record)) for i in range(2, _DOTS + 2)]

    def work() -> int:
        session = NeoSession(lenient=True)
        for data in head:
            list(session.receive(data, now_ms=0))
        dots = 0
        for data in frames:
            for event in session.receive(data, now_ms=0):
                dots += type(event) is Dot
        return dots

    return work


def _strokes() -> Callable[[], int]:
    start = 1_700_000_000_000
    head: list[PenEvent] = [PenDown(start, "pen", 0), PageChanged(3, 1013, 4100, 1)]
    dots = [Dot(start + i * 10, 2000 + i, 3000, 300, 90, 90, 180) for i in range(_DOTS)]

    def work() -> int:
        ink = PenInk("9C:7B:D2:50:00:01")
        for event in (*head, *dots):
            ink.feed(start, event)
        return _DOTS

    return work


def _journal() -> Callable[[], int]:
    def work() -> int:
        db = Database(memory=True)
        migrations.apply(db)
        for beat in range(1, 11):
            batch = Batch(beat, 0, open=[_piece(pen) for pen in range(_BEAT_PENS)])
            entries, keep = journal.prepare(batch)
            with db.atomic():
                journal.commit(db, batch, entries, keep, trusted=True)
        return 10 * _BEAT_DOTS

    return work


def _fan_out() -> Callable[[], int]:
    dots = [(1000 + i, 2000, 128, 10) for i in range(_BEAT_DOTS // _BEAT_PENS + 1)]
    chunks = [LiveChunk(pen, 0, 0, dots) for pen in range(_BEAT_PENS)]

    def work() -> int:
        feed = Feed(lambda: 0)
        for _ in range(_PAGES):
            feed.join()
        for beat in range(1, 31):
            feed.publish(beat, chunks)
        return 30 * len(dots) * _BEAT_PENS

    return work


def _piece(pen: int) -> Piece:
    piece = Piece(f"9C:7B:D2:50:00:{pen:02X}", PageAddress(3, 1013, 4100, 1), 0, 0, time_known=True, tip="pen")
    piece.rows = [(2000, 3000, 300, i, 90, 90, 180) for i in range(-(-_BEAT_DOTS // _BEAT_PENS))]
    return piece
