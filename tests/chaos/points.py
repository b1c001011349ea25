"""The named crash points: which process dies in which function. No hook in the product; see `site/sitecustomize.py`."""

from dataclasses import asdict, dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One place to die in."""

    name: str
    role: str
    """`gateway`, `receiver`, `reader`: who dies."""
    target: str
    """module:qualname."""
    when: str
    """`before` the function or `after` it."""
    ripe: str = "always"
    """Which call counts: a method of `Ripe`."""
    drains: bool = False
    """Whether a pen must have something in its memory for it to come by."""


_MEMORY: Final = "devices.neo.messages_memory"
_DELETION: Final = "devices.neo.messages_deletion"

POINTS: Final = (
    CrashPoint("received_not_committed", "gateway", "gateway.journal:commit", "before", "has_ink"),
    CrashPoint("committed_not_released", "gateway", "gateway.box:Box._committed", "before", "has_memory", drains=True),
    CrashPoint("drain_list", "gateway", f"{_MEMORY}:MemoryNotesReply.unpack", "after", drains=True),
    CrashPoint("drain_pages", "gateway", f"{_MEMORY}:MemoryPagesReply.unpack", "after", drains=True),
    CrashPoint("drain_transfer", "gateway", f"{_MEMORY}:TransferReply.unpack", "after", drains=True),
    CrashPoint("drain_chunk", "gateway", f"{_MEMORY}:MemoryChunk.unpack", "after", drains=True),
    CrashPoint("drain_commit", "gateway", "gateway.journal:commit", "after", "has_memory", drains=True),
    CrashPoint("drain_fresh_count", "gateway", f"{_MEMORY}:TransferReply.unpack", "after", "after_commit", drains=True),
    CrashPoint("drain_delete", "gateway", f"{_DELETION}:DeletePages.pack", "after", drains=True),
    CrashPoint("drain_deleted", "gateway", "devices.neo.drain:Drain._finish", "before", "deleting", drains=True),
    CrashPoint("graded_not_published", "gateway", "gateway.lesson:LessonDesk.write", "after", "said_yes"),
    CrashPoint("sealing", "gateway", "sync.outbox:seal", "after", "said_yes"),
    CrashPoint("sealed_not_published", "gateway", "sync.publisher:Publisher._send", "before"),
    CrashPoint("stored_no_receipt_sqlite", "receiver", "sync.district.sqlite_store:SqliteStore.take", "after", "took"),
    CrashPoint(
        "stored_no_receipt_postgres", "receiver", "sync.district.postgres_store:PostgresStore.take", "after", "took"
    ),
)


def ordered(points: tuple[CrashPoint, ...]) -> list[dict[str, Any]]:
    """As the orders file wants them."""
    return [asdict(point) for point in points]
