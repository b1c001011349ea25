"""A teacher checks a class by keyboard alone, in both languages (issue 2). `inkgate test --full` runs it.

With INKGATE_PICTURES set to a folder the screenshots are left there.
"""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from gateway import control
from gateway.errors import GatewayError
from tests.gateway.dashboard.walk import CHROMIUM, FLAGS, Seen, check, watched
from tests.gateway.demo.check_class import FIELD, SEATS, leave

ROOT = Path(__file__).resolve().parents[3]
MOST_DECISIONS = 12
WIDE, PHONE = (1366, 768), (390, 844)

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no browser: apt-get install chromium fonts-noto-cjk"),
]


@dataclass
class Box:
    """A gateway that took up the lesson, and what its pupils wrote."""

    folder: Path
    wrote: dict[int, str]
    url: str
    pin: str

    def newest(self) -> dict[int, dict[str, Any]]:
        """The newest grade of every seat's answer."""
        with sqlite3.connect(self.folder / "gateway.db") as connection:
            connection.row_factory = sqlite3.Row
            query = (
                "select s.seat, g.* from newest_grade g join lesson_seat s on s.lesson = g.lesson"
                " and s.pupil = g.pupil where g.field = ?"
            )
            return {row["seat"]: dict(row) for row in connection.execute(query, (FIELD,))}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    folder = tmp_path / "box"
    wrote = asyncio.run(leave(folder))
    settings = tmp_path / "box.toml"
    settings.write_text(f'[box]\nfolder = "{folder}"\n[radio]\nadapters = []\n[dashboard]\nport = 0\n')
    command = [sys.executable, "-m", "gateway", "--settings", str(settings), "run"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    graded = 0
    while graded < SEATS:
        assert child.poll() is None
        assert time.monotonic() < end
        time.sleep(0.3)
        try:
            graded = control.ask(folder, "status", timeout_s=5)["graded"]
        except GatewayError:
            continue
    said = control.ask(folder, "page")
    yield Box(folder, wrote, said["url"], said["pin"])
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0


def test_forty_eight_unsure_answers_are_decided_by_keyboard_in_at_most_twelve_decisions(
    box: Box, axe: str, tmp_path: Path
) -> None:
    before = box.newest()
    assert {row["state"] for row in before.values()} == {"unsure"}
    pictures = Path(os.environ.get("INKGATE_PICTURES", tmp_path / "pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    seen = Seen()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        with watched(browser, box.url, seen, "zh-CN", WIDE) as page:
            _enter(page, box)
            _picture(page, pictures / "check-zh.png", seen, axe)
            first = _decide(page, box)
            assert first > 1
            assert _remain(box) == SEATS - first
            page.keyboard.press("u")
            page.wait_for_selector(f"#check .inks button >> nth={first - 1}")
            assert _remain(box) == SEATS
            after = box.newest()
            assert {seat: _same(row) for seat, row in after.items()} == {s: _same(row) for s, row in before.items()}
        with watched(browser, box.url, seen, "en", PHONE) as page:
            _enter(page, box)
            _picture(page, pictures / "check-390.png", seen, axe)
        with watched(browser, box.url, seen, "en", WIDE) as page:
            _enter(page, box)
            _picture(page, pictures / "check.png", seen, axe)
            decisions = 0
            while _remain(box):
                _decide(page, box)
                decisions += 1
            page.wait_for_selector("#check .empty:not([hidden])")
            _picture(page, pictures / "check-done.png", seen, axe)
        browser.close()
    assert decisions <= MOST_DECISIONS
    assert seen.faults == []
    assert seen.axe == {}
    assert {seat: row["value"] for seat, row in box.newest().items()} == box.wrote
    assert {row["state"] for row in box.newest().values()} == {"marked"}


def _enter(page: Page, box: Box) -> None:
    """Log in and go to the Check screen, without a mouse."""
    page.set_default_timeout(120_000)
    page.goto(box.url)
    page.wait_for_selector("button.main:not(:empty)")
    page.focus("#pin")
    page.keyboard.type(box.pin)
    page.keyboard.press("Enter")
    page.wait_for_selector(".bar a[href='#check']:visible")
    page.focus(".bar a[href='#check']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#check .inks button")
    _wait(page, "document.activeElement === document.querySelector('#check .card')")


def _decide(page: Page, box: Box) -> int:
    """One decision, as a teacher makes it who can read: what was written otherwise is left out. Gives its answers."""
    if page.locator("#check [data-act=all]:visible").count():
        page.keyboard.press("a")
    seats = page.evaluate("[...document.querySelectorAll('#check .card button[data-seat]')].map(b => +b.dataset.seat)")
    guesses = page.eval_on_selector_all("#check .guess b", "all => all.map(one => one.textContent)")
    written = [box.wrote[seat] for seat in seats]
    value = max(set(written), key=lambda one: (written.count(one), one))
    for seat in (seat for seat in seats if box.wrote[seat] != value):
        page.focus(f"#check button[data-seat='{seat}']")
        page.keyboard.press("Space")
    remained = _remain(box)
    if value in guesses:
        page.keyboard.press(str(1 + guesses.index(value)))
    else:
        page.focus("#check .card")
        page.keyboard.press("Enter")
        page.keyboard.type(value)
        page.keyboard.press("Enter")
    answers = written.count(value)
    end = time.monotonic() + 10
    while _remain(box) != remained - answers:
        assert time.monotonic() < end, page.inner_text("#check [role=status]")
        page.wait_for_timeout(50)
    _wait(page, "document.activeElement === document.querySelector('#check .card')")
    return answers


def _wait(page: Page, what: str) -> None:
    """Not wait_for_function: it evaluates a string in the page, which the page's policy rightly forbids."""
    end = time.monotonic() + 10
    while not page.evaluate(what):
        assert time.monotonic() < end, what
        page.wait_for_timeout(20)


def _remain(box: Box) -> int:
    remain: int = control.ask(box.folder, "review_list")["remain"]
    return remain


def _same(row: dict[str, Any]) -> dict[str, Any]:
    """What an undo says again: all but which revision it is, when, and that it was taken back."""
    return {name: value for name, value in row.items() if name not in {"rev", "at_ms", "why", "clock"}}


def _picture(page: Page, path: Path, seen: Seen, axe: str) -> None:
    page.screenshot(path=path)
    check(page, path.stem, seen, axe)
