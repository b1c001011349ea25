"""Commands beside a gateway that runs in the test's own loop."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.cli import program
from tests.gateway.box_rig import House


class Shell:
    """Runs commands against a house, each with these words in front."""

    def __init__(
        self, house: House, capsys: pytest.CaptureFixture[str], *, words: Sequence[str] = (), language: str = "en"
    ) -> None:
        at = ("--set", f"box.folder={house.settings.box.folder}", "--set", f"box.language={language}")
        self._words, self._capsys = [*at, *words], capsys

    async def call(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        code = await asyncio.to_thread(program, [*self._words, *words])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    async def document(self, schema: str, *words: str) -> dict[str, Any]:
        """The one JSON document of a command that ends well."""
        code, out, err = await self.call(*words, "--json")
        assert (code, err) == (0, "")
        found: dict[str, Any] = json.loads(out)
        assert found["schema"] == schema
        return found
