"""A class that writes: a dashboard source with behaviour, for tests and for looking at the pages by hand.

`python -m tests.gateway.dashboard.fake_source PORT` serves it with the PIN 246810.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gateway import clock
from gateway.dashboard.access import Access
from gateway.dashboard.feed import Feed
from gateway.dashboard.server import Serving, build_app, serve
from gateway.dashboard.source import (
    AnswerState,
    FieldBox,
    FieldView,
    LessonView,
    LiveChunk,
    LiveDot,
    PupilView,
    QuestionView,
    Said,
    SeatView,
    SheetPage,
    StatusView,
    StrokeView,
)
from gateway.dashboard.views import question
from tests.gateway.dashboard.fake_check import FakeCheck, group

PIN = "246810"
SEATS = 48
_SIGNS = {
    "0": "0,1 .5,0 1,1 .5,2 0,1",
    "1": ".2,.4 .6,0 .6,2",
    "2": "0,.5 .5,0 1,.5 0,2 1,2",
    "3": "0,0 1,0 .4,.9 1,1.4 .4,2 0,1.7",
    "4": ".7,2 .7,0 0,1.3 1,1.3",
    "5": "1,0 .1,0 .1,.8 .9,1 .8,1.8 0,2",
    "6": ".9,0 .1,1 .1,1.8 .9,1.8 .8,1.1 .1,1.2",
    "7": "0,0 1,0 .4,2",
    "8": ".5,.9 0,.4 .5,0 1,.4 0,1.6 .5,2 1,1.6 .5,.9",
    "9": ".9,.8 .2,.8 .1,.1 .9,.1 .9,.8 .7,2",
    "x": "0,0 1,2|1,0 0,2",
}
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁"


@dataclass(frozen=True)
class _Question:
    field: str
    page: int
    box: tuple[float, float, float, float]
    prompt: dict[str, str]
    key: str
    wrong: str
    options: str = ""


QUESTIONS = (
    _Question("q1", 0, (140, 40, 156, 56), {"": "3 + 4 ="}, "7", "8"),
    _Question("q2", 0, (140, 90, 156, 106), {"": "9 - 6 ="}, "3", "4"),
    _Question("q3", 0, (135, 140, 165, 154), {"": "28 + 9 ="}, "37", "36"),
    _Question("q4", 0, (135, 190, 165, 204), {"": "100 - 36 ="}, "64", "74"),
    _Question("q5", 1, (135, 50, 165, 64), {"": "250 + 158 ="}, "408", "308"),
    _Question(
        "q6",
        1,
        (20, 122, 190, 140),
        {"en": "Which number is the largest?", "zh-CN": "哪个数最大？"},
        "C",
        "B",
        options="ABCD",
    ),
)


def _marks(one: _Question) -> list[tuple[str, tuple[float, float, float, float]]]:
    left, top, _, _ = one.box
    return [(value, (left + 5 + 42 * i, top + 5, left + 13 + 42 * i, top + 13)) for i, value in enumerate(one.options)]


PAGES = tuple(
    SheetPage(
        210, 297, [FieldBox(one.field, one.field[1:], one.box, _marks(one)) for one in QUESTIONS if one.page == n]
    )
    for n in (0, 1)
)


def _hand(seat: int) -> random.Random:
    return random.Random(seat)  # noqa: S311  a hand, not a secret


@dataclass
class Child:
    """Writes one answer after another, at a hundred dots a second."""

    seat: int
    start_ms: int
    fails: Said | None
    random: random.Random
    answers: dict[str, tuple[AnswerState, str | None]] = field(default_factory=dict)
    strokes: list[StrokeView] = field(default_factory=list)
    ink_at_ms: int | None = None

    def __post_init__(self) -> None:
        self._work = self._write()
        self._next_ms = self.start_ms + self.random.randrange(0, 8_000)

    def step(self, now_ms: int) -> list[LiveChunk]:
        """What was written since the last call."""
        if self.fails is not None and self.fails.code != "pen.battery_low":
            return []
        chunks = []
        while self._next_ms <= now_ms:
            made = next(self._work, None)
            if made is None:
                break
            pause_ms, chunk = made
            if chunk is not None:
                chunks.append(chunk)
                self._keep(chunk)
            self._next_ms += pause_ms
        return chunks

    def _keep(self, chunk: LiveChunk) -> None:
        if chunk.first:
            self.strokes.append(StrokeView(self.seat, chunk.page, chunk.at_ms, list(chunk.dots), chunk.ended))
        else:
            before = self.strokes[-1]
            dots = [*before.dots, *chunk.dots]
            self.strokes[-1] = StrokeView(self.seat, before.page, before.at_ms, dots, chunk.ended)
        self.ink_at_ms = chunk.at_ms

    def _write(self) -> Iterator[tuple[int, LiveChunk | None]]:
        for one in QUESTIONS:
            value = one.key if self.random.random() > 0.25 else one.wrong
            if one.options:
                left, top, _, _ = _marks(one)[one.options.index(value)][1]
                text, x0, y0, size = "x", left + 1.5, top + 0.5, 3.5
            else:
                text, x0, y0, size = value, one.box[0] + 4, one.box[1] + 3, 4.5
            for sign in text:
                for stroke in _SIGNS[sign].split("|"):
                    yield from self._stroke(stroke, one.page, x0, y0, size)
                x0 += size * 1.5
            unsure = self.random.random() < 0.08
            self.answers[one.field] = ("unsure", value) if unsure else ("answered", value)
            yield self.random.randrange(500, 3_000), None

    def _stroke(
        self, stroke: str, page: int, x0: float, y0: float, size: float
    ) -> Iterator[tuple[int, LiveChunk | None]]:
        points = [tuple(float(v) for v in p.split(",")) for p in stroke.split()]
        dots: list[LiveDot] = []
        for (ax, ay), (bx, by) in pairwise(points):
            for i in range(8):
                x = x0 + (ax + (bx - ax) * i / 8) * size + self.random.random() * 0.15
                y = y0 + (ay + (by - ay) * i / 8) * size + self.random.random() * 0.15
                dots.append((round(x * 100), round(y * 100), self.random.randrange(90, 200), 10 if dots else 0))
        for at in range(0, len(dots), 4):
            part = dots[at : at + 4]
            last = at + 4 >= len(dots)
            yield 40, LiveChunk(self.seat, page, self._next_ms, part, first=at == 0, ended=last)
        yield 150, None


class FakeSource:
    """48 seats, some with a pen that is not heard, a full radio or an empty battery."""

    def __init__(self, now_ms: int, *, seats: int = SEATS, lesson: bool = True) -> None:
        fails = {
            5: Said("pen.not_heard"),
            17: Said("radio.full", {"used": 7, "places": 7}),
            23: Said("pen.power_off"),
            31: Said("pen.not_bound"),
            40: Said("radio.retry_later"),
            44: Said("pen.battery_low", {"percent": 9}),
        }
        self.started_ms = now_ms
        self.lesson = lesson
        self.children = [Child(n, now_ms, fails.get(n), _hand(n)) for n in range(1, seats + 1)]
        self.seq = 0
        self.now_ms = now_ms
        self.warnings: list[Said] = []

    def step(self, now_ms: int) -> list[LiveChunk]:
        """One beat: what the class wrote."""
        self.now_ms = now_ms
        if not self.lesson:
            return []
        batch = [chunk for child in self.children for chunk in child.step(now_ms)]
        self.seq += bool(batch)
        return batch

    def seats(self) -> Sequence[SeatView]:
        return [self._seat(child) for child in self.children]

    def _seat(self, child: Child) -> SeatView:
        states = [state for state, _ in child.answers.values()]
        why = child.fails or Said("ok")
        live = why.code in {"ok", "pen.battery_low"}
        connecting = why.code == "radio.retry_later"
        return SeatView(
            seat=child.seat,
            name=_SURNAMES[(child.seat - 1) % 48] + "一子雨欣宇"[child.seat % 5] + "可嘉涵"[child.seat % 3],
            pen=None if why.code == "pen.not_bound" else f"{child.seat:02X}:{child.seat * 5 % 256:02X}",
            link="live" if live else "connecting" if connecting else "down",
            why=why,
            adapter=f"hci{child.seat % 4}" if live else None,
            signal_dbm=-48 - child.seat * 13 % 42 if live else None,
            battery_percent=9 if child.seat == 44 else 100 - child.seat * 37 % 70 if live else None,
            fields=len(QUESTIONS) if self.lesson else 0,
            answered=states.count("answered"),
            unsure=states.count("unsure"),
            ink_at_ms=child.ink_at_ms,
        )

    def questions(self) -> Sequence[QuestionView]:
        if not self.lesson:
            return []
        made = []
        for one in QUESTIONS:
            answers: list[tuple[AnswerState, str | None]] = []
            for child in self.children:
                nothing: AnswerState = "no_pen" if child.fails and not child.strokes else "blank"
                answers.append(child.answers.get(one.field, (nothing, None)))
            if one.field == "q3":
                answers[1] = ("not_captured", None)
            made.append(
                question(
                    field=one.field,
                    prompt=one.prompt,
                    kind="choice" if one.options else "number",
                    key=one.key,
                    right=[one.key],
                    answers=answers,
                )
            )
        return made

    def pupil(self, seat: int) -> PupilView | None:
        child = next((child for child in self.children if child.seat == seat), None)
        if child is None:
            return None
        name = self._seat(child).name
        return PupilView(seat=seat, name=name, fields=[self._field(child, one) for one in QUESTIONS])

    def _field(self, child: Child, one: _Question) -> FieldView:
        made = child.answers.get(one.field)
        if made is None:
            return FieldView(field=one.field, state="blank", reasons=("nothing_yet",))
        state, value = made
        return FieldView(
            field=one.field,
            state=state,
            value=value,
            confidence=0.62 if state == "unsure" else 0.99,
            alternatives=[("1", 0.2)] if state == "unsure" else (),
            points=None if state == "unsure" else float(value == one.key),
            max_points=1.0,
            reasons=("low_confidence",) if state == "unsure" else (),
            decided_by="machine",
        )

    def snapshot(self) -> tuple[int, Sequence[StrokeView]]:
        return self.seq, [stroke for child in self.children for stroke in child.strokes]

    def status(self) -> StatusView:
        title = {"en": "Adding and subtracting", "zh-CN": "加减法练习"}
        lesson = LessonView(id="lesson-1", title=title, started_ms=self.started_ms, pages=PAGES)
        return StatusView(
            lesson=lesson if self.lesson else None,
            pens_linked=sum(seat.link == "live" for seat in self.seats()),
            results_waiting=3,
            outbox_depth=12,
            outbox_oldest_s=130,
            disk_free_percent=60,
            warnings=self.warnings,
        )


@dataclass
class Class:
    """A fake class behind the real server, beating 30 times a second."""

    source: FakeSource
    feed: Feed
    access: Access
    check: FakeCheck
    serving: Serving
    beating: "asyncio.Task[None]"

    @property
    def url(self) -> str:
        return self.serving.url

    async def close(self) -> None:
        self.beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.beating
        await self.serving.close()


async def hold_class(port: int = 0, *, seats: int = SEATS, lesson: bool = True) -> Class:
    """Serve a class that writes."""
    source = FakeSource(clock.now_ms(), seats=seats, lesson=lesson)
    feed = Feed(clock.now_ms)
    access = Access(PIN, ("127.0.0.1", "localhost"))
    check = FakeCheck(group("q1", "7", 1, 2, 3), group("q1", "9", 4))
    serving = await serve(build_app(source, feed, access, check), "127.0.0.1", port)

    async def beat() -> None:
        while True:
            batch = source.step(clock.now_ms())
            feed.publish(source.seq, batch)
            await asyncio.sleep(1 / 30)

    return Class(source, feed, access, check, serving, asyncio.create_task(beat()))


async def _by_hand(port: int) -> None:
    held = await hold_class(port)
    sys.stderr.write(f"{held.url}  PIN {PIN}\n")
    await held.beating


if __name__ == "__main__":
    asyncio.run(_by_hand(int(sys.argv[1]) if len(sys.argv) > 1 else 8791))
