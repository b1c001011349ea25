"""The files of deploy/district as brokers run them in tests: only ports, folders and names of machines are others."""

import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sync.nats import nats_binary

FILES = Path(__file__).parents[2] / "deploy" / "district"
NODES = 3


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def changed(name: str, changes: Mapping[str, str]) -> str:
    """A file of the folder with these texts replaced; each must be there."""
    text = (FILES / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def certificates(folder: Path, *boxes: str, revoked: tuple[str, ...] = ()) -> Path:
    """The district's certificates, made by its own script; readable for a broker that gives up root."""
    folder.mkdir()
    calls = [("authority",), ("broker", "127.0.0.1", "localhost"), *(("box", name) for name in ("district", *boxes))]
    for call in [*calls, *(("revoke", name) for name in revoked)]:
        subprocess.run([FILES / "certificates.sh", folder, *call], check=True, capture_output=True)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


class Cluster:
    """Three nodes of nats-server by deploy/district/nats.conf, with or without TLS."""

    def __init__(self, folder: Path, *, secured: Path | None = None, alone: bool = False) -> None:
        """Nothing runs yet; `secured` holds the certificates; `alone`: one node, by docs/district.md."""
        self.folder, self._secured, self._alone = folder, secured, alone
        ports = free_ports(3 * NODES)
        self.mqtt, self._clients, self._routes = ports[:NODES], ports[NODES : 2 * NODES], ports[2 * NODES :]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """As in the settings: all three, or the one."""
        return ",".join(f"127.0.0.1:{port}" for port in (self.mqtt[:1] if self._alone else self.mqtt))

    def start(self, *nodes: int) -> None:
        """Start these nodes, or all."""
        for node in nodes or range(NODES):
            folder = self.folder / f"node-{node + 1}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "nats.conf").write_text(self._config(node, folder), encoding="utf-8")
            (folder / "nats-users.conf").write_text(self._users(), encoding="utf-8")
            with (folder / "log").open("ab") as log:
                command = [str(nats_binary()), "-c", str(folder / "nats.conf")]
                self._processes[node] = subprocess.Popen(command, stdout=log, stderr=log)

    def let_in(self, node: int, box: str) -> None:
        """A new entry in the users' file of a node, in the place of box-1's, and the file read again."""
        path = self.folder / f"node-{node + 1}" / "nats-users.conf"
        path.write_text(path.read_text(encoding="utf-8").replace("box-1", box), encoding="utf-8")
        command = [str(nats_binary()), "--signal", f"reload={self._processes[node].pid}"]
        subprocess.run(command, check=True, capture_output=True)

    def kill(self, *nodes: int) -> None:
        """End these nodes at once, or all."""
        for node in nodes or list(self._processes):
            process = self._processes.pop(node, None)
            if process is not None:
                process.kill()
                process.wait()

    def wipe(self, node: int) -> None:
        """A killed node loses its disk."""
        shutil.rmtree(self.folder / f"node-{node + 1}")

    def log(self, node: int) -> str:
        """What a node said."""
        return (self.folder / f"node-{node + 1}" / "log").read_text(encoding="utf-8")

    def _config(self, node: int, folder: Path) -> str:
        changes = {
            "server_name: node-1": f"server_name: node-{node + 1}",
            "127.0.0.1:4222": f"127.0.0.1:{self._clients[node]}",
            "0.0.0.0:8883": f"127.0.0.1:{self.mqtt[node]}",
            "0.0.0.0:6222": f"127.0.0.1:{self._routes[node]}",
            "/var/lib/nats": str(folder / "jetstream"),
        }
        for other in range(NODES):
            changes[f"node-{other + 1}.district.example:6222"] = f"127.0.0.1:{self._routes[other]}"
        if self._secured is not None:
            changes["/etc/inkgate"] = str(self._secured)
        text = changed("nats.conf", changes)
        if self._secured is None:
            tls = text[
                text.index("  tls {") : text.index("verify_and_map: true\n  }\n") + len("verify_and_map: true\n  }\n")
            ]
            text = text.replace(tls, "").replace('include "nats-users.conf"', "")
        if self._alone:
            text = text.replace("  stream_replicas: 3\n", "")
            text = text[: text.index("cluster {")] + text[text.index('include "nats-users.conf"') :]
        return text

    def _users(self) -> str:
        return changed("nats-users.conf", {"district-1": "d1", "school-1": "s1"})
