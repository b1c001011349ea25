import pytest

from recognition.handwriting.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    return Model.load()
