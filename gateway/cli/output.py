"""How commands print: one JSON document for programs, a table for people."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click


def document(schema: str, content: Mapping[str, Any]) -> None:
    """Print one JSON document with its schema's name."""
    click.echo(json.dumps({"schema": schema, **content}, ensure_ascii=False, indent=2, default=str))


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; drawn with lines only on a terminal."""
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  only a terminal pays for it
        from rich.table import Table  # noqa: PLC0415  as above

        drawn = Table(*headings)
        for row in rows:
            drawn.add_row(*("" if cell is None else str(cell) for cell in row))
        Console().print(drawn)
        return
    click.echo("\t".join(headings))
    for row in rows:
        click.echo("\t".join("" if cell is None else str(cell) for cell in row))
