"""`review` and `export ink` against a running gateway: what they print, in words and as one document."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway import control
from gateway.clock import now_ms
from gateway.reading import Answer
from gateway.settings import ReviewSettings
from tests.gateway.box_rig import House
from tests.gateway.rig import DEMO, PAGE1, Q1, Q2, mac
from tests.gateway.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Two pupils whose answers to questions 1 and 2 the reader leaves open."""
    house = House(tmp_path)
    house.box.review._consent = replace(ReviewSettings(), keep_labels=True).keep_labels
    await house.fill()
    server = await control.serve(tmp_path, house.handlers)
    await lesson(house)
    yield house
    server.close()
    await house.close()


async def lesson(house: House) -> None:
    desk = house.box.desk
    desk._means.settle_ms, desk.reader.version = 0, "fake/1"
    await house.ask("lesson_start", text=DEMO, back_minutes=1)
    for seat, middle in ((1, Q1), (2, Q1), (1, Q2)):
        link = house.links.get(mac(seat)) or await house.link(mac(seat))
        x, y = middle
        link.stroke(now_ms() - 500, PAGE1, (x - 2, y - 2), (x + 2, y + 2))
        for _ in range(4):
            await house.beat()
    for _ in range(8):
        await house.beat()
    jobs, desk.reader._waiting = desk.reader._waiting, []
    for job in jobs:
        desk._on_answer(
            Answer(job.id, "7", 0.6, accepted=False, alternatives=(("1", 0.4),), reasons=(), reader="fake/1")
        )
    await house.beat()
    await house.beat()


@pytest.fixture
def shell(house: House, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(house, capsys)


async def test_the_stack_is_listed_group_by_group_with_what_each_may_be(shell: Shell) -> None:
    found = await shell.document("inkgate.review/1", "review")
    assert (found["remain"], found["undo"]) == (3, None)
    assert [(one["field"], one["seats"], one["key"]) for one in found["groups"]] == [
        ("q1", [1, 2], "7"),
        ("q2", [1], "3"),
    ]
    assert found["groups"][0]["guesses"] == [{"value": "7", "points": 1.0}, {"value": "1", "points": 0.0}]
    code, out, _ = await shell.call("review")
    assert code == 0
    assert "7 (1 point) / 1 (0 points)" in out
    assert "3 answers are left to decide, in 2 groups." in out


async def test_a_group_is_decided_and_taken_back(house: House, shell: Shell) -> None:
    (first, second) = (await shell.document("inkgate.review/1", "review"))["groups"]
    decided = await shell.document("inkgate.review.decided/1", "review", "decide", first["group"], "7")
    assert decided == {"schema": "inkgate.review.decided/1", "field": "q1", "answers": 2, "points": 1.0}
    code, out, _ = await shell.call("review", "decide", second["group"], "--wrong")
    assert (code, out) == (0, "1 answer of q2 is decided: 0 points.\n")
    assert (await shell.document("inkgate.review/1", "review"))["remain"] == 0
    code, out, _ = await shell.call("review", "undo")
    assert (code, out) == (0, "Taken back: 1 answer of q2 is again what it was.\n")
    undone = await shell.document("inkgate.review.undone/1", "review", "undo")
    assert (undone["field"], undone["answers"], undone["left"]) == ("q1", 2, 0)
    assert (await shell.document("inkgate.review/1", "review"))["remain"] == 3
    assert house.rows("select count(*) from decision where undone_ms is not null") == [(2,)]


async def test_one_answer_is_decided_by_its_seat_with_part_points(house: House, shell: Shell) -> None:
    assert (await shell.call("review", "decide", "q1@2", "9", "--points", "0.5"))[0] == 0
    assert house.rows("select value, points from grade where state = 'marked'") == [("9", 0.5)]


async def test_a_group_that_is_skipped_comes_last(shell: Shell) -> None:
    groups = (await shell.document("inkgate.review/1", "review"))["groups"]
    code, out, _ = await shell.call("review", "skip")
    assert (code, out) == (0, f"{groups[0]['group']} is at the end now.\n")
    after = (await shell.document("inkgate.review/1", "review"))["groups"]
    assert [one["group"] for one in after] == [groups[1]["group"], groups[0]["group"]]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("decide", "q1-0000", "7"), 75, "No group is called q1-0000 now"),
        (("decide", "q1@1"), 2, "Say what stands there"),
        (("decide", "q1@1", "--right", "--points", "1"), 2, "leave out"),
        (("decide", "q1@1", "--points", "3"), 2, "0 to 1 points"),
        (("decide", "q1@9", "7"), 2, "no grade"),
        (("undo",), 2, "no decision"),
        (("undo", "--lesson", "another"), 2, "no such lesson"),
        (("--lesson", "another"), 2, "no such lesson"),
    ],
)
async def test_what_makes_no_sense_is_one_sentence_and_an_exit_code(
    shell: Shell, words: tuple[str, ...], code: int, sentence: str
) -> None:
    got, out, err = await shell.call("review", *words)
    assert (got, out) == (code, "")
    assert sentence in err


async def test_decided_ink_is_exported_once_into_a_new_file(house: House, shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "ink.npz"
    code, _, err = await shell.call("export", "ink", str(target))
    assert (code, "Nothing may be exported" in err) == (69, True)
    await house.ask("review_decide", group="q1@1", value="7")
    found = await shell.document("inkgate.export.ink/1", "export", "ink", str(target))
    assert (found["answers"], found["writers"]) == (1, 1)
    with np.load(target) as arrays:
        assert arrays["labels"].tolist() == ["7"]
    code, _, err = await shell.call("export", "ink", str(target))
    assert (code, "is there already" in err) == (2, True)
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.part")))


async def test_the_pages_are_told_how_many_are_left(house: House) -> None:
    assert house.box.screen.status().unsure == 3
    await house.ask("review_decide", group="q1@1", value="7")
    assert house.box.screen.status().unsure == 2
    pupil = house.box.screen.pupil(1)
    assert pupil is not None
    assert [field.decided_by for field in pupil.fields[:2]] == ["teacher", "machine"]
