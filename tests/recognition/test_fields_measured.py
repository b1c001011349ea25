"""Which field ink is given to on made-up untidy pages: most right, hardly any wrong without a word."""

import pytest

from tests.recognition.messy_pages import measured

_PAGES = 12


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [(1.5, 9.0), (0.2, 0.8)], ids=["at leisure", "in a hurry"])
@pytest.mark.parametrize(("mess", "right"), [(0.0, 0.99), (1.0, 0.96)])
def test_ink_of_untidy_pages_goes_to_its_fields(mess: float, right: float, pause_s: tuple[float, float]) -> None:
    score = measured(mess, pages=_PAGES, seed=7, pause_s=pause_s)
    assert score.right >= right * score.fields
    assert score.wrong <= 0.01 * score.fields
    assert score.notes_left >= 0.97 * score.notes
    assert score.scratch_left >= 0.99 * score.scratch


@pytest.mark.slow
def test_notes_close_beside_a_field_are_flagged_and_not_taken_for_its_answer() -> None:
    score = measured(1.0, pages=_PAGES, seed=7, near=True)
    assert score.notes_left < score.notes
    assert score.wrong <= 0.01 * score.fields
