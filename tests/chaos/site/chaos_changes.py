"""Protections taken away, and what is recorded of the classroom: changes to modules of a child, never to their files.

Loaded by `sitecustomize` beside it. The product's modules are met only when they are imported by the product itself.
"""

import asyncio
import dataclasses
import functools
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

Change = Callable[[ModuleType], None]

_LATE_S = 0.5
"""How long after showing or releasing it a gateway without that protection makes ink durable."""
_EPOCH = "chaos.epoch"


def wanted(orders: Mapping[str, Any], role: str, folder: Path) -> Iterator[tuple[str, Change]]:
    """The changes for a process of this role, each with the module it is for."""
    if role == "classroom":
        yield "devices.virtual.room", functools.partial(_tell_memories, folder=folder)
        if orders.get("air"):
            yield "devices.virtual.port", functools.partial(_record_air, folder=folder)
    without = orders.get("without")
    if role in {"gateway", "receiver"} and without:
        for of, module, change in _TAKEN_AWAY[without]:
            if of == role:
                yield module, change


def _tell_memories(module: ModuleType, folder: Path) -> None:
    """When the room closes, what every pen still holds is written down: the judge's only word for it."""
    stop = module.VirtualRoom.stop

    async def told(room: Any) -> None:  # noqa: ANN401  a VirtualRoom
        await stop(room)
        with (folder / "pens.jsonl").open("w", encoding="utf-8") as file:
            for pen in room.pens.values():
                for kept in pen.memory.kept:
                    line = {
                        "pen": pen.mac,
                        "page": list(kept.page),
                        "down_ms": kept.stroke.down_ms,
                        "dots": len(kept.stroke.dots),
                    }
                    file.write(json.dumps(line) + "\n")

    module.VirtualRoom.stop = told


def _record_air(module: ModuleType, folder: Path) -> None:
    """Everything that goes through the dongles' sockets, either way: direction u8, length u32, bytes."""
    port = module.HostPort
    file = (folder / "air.bin").open("ab")
    received, flush, lost = port.data_received, port._flush, port.connection_lost

    def data_received(self: Any, data: bytes) -> None:  # noqa: ANN401  a HostPort
        file.write(struct.pack("<BI", 0, len(data)) + data)
        received(self, data)

    def flushed(self: Any) -> None:  # noqa: ANN401  a HostPort
        out = b"".join(self._out)
        file.write(struct.pack("<BI", 1, len(out)) + out)
        flush(self)

    def connection_lost(self: Any, exc: Exception | None) -> None:  # noqa: ANN401  a HostPort
        file.flush()
        lost(self, exc)

    port.data_received, port._flush, port.connection_lost = data_received, flushed, connection_lost


def _ask_to_forget(module: ModuleType) -> None:
    """Delete before commit, the pen's half: it is asked to forget whatever it hands over."""
    request = module.TransferRequest
    pack = request.pack

    def packed(self: Any) -> bytes:  # noqa: ANN401  a TransferRequest
        return bytes(pack(dataclasses.replace(self, after=module.AfterTransfer.DELETE)))

    request.pack = packed


def _release_at_once(module: ModuleType) -> None:
    """Delete before commit, the policy's half: the drain goes on without waiting for anything to be durable."""
    drains = module.Drains
    hear = drains._hear

    def heard(self: Any, under: Any, said: Any, now_ms: int) -> None:  # noqa: ANN401  the drain's own
        hear(self, under, said, now_ms)
        under.waiting.clear()

    drains._hear = heard


def _commit_memory_late(module: ModuleType) -> None:
    """Delete before commit, the store's half: ink out of a memory comes to a beat half a second later."""
    beat = module.Beat
    collect = beat._collect
    waiting: list[tuple[int, list[Any], list[Any]]] = []

    def collected(self: Any, now_ms: int) -> Any:  # noqa: ANN401  a Beat and its Batch
        links = self._links
        if links.from_memory or links.drained:
            waiting.append((now_ms + int(1000 * _LATE_S), links.from_memory, links.drained))
        links.from_memory, links.drained = [], []
        while waiting and waiting[0][0] <= now_ms:
            _, pieces, drained = waiting.pop(0)
            links.from_memory += pieces
            links.drained += drained
        return collect(self, now_ms)

    beat._collect = collected


