"""`bench sync`: results from the box's outbox to the district's database, against peers measured in the same run.

What needs a program that is not here is left out, and the report says why.
"""

import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from gateway.bench import sync_drain, sync_ink
from gateway.bench.brokers import BenchBroker, program_of
from gateway.bench.postgres import PostgresServer
from gateway.bench.sync_rows import short_row
from gateway.errors import Missing
from sync.messages import pack
from sync.outbox import SEAL_ROWS

_INK_DOTS: Final = (25_000, 60_000)
"""Fewest, for a batch of 20,000, and most."""
_SHORT_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFigures:
    """What was measured; a part that was left out is None."""

    rows: int
    load: float
    """How many processes wanted a processor when it began: with more than there are, rates tell little."""
    drain: dict[str, Any] | None
    """Sealed results from the box over the broker into the district's store, receipts and all."""
    sealing: dict[str, Any]
    """Envelopes of a hundred rows, one a commit, against a hundred plain rows a commit; and bytes a row."""
    store: dict[str, Any] | None
    """The receiver's store alone, first time and repeats, against plain COPY."""
    ink: dict[str, Any]
    """Packed ink against InkML and JSON, both gzipped."""
    short_bytes_a_row: float
    """Bytes of an envelope a row, where a row is the least that tells an answer."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Part and reason."""

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def run(rows: int, ink_dir: Path | None) -> SyncFigures:
    """Measure. Takes a minute or two with 100,000 rows."""
    folder = Path(tempfile.mkdtemp(prefix="inkgate-bench-"))
    left_out: dict[str, str] = {}
    load = round(os.getloadavg()[0], 1)
    server = _server(left_out)
    try:
        box = folder / "box.db"
        sync_drain.filled(box, rows)
        sealing = sync_drain.sealing(box)
        drain = _drain(box, folder, server, rows, left_out)
        return SyncFigures(
            rows=rows,
            load=load,
            drain=drain,
            sealing=sealing,
            store=_store(server, rows),
            ink=sync_ink.measure(ink_dir, max(_INK_DOTS[0], min(_INK_DOTS[1], rows))),
            short_bytes_a_row=_short_bytes_a_row(),
            left_out=left_out,
        )
    finally:
        if server is not None:
            server.close()
        shutil.rmtree(folder, ignore_errors=True)


def _server(left_out: dict[str, str]) -> PostgresServer | None:
    """PostgreSQL, if both it and psycopg are here; else why not."""
    if find_spec("psycopg") is None:
        left_out["store"] = "psycopg is missing: pip install 'inkgate[postgres]'"
        return None
    try:
        return PostgresServer().start()
    except Missing as error:
        left_out["store"] = str(error)
        return None


def _store(server: PostgresServer | None, rows: int) -> dict[str, Any] | None:
    if server is None:
        return None
    from gateway.bench import sync_store  # noqa: PLC0415  needs psycopg

    return sync_store.measure(server, rows)


def _drain(
    box: Path, folder: Path, server: PostgresServer | None, rows: int, left_out: dict[str, str]
) -> dict[str, Any] | None:
    if server is None:
        left_out["drain into PostgreSQL"] = f"{left_out['store']}; the district's store is SQLite"
    mosquitto = program_of("mosquitto")
    if mosquitto is None:
        left_out["drain over mosquitto"] = "mosquitto is missing: apt-get install mosquitto; the broker is nats-server"
    if program_of("mosquitto_pub") is None:
        left_out["drain against a C client"] = "mosquitto_pub is missing: apt-get install mosquitto-clients"
    try:
        broker = BenchBroker(folder, mosquitto)
    except Missing as error:
        left_out["drain"] = str(error)
        return None
    return sync_drain.drained(box, folder, broker, server, rows)


def _short_bytes_a_row() -> float:
    lines = [short_row(number) for number in range(_SHORT_ROWS)]
    parts = range(0, _SHORT_ROWS, SEAL_ROWS)
    return round(sum(len(pack(bytes(8), at + 1, lines[at : at + SEAL_ROWS])) for at in parts) / _SHORT_ROWS, 1)
