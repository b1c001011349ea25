"""Emptying one pen's memory over one link, without I/O and without a clock: events in, requests and strokes out.

Theory of operation. The notes are listed, then the pages of each note, then each page is transferred and kept. What
`take` gives out must be made durable; `committed` says that all of it is. Only then the page is counted afresh: a new
transfer is asked for, whose answer tells how many strokes the pen has of that page now, and which is stopped at its
first chunk. The page is deleted if that count is the number of strokes that this drain made durable and none of them
was hurt. Fewer, none left: the pen deleted by itself, and nothing is missing. Another number: the page is transferred
again. A page with a hurt stroke stays in the pen, and so does one that does not come to rest; the rest goes on.

A list that is as long as a list can be is asked for again after its entries are done. A new link is a new drain: it
begins anew, and the store knows what it has.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from devices.events import (
    Answered,
    MemoryListed,
    Oddity,
    OfflineStroke,
    PagesListed,
    PenEvent,
    TransferBegan,
    TransferEnded,
    Unanswered,
)
from devices.neo.messages_deletion import DeletePages
from devices.neo.messages_memory import (
    AfterTransfer,
    MemoryChunk,
    MemoryNotesRequest,
    MemoryPagesRequest,
    TransferRequest,
)
from devices.neo.wire import NoteAddress

MOST_NOTES: Final = 64
MOST_PAGES: Final = 128
"""From protocol 2.15: a list of so many entries means that there may be more (neo-protocol 6.1)."""

TRIES: Final = 3

State: TypeAlias = Literal[
    "listing", "paging", "transferring", "committing", "counting", "stopping", "deleting", "ended"
]
Request: TypeAlias = MemoryNotesRequest | MemoryPagesRequest | TransferRequest | DeletePages
Page: TypeAlias = tuple[NoteAddress, int]


class Drain:
    """One pen's memory, one link.

    Attributes:
        state: What is waited for.
        whole: At the end: whether all that the pen had is durable now.
        why: At the end, where it is not whole, or something stays in the pen: `hurt`, `short`, `restless`, `refused`,
            `unanswered`, `list_full`.
        strokes: How many strokes were given out to be made durable, copies of repeated transfers included.
        pages_deleted: How many pages the pen has forgotten on our word.
    """

    def __init__(self) -> None:
        self.state: State = "listing"
        self.whole = True
        self.why: str | None = None
        self.strokes = self.pages_deleted = 0
        self.transfer = 0
        """Number of the transfer under way: strokes of one transfer are told apart from those of its repetition."""
        self._wanted: Request | None = MemoryNotesRequest()
        self._notes: deque[NoteAddress] = deque()
        self._pages: deque[Page] = deque()
        self._done: set[Page] = set()
        self._in_pen: dict[Page, int] = {}
        self._more = False
        """Whether a list was full, so that there may be more than it told."""
        self._progress = False
        self._page: Page | None = None
        self._tries = TRIES
        self._began: int | None = None
        self._got = self._hurt = 0
        self._is_durable = True
        self._last: OfflineStroke | None = None
        self.must_leave = False
        """Whether the last chunk of the transfer must not be acknowledged: a pen may forget then, and it was hurt."""

    @property
    def strokes_in_pen(self) -> int:
        """How many strokes are known to be in the pen, at least: a page not yet transferred counts one."""
        return sum(self._in_pen.values())

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is asked."""
        return self.state == "ended"

    @property
    def must_stop(self) -> bool:
        """Whether the transfer under way has told what was to be learnt, and should be stopped."""
        return self.state == "stopping"

    def request(self) -> Request | None:
        """What to ask the pen now; each is given once."""
        wanted, self._wanted = self._wanted, None
        return wanted

    def take(self, events: Iterable[PenEvent]) -> list[OfflineStroke]:
        """Take what the pen said, all that one beat brought. Returns the strokes that must be made durable."""
        strokes: list[OfflineStroke] = []
        for event in events:
            if isinstance(event, OfflineStroke):
                self._stroke(event, strokes)
            elif isinstance(event, Oddity):
                if (event.kind, event.command) == ("bad_sum", MemoryChunk.COMMAND):
                    self._is_hurt(strokes)
            else:
                self._told(event)
        self.strokes += len(strokes)
        if strokes:
            self._is_durable = False
        self._go_on()
        return strokes

    def committed(self) -> None:
        """Everything that was given out is durable."""
        self._is_durable = True
        self._go_on()

    def left(self) -> None:
        """The transfer that was hurt is not answered any more."""
        self.must_leave = False

    def stopped(self) -> None:
        """The transfer that only counted was told to stop."""
        if self.state == "stopping" and self._page is not None:
            note, page = self._page
            self.state, self._wanted = "deleting", DeletePages(note, (page,))

    def _told(self, event: PenEvent) -> None:
        match event:
            case MemoryListed():
                self._listed(event)
            case PagesListed():
                self._paged(event)
            case TransferBegan():
                self._transfer_began(event)
            case TransferEnded():
                self._transfer_ended(event)
            case Answered(command=command, ok=ok):
                self._answered(command, ok=ok)
            case Unanswered(command=command):
                self._unanswered(command)
            case _:
                pass

    def _listed(self, listed: MemoryListed) -> None:
        if self.state != "listing":
            return
        self._more = len(listed.notes) >= MOST_NOTES
        self._notes = deque(NoteAddress(*note) for note in listed.notes)
        self._progress = False
        self._next_note()

    def _next_note(self) -> None:
        self._tries = TRIES
        if self._notes:
            self.state, self._wanted = "paging", MemoryPagesRequest(self._notes[0])
        elif not self._more:
            self.state = "ended"
        elif self._progress:
            self.state, self._wanted = "listing", MemoryNotesRequest()
        else:
            self._miss("list_full")
            self.state = "ended"

    def _paged(self, listed: PagesListed) -> None:
        if self.state != "paging" or tuple(listed.address) != tuple(self._notes[0]):
            return
        note = self._notes.popleft()
        pages = [(note, page) for page in listed.pages]
        new = [page for page in pages if page not in self._done]
        self._pages = deque(new)
        for page in pages:
            self._in_pen.setdefault(page, 1)
        if len(pages) >= MOST_PAGES:
            if new:
                self._notes.appendleft(note)  # asked for again once these are done
            else:
                self._miss("list_full")
        self._next_page()

    def _next_page(self) -> None:
        self._page, self._tries = None, TRIES
        if self._pages:
            self._page = self._pages.popleft()
            self._transfer(self._page)
        else:
            self._next_note()

    def _transfer(self, page: Page) -> None:
        self.transfer += 1
        self._began, self._got, self._hurt = None, 0, 0
        self.state, self._wanted = "transferring", _kept(page)

    def _transfer_began(self, began: TransferBegan) -> None:
        if self._page is None or self._began is not None or self._wanted is not None:
            return
        if self.state not in {"transferring", "counting"}:
            return
        self._began = self._in_pen[self._page] = began.strokes
        if not began.strokes:
            self._finish(deleted=False)  # when counted: the pen let it go by itself, and all that it had is durable
        elif self.state == "counting" and began.strokes != self._got:
            self._again("restless")

    def _stroke(self, stroke: OfflineStroke, strokes: list[OfflineStroke]) -> None:
        if self._began is None:
            return
        if self.state == "counting":
            self.state = "stopping"
        elif self.state == "transferring":
            self._got += 1
            self._last = stroke
            strokes.append(stroke)

    def _is_hurt(self, strokes: list[OfflineStroke]) -> None:
        """The stroke before it is hurt: it stays in the pen, for half of it would stand in the way of the whole."""
        self._hurt += 1
        if strokes and strokes[-1] is self._last:
            strokes.pop()
            self._got -= 1
        self._last = None

    def _transfer_ended(self, ended: TransferEnded) -> None:
        if self._began is None:
            return
        if self.state in {"counting", "stopping"}:
            self.state = "stopping"
            self.stopped()
        elif self.state == "transferring":
            self.must_leave = bool(self._hurt or ended.damaged or self._got != self._began)
            if self._hurt:
                self._keep("hurt")
            elif ended.damaged or self._got != self._began:
                self._again("short")
            else:
                self.state = "committing"

    def _go_on(self) -> None:
        if self.state == "committing" and self._is_durable:
            self._count()

    def _count(self) -> None:
        if self._page is not None:
            self._began = None
            self.state, self._wanted = "counting", _kept(self._page)

    def _answered(self, command: int, *, ok: bool) -> None:
        if self.state == "deleting" and command == DeletePages.COMMAND:
            if ok:
                self.pages_deleted += 1
                self._finish(deleted=True)
            else:
                self._finish(deleted=False, why="refused")
        elif not ok and command == TransferRequest.COMMAND and self.state in {"transferring", "counting"}:
            self._keep("refused")
        elif not ok and command == MemoryPagesRequest.COMMAND and self.state == "paging":
            self._notes.popleft()
            self._miss("refused")
            self._next_note()
        elif not ok and command == MemoryNotesRequest.COMMAND and self.state == "listing":
            self._miss("refused")
            self.state = "ended"

    def _unanswered(self, command: int) -> None:
        asked = _COMMANDS.get(self.state)
        if command != asked or (self._began is not None and self.state != "deleting"):
            return
        self._tries -= 1
        if self._tries > 0:
            self._ask_again()
        elif self.state == "deleting":
            self._finish(deleted=False, why="unanswered")  # the ink is durable; whether it is in the pen is no matter
        else:
            self._miss("unanswered")
            self.state = "ended"  # a pen that does not answer is not asked about its other pages

    def _ask_again(self) -> None:
        if self.state == "listing":
            self._wanted = MemoryNotesRequest()
        elif self.state == "paging":
            self._wanted = MemoryPagesRequest(self._notes[0])
        elif self._page is not None and self.state == "deleting":
            self._count()  # it may have been deleted; the count tells
        elif self._page is not None:
            self._transfer(self._page)

    def _again(self, why: str) -> None:
        """The page is not what it was told to be: once more, but not for ever."""
        self._tries -= 1
        if self._tries > 0 and self._page is not None:
            self._transfer(self._page)
        else:
            self._keep(why)

    def _keep(self, why: str) -> None:
        """The page stays in the pen, and what it holds is not all durable."""
        self._miss(why)
        self._finish(deleted=False)

    def _miss(self, why: str) -> None:
        self.whole, self.why = False, self.why or why

    def _finish(self, *, deleted: bool, why: str | None = None) -> None:
        """One page is over, by whatever way."""
        self.why = self.why or why
        page = self._page
        if page is not None:
            self._done.add(page)
            self._progress = True
            if deleted or not self._in_pen.get(page):
                self._in_pen.pop(page, None)
        self._next_page()


_COMMANDS: Final[dict[State, int]] = {
    "listing": MemoryNotesRequest.COMMAND,
    "paging": MemoryPagesRequest.COMMAND,
    "transferring": TransferRequest.COMMAND,
    "counting": TransferRequest.COMMAND,
    "deleting": DeletePages.COMMAND,
}


def _kept(page: Page) -> TransferRequest:
    note, number = page
    return TransferRequest(address=note, pages=(number,), after=AfterTransfer.KEEP)
