"""A clock turned by hand, and scenes that end with their test."""

from collections.abc import AsyncIterator

import pytest

from tests.devices.radio_fakes import Begin, FakeClock, Scene


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Start the radios of a scene."""
    begun: list[Scene] = []

    async def start(scene: Scene) -> Scene:
        await scene.radios.start()
        await scene.settle()
        begun.append(scene)
        return scene

    yield start
    for scene in begun:
        await scene.radios.stop()
