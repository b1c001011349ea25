"""Many lessons in a row: memory and open files of every process, as slopes, and balanced books at the end.

    python tests/soak.py [--lessons 8] [--speed 2] [--pens 48] [--seed 1] [--keep DIR] [--json]

Runs the product's own demo and looks at its children from outside, twice a second. A slope is the least-squares line
over the last three quarters of the time, when everything that is loaded once is loaded. Exit 0 if the books balance and
no process grows by more than it may.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[1]
EVERY_S: Final = 0.5
MOST_MB_A_LESSON: Final = 2.0
"""A lesson's ink is held in memory while it runs; a process that grows by more than this a lesson leaks."""
MOST_FILES_A_LESSON: Final = 0.5


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--lessons", type=int, default=8)
    parser.add_argument("--speed", type=float, default=2.0)
    parser.add_argument("--pens", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inkgate-soak-") as scratch:
        folder = options.keep or Path(scratch) / "kept"
        seen, report = watch(folder, options)
    slopes = {name: slope(values, options.lessons) for name, values in sorted(seen.items())}
    grown = [
        name
        for name, found in slopes.items()
        if found["mb_a_lesson"] > MOST_MB_A_LESSON or found["files_a_lesson"] > MOST_FILES_A_LESSON
    ]
    document = {
        "schema": "inkgate.soak/1",
        "lessons": options.lessons,
        "speed": options.speed,
        "pens": options.pens,
        "seed": options.seed,
        "seconds": report.get("seconds"),
        "balanced": report.get("balanced"),
        "dots_written": report.get("dots_written"),
        "processes": slopes,
        "grown": grown,
    }
    if options.json:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        tell(document)
    return 0 if report.get("balanced") and not grown else 1


def watch(
    folder: Path, options: argparse.Namespace
) -> tuple[dict[str, list[tuple[float, float, int]]], dict[str, Any]]:
    """Run the demo; gives (seconds, MB, open files) of each process, and the demo's report."""
    words = ["demo", "--headless", "--json", "--calm", "--pens", str(options.pens), "--seed", str(options.seed)]
    words += ["--speed", str(options.speed), "--lessons", str(options.lessons), "--keep", str(folder)]
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        demo = subprocess.Popen([sys.executable, "-m", "gateway", *words], cwd=ROOT, stdout=out)
        seen: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
        while demo.poll() is None:
            time.sleep(EVERY_S)
            for name, pid in pids(folder).items():
                if (now := sizes(pid)) is not None:
                    seen[f"{name} {pid}"].append((time.monotonic() - began, *now))
        out.seek(0)
        text = out.read()
    return seen, json.loads(text) if text else {}


def pids(folder: Path) -> dict[str, int]:
    """The demo's children that live now."""
    try:
        children = json.loads((folder / "demo.json").read_text(encoding="utf-8"))["children"]
    except (OSError, ValueError, KeyError):
        return {}
    return {name: child["pid"] for name, child in children.items() if child["pid"]}


def sizes(pid: int) -> tuple[float, int] | None:
    """Resident memory in MB and open files; None where the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    kb = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return kb / 1024, files


def slope(values: list[tuple[float, float, int]], lessons: int) -> dict[str, float]:
    """Growth a lesson, over the last three quarters of the time."""
    late = np.array(values[len(values) // 4 :], float)
    length_s = values[-1][0] / lessons
    if len(late) < 2 or np.ptp(late[:, 0]) == 0:
        return {"mb": round(values[-1][1], 1), "mb_a_lesson": 0.0, "files": values[-1][2], "files_a_lesson": 0.0}
    mb, files = (float(np.polyfit(late[:, 0], late[:, k], 1)[0]) * length_s for k in (1, 2))
    return {
        "mb": round(values[-1][1], 1),
        "mb_a_lesson": round(mb, 2),
        "files": values[-1][2],
        "files_a_lesson": round(files, 3),
    }


def tell(document: dict[str, Any]) -> None:
    """For a person."""
    head = "{lessons} lessons of {pens} pens at speed {speed}, seed {seed}".format_map(document)
    sys.stdout.write(f"{head}: {'books balanced' if document['balanced'] else 'BOOKS DO NOT BALANCE'}\n")
    for name, found in document["processes"].items():
        sys.stdout.write(
            f"  {name:20} {found['mb']:7.1f} MB, {found['mb_a_lesson']:+6.2f} MB a lesson; {found['files']:.0f} files,"
            f" {found['files_a_lesson']:+.3f} a lesson\n"
        )
    if document["grown"]:
        sys.stdout.write(f"  too much growth: {', '.join(document['grown'])}\n")


if __name__ == "__main__":
    sys.exit(main())
