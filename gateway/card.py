"""The link card: a sheet with one box a seat. In the join window a stroke in a box binds its pen to that seat."""

import logging
from collections.abc import Callable
from typing import Final

import numpy as np
from sqlite_utils import Database

from gateway import pens
from gateway.journal import Batch
from gateway.pens import Settled
from gateway.store import Store
from gateway.strokes import Piece
from recognition.pages import UNIT_MM, PageAddress
from recognition.sheets import bundled, load

logger = logging.getLogger(__name__)

_INSIDE: Final = 0.6
"""The share of a stroke's dots that must lie in one box to claim it."""


class CardWatch:
    """Looks for strokes on the card while the join window is open."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store, self._now_ms = store, now_ms
        self._sheet = load(bundled("link-card"))
        self.settled = Settled({}, ())
        """What the claims of the last window come to."""
        self._seen: set[tuple[int, str, int]] = set()
        self._claims: list[tuple[str, int]] = []
        """Seen and not yet in the store."""

    async def take(self, batch: Batch, join_from_ms: int | None) -> bool:
        """A beat was committed. Returns whether a binding may have changed."""
        if join_from_ms is None:
            return False
        for piece in batch.closed:
            if piece.how == "memory" and (not piece.time_known or piece.down_ms < join_from_ms):
                continue  # a tick of another day, or of a day that nobody knows, says nothing of today
            seat = self.seat_of(piece)
            if seat is not None and (join_from_ms, piece.pen, seat) not in self._seen:
                self._seen.add((join_from_ms, piece.pen, seat))
                self._claims.append((piece.pen, seat))
        if not self._claims:
            return False
        now_ms, claims = self._now_ms(), tuple(self._claims)

        def work(db: Database) -> Settled:
            settled = self.settled
            for pen, seat in claims:
                settled = pens.claim(db, join_ms=join_from_ms, pen=pen, seat=seat, at_ms=now_ms)
            return settled

        self.settled = await self._store.run(work)
        del self._claims[: len(claims)]
        for conflict in self.settled.conflicts:
            logger.warning("the link card is in conflict: pens %s, seats %s", conflict.pens, conflict.seats)
        return True

    async def settle_again(self, join_from_ms: int) -> None:
        """A person bound a pen by hand: what is still in conflict?"""
        self.settled = await self._store.run(lambda db: pens.claims_of(db, join_from_ms))

    def knows(self, page: PageAddress) -> bool:
        """Whether this is the link card's paper."""
        return self._sheet.place(page) is not None

    def seat_of(self, piece: Piece) -> int | None:
        """The seat whose box holds this stroke; None for ink elsewhere."""
        placed = self._sheet.place(piece.page)
        if placed is None:
            return None
        page, affine = placed
        paper = np.array([row[:2] for row in piece.rows], np.float64) * (UNIT_MM / 100)
        xy = paper @ affine[:, :2].T + affine[:, 2]
        boxes = page.boxes
        inside = (
            (xy[:, None, 0] >= boxes[None, :, 0])
            & (xy[:, None, 0] <= boxes[None, :, 2])
            & (xy[:, None, 1] >= boxes[None, :, 1])
            & (xy[:, None, 1] <= boxes[None, :, 3])
        ).mean(axis=0)
        best = int(inside.argmax())
        return page.fields[best].seat if inside[best] >= _INSIDE else None
