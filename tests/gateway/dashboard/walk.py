"""A walk through the pages in a real browser, as a teacher would: what it saw is what it returns.

It knows nothing of who serves: point it at the fake class or at a demo.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WINDOWS: Final = ((1920, 1080), (1366, 768), (390, 844))
LANGUAGES: Final = ("zh-CN", "en")
_INKED: Final = """() => {
  const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  return [...document.querySelectorAll('.tile canvas')].map(canvas => {
    const width = copy.canvas.width = canvas.width || 1;
    const height = copy.canvas.height = canvas.height || 1;
    copy.drawImage(canvas, 0, 0);
    const data = copy.getImageData(0, 0, width, height).data;
    let sum = 0;
    for (let i = 3; i < data.length; i += 4) sum += data[i];
    return sum;
  });
}"""


@dataclass
class Seen:
    """What a walk saw."""

    tiles: int = 0
    tiles_that_moved: int = 0
    tiles_below_the_window: dict[str, int] = field(default_factory=dict)
    bars: int = 0
    replay_moved: bool = False
    faults: list[str] = field(default_factory=list)
    """Console errors, refusals of the content policy, requests to another origin, words that are bare codes."""
    axe: dict[str, list[str]] = field(default_factory=dict)
    delay_ms: float | None = None
    """From the box's time in the newest frame to the page."""


def walk(url: str, pin: str, out_dir: Path, *, axe: str | None = None) -> Seen:
    """Log in and see every view in two languages and three windows; screenshots go to `out_dir`.

    Args:
        url: Where the pages are.
        pin: The PIN that lets in.
        out_dir: Where screenshots go.
        axe: The source of axe-core, or None to leave it out.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    seen = Seen()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        for language in LANGUAGES:
            for width, height in WINDOWS:
                with watched(browser, url, seen, language, (width, height)) as page:
                    _look(page, url, pin, out_dir / f"{language}-{width}", seen, axe)
        browser.close()
    return seen


@contextmanager
def watched(browser: Browser, url: str, seen: Seen, language: str, size: tuple[int, int]) -> Iterator[Page]:
    """A page in a language and a window, whose errors and foreign requests are noted."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=language, bypass_csp=False)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("console", lambda said: seen.faults.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: seen.faults.append(str(error)))
    origin = urlsplit(url).netloc

    def requested(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"data", "blob"} and parts.netloc != origin:
            seen.faults.append(f"request to another origin: {address}")

    page.on("request", lambda request: requested(request.url))
    yield page
    context.close()


def _look(page: Page, url: str, pin: str, name: Path, seen: Seen, axe: str | None) -> None:
    def picture(what: str) -> None:
        page.screenshot(path=f"{name}-{what}.png")
        check(page, f"{name.name}-{what}", seen, axe)

    page.goto(url)
    page.wait_for_selector("button.main:not(:empty)")
    picture("1-login")
    page.fill("#pin", pin)
    page.click("form button.main")
    page.wait_for_selector("#link[data-live=live]")
    page.wait_for_selector(".tile")
    _wall(page, name, seen)
    picture("2-wall")
    page.click("nav a[href='#answers']")
    page.wait_for_selector("#answers .card")
    seen.bars = max(seen.bars, page.locator("#answers .count").count())
    picture("3-answers")
    page.click("nav a[href='#pens']")
    page.wait_for_selector("#pens table tbody tr")
    picture("4-pens")
    page.click("nav a[href='#wall']")
    _replay(page, seen)
    picture("5-pupil")


def _wall(page: Page, name: Path, seen: Seen) -> None:
    seen.tiles = page.locator(".tile").count()
    before = page.evaluate(_INKED)
    page.wait_for_timeout(2_000)
    after = page.evaluate(_INKED)
    seen.tiles_that_moved = max(seen.tiles_that_moved, sum(a != b for a, b in zip(before, after, strict=True)))
    below = """() => [...document.querySelectorAll('.tile')].filter(
      tile => tile.getBoundingClientRect().bottom > innerHeight).length"""
    seen.tiles_below_the_window[name.name] = page.evaluate(below)
    seen.delay_ms = page.evaluate("inkgate.link.delayMs")


def _replay(page: Page, seen: Seen) -> None:
    busiest = page.evaluate(
        "[...inkgate.ink.seats].sort((a, b) => b[1].length - a[1].length).map(([seat]) => seat)[0] ?? 1"
    )
    page.click(f".tile[href='#seat-{busiest}']")
    page.wait_for_selector("#pupil .reading")
    # Not wait_for_function: it evaluates a string in the page, which the page's policy rightly forbids.
    while not page.evaluate("document.querySelector('#moment').max > 0"):
        page.wait_for_timeout(50)
    page.select_option("#speed", "1")
    page.click("#pupil .scrub button.main")
    page.wait_for_timeout(400)
    value = float(page.input_value("#moment"))
    page.wait_for_timeout(300)
    seen.replay_moved |= float(page.input_value("#moment")) != value


def check(page: Page, name: str, seen: Seen, axe: str | None) -> None:
    """Look for bare codes, a page wider than its window, and what axe finds."""
    bare = page.evaluate(
        """() => document.body.innerText.match(
          /\\b(?:pen|radio|tile|state|reason|word|counts|answers|pupil|check|review)\\.[a-z_]+/g) ?? []"""
    )
    seen.faults += [f"{name}: a bare code {code}" for code in bare]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        seen.faults.append(f"{name}: wider than the window")
    if axe is None:
        return
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": axe})
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: Any = page.evaluate(
        """tags => axe.run({runOnly: tags}).then(
          said => said.violations.map(one => `${one.id}: ${one.nodes[0].html.slice(0, 160)}`))""",
        tags,
    )
    if found:
        seen.axe[name] = list(found)
