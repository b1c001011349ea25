"""A reader of one kind, brought by a wheel of its own: no file of ours is changed."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
WORD: Final = {"id": 1, "kind": "word", "strokes": [[[10, 10, 0, 0.5], [15, 15, 80, 0.5]]] * 2, "expected": "house"}
SOURCE: Final = '''
"""Reads words by how many strokes they have. A toy: what it shows is the way in."""

from recognition.readers.reading import Reading


class Words:
    kind = "word"
    version = "toy-1"

    def read(self, request):
        words = ("cat", "house", "elephant")
        return Reading(value=words[min(len(request.strokes), 3) - 1], confidence=0.99, accepted=True)


WORDS = Words()
'''
ABOUT: Final = {
    "METADATA": "Metadata-Version: 2.1\nName: inkgate-toy-reader\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[inkgate.readers]\nword = toy_reader:WORDS\n",
    "RECORD": "",
}


def wheel(folder: Path) -> Path:
    """A wheel as a package index would give it."""
    path = folder / "inkgate_toy_reader-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("toy_reader.py", SOURCE)
        for name, text in ABOUT.items():
            made.writestr(f"inkgate_toy_reader-1.0.dist-info/{name}", text)
    return path


def read(line: dict[str, object], *path: Path) -> dict[str, object]:
    """The answer of the command, with these folders on its path."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "read"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))},
        input=json.dumps(line) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said: dict[str, object] = json.loads(ended.stdout)
    return said


@pytest.mark.slow
def test_a_wheel_with_a_reader_is_installed_and_its_kind_is_read(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel(tmp_path))], check=True, timeout=120)
    assert "kind_not_read" in str(read(WORD)["reasons"])
    said = read(WORD, site)
    assert (said["value"], said["accepted"], said["verdict"]) == ("house", True, "right")
    assert str(said["reader"]).startswith("rules-3+word-toy-1+")
