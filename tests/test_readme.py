"""README says what the program does: its tables equal the program's own."""

import re
from pathlib import Path

import pytest

from gateway.cli import _COMMANDS
from gateway.settings import registered

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh-CN.md")


def settings_table() -> str:
    rows = ["| setting | default | unit | meaning |", "|---|---|---|---|"]
    for item in registered():
        default = ", ".join(item.default) if isinstance(item.default, tuple) else item.default
        rows.append(f"| `{item.name}` | {f'`{default}`' if default != '' else ''} | {item.unit} | {item.what} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_the_programs_own() -> None:
    assert settings_table() in (ROOT / "README.md").read_text(encoding="utf-8"), f"put this in:\n{settings_table()}"


@pytest.mark.parametrize("name", READMES)
def test_every_command_stands_in_the_table_of_commands(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    table = re.findall(r"^\| `.*", text, re.MULTILINE)
    assert [c for c in _COMMANDS if not any(re.search(rf"\b{c}\b", row) for row in table)] == []


@pytest.mark.parametrize("name", READMES)
def test_every_file_that_it_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"`((?:gateway|devices|recognition|sync|tests|docs)/[\w./-]*)`", text)
    named += re.findall(r"\]\(([\w./-]+)\)", text)
    assert [path for path in named if not (ROOT / path.rstrip(".")).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_it_has_no_mark_that_was_left_to_fill(name: str) -> None:
    assert "@@" not in (ROOT / name).read_text(encoding="utf-8")
