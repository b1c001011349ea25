"""One PostgreSQL for the tests of this folder, and a database of its own for each of them."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from gateway.bench.postgres import PostgresServer
from gateway.errors import Missing


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except Missing as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh database; one with results is not reused, so that a test may break it."""
    name = f"d{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield postgres.url.removesuffix("/postgres") + f"/{name}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
