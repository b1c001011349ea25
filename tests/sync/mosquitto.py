"""A real mosquitto on a free port of loopback, for the full tests: MQTT 5, an access list, shared subscriptions."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

READY_S = 20.0

_CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
acl_file {acl}
user root
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
    """One broker process. `kill` is kill -9; `start` begins again on the same port with what the folder holds."""

    def __init__(self, folder: Path, *, more: str = "persistence false\nmax_queued_messages 0\n") -> None:
        self.folder, self.more = folder, more
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def configure(self) -> str:
        """The configuration file's text."""
        access = self.folder / "access"
        access.write_text(_ACCESS, encoding="utf-8")
        access.chmod(0o644)
        return _CONFIG.format(port=self.port, acl=access) + self.more

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text(self.configure(), encoding="utf-8")
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

    def reload(self) -> None:
        """Read the access list again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self, *, wipe: bool = False) -> None:
        """End it at once; forget everything if `wipe`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if wipe:
            (self.folder / "mosquitto.db").unlink(missing_ok=True)
