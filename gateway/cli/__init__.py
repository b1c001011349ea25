"""The command line: one small module a command group, loaded when it is named, so that `--help` stays quick.

Every error that a person can meet is a sentence on stderr and an exit code of README's table; a traceback is a bug.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from gateway.errors import GatewayError
from gateway.settings import Settings, load_settings

_COMMANDS: Final = {
    "demo": ("gateway.cli.demo:demo", "A virtual class from end to end; the page is live."),
    "run": ("gateway.cli.run:run", "The service on the box."),
    "doctor": ("gateway.cli.box:doctor", "What is wrong here, and the one thing to do about it."),
    "status": ("gateway.cli.box:status", "How the running gateway does."),
    "config": ("gateway.cli.box:config", "Settings, and where each comes from."),
    "pens": ("gateway.cli.pens:pens", "The technician's: which pens are there, and why one is not."),
    "read": ("gateway.cli.read:read", "Ink as JSON lines in, readings out."),
    "roster": ("gateway.cli.school:roster", "The class list."),
    "sheet": ("gateway.cli.school:sheet", "Sheets: show one, find its faults."),
    "lesson": ("gateway.cli.school:lesson", "Start, stop and list lessons."),
    "review": ("gateway.cli.review:review", "What the reader is not sure of: list, decide, skip, take back."),
    "export": ("gateway.cli.export:export", "What leaves the box as a file."),
    "pupil": ("gateway.cli.pupil:pupil", "Deletion on request."),
    "audit": ("gateway.cli.audit:audit", "Grades: prove that none was changed, make one again."),
    "key": ("gateway.cli.key:key", "Answer keys: show one, change it, undo a change."),
    "sync": ("gateway.cli.sync:sync", "The way to the district."),
    "district": ("gateway.cli.district:district", "The district's receiver."),
    "db": ("gateway.cli.db:db", "The store: check, back up, restore."),
    "capture": ("gateway.cli.capture:capture", "What the air said, as a file: record, replay."),
    "bench": ("gateway.cli.bench:bench", "The benchmarks behind the figures in README."),
    "check": ("gateway.cli.dev:check", "Format, lint, types, contracts and tests, for people who work on it."),
    "test": ("gateway.cli.dev:test", "The tests, for people who work on it."),
}


class _Lazy(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings", "files", multiple=True, type=click.Path(path_type=Path), help="A settings file; may be repeated."
)
@click.option("--set", "flags", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; may be repeated.")
@click.version_option(package_name="inkgate", message="inkgate 0.1.0")
@click.pass_context
def inkgate(ctx: click.Context, files: tuple[Path, ...], flags: tuple[str, ...]) -> None:
    """Inkgate: an open edge gateway for dot-pattern smart pens."""
    ctx.obj = (files, flags)


def settings_of(ctx: click.Context) -> Settings:
    """The settings of this call."""
    return load_settings(files=ctx.obj[0], flags=ctx.obj[1])[0]


def origins_of(ctx: click.Context) -> tuple[Settings, dict[str, str]]:
    """The settings of this call and where each came from."""
    return load_settings(files=ctx.obj[0], flags=ctx.obj[1])


def program(arguments: Sequence[str] | None = None) -> int:
    """Run one call. Returns its exit code."""
    try:
        result: Any = inkgate.main(args=arguments, prog_name="inkgate", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        return 130
    except GatewayError as error:
        click.echo(f"inkgate: {error}", err=True)
        return int(getattr(error, "code", error.exit_code))
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        click.echo(f"inkgate: {error.filename or 'The system'}: {error.strerror or error}.", err=True)
        return 1
    return result if isinstance(result, int) else 0
