"""What hardware there is: without it each test is skipped, and says what it would need."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hardware")
    group.addoption("--adapter", help="bluez:hci0, bluez:AA:BB:CC:DD:EE:FF, serial:PORT,1000000 or unix:PATH")
    group.addoption("--pen", metavar="MAC", help="the pen to talk to, as AA:BB:CC:DD:EE:FF")
    group.addoption("--password-file", type=Path, help="a file with the pen's password, if it is locked")
    group.addoption("--hand", action="store_true", help="somebody sits there and writes when told to")


def needed(request: pytest.FixtureRequest, option: str, what: str) -> str:
    """The value of an option; skips the test, with its reason, where it was not given."""
    value = request.config.getoption(option)
    if not isinstance(value, str):
        pytest.skip(f"needs {what}: give {option}")
    return value
