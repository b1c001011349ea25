"""Who this installation is: a random id made once in the store, and the key behind the pupils' pseudonyms in a file."""

import os
import secrets
from pathlib import Path

from sqlite_utils import Database

from gateway.errors import GatewayError


def installation(db: Database) -> str:
    """The id of this installation, 16 hex digits, drawn when the store was made."""
    db.conn.execute("insert or ignore into box(k, v) values ('installation', ?)", (secrets.token_hex(8),))
    return str(db.conn.execute("select v from box where k = 'installation'").fetchone()[0])


def pseudonym_key(folder: Path) -> bytes:
    """The key that makes pseudonyms; without it every pupil would get a new one."""
    return _key(folder / "pseudonym.key")


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
