"""The list of ink whose label is doubted."""

from recognition.training.suspects import look_alikes, suspects


def test_the_list_holds_half_a_percent_of_the_digits_as_hashes_of_ink() -> None:
    listed = suspects()
    assert len(listed) == 53
    assert {len(one) for one in listed} == {16}


def test_look_alikes_are_named_by_script_and_letter() -> None:
    assert "Greek/character15" in look_alikes()
    assert all(name.count("/") == 1 for name in look_alikes())
