"""The receiver's store alone, first time and as repeats, beside plain COPY of the same rows into the same server."""

import os
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from gateway.bench.postgres import PostgresServer
from gateway.bench.sync_rows import made_result
from sync.district.postgres_store import PostgresStore
from sync.district.store import Incoming
from sync.messages import Row, pack
from sync.outbox import SEAL_ROWS

MESSAGES: Final = 400
"""As many as the receiver takes into one transaction."""
_ROUNDS: Final = 3
_BOXES: Final = 40
_PLAIN: Final = """
drop table if exists plain;
create table plain(id text primary key, rev int not null, box text not null, day text not null, body text not null,
    digest bytea not null);
"""


def measure(server: PostgresServer, rows: int) -> dict[str, Any]:
    """Rows a second of each, the best of several rounds that take turns."""
    made = [made_result(number).to_row() for number in range(rows)]
    plain = [(row.id, row.rev, "box", row.day, row.body, row.digest) for row in made]
    best = {"first": 0.0, "repeats": 0.0, "copy": 0.0}
    ratios: list[tuple[float, float]] = []
    store = PostgresStore(server.url, None)
    with psycopg.connect(server.url, autocommit=True) as connection:
        store.open()
        try:
            for _ in range(_ROUNDS):
                connection.execute(_PLAIN)
                connection.execute("truncate ledger, result, day_sum, counter")
                messages = _messages(made)
                copy = rows / _copied(connection, plain)
                first, repeats = (rows / _stored(store, messages) for _ in range(2))
                ratios.append((first / copy, repeats / first))
                for name, value in (("first", first), ("repeats", repeats), ("copy", copy)):
                    best[name] = max(best[name], value)
        finally:
            store.close()
    middle = [sorted(column)[_ROUNDS // 2] for column in zip(*ratios, strict=True)]
    return {
        "rows": rows,
        "messages_a_transaction": MESSAGES,
        "first_rows_a_second": round(best["first"]),
        "repeats_rows_a_second": round(best["repeats"]),
        "plain_copy_rows_a_second": round(best["copy"]),
        "first_to_plain_copy": round(middle[0], 2),
        "repeats_to_first": round(middle[1], 1),
    }


def _messages(made: Sequence[Row]) -> list[Incoming]:
    lines = [row.to_json() for row in made]
    epoch = os.urandom(8)
    return [
        Incoming(f"box-{at % _BOXES}", pack(epoch, at + 1, lines[at * SEAL_ROWS : (at + 1) * SEAL_ROWS]))
        for at in range(-(-len(lines) // SEAL_ROWS))
    ]


def _stored(store: PostgresStore, messages: Sequence[Incoming]) -> float:
    began_s = time.perf_counter()
    for at in range(0, len(messages), MESSAGES):
        store.take(messages[at : at + MESSAGES])
    return time.perf_counter() - began_s


def _copied(connection: psycopg.Connection[Any], plain: Sequence[tuple[Any, ...]]) -> float:
    """The same rows, as values that are ready, in as many transactions."""
    step = MESSAGES * SEAL_ROWS
    began_s = time.perf_counter()
    for at in range(0, len(plain), step):
        with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy("copy plain from stdin (format binary)") as copy,
        ):
            copy.set_types(("text", "int4", "text", "text", "text", "bytea"))
            for row in plain[at : at + step]:
                copy.write_row(row)
    return time.perf_counter() - began_s
