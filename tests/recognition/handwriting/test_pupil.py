import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from recognition.handwriting.ink import bounds
from recognition.handwriting.model import Model
from recognition.handwriting.pupil import CAP_SHARE, MANNERS, SECOND_THOUGHT_S, Pupil
from recognition.ink import Stroke
from recognition.readers.marks import read_marks
from recognition.readers.reading import ReadRequest, Thresholds
from recognition.sheets import Choice

FIELD = (20.0, 122.0, 190.0, 140.0)
OPTIONS = {name: (25.0 + 42 * place, 127.0, 31.0 + 42 * place, 133.0) for place, name in enumerate("ABCD")}


def middle_of(strokes: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    left, top, right, bottom = bounds(strokes)
    return (left + right) / 2, (top + bottom) / 2


@pytest.mark.slow
def test_an_answer_stays_inside_its_field_in_every_manner(model: Model) -> None:
    for seed in range(40):
        pupil = Pupil(seed, model)
        for box, value, first in (((140, 40, 156, 56), "7", "4"), ((135, 150, 165, 164), "408", "398")):
            for manner in MANNERS[:3]:
                strokes = pupil.answer("number", box, value, manner, wrong_first=first)
                left, top, right, bottom = bounds(strokes)
                assert box[0] <= left < right <= box[2]
                assert box[1] <= top < bottom <= box[3]
                times = np.concatenate([stroke[:, 2] for stroke in strokes])
                assert times[0] == 0
                assert (np.diff(times) > 0).all()


def test_a_digit_stands_about_the_middle_and_leaves_room(model: Model) -> None:
    places, heights = [], []
    for seed in range(60):
        strokes = Pupil(seed, model).answer("digit", (140, 40, 156, 56), "5", "plain")
        places.append(middle_of(strokes))
        heights.append((bounds(strokes)[3] - bounds(strokes)[1]) / 16)
    assert np.allclose(np.mean(places, axis=0), (148, 48), atol=0.5)
    assert np.std(places) > 0.1
    assert np.median(heights) <= CAP_SHARE


def test_an_empty_answer_is_no_ink(model: Model) -> None:
    assert Pupil(1, model).answer("number", (0, 0, 30, 14), "37", "empty") == []


def test_the_same_pupil_answers_the_same_way(model: Model) -> None:
    one, other = (Pupil(9, model).answer("number", (0, 0, 30, 14), "37", "messy") for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_unknown_manner_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="not 'sleepy'"):
        Pupil(1, model).answer("number", (0, 0, 30, 14), "37", "sleepy")


def test_a_mark_stands_in_the_chosen_box_only(model: Model) -> None:
    for seed in range(40):
        strokes = Pupil(seed, model).answer("choice", FIELD, "C", "plain", option_boxes=OPTIONS)
        left, top, right, bottom = bounds(strokes)
        box = OPTIONS["C"]
        assert box[0] <= left < right <= box[2]
        assert box[1] <= top < bottom <= box[3]


def test_several_options_are_each_marked(model: Model) -> None:
    strokes = Pupil(3, model).answer("choice", FIELD, "A,D", "plain", option_boxes=OPTIONS)
    assert bounds(strokes)[0] < OPTIONS["A"][2]
    assert bounds(strokes)[2] > OPTIONS["D"][0]


def test_a_mark_is_taken_back_only_after_a_second_thought(model: Model) -> None:
    """Sooner it would be read as a heavy hand."""
    for seed in range(20):
        strokes = Pupil(seed, model).answer("choice", FIELD, "A", "corrected", option_boxes=OPTIONS, wrong_first="B")
        pauses = [float(b[0, 2] - a[-1, 2]) for a, b in itertools.pairwise(strokes)]
        assert max(pauses) >= 1000 * SECOND_THOUGHT_S - 1


def test_without_option_boxes_a_letter_is_written(model: Model) -> None:
    strokes = Pupil(3, model).answer("choice", (0, 0, 16, 16), "B", "plain", option_boxes={"A": None, "B": None})
    assert len(strokes) <= 4
    assert bounds(strokes)[3] - bounds(strokes)[1] > 3


def test_true_and_false_are_a_tick_and_a_cross(model: Model) -> None:
    pupil = Pupil(3, model)
    assert len(pupil.answer("truefalse", (0, 0, 16, 16), "true", "plain")) == 1
    assert len(pupil.answer("truefalse", (0, 0, 16, 16), "false", "plain")) == 2
    left, _, right, _ = bounds(pupil.answer("truefalse", (0, 0, 30, 14), "true", "corrected", wrong_first="false"))
    assert left < 15 < right


def test_a_mark_in_a_large_box_is_no_larger_than_a_mark(model: Model) -> None:
    strokes = Pupil(3, model).answer("seat", (15, 30, 40, 47), "x", "plain", option_boxes={"x": (15, 30, 40, 47)})
    left, _, right, _ = bounds(strokes)
    assert right - left < 10


@pytest.mark.parametrize("manner", ["plain", "messy", "corrected"])
def test_the_reader_of_marks_reads_what_a_pupil_marks(model: Model, manner: str) -> None:
    choices = tuple(Choice(name, box) for name, box in OPTIONS.items())
    for seed in range(30):
        value, first = "ABCD"[seed % 4], "BCDA"[seed % 4]
        ink = Pupil(seed, model).answer("choice", FIELD, value, manner, option_boxes=OPTIONS, wrong_first=first)
        strokes = tuple(Stroke(stroke.astype(np.float32)) for stroke in ink)
        reading = read_marks(ReadRequest(kind="choice", strokes=strokes, box=FIELD, choices=choices), Thresholds())
        assert reading.value == value
        assert reading.accepted
