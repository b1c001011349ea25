"""Field case 29 on a whole box: a copied disk is told with its cure until a person has seen to it; lessons go on."""

import asyncio
from pathlib import Path

import pytest

from gateway import control
from gateway.doctor import Finding, examine
from gateway.identity import installation
from gateway.machine import Marks
from gateway.store import Store
from tests.gateway.box_rig import House

CODE = "identity.twin_disk"


def copy_disk(folder: Path) -> None:
    """The store in this folder ran on another machine before."""
    store = Store(folder / "gateway.db")
    for part in ("there", "here"):
        store.submit(lambda db, part=part: installation(db, lambda salt: Marks(frozenset({salt + part}), ""))).result()  # type: ignore[misc]  # mypy does not infer a lambda's default
    store.close()


async def findings(house: House) -> list[Finding]:
    return await asyncio.to_thread(lambda: [one for one in examine(house.settings) if one.id.endswith(CODE)])


@pytest.mark.slow
async def test_a_copied_disk_fails_the_doctor_with_the_cure_and_a_word_of_a_person_ends_it(tmp_path: Path) -> None:
    copy_disk(tmp_path)
    house = House(tmp_path)
    server = await control.serve(tmp_path, house.handlers)
    try:
        (found,) = await findings(house)
        assert (found.verdict, "inkgate sync enrol" in found.cure, "nothing is lost" in found.sentence) == (
            "fail",
            True,
            True,
        )
        assert await house.handlers["sync_enrol"]({}) == {"was_in_doubt": True}
        assert await findings(house) == []
        assert await house.handlers["sync_enrol"]({}) == {"was_in_doubt": False}
        assert (await house.handlers["sync_status"]({}))["link"]["alarms"] == []
        assert await house.handlers["sync_retry"]({}) == {"envelopes": 0}
    finally:
        server.close()
        await house.close()
