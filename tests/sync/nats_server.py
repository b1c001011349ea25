"""A real nats-server on a free port of loopback, for tests."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

from sync.nats import nats_binary, nats_config

READY_S = 20.0


class NatsServer:
    """One broker process. `kill` is kill -9; `start` begins again on the same port with what the folder holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "broker.conf"
        config.write_text(nats_config(self.port, self.folder / "store", "test"), encoding="utf-8")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([str(nats_binary()), "-c", str(config)], stdout=log, stderr=log)
        end = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")[-500:]
                assert time.monotonic() < end, "nats-server did not start"
                time.sleep(0.02)
            else:
                return

    def kill(self, *, wipe: bool = False) -> None:
        """End it at once; forget everything if `wipe`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if wipe:
            shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
