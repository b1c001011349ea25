"""Levels of the disk on numbers, then on a real small one."""

from pathlib import Path

import pytest

from gateway.disk import Disk, free_bytes
from tests.gateway.small_disk import fill_up, small_disk

MB = 1 << 20


class Room:
    """Free space as the test says."""

    def __init__(self, mb: float) -> None:
        self.mb = mb

    def __call__(self, folder: Path) -> int:
        del folder
        return round(self.mb * MB)


def disk(folder: Path, room: Room) -> Disk:
    return Disk(folder, low_mb=100, reserve_mb=4, free=room)


def test_the_reserve_is_taken_while_there_is_room_and_given_when_there_is_none(tmp_path: Path) -> None:
    room = Room(200)
    watched = disk(tmp_path, room)
    assert watched.look() == "ok"
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 4 * MB
    room.mb = 0.9
    assert watched.look() == "full"
    assert not (tmp_path / "reserve").exists()
    assert (watched.allows, watched.takes_ink) == (False, False)


def test_low_stops_what_may_wait_and_nothing_else(tmp_path: Path) -> None:
    room = Room(99)
    watched = disk(tmp_path, room)
    assert watched.look() == "low"
    assert (watched.allows, watched.takes_ink) == (False, True)
    assert (tmp_path / "reserve").exists()


def test_nothing_flutters_between_two_levels(tmp_path: Path) -> None:
    room = Room(99)
    watched = disk(tmp_path, room)
    seen = []
    for mb in (99, 101, 99, 110, 124, 126, 101, 99):
        room.mb = mb
        seen.append(watched.look())
    assert seen == ["low", "low", "low", "low", "low", "ok", "ok", "low"]


def test_space_that_comes_back_is_the_reserve_s_first(tmp_path: Path) -> None:
    room = Room(0.5)
    watched = disk(tmp_path, room)
    assert watched.look() == "full"
    room.mb = 4.5
    assert watched.look() == "full", "the reserve would take nearly all of it"
    assert not (tmp_path / "reserve").exists()
    room.mb = 6
    assert watched.look() == "low"
    assert (tmp_path / "reserve").exists()
    room.mb = 500
    assert watched.look() == "ok"


def test_a_transaction_that_found_no_room_means_full_whatever_the_disk_says(tmp_path: Path) -> None:
    watched = disk(tmp_path, Room(50))
    watched.look()
    watched.refused()
    assert watched.look() == "full"
    assert watched.look() == "low", "and not for ever"


def test_a_start_without_the_reserve_is_full_until_there_is_room_for_it(tmp_path: Path) -> None:
    room = Room(4.5)
    watched = disk(tmp_path, room)
    assert watched.is_full()
    assert watched.look() == "full"
    room.mb = 6
    assert not disk(tmp_path, room).is_full()
    assert watched.look() == "low"


def test_a_folder_that_is_not_there_yet_has_the_room_of_the_one_above(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path / "a" / "b") - free_bytes(tmp_path)) < 100 * MB


@pytest.mark.slow
def test_on_a_real_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 8) as folder:
        watched = Disk(folder, low_mb=3, reserve_mb=1)
        assert watched.look() == "ok"
        before = free_bytes(folder)
        assert before < 7.1 * MB, "the reserve takes its room"
        hog = fill_up(folder, leave_bytes=2 * MB)
        assert watched.look() == "low"
        fill_up(folder)
        assert watched.look() == "full"
        assert free_bytes(folder) >= 0.9 * MB, "the reserve is given"
        hog.unlink()
        assert watched.look() == "ok"
        assert free_bytes(folder) <= before
