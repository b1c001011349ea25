"""`python -m tests.chaos`: everything dies, and the books are counted. Exit 0 if the promise was kept, else 1."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos.reporting import document, words
from tests.chaos.running import Options, Outcome
from tests.chaos.scenarios import SCENARIOS


def main() -> int:
    """Run the scenarios and report."""
    options, names, as_json, keep = _read()
    outcomes: list[Outcome] = []
    base = keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    base.mkdir(parents=True, exist_ok=True)
    for name in names:
        sys.stderr.write(f"{name}: seed {options.seed}, {options.pens} pens …\n")
        outcome = SCENARIOS[name](base / name, options)
        outcomes.append(outcome)
        sys.stderr.write(f"{name}: {outcome.seconds:.0f} s, {'kept' if outcome.kept else 'NOT kept'}\n")
    said = document(options, outcomes, base)
    (base / "report.json").write_text(json.dumps(said, ensure_ascii=False, indent=1), encoding="utf-8")
    sys.stdout.write(words(said) + "\n")
    if as_json:
        sys.stdout.write(json.dumps(said, ensure_ascii=False, indent=1) + "\n")
    return 0 if said["kept"] else 1


def _read() -> tuple[Options, list[str], bool, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pens", type=int, default=48)
    parser.add_argument("--kills", type=int, default=20, help="of each process")
    parser.add_argument("--rounds", type=int, default=5, help="of each crash point")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS), metavar="NAME")
    parser.add_argument("--broker", choices=["nats", "mosquitto"], default="nats")
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--json", action="store_true", help="the report as one JSON document after the words")
    parser.add_argument("--keep", type=Path, help="leave everything in this folder")
    told = parser.parse_args()
    options = Options(
        seed=told.seed,
        pens=told.pens,
        kills=told.kills,
        rounds=told.rounds,
        broker=told.broker,
        database=told.database,
    )
    return options, told.only, told.json, told.keep


if __name__ == "__main__":
    sys.exit(main())
