"""The model card of the reader of Chinese characters, with what `inkgate bench hanzi` told of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from recognition.errors import ModelError
from recognition.readers.hanzi import ABOUT

CARD: Final = "hanzi.md"
LICENCE: Final = "hanzi_ARPHICPL.txt"
BENCH_SCHEMA: Final = "inkgate.bench.hanzi/1"
_KEPT: Final = ("reader", "hand", "asked")
"""Of the report; times are of the machine and stay out."""

_TEMPLATE: Final = """\
# hanzi: stroke templates, look-alikes and a recogniser of Chinese characters

| file | what | bytes |
|---|---|---|
| `hanzi_strokes.npz` | {strokes} strokes, {characters} characters, {look_alikes} look-alikes | {stroke_bytes} |
| `hanzi_recogniser.npz` | a middle a character in 96 directions of 512 features | {recogniser_bytes} |
| `hanzi_struck_off.toml` | templates not to be trusted; their characters go to people | |
| `hanzi_ARPHICPL.txt` | the licence of the two `.npz` files | |

SHA-256 over both `.npz` files: `{sha256}`.
Run by `recognition/readers/hanzi*.py`; made, with this card, by

    python -m recognition.training --ink DIR --only hanzi --seed {seed}

from `hanzi_templates/medians.npz` in DIR, with numpy alone. The list of templates struck off is kept by hand.

## What it is for
One Chinese character of pen ink against a key (dictation), or without one. The recogniser and the alignment of
strokes must agree; else a person is asked. **The recogniser has seen no handwriting, only ink made from templates
(turned, leant, stretched, strokes moved against each other, some of them joined). Nobody knows yet how well any of
it reads children or a fast hand**: expect many questions there. A character that is written with other strokes than
taught, or whose strokes run together, is asked about.

The order of strokes is used for one thing: two or three that follow each other in the taught order may be drawn
without lifting the pen. It never marks anything wrong.

## Data and licence
Make Me a Hanzi, as hanzi-writer-data 2.0.1, derived from the fonts AR PL KaitiM GB and AR PL UKai, (c) 1999 Arphic
Technology Co., Ltd., under the **Arphic Public License** (`hanzi_ARPHICPL.txt`). Changed for this project in 2026:
outlines dropped, coordinates rounded to a 256th of the square and stored as steps, parts of characters left out, a
table of look-alikes added; the recogniser is computed from them. Both `.npz` files are under the same licence; the
rest of this repository is not derived from them and keeps its own.

## Figures
{bench}"""

_BENCH: Final = """\
**Ink made from templates, by the same maker as the recogniser's (with another seed, and neater): these figures say
that the program does what it should. They say nothing about handwriting.** Printed by

    inkgate bench hanzi --ink DIR

with {reader}; {hand}. Characters are drawn from GB 2312, everyone as likely; limits of the
reader were set on such ink of other seeds. Bounds are one-sided with 95 % (Clopper-Pearson): at least, where what is
marked right was written "as taught" or is read without a key; at most everywhere else. Where something else was
written than the key, right is the error and wrong is not.

| asked | answers | marked right % | bound % | marked wrong % | bound % | asked about % |
|---|---|---|---|---|---|---|
{rows}
"""

_NO_BENCH: Final = """\
Not measured for these files yet:

    inkgate bench hanzi --ink DIR --json > bench.json
    python -m recognition.training --bench bench.json
"""


def card(about: Mapping[str, Any]) -> str:
    """The card for what `hanzi.json` holds."""
    stroke_bytes, recogniser_bytes = about["bytes"].values()
    names = ("sha256", "seed", "characters", "strokes", "look_alikes")
    return _TEMPLATE.format(
        **{name: about[name] for name in names},
        stroke_bytes=stroke_bytes,
        recogniser_bytes=recogniser_bytes,
        bench=_bench(about["bench"]) if "bench" in about else _NO_BENCH,
    )


def keep_bench(report: Path, folder: Path) -> None:
    """Keep what `inkgate bench hanzi --json` printed in `hanzi.json`, and write the card anew.

    Raises:
        ModelError: The report is none of the bench, or is of other files than the folder's.
        FileNotFoundError: A file is missing.
    """
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    try:
        said = json.loads(report.read_text("utf-8"))
        if said["schema"] != BENCH_SCHEMA or f"hanzi-{about['sha256'][:12]}" not in said["reader"]:
            raise ModelError(f"{report} is no report of these files by `inkgate bench hanzi --json`")
        about["bench"] = {name: said[name] for name in _KEPT}
        written = card(about)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{report} is no report of `inkgate bench hanzi --json`") from None
    (folder / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / CARD).write_text(written, "utf-8")


def _bench(bench: Mapping[str, Any]) -> str:
    rows = "\n".join(_row(name, its) for name, its in bench["asked"].items())
    return _BENCH.format(rows=rows, reader=bench["reader"], hand=bench["hand"])


def _row(name: str, its: Mapping[str, Any]) -> str:
    shares = (its["right"], its["right_bound"], its["wrong"], its["wrong_bound"], its["ask"])
    cells = (name, str(its["answers"]), *(f"{100 * share:.2f}" for share in shares))
    return f"| {' | '.join(cells)} |"
