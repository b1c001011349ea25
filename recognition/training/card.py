"""The model card of the character reader: where it comes from, what it may be used for, how well it reads.

Training measures the net alone. The whole reader is measured by `inkgate bench read`, which stands above this package;
its report is kept in `characters.json` and shown in the card by `keep_bench`. A new training drops the old report.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from recognition.errors import ModelError

BENCH_SCHEMA: Final = "inkgate.bench.read/1"
_BENCH_KEPT: Final = (
    *("reader", "engine", "writers", "writers_left_out"),
    *("answers", "foreign_offered", "foreign_accepted"),
)
"""Of the report; times are of the machine and stay out."""

_TEMPLATE: Final = """\
# characters: digits, capitals and "none of these"

`characters.onnx` (ONNX, opset 17, {parameters} parameters, {kilobytes} KB, sha256 `{sha256}`), with its
thresholds and its self-test in `characters.json`. Run by `recognition/readers/network.py`; made by

    python -m recognition.training --ink DIR --seed {seed} --epochs {epochs}

which also wrote this card, but for the figures through the reader: those are added by `--bench`, from what
`inkgate bench read` prints. DIR holds the insets `pendigits/digits.npz`, `unipen/digits.npz`, `unipen/upper.npz`
and, for what is to be refused, `unipen/lower.npz`, `unipen/symbols.npz`, `omniglot_ood/drawings.npz`.

## What it is for
One character of pen ink on paper, with the strokes in writing order: which of the question's characters it is,
or none of them. Not for words, small letters, Chinese, nor for telling case. It sees the shape only, not size
or place. **All of its writers were adults on tablets; nobody knows yet how well it reads children.** Expect
more errors and more questions.

## Data and licences
- UCI "Pen-Based Recognition of Handwritten Digits", E. Alpaydin and F. Alimoglu, 1998 (the original
  trajectories). CC BY 4.0.
