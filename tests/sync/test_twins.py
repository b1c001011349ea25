"""Field case 29: two boxes with one identity; neither overwrites the other, and a person is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.broker import Backoff
from sync.messages import Result
from sync.outbox import Numbers
from sync.publisher import Publisher
from sync.status import TWIN
from tests.sync.rig import TOPICS, Rig, rig_in
from tests.sync.samples import MADE_MS, Box, box_at, result


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        rig.start_district()
        yield rig


class Clone:
    """A second machine on the rig's clock, under the same topics."""

    def __init__(self, rig: Rig, box: Box, client_id: str) -> None:
        self.rig, self.box = rig, box
        self.publisher = Publisher(
            rig.hub.connector(client_id),
            box.run,
            TOPICS,
            numbers=Numbers(),
            now_ms=lambda: MADE_MS + rig.now_ms,
            tick_ms=lambda: rig.now_ms,
            backoff=Backoff(chance=lambda: 0.5),
        )

    async def run(self, span_ms: int) -> None:
        """Both machines and the district work for so long."""
        end_ms = self.rig.now_ms + span_ms
        while self.rig.now_ms < end_ms:
            await self.publisher.step()
            await self.rig.run(200, step_ms=200)


@contextmanager
def clone_of(rig: Rig, client_id: str) -> Iterator[Clone]:
    with box_at(rig.folder / "clone.db") as box:
        rig.box.db.conn.backup(box.db.conn)
        yield Clone(rig, box, client_id)


def of(number: int, installation: str) -> Result:
    return result(number, value=f"written on {installation}", installation=installation)


async def both_write(rig: Rig, clone: Clone, minutes: int) -> None:
    for number in range(100, 100 + minutes * 6):
        rig.box.put(of(number, "i1"))
        clone.box.put(of(number, "i2"))
        await clone.run(10_000)


async def test_two_machines_with_one_client_id_stop_throwing_each_other_out_and_lose_nothing(rig: Rig) -> None:
    rig.box.put(*(of(n, "i1") for n in range(50)))
    await rig.run(1_000)
    with clone_of(rig, "box-1") as clone:
        await both_write(rig, clone, 10)
        assert TWIN in {rig.publisher.status().reason, clone.publisher.status().reason}
        assert rig.publisher.status().connections + clone.publisher.status().connections < 40
        await rig.drain(3_600_000)
        for _ in range(100):
            if not (clone.box.depth().results or rig.box.depth().results):
                break
            await clone.run(60_000)
        theirs = rig.in_district()
        assert theirs == rig.box.revisions() | clone.box.revisions()
        assert len(theirs) == len(set(rig.box.revisions()) | set(clone.box.revisions())) == 170


async def test_a_clone_under_a_client_id_of_its_own_works_beside_and_the_first_one_is_told(rig: Rig) -> None:
    rig.box.put(*(of(n, "i1") for n in range(50)))
    await rig.run(1_000)
    with clone_of(rig, "box-1-abc123") as clone:
        await both_write(rig, clone, 6)
        assert rig.publisher.status().connections == clone.publisher.status().connections == 1
        assert rig.publisher.status().reason == TWIN, "receipts for envelopes of nobody here tell of a twin"
        assert rig.publisher.status().state == "online"
        await clone.run(10_000)
        assert rig.in_district() == rig.box.revisions() | clone.box.revisions()


async def test_a_box_that_was_killed_often_is_not_its_own_twin(rig: Rig) -> None:
    for number in range(60):
        rig.box.put(result(number))
        await rig.run(700)
        rig.hub.cut("box-1")
        rig.start_box()
        await rig.run(60_000, step_ms=2_000)
        assert rig.publisher.status().reason is None
    await rig.drain(10_000)
    assert rig.in_district() == rig.box.revisions()
