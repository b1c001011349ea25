"""The stack: what is in it, in which order, with which ink; skipping; lessons that run and lessons that are over."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.dashboard.check import Done, Order
from gateway.decisions import NotDecided, Outdated, Said
from gateway.errors import TryLater
from tests.gateway.review_rig import Checked, checked_at
from tests.gateway.rig import PAGE1, PAGE2, Q1, Q2, Q8, mac, piece


@pytest.fixture
async def checked(tmp_path: Path) -> AsyncIterator[Checked]:
    made = await checked_at(tmp_path)
    yield made
    made.held.store.close()


async def test_only_what_is_unsure_is_in_the_stack_similar_ones_together(checked: Checked) -> None:
    await checked.write(1, 3)
    await checked.write(2, sure=True)
    await checked.write(2, middle=Q2)
    stack = await checked.stack()
    assert await checked.groups() == [("q1", [1, 3]), ("q2", [2])]
    assert (stack.remain, checked.review.remaining()) == (3, 3)
    first = stack.groups[0]
    assert (first.key, first.max_points, first.field.label) == ("7", 1.0, "1")
    assert [(guess.value, guess.points) for guess in first.guesses] == [("7", 1.0), ("1", 0.0)]


async def test_the_ink_of_each_answer_is_told_in_hundredths_of_a_millimetre(checked: Checked) -> None:
    await checked.write(1)
    (ink,) = (await checked.stack()).groups[0].inks
    (line,) = ink.strokes
    assert len(line) % 2 == 0
    assert all(abs(x - Q1[0] * 100) <= 250 for x in line[::2])
    assert all(abs(y - Q1[1] * 100) <= 250 for y in line[1::2])


async def test_an_answer_that_is_being_written_is_not_offered(checked: Checked) -> None:
    await checked.write(1)
    await checked.held.write(1, PAGE1, Q1)
    assert (await checked.stack()).groups == []
    await checked.held.settle()
    assert await checked.groups() == [("q1", [1])]


async def test_a_lesson_that_is_over_has_its_stack_with_its_ink_also_after_a_start(checked: Checked) -> None:
    await checked.write(1, 2)
    await checked.held.desk.stop()
    for _ in range(2):
        stack = await checked.stack()
        assert [[ink.seat for ink in group.inks] for group in stack.groups] == [[1, 2]]
        assert all(ink.strokes for ink in stack.groups[0].inks)
        assert checked.review.remaining() == 2
        await checked.held.new_desk().restore()
        checked.new_review()
    await checked.review.decide_group(None, (await checked.stack()).groups[0].id, Said(value="7"))
    assert checked.review.remaining() == 0
    assert checked.held.grades()[2, "q1"] == ("marked", "7")


async def test_late_ink_of_a_lesson_that_was_looked_at_is_in_the_next_look(checked: Checked) -> None:
    await checked.write(1)
    at_ms = checked.held.clock.ms
    checked.held.clock.ms += 10_000
    await checked.held.desk.stop()
    (before,) = (await checked.stack()).groups[0].inks
    checked.held.clock.ms += 60_000
    await checked.held.beat([piece(mac(1), PAGE1, Q1, at_ms, how="memory")])
    await checked.held.settle()
    (after,) = (await checked.stack()).groups[0].inks
    assert (len(before.strokes), len(after.strokes)) == (1, 2)


async def test_what_is_skipped_comes_last_until_it_is_changed(checked: Checked) -> None:
    await checked.write(1)
    await checked.write(2, middle=Q2)
    stack = await checked.stack()
    skipped = await checked.review.skip_group(None, None)
    assert skipped.id == stack.groups[0].id
    assert [group.id for group in (await checked.stack()).groups] == [stack.groups[1].id, stack.groups[0].id]
    await checked.review.skip_group(None, stack.groups[1].id)
    assert [group.id for group in (await checked.stack()).groups] == [stack.groups[0].id, stack.groups[1].id]
    await checked.write(2, middle=Q2)
    assert (await checked.stack()).groups[0].field.field == "q2"


async def test_a_group_is_told_by_a_name_that_changes_with_what_is_in_it(checked: Checked) -> None:
    await checked.write(1)
    name = (await checked.stack()).groups[0].id
    assert (await checked.stack()).groups[0].id == name
    await checked.write(2)
    with pytest.raises(Outdated, match=name):
        await checked.review.decide_group(None, name, Said(value="7"))


async def test_the_page_decides_skips_and_takes_back_by_what_it_saw(checked: Checked) -> None:
    await checked.write(1, 2)
    stack = await checked.stack()
    inks = {ink.seat: ink.ink for ink in stack.groups[0].inks}
    order = Order(do="decide", lesson=stack.lesson, field="q1", inks={1: inks[1]}, value="7")
    assert await checked.review.take(order) == Done(answers=1)
    after = await checked.stack()
    assert after.undo is not None
    assert (after.remain, after.undo.label, after.undo.value, after.undo.answers) == (1, "1", "7", 1)
    assert await checked.review.take(Order(do="skip", lesson=stack.lesson, field="q1", inks={2: inks[2]})) == Done(
        answers=1
    )
    assert await checked.review.take(Order(do="undo", lesson=stack.lesson)) == Done(answers=1)
    assert (await checked.stack()).remain == 2


@pytest.mark.parametrize(
    ("field", "inks", "said"),
    [
        ("q99", {1: ""}, "review.no_field"),
        ("q1", {99: ""}, "review.no_seat"),
        ("q1", {}, "review.no_seat"),
        ("q1", {1: "other ink"}, "review.changed"),
    ],
)
async def test_an_order_that_fits_nothing_is_refused_by_its_code(
    checked: Checked, field: str, inks: dict[int, str], said: str
) -> None:
    await checked.write(1)
    lesson = (await checked.stack()).lesson
    with pytest.raises(NotDecided) as refused:
        await checked.review.decide(lesson, field, inks, Said(value="7"))
    assert refused.value.said == said


async def test_nothing_is_decided_from_the_page_while_nothing_can_be_written(checked: Checked) -> None:
    await checked.write(1)

    async def full(work: object) -> Done:
        del work
        raise TryLater("the disk is full")

    checked.review._writing = full
    lesson = (await checked.stack()).lesson
    with pytest.raises(TryLater):
        await checked.review.take(Order(do="undo", lesson=lesson))


async def test_before_the_first_lesson_the_stack_is_empty(tmp_path: Path) -> None:
    checked = await checked_at(tmp_path)
    checked.held.store.submit(lambda db: db.conn.execute("delete from lesson")).result()
    await checked.held.new_desk().restore()
    review = checked.new_review()
    assert (await review.stack()).lesson == ""
    assert review.remaining() == 0
    with pytest.raises(NotDecided, match="no such lesson"):
        await review.undo(None)
    with pytest.raises(NotDecided, match="no such lesson"):
        await review.stack("another")
    checked.held.store.close()


async def test_no_pseudonym_crosses_to_the_page(checked: Checked) -> None:
    await checked.write(1, 2)
    await checked.held.write(1, PAGE2, Q8)
    pseudonyms = [row[0] for row in checked.held.store.reader.execute("select pseudonym from pupil")]
    told = json.dumps([repr(group) for group in (await checked.stack()).groups])
    assert len(pseudonyms) == 3
    assert not [name for name in pseudonyms if name in told]
