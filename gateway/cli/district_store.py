"""Where a district's results are: a file of SQLite, or a database of PostgreSQL by its URL."""

from pathlib import Path
from typing import Final

from gateway.errors import Missing, WrongUse
from sync.district.store import DistrictStore

WHERE: Final = "FILE or postgresql://USER@HOST/DATABASE; a password comes from PGPASSFILE or ?passfile=FILE."
_SCHEMES: Final = ("postgresql://", "postgres://")


def is_url(where: str) -> bool:
    """Whether this names a database of PostgreSQL."""
    return where.startswith(_SCHEMES)


def district_store(where: str, mark: Path | None) -> DistrictStore:
    """The store, not yet open; psycopg is loaded only for a URL.

    Raises:
        Missing: It is a URL, and psycopg is not installed.
        WrongUse: The URL cannot be read, or carries a password.
    """
    if not is_url(where):
        from sync.district.sqlite_store import SqliteStore  # noqa: PLC0415  `--help` need not load sqlite-utils

        return SqliteStore(Path(where), mark)
    try:
        from sync.district.postgres_store import PostgresStore  # noqa: PLC0415  an extra that most do not have
    except ImportError:
        raise Missing("PostgreSQL needs psycopg: pip install 'inkgate[postgres]'.") from None
    try:
        return PostgresStore(where, mark)
    except ValueError as error:
        raise WrongUse(f"--db: {error}.") from None


def mark_of(where: str, receiver: str) -> Path:
    """Where a receiver remembers how far the ledger was, if nobody says: beside the file, one for each receiver.

    Raises:
        WrongUse: It is a URL: then nothing of the database is on this machine, and only a person can say where.
    """
    if is_url(where):
        raise WrongUse("With PostgreSQL, --state FILE says where this receiver remembers how far the ledger was.")
    path = Path(where)
    return path.with_name(path.name + (".state" if receiver == "1" else f".{receiver}.state"))
