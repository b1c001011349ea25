"""The reader: a request in, a reading out, whatever the kind of answer."""

from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from recognition.readers.marks import read_marks
from recognition.readers.numbers import DIGITS, read_characters
from recognition.readers.reading import CharacterModel, Reading, ReadRequest, Thresholds
from recognition.readers.shapes import Shape, crossing, shape_of
from recognition.sheets import Box, Choice, KeyOptions, Verdict, compare

RULES: Final = "rules-2"
"""Version of the rules around the model; it changes when a reading of the same ink may change."""
LETTERS: Final = ascii_uppercase + ascii_lowercase
TRUE, FALSE = "true", "false"

_CLEAR: Final = 0.95
_EVERYWHERE: Final[Box] = (-1e6, -1e6, 1e6, 1e6)


class Reader:
    """Reads answers with a character model; thresholds come with the model."""

    def __init__(self, model: CharacterModel, thresholds: Thresholds | None = None) -> None:
        self._model = model
        self._thresholds = thresholds or Thresholds()

    @property
    def version(self) -> str:
        """What a grade names as its reader: rules and model."""
        return f"{RULES}+{self._model.version}"

    def read(self, request: ReadRequest, *, options: KeyOptions | None = None) -> Reading:
        """Read one field's ink. `options` are the key's, for the verdict against `request.expected` only."""
        reading = self._value(request)
        if request.expected is None:
            return reading
        return replace(reading, verdict=_verdict(reading, request.expected, options))

    def _value(self, request: ReadRequest) -> Reading:
        if not any(len(stroke.points) for stroke in request.strokes):
            return Reading(value=None, confidence=1.0, accepted=True, reasons=("blank",))
        match request.kind:
            case "digit" | "number":
                return self._characters(request, DIGITS)
            case "letter":
                return self._characters(request, "".join(c.value for c in request.choices) or LETTERS)
            case "choice" | "seat" | "truefalse":
                return self._choice(request)
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
            return _tick_or_cross(request, self._thresholds)
        values = [choice.value for choice in choices] or list("ABCD")
        if any(len(value) != 1 for value in values):
            return Reading(value=None, confidence=0.0, accepted=False, reasons=("kind_not_read",))
        return self._characters(request, "".join(values))


def _verdict(reading: Reading, expected: str, options: KeyOptions | None) -> Verdict:
    """Right or wrong only where the value is accepted; what is expected may raise a doubt, never fill a gap."""
    if not reading.accepted or reading.value is None:
        return "ask"
    return compare(reading.value, [expected], options)


def _tick_or_cross(request: ReadRequest, thresholds: Thresholds) -> Reading:
    """A written tick is true, a written cross is false; anything else is asked about."""
    shapes = [shape_of(stroke) for stroke in request.strokes]
    value = _sign(shapes)
    accepted = value is not None and thresholds.mark <= _CLEAR and not request.offered_to
    reasons = () if value is not None else ("no_mark",)
    return Reading(value=value, confidence=_CLEAR if value else 0.0, accepted=accepted, reasons=reasons)


def _sign(shapes: list[Shape]) -> str | None:
    if len(shapes) == 1:
        y = shapes[0].xy[:, 1]
        lowest, end = int(y.argmax()), float(y[-1])
        short, long = float(y[lowest] - y[0]), float(y[lowest] - end)
        return TRUE if 0 < lowest < len(y) - 1 and long > short >= 0.5 and shapes[0].turns < 2 else None  # noqa: PLR2004  # mm; a tick turns once
    if len(shapes) == 2 and all(shape.is_line for shape in shapes) and crossing(*shapes):  # noqa: PLR2004  # two lines
        steep = [abs(s.xy[-1, 1] - s.xy[0, 1]) > 0.4 * abs(s.xy[-1, 0] - s.xy[0, 0]) for s in shapes]
        return FALSE if all(steep) else None
    return None
