"""The list of ink whose label is doubted."""

from recognition.training.suspects import suspects


def test_the_list_holds_half_a_percent_of_the_digits_as_hashes_of_ink() -> None:
    listed = suspects()
    assert len(listed) == 53
    assert {len(one) for one in listed} == {16}
