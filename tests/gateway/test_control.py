import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway import control
from gateway.control import Refused
from gateway.errors import NotRunning, WrongUse


async def echo(request: Mapping[str, Any]) -> Any:  # noqa: ANN401  what JSON holds
    return request["what"]


async def refuse(request: Mapping[str, Any]) -> None:
    raise WrongUse(f"not {request['do']}")


async def crash(request: Mapping[str, Any]) -> None:
    raise RuntimeError(str(request))


HANDLERS = {"echo": echo, "refuse": refuse, "crash": crash}


async def test_a_command_gets_its_answer(tmp_path: Path) -> None:
    server = await control.serve(tmp_path, HANDLERS)
    assert await asyncio.to_thread(control.ask, tmp_path, "echo", what=[1, "二"]) == [1, "二"]
    server.close()


async def test_a_refusal_keeps_its_sentence_and_its_exit_code(tmp_path: Path) -> None:
    server = await control.serve(tmp_path, HANDLERS)
    with pytest.raises(Refused, match="not refuse") as refused:
        await asyncio.to_thread(control.ask, tmp_path, "refuse")
    assert refused.value.code == 2
    server.close()


async def test_a_crash_in_one_errand_is_a_sentence_and_the_gateway_goes_on(tmp_path: Path) -> None:
    server = await control.serve(tmp_path, HANDLERS)
    with pytest.raises(Refused, match="its log says more"):
        await asyncio.to_thread(control.ask, tmp_path, "crash")
    assert await asyncio.to_thread(control.ask, tmp_path, "echo", what=1) == 1
    server.close()


@pytest.mark.parametrize("line", [b"\xff\xfe{", b"[]", b"{}", b'{"do":1}', b"12"])
async def test_any_bytes_on_the_socket_get_an_answer_that_is_no(tmp_path: Path, line: bytes) -> None:
    server = await control.serve(tmp_path, HANDLERS)
    reader, writer = await asyncio.open_unix_connection(tmp_path / control.SOCKET_NAME)
    writer.write(line + b"\n")
    assert json.loads(await reader.readline())["ok"] is False
    writer.close()
    await writer.wait_closed()
    server.close()


def test_where_no_gateway_runs_it_is_said_so_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="inkgate run"):
        control.ask(tmp_path, "echo")


async def test_a_folder_with_a_long_name_works_too(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    server = await control.serve(folder, HANDLERS)
    assert await asyncio.to_thread(control.ask, folder, "echo", what=3) == 3
    server.close()
