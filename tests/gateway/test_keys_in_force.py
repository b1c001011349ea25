"""Which key is in force where: lessons, variants, restarts, and what is refused."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import keys, results
from gateway.backup import join_aside
from gateway.errors import FoundProblems, WrongUse
from gateway.store import Store
from recognition.sheets import load, rekeyed
from tests.gateway.key_rig import (
    SHEET,
    begun,
    chosen,
    newest,
    rekeying,
    restarted,
    set_key,
    stopped,
    the_case,
    undo,
)
from tests.gateway.rig import DEMO, PAGE1, PAGE2, Q1, Q8, T0, Class, class_at, mac, piece
from tests.gateway.stores import fill, hurt


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Class]:
    room = class_at(tmp_path, seats=9)
    await begun(room)
    yield room
    await asyncio.to_thread(room.store.close)


async def test_a_key_is_of_a_revision_of_a_sheet_and_of_every_lesson_with_it(room: Class) -> None:
    await the_case(room)
    await stopped(room)
    room.clock.ms += 60_000
    await room.desk.start(SHEET.replace("revision = 1", "revision = 2"))
    room.desk.linked_pens |= {mac(3)}
    await chosen(room, 3, "C")
    await stopped(room)
    room.clock.ms += 60_000
    await room.desk.start(SHEET)
    room.desk.linked_pens |= {mac(3)}
    await chosen(room, 3, "C")
    told = await rekeying(room).set(lesson=None, field="q8", values=["B", "C"])
    assert [one["seat"] for one in told["changed"]] == [3, 3], "in both lessons with revision 1"
    assert [lesson["runs"] for lesson in told["lessons"]] == [False, True]
    points = room.store.reader.execute(
        "select l.sheet_rev, g.points from newest_grade g join lesson l on l.id = g.lesson join lesson_seat s"
        " on s.lesson = l.id and s.pupil = g.pupil where s.seat = 3 and g.field = 'q8' order by l.started_ms"
    )
    assert [tuple(row) for row in points] == [(1, 1), (2, 0), (1, 1)]
    await stopped(room)
    room.clock.ms += 60_000
    await room.desk.start(SHEET)
    assert room.desk.answers is not None
    assert room.desk.answers.fields["q8"].key == "q8/v2", "the next lesson begins with it"


@pytest.mark.parametrize("restart", ["before", "after", "never"])
async def test_late_ink_of_a_stopped_lesson_goes_by_the_key_in_force(room: Class, restart: str) -> None:
    await the_case(room)
    if restart == "before":
        await restarted(room)
    await stopped(room)
    await set_key(room, "C")
    if restart == "after":
        await restarted(room)
    room.reader.said["choice"], room.reader.sure = "C", True
    await room.beat([piece(mac(1), PAGE2, Q8, T0 + 150, how="memory")])
    await room.settle()
    assert (newest(room)[1]["points"], newest(room)[1]["key"]) == (1, "q8/v2")


async def test_a_page_never_touched_is_blank_and_says_so(room: Class) -> None:
    """Field case 21: page 2 of 2 never touched while page 1 was."""
    await room.write(1, PAGE1, Q1)
    await room.read()
    await stopped(room)
    assert room.grades()[1, "q8"] == ("blank", None)
    assert room.why(1, "q8") == ["page_untouched"]
    assert room.why(1, "q2") == []
    assert room.why(2, "q8") == [], "a pupil who wrote nothing at all has no page that lags behind"


def with_variants() -> str:
    """Page 1 is printed as variant A, as variant B, and once more with no word which; each has its key of q1."""
    address = "address = [3, 1013, 4100, 1]\n"
    text = DEMO.replace(address, f'{address}variant = "A"\n').replace('keys = ["7"]\n', "")
    head, _, rest = text.partition("points = 1\n")
    key = 'points = 1\n[[field.key]]\nvalue = "7"\nvariant = "A"\n[[field.key]]\nvalue = "9"\nvariant = "B"\n'
    more = '\n[[placing]]\naddress = [3, 1013, 4100, 11]\npage = 1\nvariant = "B"\n'
    more += "\n[[placing]]\naddress = [3, 1013, 4100, 21]\npage = 1\n"
    return head + key + rest + more


async def test_the_variant_comes_from_the_page_s_address_and_an_unknown_one_is_unsure(tmp_path: Path) -> None:
    room = class_at(tmp_path)
    await begun(room, with_variants())
    room.reader.said["digit"] = "7"
    for seat, page in enumerate((1, 11, 21), 1):
        await room.write(seat, PAGE1._replace(page=page), Q1)
    await room.settle()
    rows = newest(room, "q1")
    assert [(rows[s]["state"], rows[s]["points"], rows[s]["key"]) for s in (1, 2, 3)] == [
        ("answered", 1, "q1/v1/A"),
        ("answered", 0, "q1/v1/B"),
        ("unsure", 0, "q1/v1"),
    ]
    assert room.why(3, "q1") == ["variant_unknown"]
    await room.write(1, PAGE1._replace(page=11), Q1)
    await room.read()
    assert room.why(1, "q1") == ["variant_unknown"], "ink on the paper of two variants is of neither"
    asking = rekeying(room)
    with pytest.raises(WrongUse, match="A, B"):
        await asking.set(lesson=None, field="q1", values=["8"])
    told = await asking.set(lesson=None, field="q1", values=["7"], variant="B")
    assert [(one["seat"], one["after"]["key"]) for one in told["changed"]] == [(2, "q1/v2/B")]
    assert [(a["value"], a["variant"]) for a in told["answers"]] == [("7", "A"), ("7", "B")]
    await asyncio.to_thread(room.store.close)


async def test_a_change_that_cannot_be_written_changes_nothing(room: Class) -> None:
    await the_case(room)
    before = newest(room)
    other = sqlite3.connect(room.store.path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(sqlite3.OperationalError):
        await set_key(room, "B", "C")
    other.close()
    assert newest(room) == before
    assert room.desk.answers is not None
    assert room.desk.answers.fields["q8"].key == "q8/v1"
    assert room.count("key_change") == 0


async def test_changes_are_kept_and_no_row_of_one_is_ever_changed(room: Class) -> None:
    await the_case(room)
    await set_key(room, "B", "C")
    await undo(room)
    await set_key(room, "D")
    rows = [tuple(r) for r in room.store.reader.execute("select version, undoes, who from key_change order by id")]
    assert rows == [(2, None, "t-2"), (1, 2, "t-2"), (3, None, "t-2")]
    shown = rekeying(room).show(lesson=None, field="q8")
    assert [(v["version"], v["in_force"], v["undone"]) for v in shown["versions"]] == [
        (1, False, False),
        (2, False, True),
        (3, True, False),
    ]
    assert [v["who"] for v in shown["versions"]] == ["sheet", "t-2", "t-2"]


async def test_the_same_key_again_is_no_change(room: Class) -> None:
    await the_case(room)
    assert (await set_key(room, "B"))["same"] is True
    assert (room.count("key_change"), room.count("grade")) == (0, 4)


@pytest.mark.parametrize(
    ("field", "values", "more", "words"),
    [
        ("q88", ["B"], {}, "q8 is near"),
        ("zz", ["B"], {}, "it has q1, q2"),
        ("q8", ["B"], {"points": [1, 1]}, "2 points for 1 answers"),
        ("q8", ["B"], {"options": {"decimal_coma": "1"}}, "decimal_comma is near"),
        ("q8", ["B"], {"options": {"decimal_comma": "perhaps"}}, "true or false"),
        ("q8", ["B"], {"options": {"tolerance": "much"}}, "takes a number"),
        ("q8", ["B"], {"variant": "A"}, "the same in all"),
        ("q8", ["B"], {"lesson": "nonesuch"}, "no lesson nonesuch"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_what_would(
    room: Class, field: str, values: list[str], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(WrongUse, match=words):
        await rekeying(room).set(**{"lesson": None, "field": field, "values": values, **more})


@pytest.mark.parametrize(
    ("field", "values", "points", "words"),
    [
        ("q8", ["E"], [], "none of its options"),
        ("q8", ["B", "B"], [], "stands twice"),
        ("q8", ["B"], [0.5], "no answer has all"),
        ("q8", ["B", "C"], [1, 2], "from 0 to the field"),
        ("q1", ["seven"], [], "a number has a digit"),
        ("q1", ["12"], [], "one character"),
    ],
)
async def test_a_key_with_a_fault_is_refused_as_a_sheet_with_it_would_be(
    room: Class, field: str, values: list[str], points: list[float], words: str
) -> None:
    with pytest.raises(FoundProblems, match=words):
        await rekeying(room).set(lesson=None, field=field, values=values, points=points)
    assert room.count("key_change") == 0


async def test_without_a_lesson_or_a_change_there_is_nothing_to_do(room: Class) -> None:
    with pytest.raises(WrongUse, match="No change of a key of sheet"):
        await undo(room)
    await stopped(room)
    with pytest.raises(WrongUse, match="No lesson runs"):
        await rekeying(room).set(lesson=None, field="q8", values=["B"])


def test_a_history_names_a_version_that_it_has_not() -> None:
    sheet = load(SHEET)
    first = keys.Version(1, sheet.field("q8"), keys.SHEET, None)
    with pytest.raises(LookupError):
        keys.History((first,), (1,))[7]


def change(store: Store, values: list[str], *, version: int, at_ms: int) -> None:
    """A change of q8 in a store that no gateway holds."""
    field = rekeyed(load(DEMO).field("q8"), {"keys": values}, version=version)
    context = results.Context("00112233aabbccdd", "box-1", "", "demo", 1, clock_trusted=True)
    made = keys.Change(replace(load(DEMO), id="demo"), field, None, "t-2")
    store.submit(lambda db: keys.write(db, made, context=context, now_ms=at_ms)).result()


def test_a_store_that_was_damaged_and_put_aside_takes_its_keys_along_and_joins_them_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "gateway.db")
    fill(store)
    change(store, ["B"], version=2, at_ms=T0 + 1)
    store.close()
    hurt(store.path, "zeroed")
    store = Store(store.path, mend=True)
    sheet = replace(load(DEMO), id="demo")
    assert keys.history(store.reader, sheet, "q8").in_force == (1, 2)
    change(store, ["B", "D"], version=3, at_ms=T0 + 2)
    store.close()
    for _ in range(2):
        join_aside(store.path)
    store = Store(store.path)
    assert keys.history(store.reader, sheet, "q8").in_force == (1, 2, 3)
    assert keys.current(store.reader, sheet).field("q8").keys == ("B", "D")
    store.close()
