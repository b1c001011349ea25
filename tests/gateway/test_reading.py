import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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
        async with asyncio.timeout(20):
            while len(self.answers) < count:
                await self.came.wait()
                self.came.clear()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Desk, ReaderProcess]]:
    desk = Desk()
    reader = ReaderProcess(FAKE, desk.take)
    task = asyncio.create_task(reader.run())
    yield desk, reader
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


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
