"""Readers that others bring."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from recognition.readers.plugins import ENTRY_POINTS, installed
from recognition.readers.reader import Reader
from recognition.readers.reading import Kind, Reading, ReadRequest
from tests.recognition.drawn import stroke
from tests.recognition.fake_model import FakeCharacterModel

INK = (stroke("10,10>15,15"),)
LOADED: dict[str, Any] = {}


class Fixed:
    """Says the same of whatever it is asked."""

    def __init__(self, said: Any, *, kind: str = "word", version: str = "1.2-toy") -> None:  # noqa: ANN401  also what is no reading
        self.said, self.kind, self.version = said, kind, version

    def read(self, request: ReadRequest) -> Reading:
        assert request.strokes, "no ink is not asked about"
        if isinstance(self.said, Exception):
            raise self.said
        said: Reading = self.said
        return said


GOOD = Reading(value="cat", confidence=0.97, accepted=True)


def points(**brought: object) -> list[EntryPoint]:
    """Entry points that give these objects."""
    LOADED.update(brought)
    return [EntryPoint(name, f"{__name__}:LOADED_{name}", ENTRY_POINTS) for name in brought]


def __getattr__(name: str) -> object:
    if name.startswith("LOADED_") and name[7:] in LOADED:
        return LOADED[name[7:]]
    raise AttributeError(name)


def asked(reader: Fixed, kind: Kind = "word") -> Reading:
    others = installed(points(one=reader))
    return Reader(FakeCharacterModel(), others=others).read(ReadRequest(kind=kind, strokes=INK, expected="cat"))


def test_a_reader_that_is_installed_reads_its_kind_and_is_named_in_the_version() -> None:
    others = installed(points(one=Fixed(GOOD)))
    reader = Reader(FakeCharacterModel(), others=others)
    reading = reader.read(ReadRequest(kind="word", strokes=INK, expected="cat"))
    assert (reading.value, reading.accepted, reading.verdict) == ("cat", True, "right")
    assert reader.version == "rules-3+word-1.2-toy+fake-1"


def test_other_kinds_are_read_as_before() -> None:
    assert asked(Fixed(GOOD), "expression").reasons == ("kind_not_read",)


def test_no_ink_is_blank_whoever_reads() -> None:
    others = installed(points(one=Fixed(GOOD)))
    assert Reader(FakeCharacterModel(), others=others).read(ReadRequest(kind="word", strokes=())).reasons == ("blank",)


@pytest.mark.parametrize(
    "said",
    [
        RuntimeError("foreign"),
        None,
        "cat",
        Reading(value="cat", confidence=float("nan"), accepted=True),
        Reading(value="cat", confidence=1.5, accepted=True),
        Reading(value=7, confidence=0.9, accepted=True),  # type: ignore[arg-type]  # what foreign code may do
    ],
    ids=repr,
)
def test_what_a_foreign_reader_does_wrong_is_a_question_for_a_person(said: object) -> None:
    reading = asked(Fixed(said))
    assert (reading.value, reading.accepted, reading.reasons, reading.verdict) == (
        None,
        False,
        ("reader_failed",),
        "ask",
    )


@pytest.mark.parametrize(
    "brought",
    [
        Fixed(GOOD, kind="music"),
        Fixed(GOOD, version=""),
        Fixed(GOOD, version="two words"),
        SimpleNamespace(kind="word"),
    ],
    ids=["an unknown kind", "no version", "a version that is none", "no reader at all"],
)
def test_a_reader_that_cannot_be_used_is_left_out_and_said_so(
    brought: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert installed(points(one=brought)) == {}
    assert "one" in caplog.text


def test_of_two_readers_of_a_kind_the_first_counts() -> None:
    first, second = Fixed(GOOD), Fixed(GOOD, version="2")
    assert installed(points(one=first, two=second)) == {"word": first}
