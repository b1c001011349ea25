"""`pupil`: deletion on request."""

from dataclasses import asdict

import click

from gateway.cli import settings_of
from gateway.cli.output import document
from gateway.errors import Missing, WrongUse
from gateway.words import say


@click.group()
def pupil() -> None:
    """Pupils: delete one on request."""


@pupil.command()
@click.argument("whom", metavar="SEAT|PSEUDONYM")
@click.option("--yes", is_flag=True, help="Really: nothing brings it back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def forget(ctx: click.Context, whom: str, *, yes: bool, as_json: bool) -> None:
    """Delete a pupil with all ink, readings and grades. The gateway must be stopped (exit 75 while it runs).

    The audit chain keeps a row that says how many grades there were, and verifies; nobody can find out whose. The
    district is sent an empty revision of each answer. Backups and stores that were put aside hold the pupil still.
    """
    from gateway import aside, audit_erasure  # noqa: PLC0415  numpy comes with it; `--help` must not pay
    from gateway.clock import now_ms  # noqa: PLC0415  as above
    from gateway.store import Store  # noqa: PLC0415  as above

    settings = settings_of(ctx)
    language = settings.box.language
    if not settings.database.exists():
        raise Missing(f"There is no store at {settings.database}; the first `inkgate run` makes it.")
    store = Store(settings.database)
    try:
        code = store.submit(lambda db: audit_erasure.pseudonym_of(db, whom)).result()
        if not yes:
            raise WrongUse(say("audit.forget_sure", language, pupil=code))
        done = store.submit(lambda db: audit_erasure.forget(db, code, now_ms=now_ms())).result()
    finally:
        store.close()
    others = [path.name for path in aside.listed(settings.database)]
    if as_json:
        document("inkgate.forgotten/1", {**asdict(done), "put_aside": others})
        return
    click.echo(say("audit.forgotten", language, **asdict(done)))
    if others:
        click.echo(say("audit.forget_others", language, names=", ".join(others)))
    else:
        click.echo(say("audit.forget_backups", language))
