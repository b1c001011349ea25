import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from gateway.dashboard.access import COOKIE, TRIES
from gateway.dashboard.feed import MAILBOX_CAP
from gateway.dashboard.frames import Frame, Kind, unpack
from gateway.dashboard.source import LiveChunk
from tests.gateway.dashboard.fake_source import PIN, Class, hold_class

pytestmark = pytest.mark.slow


@pytest.fixture
async def held() -> AsyncIterator[Class]:
    serving = await hold_class()
    yield serving
    await serving.close()


async def ask(held: Class, path: str, *, body: str | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own, in a thread: the server shares this loop."""

    def talk() -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", held.serving.port, timeout=5)
        link.request(
            "GET" if body is None else "POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = link.getresponse()
        said = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        link.close()
        return said

    return await asyncio.to_thread(talk)


def origin(held: Class) -> str:
    return held.url.rstrip("/")


async def log_in(held: Class, pin: str = PIN) -> tuple[int, dict[str, str], bytes]:
    return await ask(held, "/login", body=f"pin={pin}", Origin=origin(held))


async def cookie(held: Class) -> str:
    _, headers, _ = await log_in(held)
    return headers["set-cookie"].partition(";")[0]


async def look(held: Class) -> ClientConnection:
    headers = {"Cookie": await cookie(held), "Origin": origin(held)}
    url = f"ws://{urlsplit(held.url).netloc}/feed"
    return await connect(url, additional_headers=headers, compression=None)


async def hear(page: ClientConnection, kind: str | Kind) -> Any:  # noqa: ANN401  a frame, or whatever JSON holds
    """The next message of a kind."""
    async with asyncio.timeout(10):
        while True:
            message = await page.recv()
            if isinstance(message, bytes):
                frame = unpack(message)
                if frame.kind is kind:
                    return frame
            elif (said := json.loads(message))["t"] == kind:
                return said


async def snapshot(page: ClientConnection) -> tuple[int, list[LiveChunk]]:
    chunks: list[LiveChunk] = []
    async with asyncio.timeout(10):
        while True:
            message = await page.recv()
            if isinstance(message, str):
                continue
            frame = unpack(message)
            chunks = [] if frame.kind is Kind.SNAPSHOT_BEGINS else chunks
            chunks += frame.chunks if frame.kind is not Kind.LIVE else []
            if frame.kind is Kind.SNAPSHOT_ENDS:
                return frame.seq, chunks


async def test_without_the_pin_there_is_only_the_pin(held: Class) -> None:
    status, headers, page = await ask(held, "/")
    assert status == 200
    assert b'name="pin"' in page
    assert b"app.js" not in page
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], "server" in headers) == ("nosniff", False)
    assert (await ask(held, "/api/seats/1"))[0] == 401


async def test_the_pin_gives_a_cookie_that_scripts_and_other_sites_cannot_use(held: Class) -> None:
    status, headers, _ = await log_in(held)
    assert (status, headers["location"]) == (303, "/")
    assert headers["set-cookie"].startswith(f"{COOKIE}=teacher.")
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))
    _, _, page = await ask(held, "/", Cookie=headers["set-cookie"].partition(";")[0])
    assert b"app.js" in page


async def test_a_wrong_pin_says_how_many_tries_are_left_and_then_how_long_to_wait(held: Class) -> None:
    assert (await log_in(held, "000000"))[1]["location"] == f"/?said=login.wrong&n={TRIES - 1}"
    for _ in range(TRIES - 1):
        _, headers, _ = await log_in(held, "000000")
    assert headers["location"].startswith("/?said=login.locked&n=")
    assert "set-cookie" not in (await log_in(held))[1]


async def test_a_form_of_another_site_or_a_huge_one_is_refused(held: Class) -> None:
    assert (await ask(held, "/login", body=f"pin={PIN}", Origin="http://evil.example"))[0] == 403
    assert (await ask(held, "/login", body="pin=" + "1" * 10_000, Origin=origin(held)))[0] == 413


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/readyz", "/words/en.json"])
async def test_an_unknown_host_name_is_told_nothing(held: Class, path: str) -> None:
    status, headers, _ = await ask(held, path, Host="rebound.example")
    assert status == 421
    assert "content-security-policy" in headers


async def test_a_websocket_needs_the_cookie_the_origin_and_the_host(held: Class) -> None:
    url, right = f"ws://{urlsplit(held.url).netloc}/feed", await cookie(held)
    wrong = [
        {"Origin": origin(held)},
        {"Origin": origin(held), "Cookie": f"{COOKIE}=teacher.99999999999999.{'0' * 64}"},
        {"Origin": "http://evil.example", "Cookie": right},
        {"Cookie": right},
    ]
    for headers in wrong:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers=headers)
        assert refused.value.response.status_code == 403


async def test_health_is_told_to_anybody_and_offline_is_ready(held: Class) -> None:
    assert json.loads((await ask(held, "/livez"))[2]) == {"live": True}
    status, _, body = await ask(held, "/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "codes": []})


async def test_a_page_gets_a_snapshot_and_then_the_stream_without_a_hole(held: Class) -> None:
    page = await look(held)
    seq, _ = await snapshot(page)
    seen = 0
    while seen < 10:
        frame: Frame = await hear(page, Kind.LIVE)
        if frame.seq > seq:
            assert frame.before <= seq
            seq = frame.seq
            seen += 1
    await page.close()


async def test_snapshot_and_stream_together_are_all_ink_once(held: Class) -> None:
    page = await look(held)
    seq, chunks = await snapshot(page)
    for _ in range(20):
        frame = await hear(page, Kind.LIVE)
        if frame.seq > seq:
            chunks += frame.chunks
            seq = frame.seq
    await page.send("snapshot")
    again, whole = await snapshot(page)
    assert again >= seq
    for seat in {chunk.seat for chunk in chunks}:
        dots = [dot for chunk in chunks if chunk.seat == seat for dot in chunk.dots]
        assert [dot for chunk in whole if chunk.seat == seat for dot in chunk.dots][: len(dots)] == dots
    await page.close()


async def test_a_page_that_stops_reading_costs_nothing_and_comes_back_by_a_snapshot(held: Class) -> None:
    slow = await look(held)
    await snapshot(slow)
    quick = await look(held)
    await snapshot(quick)
    big = [LiveChunk(1, 0, 1, [(i, i, 9, 1) for i in range(3_000)], first=True, ended=True)] * 3
    reading = asyncio.create_task(_read_until_end(quick))
    held.beating.cancel()
    for seq in range(10**6, 10**6 + 4 * MAILBOX_CAP):
        held.feed.publish(seq, big)
        await asyncio.sleep(0)
        assert all(len(mailbox) <= MAILBOX_CAP for mailbox in held.feed._pages)
    assert any(mailbox.emptied for mailbox in held.feed._pages)
    reading.cancel()
    held.source.seq = 10**6 + 4 * MAILBOX_CAP
    seq, _ = await snapshot(slow)
    assert seq == held.source.seq
    await asyncio.gather(slow.close(), quick.close())


async def _read_until_end(page: ClientConnection) -> None:
    async for _ in page:
        pass


async def test_seats_questions_and_box_are_told_in_codes_and_add_up(held: Class) -> None:
    page = await look(held)
    box, seats, questions = [await hear(page, kind) for kind in ("box", "seats", "questions")]
    assert box["lesson"]["title"]["en"]
    assert (len(seats["tiles"]), sum(seats["counts"].values())) == (48, 48)
    assert {"code": "radio.full", "params": {"used": 7, "places": 7}} in [tile["why"] for tile in seats["tiles"]]
    rest = ("unsure", "nothing_yet", "not_captured", "no_pen", "on_paper")
    for one in questions["questions"]:
        assert sum(bar["count"] for bar in one["bars"]) + sum(one[name] for name in rest) == questions["class_size"]
    await page.close()


async def test_a_page_hears_that_the_box_lives_although_nothing_happens(held: Class) -> None:
    held.beating.cancel()
    page = await look(held)
    async with asyncio.timeout(4):
        assert (await hear(page, "alive"))["box_ms"] > 0
    await page.close()


async def test_one_pupils_answers_are_told_and_an_unknown_seat_is_not(held: Class) -> None:
    right = await cookie(held)
    _, _, body = await ask(held, "/api/seats/1", Cookie=right)
    assert json.loads(body)["fields"][0]["state"] in {"blank", "answered", "unsure"}
    assert (await ask(held, "/api/seats/99", Cookie=right))[0] == 404


async def test_a_page_asks_whether_it_must_log_in_again(held: Class) -> None:
    assert json.loads((await ask(held, "/api/session"))[2]) == {"role": None}
    assert json.loads((await ask(held, "/api/session", Cookie=await cookie(held)))[2]) == {"role": "teacher"}


async def test_words_are_served_in_two_languages_and_no_others(held: Class) -> None:
    for language in ("zh-CN", "en"):
        assert "view.wall" in json.loads((await ask(held, f"/words/{language}.json"))[2])
    assert (await ask(held, "/words/..%2Fsettings.json"))[0] == 404


async def test_an_address_that_is_taken_is_an_error_at_once(held: Class) -> None:
    with pytest.raises(OSError, match="in use"):
        await hold_class(held.serving.port)
