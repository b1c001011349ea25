"""Single Chinese characters, against a key and its look-alikes (dictation) and without one.

Two opinions that know nothing of each other must agree: a recogniser, which sees where ink runs, and the alignment of
strokes, which tells a character from the same one with a stroke less. What was read never depends on what is expected:
that only adds a doubt. Right is said where both read the key, wrong where both read something else and the key's own
strokes do not fit; the rest is asked about. The order of strokes never marks anything wrong.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recognition.errors import ModelError
from recognition.readers.hanzi_alignment import Alignment, align, even
from recognition.readers.hanzi_recogniser import RECOGNISER, DirectionRecogniser, HanziRecogniser, Opinion
from recognition.readers.hanzi_templates import MODELS, STROKES, HanziTemplates
from recognition.readers.reading import Box, Reading, ReadRequest, Verdict
from recognition.shapes import shape_of, share_inside

ABOUT: Final = "hanzi.json"
"""Beside the files: their hash, and where they come from."""

_MOST_STROKES: Final = 48
"""More ink than this is no single character; the templates have 33 at most."""
_LIKELY: Final = 4
"""So many of the recogniser's characters are laid under the strokes, and the look-alikes of the first."""
_LEAST_LIKELY: Final = 1e-3
_ALIKE_LOOKED_AT: Final = 8
_NAMED: Final = 3
_SURE: Final = 0.6
"""The least chance of the recogniser's first."""
_STRANGE: Final = 2.5
"""Ink further from the recogniser's first than this is none of its characters."""
_AWAY: Final = 0.055
"""Root mean square distance of a stroke from where it belongs, in characters, at most."""
_NEARER: Final = 0.002
"""By so much the best character's strokes must fit better than any other's."""
_KEY_DIFFERS: Final = 0.012
"""By so much the key's strokes must fit worse than another character's before an answer is wrong."""
_TAU: Final = 0.001
"""How fast a worse fit speaks against a character."""
_BOX_SLACK_MM: Final = 2.0
_HARMLESS: Final = frozenset({"strokes_joined"})


@dataclass(frozen=True, slots=True)
class _Fit:
    character: str
    lies: Alignment


