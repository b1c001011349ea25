"""A reader without a process: it keeps the jobs until the test lets it answer, in the test's own time."""

from collections.abc import Callable

from gateway.reading import Answer, Job, ReaderProcess


class DeskReader(ReaderProcess):
    """Answers what it is told; `silent` for one that hangs."""

    def __init__(self, on_answer: Callable[[Answer], None]) -> None:
        super().__init__((), on_answer)
        self.tell = on_answer
        self.asked: list[Job] = []
        self.open: list[Job] = []
        self.said: dict[str, str | None] = {}
        """What it reads in fields of a kind; 7 where nothing is given."""
        self.sure = True
        self.version = "fake/1"

    def ask(self, job: Job) -> None:
        """As `ReaderProcess`."""
        self.asked.append(job)
        self.open.append(job)

    @property
    def pending(self) -> int:
        """As `ReaderProcess`."""
        return len(self.open)

    def answer(self) -> int:
        """Answer all that is open. Returns how many."""
        jobs, self.open = self.open, []
        for job in jobs:
            value = self.said.get(job.request["kind"], "7")
            self.tell(Answer(job.id, value, 0.97, self.sure, (("1", 0.02),), (), self.version or ""))
        return len(jobs)
