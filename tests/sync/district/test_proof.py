"""The proof names what differs, and only that."""

from sync.district.proof import Difference, NamedDifference, differences, district_side, judge, named
from sync.messages import Proof, day_sum
from sync.sums import Unsettled

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


def test_what_a_named_difference_is_in_a_word() -> None:
    found = [NamedDifference("i", *revs).what for revs in ((1, None), (None, 1), (2, 1), (1, 2), (1, 1))]
    assert found == ["box_only", "district_only", "box_newer", "district_newer", "content"]


def test_a_day_before_the_proof_speaks_is_not_judged() -> None:
    proof = Proof(v=1, generation="g", pos=1, at_ms=1, since="d2", days=(("d2", *day_sum([A])),))
    assert [one.day for one in judge({"d1": day_sum([A]), "d2": day_sum([A])}, proof, [])] == ["d2"]


def test_results_under_way_excuse_their_own_day_and_refused_ones_none() -> None:
    proof = Proof.of({"d1": day_sum([A]), "d2": day_sum([A]), "d3": day_sum([A])}, generation="g", pos=1, at_ms=1)
    here = {day: day_sum([A, B]) for day in ("d1", "d2", "d3")}
    unsettled = [Unsettled("1", 1, "d1", "waiting"), Unsettled("2", 1, "d2", "sync.not_authorized")]
    assert [one.verdict for one in judge(here, proof, unsettled)] == ["waiting", "different", "different"]
