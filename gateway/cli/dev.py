"""`check` and `test`: one command for people and CI alike. What is not in it does not exist."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import click

from gateway.errors import Missing

_ROOT: Final = Path(__file__).resolve().parents[2]
_FOLDERS: Final = ("gateway", "devices", "recognition", "sync", "tests", "hw_tests")
_STEPS: Final = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("spelling", ["codespell_lib", "--toml", "pyproject.toml", *_FOLDERS, "README.md"]),
    ("types", ["mypy", *_FOLDERS]),
    ("contracts", ["gateway.cli.contracts"]),
)


@click.command()
@click.option("--no-tests", is_flag=True, help="Everything but the tests.")
def check(*, no_tests: bool) -> int:
    """Format, lint, spelling, types, import contracts and tests, fastest first."""
    _need_checkout()
    failed = [name for name, command in _STEPS if _run(name, ["-m", *command]) != 0]
    if not no_tests and _run("tests", ["-m", "pytest", "-m", "not full"]) != 0:
        failed.append("tests")
    click.echo("check: " + (f"FAILED: {', '.join(failed)}" if failed else "all good"), err=True)
    return 1 if failed else 0


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--full", is_flag=True, help="The slow proofs too: kills, browser walks, real brokers.")
@click.argument("arguments", nargs=-1)
def test(*, full: bool, arguments: tuple[str, ...]) -> int:
    """Run the tests; further words go to pytest."""
    _need_checkout()
    which = ["-m", "full"] if full else ["-m", "not full"]
    return _run("tests", ["-m", "pytest", *which, *arguments])


def _need_checkout() -> None:
    if not (_ROOT / "tests").is_dir():
        raise Missing("This command works in a checkout, where the tests are; an installed inkgate has none.")
    if shutil.which("git") is None:
        click.echo("git is missing; the checks run without it", err=True)


def _run(name: str, command: list[str]) -> int:
    began = time.monotonic()
    code = subprocess.run([sys.executable, *command], cwd=_ROOT, check=False).returncode
    click.echo(f"{name}: {'ok' if code == 0 else f'exit {code}'} ({time.monotonic() - began:.1f} s)", err=True)
    return code
