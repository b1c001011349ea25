"""The proof names what differs, and only that."""

from sync.district.proof import Difference, NamedDifference, differences, district_side, named
from sync.messages import day_sum

A, B = b"a" * 16, b"b" * 16


def test_both_ends_with_the_same_rows_do_not_differ_whatever_the_order() -> None:
    district = district_side([("box-1", "d1", A), ("box-1", "d1", B), ("box-2", "d1", A)])
    assert differences({"d1": day_sum([B, A])}, district["box-1"]) == []
    assert district["box-2"]["d1"].rows == 1


def test_a_day_that_differs_or_is_missing_on_one_side_is_told() -> None:
    here = {"d1": day_sum([A]), "d2": day_sum([A])}
    there = {"d1": day_sum([B]), "d3": day_sum([A])}
    assert differences(here, there) == [
        Difference("d1", day_sum([A]), day_sum([B])),
        Difference("d2", day_sum([A]), None),
        Difference("d3", None, day_sum([A])),
    ]


def test_a_difference_is_named_by_id_and_revision() -> None:
    here = {"same": (1, A), "newer": (2, A), "only here": (1, A), "content": (1, A)}
    there = {"same": (1, A), "newer": (1, B), "only there": (3, A), "content": (1, B)}
    assert named(here, there) == [
        NamedDifference("content", 1, 1),
        NamedDifference("newer", 2, 1),
        NamedDifference("only here", 1, None),
        NamedDifference("only there", None, 3),
    ]
