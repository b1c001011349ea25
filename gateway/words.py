"""The catalogue: what programs say in codes, people read in sentences. Shared by the command line and the pages.

A code is a key of `catalogue/LANGUAGE.json`; `{name}` in its text stands for a parameter. Where a language has a plural
the key ends in `_one` and `_other`, chosen by the parameter `n`; a language without one has `_other` alone.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

CATALOGUE: Final = Path(__file__).parent / "catalogue"
LANGUAGES: Final = ("zh-CN", "en")
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@lru_cache
def words(language: str) -> Mapping[str, str]:
    """The catalogue of a language.

    Raises:
        KeyError: There is none for it.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    catalogue: dict[str, str] = json.loads((CATALOGUE / f"{language}.json").read_text("utf-8"))
    return catalogue


def say(code: str, language: str, **params: object) -> str:
    """The sentence of a code; a code without one is said as it is, so that nothing is hidden."""
    catalogue = words(language)
    plural = f"{code}_one" if params.get("n") == 1 and f"{code}_one" in catalogue else f"{code}_other"
    text = catalogue.get(code) or catalogue.get(plural)
    if text is None:
        listed = ", ".join(f"{name} {value}" for name, value in params.items())
        return f"{code} ({listed})" if listed else code
    return _PARAMETER.sub(lambda found: str(params.get(found[1], found[0])), text)
