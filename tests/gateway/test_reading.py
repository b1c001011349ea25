import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from gateway.reading import Answer, Job, ReaderProcess

FAKE = (sys.executable, str(Path(__file__).parent.parent / "fakes" / "reader.py"))


class Desk:
    """Gathers answers and says when enough have come."""

    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}
        self.came = asyncio.Event()

    def take(self, answer: Answer) -> None:
        assert answer.id not in self.answers, "a job was answered twice"
        self.answers[answer.id] = answer
        self.came.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.answers) < count:
                await self.came.wait()
                self.came.clear()


@asynccontextmanager
async def running(
    *more: str, command: tuple[str, ...] = FAKE, hang_s: float = 20.0
) -> AsyncIterator[tuple[Desk, ReaderProcess]]:
    desk = Desk()
    reader = ReaderProcess((*command, *more), desk.take, hang_s=hang_s)
    task = asyncio.create_task(reader.run())
    yield desk, reader
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait on another process."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  what a process does sets no event here
            await asyncio.sleep(0.002)


def job(number: int, kind: str = "digit", **more: str) -> Job:
    return Job(number, {"kind": kind, **more})


async def test_every_job_is_answered_once() -> None:
    async with running() as (desk, reader):
        for number in range(100):
            reader.ask(job(number))
        await desk.wait_for(100)
        assert reader.pending == 0
        assert desk.answers[7] == Answer(7, "7", 0.9, True, (("1", 0.1),), (), "fake/1")


async def test_a_reader_that_dies_gets_its_jobs_again(tmp_path: Path) -> None:
    async with running() as (desk, reader):
        reader.ask(job(1))
        reader.ask(job(2, "die", once=str(tmp_path / "died")))
        reader.ask(job(3))
        await desk.wait_for(3)
        assert reader.restarts == 1
        assert all(answer.accepted for answer in desk.answers.values())


async def test_a_job_that_kills_the_reader_twice_is_left_alone_and_the_others_are_answered() -> None:
    async with running() as (desk, reader):
        reader.ask(job(1, "die"))
        reader.ask(job(2))
        await desk.wait_for(2)
        assert desk.answers[1].reasons == ("reader_failed",)
        assert not desk.answers[1].accepted
        assert desk.answers[2].accepted


async def test_what_is_no_reading_is_passed_over() -> None:
    async with running() as (desk, reader):
        reader.ask(job(1, "babble"))
        await desk.wait_for(1)
        assert desk.answers[1].accepted


async def test_nothing_is_left_running_when_it_ends() -> None:
    async with running() as (desk, reader):
        reader.ask(job(1))
        await desk.wait_for(1)
        assert reader.pid is not None
    assert reader.pid is None


async def test_a_job_that_hangs_the_reader_is_a_crash_and_the_others_are_answered(tmp_path: Path) -> None:
    async with running(hang_s=0.4) as (desk, reader):
        reader.ask(job(1, "hang"))
        reader.ask(job(2))
        reader.ask(job(3, "hang", once=str(tmp_path / "hung")))
        await desk.wait_for(3)
        assert desk.answers[1].reasons == ("reader_failed",)
        assert desk.answers[2].accepted
        assert desk.answers[3].accepted
        assert reader.restarts == 3


async def test_a_reader_that_has_nothing_to_do_does_not_hang() -> None:
    async with running(hang_s=0.1) as (desk, reader):
        reader.ask(job(1))
        await desk.wait_for(1)
        pid = reader.pid
        await asyncio.sleep(0.5)  # as long as five hangs, on a real process
        reader.ask(job(2))
        await desk.wait_for(2)
        assert (reader.pid, reader.restarts) == (pid, 0)


async def test_the_reader_says_which_one_it_is_before_it_gets_a_job() -> None:
    async with running("fake/9") as (desk, reader):
        versions = [reader.version]
        reader.ask(job(1))
        await desk.wait_for(1)
        versions += [reader.version, desk.answers[1].reader]
        assert versions == [None, "fake/9", "fake/9"]


async def test_what_no_reader_survived_names_the_reader() -> None:
    async with running() as (desk, reader):
        reader.ask(job(1, "die"))
        await desk.wait_for(1)
        assert desk.answers[1].reader == "fake/1"


async def test_a_reader_that_dies_while_it_loads_is_no_job_s_fault() -> None:
    async with running("fake/1", "0.5") as (desk, reader):
        for number in range(3):
            reader.ask(job(number))
        for _ in range(3):
            await killed(reader)
        await desk.wait_for(3)
        assert all(answer.accepted for answer in desk.answers.values())


async def test_a_reader_that_cannot_be_started_waits_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with running(command=("/nowhere/reader",)) as (desk, reader):
        reader.ask(job(1))
        await until(lambda: reader.restarts > 0)
        assert (reader.pending, desk.answers) == (1, {})
    assert "cannot be started" in caplog.text


async def killed(reader: ReaderProcess) -> None:
    """Kill the reader and wait until another is started."""
    await until(lambda: reader.pid is not None)
    before = reader.restarts
    os.kill(reader.pid or 0, signal.SIGKILL)
    await until(lambda: reader.restarts > before)


async def killed_at_random(reader: ReaderProcess, desk: Desk, *, times: int, seed: int, jobs: int) -> None:
    """Kill the reader whenever it has some jobs more answered, until it was killed so often."""
    drawn, kills = Random(seed), 0  # noqa: S311  moments, no secret
    while kills < times and len(desk.answers) < jobs:
        await asyncio.sleep(drawn.uniform(0, 0.02))
        if reader.pid is not None and reader.version is not None and reader._under_way:
            await killed(reader)
            kills += 1
    assert kills == times


async def test_a_reader_killed_twenty_times_with_forty_jobs_under_way_answers_each_once() -> None:
    """`Desk` refuses an answer that comes twice."""
    async with running() as (desk, reader):
        for number in range(40):
            reader.ask(job(number, "slow"))
        for again in range(20):
            reader.ask(job(100 + again, "slow"))
            await killed_at_random(reader, desk, times=1, seed=again, jobs=1_000)
        await desk.wait_for(60)
        failed = [a for a in desk.answers.values() if "reader_failed" in a.reasons]
        assert len(failed) <= 10, "two kills at the same job are needed for each"
        assert reader.pending == 0
        assert reader.restarts == 20


@pytest.mark.full
async def test_the_real_reader_killed_twenty_times_answers_each_job_once() -> None:
    strokes = [[[20 + i, 40 + i % 3, 10 * i, 0.5] for i in range(8)]]
    async with running(command=(sys.executable, "-m", "gateway", "read")) as (desk, reader):
        for number in range(40):
            reader.ask(Job(number, {"kind": "digit", "strokes": strokes}))
        for again in range(20):
            for more in range(40):
                reader.ask(Job(1_000 + 40 * again + more, {"kind": "digit", "strokes": strokes}))
            await killed_at_random(reader, desk, times=1, seed=again, jobs=10_000)
        await desk.wait_for(840)
        assert reader.pending == 0
        assert {a.value for a in desk.answers.values() if a.accepted} <= {"1", None}