def _drop_on_puback(module: ModuleType) -> None:
    """Delete on PUBACK: what the broker acknowledges is the district's, so it is believed."""
    publisher = module.Publisher
    sort = publisher._sort

    def sorted_(self: Any, link: Any, work: list[Any]) -> Any:  # noqa: ANN401  the publisher's own
        take = link.broker.take

        def taken() -> Sequence[Any]:
            events = list(take())
            for event in events:
                if isinstance(event, module.Acknowledged) and event.reason < module.REASON_FAILURE:
                    envelope = link.unacknowledged.get(event.ticket)
                    if envelope is not None:
                        work.append(functools.partial(_end, envelope=envelope, booked=module.Booked))
            return events

        link.broker.take = taken
        try:
            return sort(self, link, work)
        finally:
            link.broker.take = take

    publisher._sort = sorted_


def _end(db: Any, *, envelope: int, booked: Any) -> Any:  # noqa: ANN401  a Database, and the product's Booked
    db.conn.execute("update envelope set state = 'receipted' where id = ? and state = 'waiting'", (envelope,))
    return booked(ended=(envelope,))


def _keep_epoch(module: ModuleType) -> None:
    """Epoch kept in the database: numbers go on where the file says that they were."""
    seal = module.seal

    def sealed(db: Any, numbers: Any, **more: Any) -> int:  # noqa: ANN401  a Database and Numbers
        row = db.conn.execute("select v from meta where k = ?", (_EPOCH,)).fetchone()
        if row is None:
            db.conn.execute("insert into meta(k, v) values (?, ?)", (_EPOCH, numbers.epoch))
        else:
            numbers.epoch = bytes(row[0])
        query = "select coalesce(max(eseq), 0) from envelope where epoch = ?"
        numbers._last = db.conn.execute(query, (numbers.epoch,)).fetchone()[0]
        return int(seal(db, numbers, **more))

    module.seal = sealed  # type: ignore[attr-defined]  # a module that is only known at run time


def _believe_numbers(module: ModuleType) -> None:
    """The other half of that protection: the district compares no digest, a number that is known is a repeat."""

    def known(self: Any, key: Any, kept: bytes, clashes: Sequence[Any]) -> None:  # noqa: ANN401  the store's Batch
        del kept
        self.answers.ok(key, clashes)
        self.repeats += 1

    module.Batch.known = known


def _show_first(module: ModuleType) -> None:
    """Journal after screen: the batch is handed on at once and made durable half a second later."""
    beat = module.Beat
    collect, once = beat._collect, beat.once

    def collected(self: Any, now_ms: int) -> Any:  # noqa: ANN401  a Beat and its Batch
        batch = collect(self, now_ms)
        if not batch.is_empty:
            self._committed(batch, list(self._links.changes), now_ms)
        return batch

    async def later(self: Any, now_ms: int) -> Any:  # noqa: ANN401  a Beat and its Batch
        told, run = self._committed, self._run
        shown = False

        def hand_on(batch: Any, changes: Any, at_ms: int) -> None:  # noqa: ANN401  as the beat's
            nonlocal shown
            if not shown:
                told(batch, changes, at_ms)
            shown = True

        async def write(work: Any) -> Any:  # noqa: ANN401  as the beat's
            await asyncio.sleep(_LATE_S)
            return await run(work)

        self._committed, self._run = hand_on, write
        try:
            return await once(self, now_ms)
        finally:
            self._committed, self._run = told, run

    beat._collect, beat.once = collected, later


_TAKEN_AWAY: dict[str, tuple[tuple[str, str, Change], ...]] = {
    "delete_before_commit": (
        ("gateway", "devices.neo.messages_memory", _ask_to_forget),
        ("gateway", "gateway.drain", _release_at_once),
        ("gateway", "gateway.beat", _commit_memory_late),
    ),
    "delete_on_puback": (("gateway", "sync.publisher", _drop_on_puback),),
    "epoch_in_database": (
        ("gateway", "sync.outbox", _keep_epoch),
        ("receiver", "sync.district.store", _believe_numbers),
    ),
    "journal_after_screen": (("gateway", "gateway.beat", _show_first),),
}
