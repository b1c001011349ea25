"""Who this installation is: a random id bound to this machine, and the key behind the pupils' pseudonyms in a file.

A disk that runs in another machine is a copy until a person says otherwise, and the first machine may still be at work:
it gets another installation id at once, so that the results of both stay apart, and comes to the broker under a client
id of its own, so that they do not throw each other out. It is told to a person until the box has a name of its own
(`box.id`) or the first machine is out of use (`inkgate sync enrol`).
"""

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from gateway.errors import GatewayError
from gateway.machine import Marks, marks

_INSTALLATION: Final = "installation"
_MACHINE: Final = "machine"
_NAME: Final = "enrolled_as"
_TWIN_DISK: Final = "twin_disk"
"""The name that a copied disk brought along; there until the box has another one or is enrolled."""


def installation(db: Database, look: Callable[[str], Marks] = marks) -> str:
    """The id of this installation, 16 hex digits, drawn when the store was made or first ran on this machine.

    Args:
        db: The box's.
        look: What this machine is known by, given a salt.
    """
    _insert(db, _INSTALLATION, secrets.token_hex(8))
    known = json.loads(_read(db.conn, _MACHINE) or "null")
    if known is None:
        _note(db, str(_read(db.conn, _INSTALLATION)), look, frozenset())
    else:
        before = Marks(frozenset(known["hardware"]), known["system"])
        if look(known["salt"]).same_machine(before):
            _note(db, known["salt"], look, before.hardware)
        else:
            name = _read(db.conn, _NAME) or ""
            _write(db, _INSTALLATION, secrets.token_hex(8))
            _write(db, _TWIN_DISK, name)
            _note(db, str(_read(db.conn, _INSTALLATION)), look, frozenset())
    return str(_read(db.conn, _INSTALLATION))


def shared_name(reader: sqlite3.Connection, box_id: str) -> str | None:
    """The client id for a copied disk that still has the name of the one it was copied from; None for all others."""
    copied = _read(reader, _TWIN_DISK)
    if copied is None or copied not in {"", box_id}:
        return None
    return f"{box_id}-{str(_read(reader, _INSTALLATION))[:6]}"


def take_name(db: Database, box_id: str) -> None:
    """Note under which name this box works; a copied disk with a name of its own is a copy no more."""
    copied = _read(db.conn, _TWIN_DISK)
    if copied is not None and copied not in {"", box_id}:
        enrol(db)
    _write(db, _NAME, box_id)


def enrol(db: Database) -> bool:
    """This machine alone has the name from now on: a person says so. Returns whether it was in doubt."""
    return bool(db.conn.execute("delete from box where k = ?", (_TWIN_DISK,)).rowcount)


def _note(db: Database, salt: str, look: Callable[[str], Marks], more: frozenset[str]) -> None:
    here = look(salt)
    known = {"salt": salt, "hardware": sorted(here.hardware | more), "system": here.system}
    _write(db, _MACHINE, json.dumps(known))


def _read(connection: sqlite3.Connection, key: str) -> str | None:
    found = connection.execute("select v from box where k = ?", (key,)).fetchone()
    return None if found is None else str(found[0])


def _insert(db: Database, key: str, value: str) -> None:
    db.conn.execute("insert or ignore into box(k, v) values (?, ?)", (key, value))


def _write(db: Database, key: str, value: str) -> None:
    db.conn.execute("insert into box(k, v) values (?, ?) on conflict(k) do update set v = excluded.v", (key, value))


def pseudonym_key(folder: Path) -> bytes:
    """The key that makes pseudonyms; without it every pupil would get a new one."""
    return _key(folder / "pseudonym.key")


def teacher_name(key: bytes) -> str:
    """The pseudonym of whoever has the page's PIN or may ask the box: what a decision names as its author."""
    return f"teacher-{hmac.new(key, b'teacher', hashlib.sha256).hexdigest()[:12]}"


def page_key(folder: Path) -> bytes:
    """The key that signs the page's cookies; kept, so that a restart in mid-lesson sends nobody back to the PIN."""
    return _key(folder / "page.key")


def _key(path: Path) -> bytes:
    """A key in a file that only the service may read, made at the first use."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    key = path.read_bytes()
    if len(key) < 16:  # noqa: PLR2004  128 bits are the least that no one can try out
        raise GatewayError(f"{path} is damaged: bring it back from a backup; with another key nothing fits any more.")
    return key


def secret(path: str, what: str) -> str | None:
    """The first line of a secret's file; None where no file is named."""
    if not path:
        return None
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise GatewayError(f"The file of {what}, {path}, cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise GatewayError(f"The file of {what}, {path}, is no text.") from None
    return lines[0].strip() if lines else None
