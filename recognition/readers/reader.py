"""The reader: a request in, a reading out, whatever the kind of answer."""

from collections.abc import Mapping
from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from recognition.readers.hanzi import HanziReader
from recognition.readers.marks import read_marks, read_sign
from recognition.readers.numbers import DIGITS, read_characters
from recognition.readers.plugins import KindReader, read_by, versions
from recognition.readers.reading import CharacterModel, Reading, ReadRequest, Thresholds
from recognition.shapes import shape_of
from recognition.sheets import Box, Choice, KeyOptions, Verdict, compare
from recognition.withdrawal import character_roles

RULES: Final = "rules-3"
"""Version of the rules around the model; it changes when a reading of the same ink may change."""
LETTERS: Final = ascii_uppercase + ascii_lowercase

_EVERYWHERE: Final[Box] = (-1e6, -1e6, 1e6, 1e6)


class Reader:
    """Reads answers with a character model; thresholds come with the model."""

    def __init__(
        self,
        model: CharacterModel,
        thresholds: Thresholds | None = None,
        *,
        hanzi: HanziReader | None = None,
        others: Mapping[str, KindReader] | None = None,
    ) -> None:
        """`others` are readers of a kind that others brought, see `plugins`."""
        self._model, self._others = model, dict(others or {})
        self._thresholds = thresholds or Thresholds()
        self._hanzi = hanzi

    @property
    def version(self) -> str:
        """What a grade names as its reader: rules and model."""
        models = [self._model.version] if self._hanzi is None else [self._hanzi.version, self._model.version]
        return "+".join([RULES, *versions(self._others), *models])

    def read(self, request: ReadRequest, *, options: KeyOptions | None = None) -> Reading:
        """Read one field's ink. `options` are the key's, for the verdict against `request.expected` only."""
        reading = self._value(request)
        if request.expected is None or reading.verdict is not None:
            return reading
        return replace(reading, verdict=_verdict(reading, request.expected, options))

    def _value(self, request: ReadRequest) -> Reading:
        if not any(len(stroke.points) for stroke in request.strokes):
            return Reading(value=None, confidence=1.0, accepted=True, reasons=("blank",))
        other = self._others.get(request.kind)
        return self._own(request) if other is None else read_by(other, request)

    def _own(self, request: ReadRequest) -> Reading:
        match request.kind:
            case "digit" | "number" | "letter":
                letters = "".join(choice.value for choice in request.choices) or LETTERS
                return self._characters(request, letters if request.kind == "letter" else DIGITS)
            case "choice" | "seat" | "truefalse":
                return self._choice(request)
            case "hanzi" if self._hanzi is not None:
                return self._hanzi.read(request)
            case "word":
                return _unread(request)
            case _:
                return Reading(value=None, confidence=0.0, accepted=False, reasons=("kind_not_read",))

    def _characters(self, request: ReadRequest, alphabet: str) -> Reading:
        return read_characters(request, self._model, self._thresholds, alphabet=alphabet)

    def _choice(self, request: ReadRequest) -> Reading:
        choices = request.choices
        if choices and all(choice.box_mm is not None for choice in choices):
            return read_marks(request, self._thresholds)
        if request.kind == "seat":
            return read_marks(replace(request, choices=(Choice("seat", request.box or _EVERYWHERE),)), self._thresholds)
        if request.kind == "truefalse":
            return read_sign(request, self._thresholds)
        values = [choice.value for choice in choices] or list("ABCD")
        if any(len(value) != 1 for value in values):
            return Reading(value=None, confidence=0.0, accepted=False, reasons=("kind_not_read",))
        return self._characters(request, "".join(values))


def _verdict(reading: Reading, expected: str, options: KeyOptions | None) -> Verdict:
    """Right or wrong only where the value is accepted; what is expected may raise a doubt, never fill a gap."""
    if not reading.accepted or reading.value is None:
        return "ask"
    return compare(reading.value, [expected], options)


def _unread(request: ReadRequest) -> Reading:
    """A kind that is not read; what was taken back is told all the same."""
    roles = character_roles([shape_of(stroke) for stroke in request.strokes], keep=request.keep)
    return Reading(
        value=None,
        confidence=0.0,
        accepted=False,
        reasons=(*roles.notices, "kind_not_read"),
        withdrawn=roles.taken_back,
        roles=roles.told,
    )
