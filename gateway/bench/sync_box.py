"""The box of `bench sync`: delivers what its outbox holds, as the gateway does, and ends when it is empty.

It prints one JSON line: seconds from the first connection to the last receipt, and its own processor time.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from sqlite_utils import Database

from gateway.bench.sync_rows import BOX
from sync import outbox
from sync.mqtt import box_endpoint, connector
from sync.publisher import Publisher
from sync.topics import BoxTopics

T = TypeVar("T")

TOPICS: Final = BoxTopics("bench", "school-1", BOX)


def opened(path: Path) -> Database:
    """A box's database with an outbox, as durable as the gateway's."""
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    db = Database(connection)
    outbox.migrations.apply(db)
    return db


async def _drain(db: Database, broker: str, protocol: str) -> dict[str, float]:
    left = outbox.depth(db).results
    done = asyncio.Event()

    def receipted(made_ms: Sequence[int]) -> None:
        nonlocal left
        left -= len(made_ms)
        if left <= 0:
            done.set()

    async def run(work: Callable[[Database], T]) -> T:
        with db.atomic():
            return work(db)

    publisher = Publisher(connector(box_endpoint(broker, protocol, TOPICS)), run, TOPICS, on_receipted=receipted)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    task = asyncio.create_task(publisher.run())
    await done.wait()
    seconds, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    await publisher.close()
    await task
    return {"seconds": seconds, "cpu_s": used_s, "resent": publisher.status().resent}


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--protocol", required=True)
    asked = parser.parse_args()
    db = opened(asked.db)
    found = asyncio.run(_drain(db, asked.broker, asked.protocol))
    db.conn.close()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    _main()
