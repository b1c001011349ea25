"""A real mosquitto on a free port of loopback, for the full tests: MQTT 5, an access list, shared subscriptions."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

READY_S = 20.0

_CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
acl_file {acl}
user root
persistence false
max_queued_messages 0
log_type error
"""
_ACCESS = """topic readwrite inkgate/v1/+/ledger
topic readwrite inkgate/v1/+/s/#
topic readwrite inkgate/v1/d1/s1/box-1/#
topic readwrite inkgate/v1/d1/s1/denied/health
topic read inkgate/v1/d1/s1/denied/down
"""


def find() -> str | None:
    """Where the program is, if it is installed."""
    return shutil.which("mosquitto", path=f"{Path('/usr/sbin')}:/usr/local/sbin") or shutil.which("mosquitto")


class Mosquitto:
    """One broker process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        access, config = self.folder / "access", self.folder / "mosquitto.conf"
        access.write_text(_ACCESS, encoding="utf-8")
        access.chmod(0o644)
        config.write_text(_CONFIG.format(port=self.port, acl=access), encoding="utf-8")
        program = find()
        assert program is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        end = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")[-500:]
                assert time.monotonic() < end, "mosquitto did not start"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
