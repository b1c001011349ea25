"""Direction features and the recogniser on them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.errors import ModelError
from recognition.readers.hanzi_features import FEATURES, features
from recognition.readers.hanzi_recogniser import RECOGNISER, DirectionRecogniser
from tests.recognition.hanzi_drawn import EVERY, drawn, template

_RECOGNISER = DirectionRecogniser(EVERY.characters)


@given(st.permutations(range(5)), st.lists(st.booleans(), min_size=5, max_size=5), st.floats(0.01, 100))
def test_order_direction_size_and_place_are_not_seen(order: list[int], turned: list[bool], size: float) -> None:
    strokes = template("永")
    ink = [strokes[k][:: -1 if turn else 1] * size - 3 for k, turn in zip(order, turned, strict=True)]
    assert np.allclose(features(ink), features(list(strokes)), atol=2e-2)


def test_a_dot_counts_and_no_ink_is_nothing() -> None:
    line = np.array([(0.0, 0), (1, 0)])
    assert not features([]).any()
    assert features([np.array([(3.0, 3.0)])]).any()
    assert np.abs(features([line, np.array([(0.5, 0.5)])]) - features([line])).max() > 0.05
    assert features([line]).shape == (FEATURES,)


@pytest.mark.parametrize("character", "一太国赢龍")
def test_neat_ink_is_read(character: str) -> None:
    opinion = _RECOGNISER.opinion([stroke.points for stroke in drawn(character, 3)])
    assert opinion.likely[0][0] == character
    assert opinion.likely[0][1] > opinion.likely[1][1]
    assert 0 < sum(p for _, p in opinion.likely) <= 1.001


def test_a_scribble_is_strange() -> None:
    xs = np.linspace(0, 40, 400)
    scribble = np.stack([np.cos(xs) * xs, np.sin(xs * 1.3) * 30], axis=1)
    strange = _RECOGNISER.opinion([scribble]).strange
    assert strange > 2 * _RECOGNISER.opinion([stroke.points for stroke in drawn("国", 3)]).strange


def test_a_recogniser_of_other_templates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="other templates"):
        DirectionRecogniser(EVERY.characters[1:])
    with pytest.raises(ModelError, match="cannot be read"):
        DirectionRecogniser(EVERY.characters, tmp_path)
    (tmp_path / RECOGNISER).write_bytes(b"PK")
    with pytest.raises(ModelError, match="damaged"):
        DirectionRecogniser(EVERY.characters, tmp_path)