- UNIPEN train_r01_v07, International Unipen Foundation, doi 10.5281/zenodo.1195803, CC BY 4.0 (the CD of 1999
  said "research purposes"; the Foundation's later release is the grant relied on). I. Guyon, L. Schomaker, R.
  Plamondon, M. Liberman, S. Janet: "UNIPEN project of on-line data exchange and recognizer benchmarks", ICPR
  1994.
- Omniglot, B. M. Lake, R. Salakhutdinov, J. B. Tenenbaum, Science 2015, only as ink to refuse. MIT, (c) 2015
  Brenden Lake.

No data of a non-commercial licence was used. The weights are made by this project and come under its licence,
Apache-2.0, with the credits above.

## Split
By writer, after joining writers who share identical ink: {train} train, {validation} validation (thresholds),
{test} test. Seed {seed}; SHA-256 over the sorted names of each part: `{split}`. Hashes of the names of the
writers of train and validation are in `characters.json`; `inkgate bench read` leaves those writers out. In the
second half of training, samples that the net itself found all but impossible were left out, because some labels
of UNIPEN are wrong; test figures are on the raw labels.

## Figures of the net alone, on writers of the test part, through OpenCV
| question | answers (writers) | right % | worst tenth % | accepted % | error of accepted % | at most (95 %) |
|---|---|---|---|---|---|---|
{questions}

Every character comes cut out. A number's confidence is the least of its digits'; here its digits were cut rightly.

| must be refused | offered | taken for an answer % |
|---|---|---|
{refusals}

Junk: two digits over or beside each other, crossings-out, scribbles, dots; composed of test writers' digits.
Among the foreign letters are some that do look like a digit (a circle, a bar).

Thresholds, set on the validation writers, each counting the same, for at most 0.3 % error among the accepted and
at most 3 % of foreign letters accepted, as far as 95 % of single answers and 90 % of numbers stay accepted:
{thresholds}.

## Figures through the reader (`inkgate bench read`)
{bench}
## How far these figures can be trusted
- **They are somewhat optimistic.** The test part was looked at during development: after a first run its errors
  were inspected, and augmentation, the rule for the thresholds and the rules around the net (how a field of one
  character is read, when ink counts as crossed out) were changed. An untouched measure needs writers kept
  elsewhere.
- Numbers are drawn with replacement from the same digits: they are not independent, so their bound is too tight.
  So is every bound here as far as answers of one writer are alike.
- The bench writes each character 7 mm high with 120 ms between strokes; crossing-out depends on such times, and
  they are made up.
- Adults on tablets, as above: nothing here tells how children on paper are read.
"""

_BENCH: Final = """\
Strokes in mm through `Reader.read`, with what it does about points, taps, crossings-out and several characters.
Printed by

    inkgate bench read --ink DIR

with the DIR above, by {reader}, {engine}; {writers} writers read, {writers_left_out} left out because the net
knows them.

| question | answers | writers | right % | accepted % | wrong of accepted | error of accepted % | at most (95 %) |
|---|---|---|---|---|---|---|---|
{rows}

Foreign letters taken for a digit: {foreign_accepted} of {foreign_offered}. "At most" is one-sided (Clopper-Pearson).
"""

_NO_BENCH: Final = """\
Not measured for this net yet:

    inkgate bench read --ink DIR --json > bench.json
    python -m recognition.training --bench bench.json
"""


def card(about: Mapping[str, Any]) -> str:
    """The card for what `characters.json` holds."""
    figures: Mapping[str, Mapping[str, Any]] = about["figures"]
    return _TEMPLATE.format(
        **{name: about[name] for name in ("parameters", "sha256", "seed", "epochs", "split")},
        **about["writers"],
        kilobytes=round(about["bytes"] / 1000),
        questions="\n".join(_question(name, its) for name, its in figures.items() if "right" in its),
        refusals="\n".join(
            f"| {name} | {its['offered']} | {_percent(its['taken'])} |"
            for name, its in figures.items()
            if "taken" in its
        ),
        thresholds=", ".join(f"{kind} {value}" for kind, value in about["thresholds"].items()),
        bench=_bench(about["bench"]) if "bench" in about else _NO_BENCH,
    )


def keep_bench(report: Path, folder: Path) -> None:
    """Keep what `inkgate bench read --json` printed in `characters.json`, and write the card anew.

    Raises:
        ModelError: The report is none of the bench, or is of another net than the folder's.
        FileNotFoundError: A file is missing.
    """
    about = json.loads((folder / "characters.json").read_text("utf-8"))
    try:
        said = json.loads(report.read_text("utf-8"))
        if said["schema"] != BENCH_SCHEMA or not said["reader"].endswith(f"+characters-{about['sha256'][:12]}"):
            raise ModelError(f"{report} is no report of this net by `inkgate bench read --json`")
        about["bench"] = {name: said[name] for name in _BENCH_KEPT}
        written = card(about)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{report} is no report of `inkgate bench read --json`") from None
    (folder / "characters.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    (folder / "characters.md").write_text(written, "utf-8")


def _bench(bench: Mapping[str, Any]) -> str:
    rows = "\n".join(_bench_row(name, its) for name, its in bench["answers"].items())
    return _BENCH.format(rows=rows, **{name: bench[name] for name in _BENCH_KEPT if name != "answers"})


def _bench_row(name: str, its: Mapping[str, Any]) -> str:
    wrong = f"{its['wrong_accepted']} of {its['accepted_answers']}"
    counts, shares = (its["answers"], its["writers"]), [_percent(its[key]) for key in ("right", "accepted")]
    cells = (name, *map(str, counts), *shares, wrong, _percent(its["error"]), _percent(its["error_bound"]))
    return f"| {' | '.join(cells)} |"


def _question(name: str, its: Mapping[str, Any]) -> str:
    error = f"{_percent(its['error'])} ({its['wrong_accepted']} of {its['accepted_answers']})"
    shares = (_percent(its[key]) for key in ("right", "worst_tenth_right", "accepted"))
    cells = (name, f"{its['answers']} ({its['writers']})", *shares, error, _percent(its["error_bound"]))
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
