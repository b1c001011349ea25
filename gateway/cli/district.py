"""`district run`: the district's receiver, until it is told to end."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import click

from gateway.cli.district_prove import prove
from gateway.cli.district_store import WHERE, district_store, mark_of
from gateway.errors import BadSetting


@click.group()
def district() -> None:
    """The district's end: accepts each result once, stores it, answers with a receipt."""


district.add_command(prove)


@district.command("run")
@click.option("--db", required=True, metavar="FILE|URL", help=WHERE)
@click.option("--broker", default="127.0.0.1:1883", show_default=True, metavar="HOST:PORT[,…]", help="The MQTT broker.")
@click.option("--protocol", default="3.1.1", show_default=True, type=click.Choice(["3.1.1", "5"]), help="Of MQTT.")
@click.option("--district", "name", default="district-1", show_default=True, help="Opaque id of the district.")
@click.option("--receiver", default="1", show_default=True, help="Tells receivers of one district apart.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Remembers how far the ledger was; keep it out of the database's backups. [default: FILE.state]",
)
@click.option("--ca-file", default="", help="Certificate of the district's authority: the line to the broker is TLS.")
@click.option("--cert-file", default="", help="The receiver's certificate, where the broker asks for one.")
@click.option("--key-file", default="", help="Its private key.")
def run(
    *,
    db: str,
    broker: str,
    protocol: str,
    name: str,
    receiver: str,
    state: Path | None,
    ca_file: str,
    cert_file: str,
    key_file: str,
) -> None:
    """Receive until SIGTERM. A broker or store that is away is waited for."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    state = mark_of(db, receiver) if state is None else state
    files = (ca_file, cert_file, key_file)
    asyncio.run(_serve(db, state, broker=broker, protocol=protocol, name=name, receiver=receiver, files=files))


async def _serve(
    db: str, state: Path, *, broker: str, protocol: str, name: str, receiver: str, files: tuple[str, str, str]
) -> None:
    from sync.district.receiver import Receiver  # noqa: PLC0415  `--help` need not load paho
    from sync.mqtt import connector, district_endpoint  # noqa: PLC0415  as above
    from sync.tls import tls_context  # noqa: PLC0415  as above

    store = district_store(db, state)
    try:
        tls = tls_context(ca_file=files[0], cert_file=files[1], key_file=files[2])
        endpoint = district_endpoint(broker, protocol, name, receiver=receiver, tls=tls)
        serving = Receiver(connector(endpoint), store, name, shared=protocol == "5")
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
