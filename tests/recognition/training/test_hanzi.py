"""Templates -> files of the reader, and their card."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from recognition.errors import ModelError
from recognition.readers.hanzi import ABOUT, open_hanzi
from recognition.readers.hanzi_templates import MODELS, STROKES, HanziTemplates
from recognition.readers.reading import ReadRequest
from recognition.training.__main__ import main
from recognition.training.hanzi_card import BENCH_SCHEMA, CARD, LICENCE, card, keep_bench
from tests.recognition.hanzi_drawn import EVERY, drawn
from tests.recognition.training.made_inkset import drawn as sample
from tests.recognition.training.made_inkset import write_inkset

_ABOUT: dict[str, Any] = json.loads((MODELS / ABOUT).read_bytes())


def ink_dir_of(folder: Path, characters: str) -> Path:
    """A folder of insets with the templates of these characters, and a licence; what has none is drawn as a 二."""
    (folder / "hanzi_templates").mkdir()
    samples = [
        sample(
            character,
            "template",
            *[(xy * 1024).tolist() for xy in EVERY.strokes(character if character in EVERY else "二")],
        )
        for character in characters
    ]
    write_inkset(folder / "hanzi_templates" / "medians.npz", samples)
    (folder / "hanzi_templates" / "ARPHICPL.TXT").write_text("a licence", "utf-8")
    return folder


@pytest.mark.slow
def test_what_is_made_reads_what_it_was_made_from(tmp_path: Path) -> None:
    ink, out = ink_dir_of(tmp_path, "⺀一二三十大太国明春家我"), tmp_path / "models"
    assert main(["--ink", str(ink), "--only", "hanzi", "--out", str(out)]) == 0
    reader = open_hanzi(out)
    assert reader is not None
    made = HanziTemplates(out)
    assert "⺀" not in made
    assert "大" in made.look_alikes("太")
    for character in "国明春":
        requests = [ReadRequest(kind="hanzi", strokes=drawn(character, seed), expected=character) for seed in range(5)]
        readings = [reader.read(request) for request in requests]
        assert {reading.value for reading in readings} == {character}
        # So few templates do not tell how far ink strays: it may ask, but never say that this is another one.
        assert "wrong" not in {reading.verdict for reading in readings}
    assert (out / LICENCE).read_text("utf-8") == "a licence"
    assert "Not measured for these files yet" in (out / CARD).read_text("utf-8")


@pytest.mark.slow
def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    ink = ink_dir_of(tmp_path, "一二三十大太天木本未")
    for name in ("one", "two"):
        assert main(["--ink", str(ink), "--only", "hanzi", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "one" / STROKES).read_bytes() == (tmp_path / "two" / STROKES).read_bytes()
    assert json.loads((tmp_path / "one" / ABOUT).read_bytes()) == json.loads((tmp_path / "two" / ABOUT).read_bytes())


def test_without_templates_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--ink", str(tmp_path), "--only", "hanzi", "--out", str(tmp_path / "out")]) == 69
    assert "medians.npz" in capsys.readouterr().err


def test_the_card_is_what_its_generator_writes() -> None:
    assert (MODELS / CARD).read_text("utf-8") == card(_ABOUT)


def test_the_bench_figures_are_of_the_files_that_are_shipped() -> None:
    """Files or rules changed: run the bench again and keep its report."""
    reader = open_hanzi()
    assert reader is not None
    assert _ABOUT["bench"]["reader"] == reader.version


def test_the_card_says_that_the_ink_is_nobodys() -> None:
    text = (MODELS / CARD).read_text("utf-8")
    assert "nothing about handwriting" in text
    assert "Arphic Public License" in text


def test_a_report_of_other_files_is_refused(tmp_path: Path) -> None:
    shutil.copy(MODELS / ABOUT, tmp_path)
    report = tmp_path / "bench.json"
    good = {"schema": BENCH_SCHEMA, **_ABOUT["bench"]}
    report.write_text(json.dumps({**good, "ms_per_character": 3.0}), "utf-8")
    assert main(["--bench", str(report), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / ABOUT).read_bytes()) == _ABOUT
    for changed in ({"reader": "hanzi-000000000000"}, {"schema": "other/1"}, {"asked": [1]}):
        report.write_text(json.dumps({**good, **changed}), "utf-8")
        with pytest.raises(ModelError):
            keep_bench(report, tmp_path)
