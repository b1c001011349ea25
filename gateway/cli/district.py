"""`district run`: the district's receiver, until it is told to end."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import click

from gateway.errors import BadSetting


@click.group()
def district() -> None:
    """The district's end: accepts each result once, stores it, answers with a receipt."""


@district.command("run")
@click.option("--db", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The district's database.")
@click.option("--broker", default="127.0.0.1:1883", show_default=True, metavar="HOST:PORT", help="The MQTT broker.")
@click.option("--protocol", default="3.1.1", show_default=True, type=click.Choice(["3.1.1", "5"]), help="Of MQTT.")
@click.option("--district", "name", default="district-1", show_default=True, help="Opaque id of the district.")
@click.option("--receiver", default="1", show_default=True, help="Tells receivers of one district apart.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Remembers how far the ledger was; keep it out of the database's backups. [default: DB.state]",
)
def run(*, db: Path, broker: str, protocol: str, name: str, receiver: str, state: Path | None) -> None:
    """Receive until SIGTERM. A broker or store that is away is waited for."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    state = db.with_name(db.name + ".state") if state is None else state
    asyncio.run(_serve(db, state, broker=broker, protocol=protocol, name=name, receiver=receiver))


async def _serve(db: Path, state: Path, *, broker: str, protocol: str, name: str, receiver: str) -> None:
    from sync.district.receiver import Receiver  # noqa: PLC0415  `--help` need not load paho
    from sync.district.sqlite_store import SqliteStore  # noqa: PLC0415  as above
    from sync.mqtt import connector, district_endpoint  # noqa: PLC0415  as above

    try:
        endpoint = district_endpoint(broker, protocol, name, receiver=receiver)
        serving = Receiver(connector(endpoint), SqliteStore(db, state), name, shared=protocol == "5")
    except ValueError as error:
        raise BadSetting(f"district run: {error}") from error
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    task = asyncio.create_task(serving.run())
    await end.wait()
    await serving.close()
    await task
    logging.getLogger(__name__).info("Ended; %d results taken, %d repeats", serving.counts.rows, serving.counts.repeats)