def open_hanzi(folder: Path = MODELS) -> "HanziReader | None":
    """The reader of a folder of models; None where it has no templates.

    Raises:
        ModelError: Its files are damaged, or do not belong together.
    """
    if not (folder / STROKES).exists():
        return None
    try:
        wanted = json.loads((folder / ABOUT).read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{folder / ABOUT} is missing or damaged") from None
    if content_hash(folder) != wanted:
        raise ModelError(f"the templates in {folder} are not those that {ABOUT} describes")
    templates = HanziTemplates(folder)
    recogniser = DirectionRecogniser(templates.characters, folder)
    # What is struck off changes readings too, and may be changed by hand.
    struck_off = hashlib.sha256("".join(sorted(templates.struck_off)).encode()).hexdigest()
    return HanziReader(templates, recogniser, version=f"hanzi-{wanted[:12]}-{struck_off[:6]}")


def content_hash(folder: Path) -> str:
    """SHA-256 in hex over templates and recogniser.

    Raises:
        ModelError: One of them cannot be read.
    """
    try:
        return hashlib.sha256((folder / STROKES).read_bytes() + (folder / RECOGNISER).read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"the templates cannot be read: {error}") from None


class HanziReader:
    """Reads single characters with templates and a recogniser."""

    def __init__(self, templates: HanziTemplates, recogniser: HanziRecogniser, *, version: str) -> None:
        self._templates = templates
        self._recogniser = recogniser
        self.version = version
        """Name and content hash of templates and recogniser: a part of what a grade names as its reader."""

    def read(self, request: ReadRequest) -> Reading:
        """Read one field's ink; with `request.expected` also against it."""
        strokes = [stroke.points for stroke in request.strokes if len(stroke.points)]
        if len(strokes) > _MOST_STROKES:
            return self._asked(request, Reading(value=None, confidence=0.0, accepted=False, reasons=("too_much_ink",)))
        ink = even(strokes)
        opinion = self._recogniser.opinion(strokes)
        fits = self._fits(ink, self._candidates(opinion))
        reading = _concluded(opinion, fits, _of_place(request))
        return self._asked(request, reading, ink, fits)

    def _candidates(self, opinion: Opinion) -> list[str]:
        """What the ink may be, each once: the recogniser's likeliest, then the look-alikes of its first."""
        likely = [character for character, p in opinion.likely[:_LIKELY] if p >= _LEAST_LIKELY]
        alike = self._templates.look_alikes(opinion.likely[0][0])[:_ALIKE_LOOKED_AT]
        return list(dict.fromkeys([*likely, *alike]))

    def _fits(self, ink: NDArray[np.float64], characters: Iterable[str]) -> list[_Fit]:
        """How the strokes lie on each character that has a template, the best first."""
        known = [character for character in characters if character in self._templates]
        fits = [_Fit(character, align(ink, self._templates.template(character))) for character in known]
        return sorted(fits, key=lambda fit: fit.lies.cost)

    def _asked(
        self, request: ReadRequest, reading: Reading, ink: NDArray[np.float64] | None = None, fits: Sequence[_Fit] = ()
    ) -> Reading:
        """The reading with its verdict, where one is asked for."""
        key = request.expected
        if key is None:
            return reading
        if ink is None:
            return replace(reading, verdict="ask")
        if key not in self._templates:
            return replace(reading, verdict="ask", reasons=tuple(dict.fromkeys([*reading.reasons, "no_template"])))
        seen = {fit.character for fit in fits}
        others = [key, *self._templates.look_alikes(key)[:_ALIKE_LOOKED_AT]]
        every = [*fits, *self._fits(ink, [character for character in others if character not in seen])]
        verdict, doubts = _verdict(reading, key, sorted(every, key=lambda fit: fit.lies.cost))
        return replace(reading, verdict=verdict, reasons=tuple(dict.fromkeys([*reading.reasons, *doubts])))


def _concluded(opinion: Opinion, fits: Sequence[_Fit], reasons: list[str]) -> Reading:
    """What both opinions make of the ink together."""
    first, chance = opinion.likely[0]
    if not fits:
        return Reading(value=first, confidence=0.0, accepted=False, reasons=(*reasons, "no_template"))
    weights = {fit.character: float(np.exp((fits[0].lies.cost - fit.lies.cost) / _TAU)) for fit in fits}
    likely = dict(opinion.likely)
    value = fits[0].character
    reasons += _faults(fits[0].lies)
    if value != first:
        reasons.append("readers_disagree")
    elif chance < _SURE or opinion.strange > _STRANGE:
        reasons.append("low_confidence")
    if len(fits) > 1 and fits[1].lies.cost - fits[0].lies.cost < _NEARER:
        reasons.append("look_alike")
    whole = sum(weights.values())
    chances = {character: (weight / whole, likely.get(character, 0.0)) for character, weight in weights.items()}
    confidence = min(chances.pop(value))
    others = sorted(((character, max(both)) for character, both in chances.items()), key=lambda other: -other[1])
    return Reading(
        value=value,
        confidence=round(confidence, 4),
        accepted=not set(reasons) - _HARMLESS,
        alternatives=tuple((character, round(p, 4)) for character, p in others[:_NAMED]),
        reasons=tuple(reasons),
    )


def _faults(lies: Alignment) -> list[str]:
    """What is wrong with strokes on the character that fits them best, as codes."""
    faults = []
    if lies.missing:
        faults.append("stroke_missing")
    if lies.extra:
        faults.append("stroke_extra")
    if lies.moved:
        faults.append("stroke_moved")
    if lies.whole and lies.away > _AWAY:
        faults.append("strokes_far")
    if lies.joined:
        faults.append("strokes_joined")
    return faults


def _verdict(reading: Reading, key: str, every: Sequence[_Fit]) -> tuple[Verdict, list[str]]:
    """The verdict against a key, and why it is not plain."""
    its = next(fit for fit in every if fit.character == key)
    best = every[0]
    if reading.value == key:
        second = next((fit.lies.cost for fit in every if fit.character != key), np.inf)
        nearest = best.character == key and second - its.lies.cost >= _NEARER
        if reading.accepted and nearest:
            return "right", []
        return "ask", [] if nearest else ["look_alike"]
    differs = its.lies.cost - best.lies.cost >= _KEY_DIFFERS
    if reading.accepted and best.character == reading.value and differs:
        return "wrong", []
    return "ask", [] if differs else ["look_alike"]


def _of_place(request: ReadRequest) -> list[str]:
    """Doubts about whose ink it is."""
    doubts = ["offered_to_two"] if request.offered_to else []
    return doubts + (_beside(request, request.box) if request.box is not None else [])


def _beside(request: ReadRequest, box: Box) -> list[str]:
    shares = [share_inside(shape_of(s), box, margin=_BOX_SLACK_MM) for s in request.strokes if len(s.points)]
    return ["ink_outside"] if min(shares) == 0 else []
