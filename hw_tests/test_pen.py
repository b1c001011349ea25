"""The contract of a pen, kept by a real one.

    pytest hw_tests/test_pen.py --adapter bluez:hci0 --pen 9C:7B:D2:51:F4:1F --hand

Changes nothing in the pen but its clock. A locked pen wants --password-file; it is never guessed at.
"""

from collections.abc import AsyncIterator

import pytest

from hw_tests.conftest import needed
from tests.contracts.linking import PenOnAdapter
from tests.contracts.pen_contract import Hand, PenContract


class HumanHand:
    """Somebody who is told to write."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    async def write_stroke(self) -> None:
        with self._capture.disabled():
            print("\n    Write one stroke on dot-pattern paper now, and lift the pen (30 s).")  # noqa: T201  # to a person


@pytest.mark.timeout(120)
class TestPen(PenContract):
    @pytest.fixture
    async def pen(self, request: pytest.FixtureRequest) -> AsyncIterator[PenOnAdapter]:
        adapter = needed(request, "--adapter", "a Bluetooth adapter")
        mac = needed(request, "--pen", "a pen")
        file = request.config.getoption("--password-file")
        password = file.read_text(encoding="utf-8").strip() if file else None
        pen = PenOnAdapter(adapter, mac.upper(), password=password)
        yield pen
        await pen.close()

    @pytest.fixture
    def hand(self, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Hand:
        if not request.config.getoption("--hand"):
            pytest.skip("needs a person who writes: give --hand")
        return HumanHand(capsys)
