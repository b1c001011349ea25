"""How a command talks to the running gateway: JSON lines over a Unix socket in the box's folder, one request a line.

A request is {"do": name, ...}; the answer {"ok": true, "said": ...} or {"ok": false, "error": text, "exit_code": n}.
Whoever may write into the folder may ask.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.errors import GatewayError, NotRunning, WrongUse

logger = logging.getLogger(__name__)

SOCKET_NAME: Final = "control.sock"
_LONGEST_LINE: Final = 8 << 20
_LONGEST_FOLDER: Final = 90

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]


class Refused(GatewayError):
    """The gateway answered no; the exit code is its own."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = exit_code


async def serve(folder: Path, handlers: Mapping[str, Handler]) -> asyncio.AbstractServer:
    """Answer commands until the server is closed."""
    path = _short(folder) / SOCKET_NAME
    path.unlink(missing_ok=True)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError, asyncio.LimitOverrunError):
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(line, handlers), default=str).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(talk, path, limit=_LONGEST_LINE)
    path.chmod(0o660)
    return server


def _short(folder: Path) -> Path:
    """A name for the folder that fits a Unix socket's 107 bytes, whatever the folder's own is."""
    if len(os.fsencode(folder)) < _LONGEST_FOLDER:
        return folder
    try:
        return Path(f"/proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY)}")
    except OSError:
        raise NotRunning(f"The box's folder {folder} is not there.") from None


async def _answer(line: bytes, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"ok": True, "said": await _handler(request, handlers)(request)}
    except GatewayError as error:
        return {"ok": False, "error": str(error), "exit_code": getattr(error, "code", error.exit_code)}
    except Exception as error:
        # The edge of a command: whatever failed, the gateway goes on and the person gets a sentence.
        logger.exception("a command failed")
        return {
            "ok": False,
            "error": f"The gateway failed ({type(error).__name__}); its log says more.",
            "exit_code": 1,
        }


def _handler(request: Mapping[str, Any], handlers: Mapping[str, Handler]) -> Handler:
    handler = handlers.get(request.get("do", ""))
    if handler is None:
        raise WrongUse(f"The gateway does not know `{request.get('do')}`; is it an older one?")
    return handler


def ask(folder: Path, do: str, *, timeout_s: float = 30.0, **request: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """Ask the running gateway.

    Raises:
        NotRunning: None answers.
        Refused: It said no.
    """
    path = _short(folder) / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout_s)
        try:
            link.connect(str(path))
            link.sendall(json.dumps({"do": do, **request}).encode() + b"\n")
            with link.makefile("rb") as file:
                line = file.readline()
        except TimeoutError:
            raise NotRunning(f"The gateway did not answer in {timeout_s:.0f} s.") from None
        except OSError:
            raise NotRunning("No gateway runs on this box: start it with `inkgate run`.") from None
    if not line:
        raise NotRunning("The gateway went while it was asked; try again in a moment.")
    answer = json.loads(line)
    if not answer["ok"]:
        raise Refused(answer["error"], answer["exit_code"])
    return answer["said"]
