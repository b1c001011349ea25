"""`python -m recognition.training --ink DIR`: makes the models of `recognition/models` again from insets.

`--bench FILE` trains nothing: it keeps the report of `inkgate bench read --json`, or of `bench hanzi`, with the model
that it is of, and in its card.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Final

from recognition.errors import RecognitionError
from recognition.readers.network import MODELS
from recognition.training import card, hanzi_card

_PARTS: Final = ("reader", "hand", "hanzi")


def main(arguments: list[str] | None = None) -> int:
    """Train what was asked for. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m recognition.training", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--ink", type=Path, metavar="DIR", help="folder of insets")
    what.add_argument("--bench", type=Path, metavar="FILE", help="a report of `inkgate bench … --json` to keep")
    parser.add_argument("--out", type=Path, default=MODELS, metavar="DIR", help="where the models go")
    parser.add_argument("--only", choices=_PARTS, help="one of these alone")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=13)
    parser.add_argument("--threads", type=int, default=1, help="more are faster, and no longer give the same bits")
    asked = parser.parse_args(arguments)
    try:
        if asked.bench is not None:
            _keep_bench(asked.bench, asked.out)
            return 0
        asked.out.mkdir(parents=True, exist_ok=True)
        parts = _PARTS if asked.only is None else (asked.only,)
        if "reader" in parts:
            _reader(asked)
        if "hand" in parts:
            importlib.import_module("recognition.training.hand").learn_and_save(asked.ink, asked.out)
        if "hanzi" in parts:
            importlib.import_module("recognition.training.hanzi").learn_and_save(asked.ink, asked.out, seed=asked.seed)
    except (RecognitionError, FileNotFoundError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 69
    except ModuleNotFoundError as error:
        print(f"training needs {error.name}: install the extra `training`", file=sys.stderr)
        return 69
    return 0


def _keep_bench(report: Path, out: Path) -> None:
    try:
        schema = json.loads(report.read_text("utf-8"))["schema"]
    except (ValueError, KeyError, TypeError):
        schema = None
    (hanzi_card if schema == hanzi_card.BENCH_SCHEMA else card).keep_bench(report, out)


def _reader(asked: argparse.Namespace) -> None:
    # torch is loaded only when a net is trained: the hand's statistics need numpy alone.
    learn = importlib.import_module("recognition.training.learn")
    reader = importlib.import_module("recognition.training.reader")
    plan = learn.Plan(seed=asked.seed, epochs=asked.epochs, threads=asked.threads)
    reader.learn_and_save(asked.ink, asked.out, plan=plan)


if __name__ == "__main__":
    sys.exit(main())
