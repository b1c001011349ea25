from pathlib import Path

import numpy as np
import pytest

from recognition.errors import RecognitionError
from recognition.readers.network import CLASSES
from recognition.training.junk import junk, strokes_of
from recognition.training.reader_ink import OTHER, converted, gathered
from tests.recognition.training.made_inkset import drawn

_LINE = [(float(k), float(k)) for k in range(20)]


def test_a_letter_that_no_digit_looks_like_teaches_a_question_of_digits_to_refuse_it() -> None:
    ink = converted("unipen-upper", [drawn("A", "ann", _LINE), drawn("O", "ann", _LINE)])
    assert [CLASSES[label] for label in ink.label] == ["A", "O"]
    assert ink.for_digits.tolist() == [True, False]
    assert ink.for_capitals.all()


def test_a_digit_that_looks_like_a_letter_teaches_letters_nothing() -> None:
    ink = converted("pendigits", [drawn("0", "ann", _LINE), drawn("4", "ann", _LINE)])
    assert ink.for_digits.all()
    assert ink.for_capitals.tolist() == [False, True]


def test_a_small_letter_is_other_and_one_that_looks_like_anything_is_left_out() -> None:
    ink = converted("unipen-lower", [drawn("e", "ann", _LINE), drawn("o", "ann", _LINE)])
    assert ink.label.tolist() == [OTHER]


def test_latin_drawings_of_the_foreign_set_are_not_foreign() -> None:
    ink = converted("omniglot", [drawn("Latin/a", "ann", _LINE), drawn("Korean/a", "bob", _LINE)])
    assert ink.writer.tolist() == ["bob"]


def test_a_folder_without_digits_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(RecognitionError, match=r"pendigits/digits\.npz"):
        gathered(tmp_path, seed=1)


def test_a_resampled_character_can_be_cut_into_its_strokes_again() -> None:
    ink = converted("pendigits", [drawn("4", "ann", _LINE, _LINE[::-1])])
    strokes = strokes_of(ink.points[0])
    assert len(strokes) == 2
    np.testing.assert_allclose(strokes[0][0], strokes[1][-1], atol=1e-5)


def test_junk_is_the_same_for_the_same_seed() -> None:
    digits = converted("pendigits", [drawn("4", "ann", _LINE, _LINE[::-1])]).points
    once, again = (junk(digits, 16, np.random.default_rng(3)) for _ in range(2))
    assert once.shape == (16, 64, 3)
    np.testing.assert_array_equal(once, again)
