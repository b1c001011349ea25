from collections import Counter

from gateway.demo.lives import intentions
from tests.gateway.rig import FIELDS, SHEET


def test_the_same_seed_means_the_same_and_another_seed_seat_or_lesson_another() -> None:
    def drawn(seed: int, seat: int, lesson: int) -> list[tuple[str, str]]:
        return [(i.meant, i.manner) for i in intentions(SHEET, seed=seed, seat=seat, lesson=lesson)]

    assert drawn(1, 1, 1) == drawn(1, 1, 1)
    assert len({str(drawn(*of)) for of in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2))}) == 4


def test_every_pupil_means_an_answer_to_every_question() -> None:
    for seat in range(1, 49):
        drawn = list(intentions(SHEET, seed=1, seat=seat, lesson=1))
        assert [i.field.id for i in drawn] == FIELDS
        for one in drawn:
            options = [c.value for c in one.field.choices]
            assert one.meant in options if options else one.meant.isdecimal()
            assert len(one.meant) <= one.field.max_digits
            assert (one.wrong_first is not None) == (one.manner == "corrected")
            assert one.wrong_first != one.meant
            assert one.wrote == (None if one.manner == "empty" else one.meant)


def test_a_class_is_as_messy_as_a_class_and_mostly_right() -> None:
    drawn = [i for seat in range(1, 49) for n in range(5) for i in intentions(SHEET, seed=1, seat=seat, lesson=n)]
    manners = Counter(i.manner for i in drawn)
    assert set(manners) == {"plain", "messy", "corrected", "empty"}
    assert manners["plain"] / len(drawn) > 0.8
    right = sum(i.meant == i.field.keys[0] for i in drawn) / len(drawn)
    assert 0.8 < right < 0.9
