"""The model card of the character reader: where it comes from, what it may be used for, how well it reads."""

from collections.abc import Mapping
from typing import Any, Final

_TEMPLATE: Final = """\
# characters: digits, capitals and "none of these"

`characters.onnx` (ONNX, opset 17, {parameters} parameters, {kilobytes} KB, sha256 `{sha256}`), with its
thresholds and its self-test in `characters.json`. Run by `recognition/readers/network.py`; made by

    python -m recognition.training --ink DIR --seed {seed} --epochs {epochs}

which also wrote this card. DIR holds the insets `pendigits/digits.npz`, `unipen/digits.npz`, `unipen/upper.npz`
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

## Figures, on writers of the test part, through OpenCV
| question | answers (writers) | right % | worst tenth % | accepted % | error of accepted % | at most (95 %) |
|---|---|---|---|---|---|---|
{questions}

A number's confidence is the least of its digits'; here its digits were cut rightly.

| must be refused | offered | taken for an answer % |
|---|---|---|
{refusals}

Junk: two digits over or beside each other, crossings-out, scribbles, dots; composed of test writers' digits.
Among the foreign letters are some that do look like a digit (a circle, a bar).

Thresholds, set on the validation writers, each counting the same, for at most 0.3 % error among the accepted and
at most 3 % of foreign letters accepted, as far as 95 % of single answers and 90 % of numbers stay accepted:
{thresholds}.
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
    )


def _question(name: str, its: Mapping[str, Any]) -> str:
    error = f"{_percent(its['error'])} ({its['wrong_accepted']} of {its['accepted_answers']})"
    shares = (_percent(its[key]) for key in ("right", "worst_tenth_right", "accepted"))
    cells = (name, f"{its['answers']} ({its['writers']})", *shares, error, _percent(its["error_bound"]))
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
