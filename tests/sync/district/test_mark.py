"""What a receiver remembers outside the database, and what it concludes from it."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.district.mark import History, Mark, Opening, read_mark, restored_to, write_mark


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"generations":["a"]}', '{"generations":["a"],"pos":"x","openings":[]}', '{"generations":7}'],
)
def test_a_damaged_mark_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_text(text, encoding="utf-8")
    assert read_mark(tmp_path / "state") is None
    mark = Mark(("g", "h"), 3, (Opening("o", 1),))
    write_mark(tmp_path / "state", mark)
    assert read_mark(tmp_path / "state") == mark.after(None)
    assert read_mark(None) is None


def test_without_a_mark_nothing_was_restored() -> None:
    assert restored_to(None, [("g", 0)], [], 0) is None


def test_a_backup_older_than_all_that_is_remembered_makes_the_boxes_offer_everything() -> None:
    mark = Mark(("g",), 90, (Opening("o7", 50), Opening("o8", 60)))
    assert restored_to(mark, [("g", 0)], [Opening("o1", 10), Opening("o2", 20)], 40) == 0


def test_a_mark_without_openings_goes_by_position_alone() -> None:
    assert restored_to(Mark(("g",), 90), [("g", 0)], [Opening("o1", 0)], 40) == 40
    assert restored_to(Mark(("g",), 30), [("g", 0)], [Opening("o1", 0)], 40) is None


def test_a_generation_that_another_began_counts_only_if_it_reaches_as_far_back() -> None:
    mark = Mark(("g",), 100, (Opening("o1", 0), Opening("o2", 40)))
    openings = [Opening("o1", 0), Opening("after the first restore", 30), Opening("after the second", 60)]
    assert restored_to(mark, [("g", 0), ("h", 60)], openings, 70) == 30
    assert restored_to(mark, [("g", 0), ("h", 30)], openings, 70) is None


class _District:
    """A database and its receivers as plain values, with the truth of what is in it."""

    def __init__(self) -> None:
        self.names = itertools.count()
        self.generations: list[tuple[str, int]] = []
        self.openings: list[Opening] = []
        self.ledger: list[int] = []
        self.marks: dict[int, Mark] = {}
        self.backups: list[tuple[list[tuple[str, int]], list[Opening], list[int]]] = []
        self.receipts: list[tuple[int, str, int]] = []

    def open(self, receiver: int) -> None:
        pos = len(self.ledger)
        back = restored_to(self.marks.get(receiver), self.generations, self.openings, pos)
        if back is not None or not self.generations:
            self.generations.append((f"g{next(self.names)}", pos if back is None else back))
        self.openings.append(Opening(f"o{next(self.names)}", pos))
        self._remember(receiver)

    def take(self, receiver: int) -> None:
        self.ledger.append(next(self.names))
        self.receipts.append((self.ledger[-1], self.generations[-1][0], len(self.ledger)))
        self._remember(receiver)

    def back_up(self) -> None:
        self.backups.append((list(self.generations), list(self.openings), list(self.ledger)))

    def restore(self, which: int) -> None:
        if self.backups:
            kept = self.backups[which % len(self.backups)]
            self.generations, self.openings, self.ledger = (list(part) for part in kept)  # type: ignore[assignment]  # mypy joins the three kinds of list

    def _remember(self, receiver: int) -> None:
        mark = History(tuple(self.generations), tuple(self.openings)).mark(len(self.ledger))
        self.marks[receiver] = mark.after(self.marks.get(receiver))

    def never_offered_again(self) -> set[int]:
        """What was receipted, is not here, and by the box's own rule does not wait again."""
        order = self.generations
        lost = set()
        for what, generation, pos in self.receipts:
            at = next((index for index, (name, _) in enumerate(order) if name == generation), None)
            again = at is None or any(pos > from_pos for _, from_pos in order[at + 1 :])
            if what not in self.ledger and not again:
                lost.add(what)
        return lost


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 2)),
        st.tuples(st.just("reopen"), st.integers(0, 2)),
        st.tuples(st.just("backup"), st.just(0)),
        st.tuples(st.just("restore"), st.integers(0, 5)),
    ),
    max_size=40,
)


@given(_STEPS)
@settings(max_examples=300)
def test_whatever_is_restored_and_whoever_comes_first_nothing_receipted_is_forgotten(
    steps: list[tuple[str, int]],
) -> None:
    """A restore ends every connection; so whoever takes afterwards has opened the store again."""
    district, connected = _District(), set[int]()
    for what, which in steps:
        if what == "backup":
            district.back_up()
        elif what == "restore":
            district.restore(which)
            connected.clear()
        else:
            if what == "reopen" or which not in connected:
                district.open(which)
                connected.add(which)
            if what == "take":
                district.take(which)
    for receiver in list(district.marks):
        district.open(receiver)
    assert district.never_offered_again() == set()
