"""`run`: the service on the box, until it is told to end."""

import asyncio
import logging
import sys

import click

from gateway.cli import settings_of


@click.command()
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@click.pass_context
def run(ctx: click.Context, verbose: int) -> None:
    """The service on the box: links pens, keeps ink, reads, grades, shows and delivers."""
    from gateway.app import serve  # noqa: PLC0415  the whole service; `--help` must not load it

    levels = [logging.INFO, logging.INFO, logging.DEBUG]
    logging.basicConfig(
        level=levels[min(verbose, 2)], format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for name in ("bumble", "bleak", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # bumble logs a traceback for each radio that goes; we say it in one line ourselves.
    logging.getLogger("bumble.host").setLevel(logging.CRITICAL)
    asyncio.run(serve(settings_of(ctx)))
