"""`audit`: whether every grade is what it was when it was written, and a grade made again."""

from pathlib import Path
from typing import Any, Final

import click

from gateway.cli import settings_of
from gateway.cli.output import document, table
from gateway.errors import Missing
from gateway.words import say

_SHOWN: Final = 50
"""So many problems are told to people; --json has all."""


@click.group()
def audit() -> None:
    """Grades: prove that none was changed, make one again."""


@audit.command()
@click.option("--head", default="", metavar="HASH", help="A head that was written down: it must be in the chain still.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def verify(ctx: click.Context, *, head: str, as_json: bool) -> int:
    """Walk the audit chain and every grade and its ink; name each row that does not fit (exit 3). Only reads.

    Whoever can write the whole store can write its chain anew: write the head down elsewhere, and ask for it by --head.
    """
    from gateway import audit_verify  # noqa: PLC0415  numpy comes with it; `--help` must not pay

    settings = settings_of(ctx)
    _there(settings.database)
    found = audit_verify.verify(settings.database, head=head)
    language = settings.box.language
    problems = [
        {"code": each.code, "row": each.row, "detail": each.detail, "sentence": _sentence(each, language)}
        for each in found.problems
    ]
    if as_json:
        document("inkgate.audit/1", {**audit_verify.plain(found), "problems": problems})
        return 0 if found.holds else 3
    if found.holds:
        click.echo(say("audit.holds", language, n=found.grades, rows=found.rows))
    else:
        click.echo(say("audit.fails", language, n=len(problems), grades=found.grades))
    for each in problems[:_SHOWN]:
        click.echo(f"  {each['sentence']}")
    if len(problems) > _SHOWN:
        click.echo(f"  … {len(problems) - _SHOWN}")
    if found.deletions:
        click.echo(say("audit.erased", language, n=found.erased, deletions=found.deletions))
    if found.unlisted:
        click.echo(say("audit.not_listed", language, n=found.unlisted))
    if found.since_head is not None:
        click.echo(say("audit.since_head", language, n=found.since_head))
    click.echo(say("audit.head", language, head=found.head))
    return 0 if found.holds else 3


@audit.command()
@click.argument("grade")
@click.option("--rev", type=click.IntRange(1), help="Its revision; else the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def replay(ctx: click.Context, grade: str, *, rev: int | None, as_json: bool) -> int:
    """Make GRADE (an id, or its beginning) again, of its ink and by the reader that its row names.

    Exit 3 where it comes out otherwise, or where its ink is not what it was; 69 where the models or rules that read it
    are not here.
    """
    from gateway.audit_replay import replay as make_again  # noqa: PLC0415  as above

    settings = settings_of(ctx)
    _there(settings.database)
    done = make_again(settings, grade, rev=rev)
    name = f"{done.row['id']} rev {done.row['rev']}"
    if as_json:
        content = {
            "grade": done.row["id"],
            "rev": done.row["rev"],
            "same": not done.differences,
            "decided_by": done.row["decided_by"],
            "by_person": done.by_person,
            "reader": done.row["reader"],
            "models": done.models,
            "strokes": done.strokes,
            "made": done.now,
            "differences": [each._asdict() for each in done.differences],
        }
        document("inkgate.replay/1", content)
    else:
        code = "audit.differs" if done.differences else "audit.same_person" if done.by_person else "audit.same"
        about: dict[str, Any] = {"strokes": done.strokes, "reader": done.row["reader"], "who": done.row["decided_by"]}
        click.echo(say(code, settings.box.language, grade=name, **about))
        if done.differences:
            table(["column", "in the store", "now"], [(d.column, str(d.was), str(d.now)) for d in done.differences])
    return 3 if done.differences else 0


def _sentence(problem: Any, language: str) -> str:  # noqa: ANN401  Problem, whose module is loaded late
    detail = f" ({problem.detail})" if problem.detail else ""
    return say(problem.code, language, row=problem.row, detail=detail)


def _there(database: Path) -> None:
    if not database.exists():
        raise Missing(f"There is no store at {database}; the first `inkgate run` makes it.")
