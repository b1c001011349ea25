"""The Check screen's address: who may, what is told, what is refused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.dashboard.check import PATH
from tests.gateway.dashboard.fake_source import Class, hold_class
from tests.gateway.dashboard.test_server import ask, cookie, origin

pytestmark = pytest.mark.slow


@pytest.fixture
async def held() -> AsyncIterator[Class]:
    serving = await hold_class()
    yield serving
    await serving.close()


async def order(held: Class, said: object, **headers: str) -> tuple[int, dict[str, Any]]:
    given = {"Cookie": await cookie(held), "Origin": origin(held), **headers}
    status, _, body = await ask(held, PATH, body=said if isinstance(said, str) else json.dumps(said), **given)
    return status, json.loads(body)


async def test_the_stack_is_told_to_the_teacher_alone(held: Class) -> None:
    assert (await ask(held, PATH))[0] == 401
    status, _, body = await ask(held, PATH, Cookie=await cookie(held))
    assert status == 200
    check = json.loads(body)["check"]
    assert (check["remain"], len(check["groups"])) == (4, 2)
    first = check["groups"][0]
    assert [guess["value"] for guess in first["guesses"]] == ["7", "4"]
    assert first["inks"][0] == {"seat": 1, "ink": "ink-1", "strokes": [[14200, 4200, 15200, 5200]]}


async def test_a_decision_is_taken_and_the_stack_is_told_as_it_is_then(held: Class) -> None:
    said = {"do": "decide", "lesson": "lesson-1", "field": "q1", "inks": {"1": "ink-1", "2": "ink-2"}, "value": "7"}
    status, answer = await order(held, said)
    assert (status, answer["done"]["answers"], answer["check"]["remain"]) == (200, 2, 2)
    assert answer["check"]["undo"]["answers"] == 2
    status, answer = await order(held, {"do": "undo", "lesson": "lesson-1"})
    assert (status, answer["done"]["answers"], answer["check"]["remain"]) == (200, 2, 4)
    assert answer["check"]["undo"] is None


async def test_an_order_needs_the_cookie_and_comes_from_a_page_of_ours(held: Class) -> None:
    said = {"do": "undo", "lesson": "lesson-1"}
    assert (await order(held, said, Cookie=""))[0] == 401
    assert (await order(held, said, Origin="http://evil.example"))[0] == 403
    assert held.check.decided == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"do": "erase", "lesson": "l"}',
        '{"do": "decide", "lesson": "l", "inks": {"x": "y"}}',
        '{"do": "decide", "lesson": "l", "who": "me"}',
        '{"do": "decide", "lesson": "l", "verdict": "perhaps"}',
        "[" * 5000,
    ],
)
async def test_what_is_no_order_is_refused_and_does_nothing(held: Class, body: str) -> None:
    status, answer = await order(held, body)
    assert (status, answer) == (400, {"code": "check.unreadable"})
    assert held.check.decided == []


async def test_an_order_without_end_is_cut_off(held: Class) -> None:
    assert (await order(held, "x" * 70_000))[0] == 413


async def test_a_refusal_is_told_by_its_code_and_a_full_disk_as_something_that_passes(held: Class) -> None:
    status, answer = await order(held, {"do": "undo", "lesson": "lesson-1"})
    assert (status, answer) == (409, {"code": "review.nothing_to_undo", "params": {}})
    held.check.is_full = True
    status, answer = await order(held, {"do": "undo", "lesson": "lesson-1"})
    assert (status, answer["code"]) == (503, "check.later")
