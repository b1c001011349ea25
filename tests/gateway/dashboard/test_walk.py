import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.gateway.dashboard.fake_source import PIN, SEATS
from tests.gateway.dashboard.walk import CHROMIUM, FLAGS, walk

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no browser: apt-get install chromium fonts-noto-cjk"),
]
_ROOT = Path(__file__).parents[3]


@pytest.fixture
def class_() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.gateway.dashboard.fake_source", str(port)]
    with subprocess.Popen(command, cwd=_ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()
        yield f"http://127.0.0.1:{port}/", process
        process.kill()


def test_a_teacher_walks_through_every_view_in_both_languages_and_three_windows(
    class_: tuple[str, subprocess.Popen[bytes]], axe: str, tmp_path: Path
) -> None:
    seen = walk(class_[0], PIN, tmp_path, axe=axe)
    assert seen.faults == []
    assert seen.axe == {}
    assert seen.tiles == SEATS
    assert seen.tiles_that_moved > SEATS // 4
    assert {n for name, n in seen.tiles_below_the_window.items() if not name.endswith("390")} == {0}
    assert seen.bars >= 6 * 4
    assert seen.replay_moved
    assert len(list(tmp_path.glob("*.png"))) == 2 * 3 * 5


def test_a_page_that_hears_nothing_says_since_when_and_comes_back_by_itself(
    class_: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, process = class_
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        page = browser.new_page(locale="en")
        page.goto(url)
        page.fill("#pin", PIN)
        page.click("form button.main:not(:empty)")
        page.wait_for_selector("#link[data-live=live]")
        process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        page.wait_for_selector("#stale:not([hidden])", timeout=8_000)
        assert time.monotonic() - stopped < 5.5
        assert page.locator("main.old").count() == 1
        assert "Not live since" in page.inner_text("#stale")
        process.send_signal(signal.SIGCONT)
        page.wait_for_selector("#link[data-live=live]", timeout=20_000)
        assert page.locator("#stale").is_hidden()
        browser.close()


def test_a_single_dot_is_drawn_at_least_one_and_a_half_pixels_wide(
    class_: tuple[str, subprocess.Popen[bytes]],
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        page = browser.new_page()
        page.goto(class_[0])
        inked = page.evaluate(
            """async () => {
              const { drawStroke } = await import('/static/ink.js');
              const canvas = document.createElement('canvas');
              const context = canvas.getContext('2d');
              drawStroke(context, { scale: 0.5, left: 0, top: 0 }, { dots: [40, 40, 0, 0] });
              const { data } = context.getImageData(0, 0, 60, 60);
              let sum = 0;
              for (let i = 3; i < data.length; i += 4) sum += data[i] / 255;
              return sum;
            }"""
        )
        browser.close()
    assert inked > 3.14 * (1.5 / 2) ** 2 * 0.8
